"""The official Python client of the management API, pointed at a server of ours over https."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import requests
from stytch_management import Client
from stytch_management.errors import StytchError
from stytch_management.models.environments import Environment

from tests.certificates import ServerFiles
from tests.process import Assay, Server
from tests.sdk.clients import unique


class ManagedServer(NamedTuple):
    """A server that serves https, and a workspace key that opens it."""

    assay: Assay
    server: Server
    files: ServerFiles
    workspace_key_id: str
    workspace_key_secret: str

    def client(self, session: requests.Session) -> Client:
        """A client as its documentation says; whom it trusts is said by REQUESTS_CA_BUNDLE."""
        return Client(self.workspace_key_id, self.workspace_key_secret, base_url=self.server.url, session=session)


def new_environment(management: Client, vertical: str) -> Environment:
    """The TEST environment of a new project, which has a LIVE one too. ``vertical`` is CONSUMER or B2B."""
    project = management.projects.create(name=unique("Project"), vertical=vertical).project
    for kind in ("LIVE", "TEST"):
        made = management.environments.create(
            project_slug=project.project_slug, name=kind.title(), type=kind, environment_slug=kind.lower()
        )
    return made.environment


@contextmanager
def refused(error_type: str, status: int) -> Iterator[list[StytchError]]:
    """The block must end in a refusal of this type and status; the list holds it afterwards."""
    found: list[StytchError] = []
    with pytest.raises(StytchError) as caught:
        yield found
    error = caught.value
    assert (error.error_type, error.status_code) == (error_type, status), error.error_message
    assert error.request_id
    assert error.error_message
    assert error.error_url
    found.append(error)
