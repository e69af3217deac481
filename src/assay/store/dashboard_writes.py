"""The writes about operators who sign in to the dashboard, as values.

A docstring says which Conflict a write can raise, and when it is Stale (see :mod:`assay.store`).
"""

from __future__ import annotations

import msgspec

from assay.model import OperatorLink, OperatorPassword, User
from assay.store.writes import Write


class CreateOperatorLink(Write, frozen=True, kw_only=True):
    """A link in the place of all earlier ones for the same operator (or for the first one).

    With ``new`` the operator is made along with it. Conflict: ``user_email``.
    """

    link: OperatorLink
    new: User | None = None


class UseOperatorLink(Write, frozen=True, kw_only=True):
    """Take the link and set the password; sessions of the operator end at ``now``.

    ``user`` is stored as its next revision, or made if ``is_new``. Stale when the link does not work at ``now`` or the
    user has moved on. Conflict: ``user_email``.
    """

    token_hash: bytes
    user: User
    is_new: bool
    password: OperatorPassword
    now: int


class ReplaceOperatorPassword(Write, frozen=True, kw_only=True):
    """Another password; sessions of the operator end. Stale when ``expected_hash`` is not what is kept."""

    environment_id: str
    password: OperatorPassword
    expected_hash: str


class ReplaceOperator(Write, frozen=True, kw_only=True):
    """``user`` carries the revision it was read with; its sessions end at ``now``.

    With ``needs_another_owner`` also Stale when nobody else is an active owner.
    """

    user: User
    now: int
    needs_another_owner: bool


class DeleteOperator(Write, frozen=True, kw_only=True):
    """The operator with password, links and sessions. Stale when there is none, and as :class:`ReplaceOperator`."""

    environment_id: str
    user_id: str
    needs_another_owner: bool


class SignInCount(msgspec.Struct, frozen=True, kw_only=True):
    """One more try at ``now`` under ``name``; Stale while tries under it are blocked, and then nothing is counted.

    ``free`` tries block nothing; each after them blocks for twice as long, from 2 up to ``longest`` seconds. Tries
    before ``forgotten_before`` do not count.
    """

    name: bytes
    now: int
    free: int
    longest: int
    forgotten_before: int


class CountSignIn(Write, frozen=True, kw_only=True):
    """All of these counts, or none of them."""

    counts: tuple[SignInCount, ...]


class ForgetSignIns(Write, frozen=True, kw_only=True):
    """Somebody signed in: what was counted under these names counts no more."""

    names: tuple[bytes, ...]
