"""Sessions, and what they rest on."""

from __future__ import annotations

from typing import Any

from assay.model.base import Kind, Record, SubjectKind
from assay.model.people import Member, Organization, User


class Factor(Record, frozen=True, kw_only=True):
    """One trusted auth token that this session rests on, by (profile, token id) (decisions D6).

    ``ends_at`` is when a session that holds it ends at the latest, if the profile says that it ends with the token.
    """

    profile_id: str
    token_id: str
    created_at: int
    last_authenticated_at: int
    updated_at: int
    ends_at: int | None = None


class Session(Record, frozen=True, kw_only=True):
    """A live (or ended) session. ``number`` and ``id_tail`` make its id and its token (decisions D14)."""

    number: int
    id_tail: int
    environment_id: str
    kind: Kind
    token_hash: bytes
    subject_kind: SubjectKind
    subject_id: str
    organization_id: str | None
    factors: tuple[Factor, ...]
    custom_claims: dict[str, Any] = {}
    started_at: int
    last_accessed_at: int
    expires_at: int
    revoked_at: int | None = None
    revision: int = 1


class SessionView(Record, frozen=True, kw_only=True):
    """A session with the records it speaks of, read in one snapshot (decisions D29)."""

    session: Session
    member: Member | None = None
    user: User | None = None
    organization: Organization | None = None
