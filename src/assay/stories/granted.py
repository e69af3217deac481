"""What logging in comes to: a session opened, who is logged in with it, and what they are handed."""

from __future__ import annotations

import msgspec

from assay.keys.recent_jwts import is_fresh
from assay.model import Caller, Member, Organization, Session, SessionView, User


class SessionDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A session as callers see it; ``roles`` are those that count in it now.

    ``last_accessed_at`` (seconds) stands beside it: an access that changes nothing else leaves the session as it is.
    """

    session: Session
    session_id: str
    roles: tuple[str, ...]
    organization_slug: str | None
    last_accessed_at: int


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """Who is logged in, and with what.

    ``details`` is None, and token and JWT are empty, for a consumer attest without a duration. ``granting_roles``
    answers an authorization check, and is None where none was asked. ``issued_at`` is the JWT's ``iat`` in seconds.
    """

    person: Member | User
    organization: Organization | None
    details: SessionDetails | None
    session_token: str
    session_jwt: str
    granting_roles: tuple[str, ...] | None = None
    issued_at: int = 0

    def as_of(self, now: int) -> Granted:
        """The same for an access at ``now`` (seconds)."""
        details = self.details
        if details is None or details.last_accessed_at >= now:
            return self
        return msgspec.structs.replace(self, details=msgspec.structs.replace(details, last_accessed_at=now))


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A live session and the token that opens it, which is known because the caller showed it or its JWT."""

    view: SessionView
    token: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What an authenticate that changed nothing was answered, and the records that it was made of."""

    view: SessionView
    caller: Caller
    granted: Granted

    def holds(self, view: SessionView, caller: Caller, now: float) -> bool:
        """Whether it may be answered again at ``now`` (seconds): nothing it was made of has changed since.

        The store hands out the very same records as long as their rows, and with them all configuration, are the same.
        """
        return self.view is view and self.caller is caller and is_fresh(self.granted.issued_at, now)
