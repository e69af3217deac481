"""The store: where records live, and the one place that decides races.

Reads are methods. Writes are *values*: a story hands over a frozen description of a change, and the store
commits the writes of many requests in one transaction, answering each by itself. Either everything a write
names happens, its events and its attempt included, or nothing does. A write that returned is durable.

Decisions are unique keys and conditional statements. A write raises :class:`Conflict` when it would break a
unique key and :class:`Stale` when what it was decided upon has changed since; both leave nothing behind.
``errors.StoreUnavailable`` means that nothing is known to have happened, and that trying again later may work.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from assay.model import (
    Attempt,
    Caller,
    Environment,
    Event,
    Factor,
    Member,
    Organization,
    Profile,
    Project,
    PublicToken,
    Secret,
    Session,
    SessionView,
    SigningKey,
    SubjectKind,
    User,
)

UniqueKey = Literal[
    "project_slug",
    "profile_id",
    "organization_slug",
    "organization_external_id",
    "member_email",
    "member_external_id",
    "user_email",
    "user_phone_number",
    "user_external_id",
    "session_number",
    "signing_key",
]


class Conflict(Exception):
    """A unique key already holds this value."""

    def __init__(self, key: UniqueKey) -> None:
        super().__init__(key)
        self.key = key


class Stale(Exception):
    """What the write was decided upon has changed; read again and decide again."""


# ---------------------------------------------------------------- writes


class Write(msgspec.Struct, frozen=True):
    """Base of all writes. ``events`` are written with the change, or not at all (decisions D13)."""

    events: tuple[Event, ...] = ()


class CreateProject(Write, frozen=True, kw_only=True):
    """A project, its environments, and the credentials shown to its operator. Conflict: ``project_slug``."""

    project: Project
    environments: tuple[Environment, ...]
    secrets: tuple[Secret, ...]
    public_tokens: tuple[PublicToken, ...]


class CreateSecret(Write, frozen=True, kw_only=True):
    """One more live secret of an environment."""

    secret: Secret


class RevokeSecret(Write, frozen=True, kw_only=True):
    """From the commit on, the secret opens nothing. Stale when it is unknown or was revoked before."""

    environment_id: str
    secret_id: str
    revoked_at: int


class CreateSigningKeys(Write, frozen=True, kw_only=True):
    """The first keys of an environment. Conflict ``signing_key`` when another worker made them first."""

    keys: tuple[SigningKey, ...]


class RotateSigningKeys(Write, frozen=True, kw_only=True):
    """``next`` becomes active, the active one retired, ``new_next`` is published.

    Stale when ``promoted_kid`` is not the environment's next key (another rotation won).
    """

    environment_id: str
    promoted_kid: str
    new_next: SigningKey
    rotated_at: int


class RewrapSigningKeys(Write, frozen=True, kw_only=True):
    """Every sealed private key under a new root key, and the new check value. Stale when a key is missing."""

    sealed: dict[str, bytes]
    root_key_check: bytes


class SetRootKeyCheck(Write, frozen=True, kw_only=True):
    """What a later start compares its root key with; only the first one is kept."""

    root_key_check: bytes


class CreateProfile(Write, frozen=True, kw_only=True):
    """Conflict: ``profile_id`` within the environment."""

    profile: Profile


class ReplaceProfile(Write, frozen=True, kw_only=True):
    """``profile`` carries the revision it was read with; it is stored as the next. Stale when it has moved on."""

    profile: Profile


class DeleteProfile(Write, frozen=True, kw_only=True):
    """The profile and its PEM files. Stale when there is none. Sessions made by it live on."""

    environment_id: str
    profile_id: str


class CreateOrganization(Write, frozen=True, kw_only=True):
    """Conflict: ``organization_slug``, ``organization_external_id`` within the environment."""

    organization: Organization


class ReplaceOrganization(Write, frozen=True, kw_only=True):
    """As :class:`ReplaceProfile`, for an organization."""

    organization: Organization


class DeleteOrganization(Write, frozen=True, kw_only=True):
    """The organization, its members and their sessions. Stale when there is none."""

    environment_id: str
    organization_id: str


class CreateMember(Write, frozen=True, kw_only=True):
    """Conflict: ``member_email`` (retired addresses included), ``member_external_id`` within the organization.

    Stale when the organization is gone.
    """

    member: Member


class ReplaceMember(Write, frozen=True, kw_only=True):
    """``member`` carries the revision it was read with. With ``revoke_sessions_at`` its sessions end too.

    A member whose status becomes ``deleted`` frees its address and external id; one that stops being
    ``deleted`` claims them again (Conflict as for :class:`CreateMember`).
    """

    member: Member
    revoke_sessions_at: int | None = None


class CreateUser(Write, frozen=True, kw_only=True):
    """Conflict: ``user_email``, ``user_phone_number``, ``user_external_id`` within the environment."""

    user: User


class ReplaceUser(Write, frozen=True, kw_only=True):
    """``user`` carries the revision it was read with."""

    user: User


class DeleteUser(Write, frozen=True, kw_only=True):
    """The user and its sessions. Stale when there is none."""

    environment_id: str
    user_id: str


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """What must still hold at the commit of a session write (decisions D29); None is not asked.

    ``secret_id`` is live; the profile has this revision; the session ``session_number`` is live at ``now``.
    """

    environment_id: str
    secret_id: str
    profile_id: str | None = None
    profile_revision: int | None = None
    session_number: int | None = None
    now: int


class StartSession(Write, frozen=True, kw_only=True):
    """A new session and the record of the attempt.

    Conflict ``session_number`` asks for another number. Stale when the guard fails, or the subject is no longer an
    active member of the organization (or an existing user).
    """

    session: Session
    guard: Guard
    attempt: Attempt | None = None


class UpdateSession(Write, frozen=True, kw_only=True):
    """Change a live session; None leaves a field as it is. ``last_accessed_at`` never moves backwards.

    With ``revision`` the session must still have it, and gets the next. Stale when the session is not live at
    ``guard.now``, has moved on, its subject is not active, or the guard fails.
    """

    number: int
    revision: int | None = None
    last_accessed_at: int
    expires_at: int | None = None
    factors: tuple[Factor, ...] | None = None
    custom_claims: dict[str, Any] | None = None
    guard: Guard
    attempt: Attempt | None = None


class RevokeSession(Write, frozen=True, kw_only=True):
    """End one session of the environment; its events are written only if it was live until now."""

    environment_id: str
    number: int
    revoked_at: int


class RevokeSessionsOf(Write, frozen=True, kw_only=True):
    """End every live session of one member or user."""

    environment_id: str
    subject_kind: SubjectKind
    subject_id: str
    revoked_at: int


class RecordAttempt(Write, frozen=True, kw_only=True):
    """What became of an attest that changed nothing."""

    attempt: Attempt


# ---------------------------------------------------------------- searches


class Filter(msgspec.Struct, frozen=True):
    """One condition of a search: a name out of the target's table of filters, and its checked value."""

    name: str
    value: Any


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records, in the order of their ids, after ``after``. ``limit`` is 1 to 1001: a page and one more."""

    environment_id: str
    filters: tuple[Filter, ...] = ()
    any_of: bool = False
    limit: int = 100
    after: str | None = None


class Store(Protocol):
    """What a store promises. One conformance suite (``tests/store``) runs on every implementation."""

    async def close(self) -> None:
        """Commit what was handed over, then let go of everything."""

    async def write(self, write: Write) -> None:
        """Commit ``write``. Raises Conflict, Stale or errors.StoreUnavailable."""

    async def ping(self) -> None:
        """Answer if the store can be read. Raises errors.StoreUnavailable."""

    async def schema(self) -> int:
        """Number of the newest migration applied."""

    # -- tenancy

    async def root_key_check(self) -> bytes | None:
        """The sealed check value, or None in a store that never held a sealed key."""

    async def caller(self, environment_id: str, secret_hash: bytes) -> Caller | None:
        """The environment and its live secret with this hash, and the kid that signs there."""

    async def secret_is_live(self, environment_id: str, secret_id: str) -> bool:
        """Whether the secret still opens the environment."""

    async def projects(self) -> list[Project]:
        """All projects, oldest first."""

    async def environment(self, environment_id: str) -> Environment | None:
        """One environment by id."""

    async def environments(self, project_id: str) -> list[Environment]:
        """The environments of a project, oldest first."""

    async def secrets(self, environment_id: str) -> list[Secret]:
        """All secrets of an environment, revoked ones included, oldest first."""

    async def signing_keys(self, environment_id: str) -> list[SigningKey]:
        """All signing keys of an environment, oldest first."""

    async def all_signing_keys(self) -> list[SigningKey]:
        """All signing keys of the store, for a change of the root key."""

    # -- trust

    async def profile(self, environment_id: str, profile_id: str) -> Profile | None:
        """One profile with its PEM files."""

    async def profiles(self, environment_id: str) -> list[Profile]:
        """All profiles of an environment, oldest first."""

    # -- people

    async def organization(self, environment_id: str, reference: str, *, by_slug: bool) -> Organization | None:
        """By organization id, else by external id, else (``by_slug``) by slug."""

    async def member(self, environment_id: str, organization_id: str, reference: str) -> Member | None:
        """By member id, else by external id; deleted members only by member id."""

    async def member_by_id(self, environment_id: str, member_id: str) -> Member | None:
        """In whatever organization of the environment; deleted members included."""

    async def members_by_external_id(self, environment_id: str, external_id: str) -> list[Member]:
        """At most two members of the environment with this external id; never a deleted one."""

    async def member_by_email(self, environment_id: str, organization_id: str, email: str) -> Member | None:
        """Whoever holds the address now or as a retired one; never a deleted member."""

    async def member_candidates(
        self, environment_id: str, organization_id: str, external_id: str | None, email: str | None
    ) -> tuple[Member | None, Member | None]:
        """(by external id, by address held now or retired) in one snapshot; never a deleted member."""

    async def member_count(self, environment_id: str, organization_id: str) -> int:
        """Members that are not deleted."""

    async def user(self, environment_id: str, reference: str) -> User | None:
        """By user id, else by external id."""

    async def user_candidates(
        self, environment_id: str, external_id: str | None, email: str | None
    ) -> tuple[User | None, User | None]:
        """(by external id, by address) in one snapshot."""

    async def search_organizations(self, search: Search) -> tuple[list[Organization], int]:
        """A page, and how many match in all."""

    async def search_members(self, search: Search, organization_ids: tuple[str, ...]) -> tuple[list[Member], int]:
        """A page of the members of these organizations, and how many match in all."""

    async def search_users(self, search: Search) -> tuple[list[User], int]:
        """A page, and how many match in all."""

    # -- sessions

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        """The session with its subject and organization, live or not, in one snapshot."""

    async def sessions_of(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, now: int
    ) -> list[Session]:
        """Live sessions of one subject at ``now``, oldest first."""

    # -- records

    async def attempts(self, environment_id: str, limit: int) -> list[Attempt]:
        """The newest attempts, newest first."""

    async def events(self, environment_id: str | None, limit: int) -> list[Event]:
        """The newest events of one environment (None: of all), newest first."""
