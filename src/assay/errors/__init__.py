"""Every way to say no: one tree; a stable code, a kind, a public sentence, a private detail."""

from __future__ import annotations

from assay.errors.base import Error as Error
from assay.errors.base import ErrorKind as ErrorKind
from assay.errors.base import all_errors as all_errors
from assay.errors.declared import *  # noqa: F403 - the tree is one name space: errors.MemberNotFound
from assay.errors.directory import *  # noqa: F403
from assay.errors.management import *  # noqa: F403
from assay.errors.operators import *  # noqa: F403
from assay.errors.people_files import *  # noqa: F403
from assay.errors.permissions import *  # noqa: F403
from assay.errors.presets import *  # noqa: F403
from assay.errors.redirects import *  # noqa: F403
from assay.errors.requests import *  # noqa: F403
from assay.errors.sessions import *  # noqa: F403
from assay.errors.tokens import *  # noqa: F403
