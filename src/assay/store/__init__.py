"""The store: where records live, and the one place that decides races.

Reads are methods. Writes are *values*: a story hands over a frozen description of a change, and the store
commits the writes of many requests in one transaction, answering each by itself. Either everything a write
names happens, its events and its attempt included, or nothing does. A write that returned is durable.

Decisions are unique keys and conditional statements. A write raises :class:`Conflict` when it would break a
unique key and :class:`Stale` when what it was decided upon has changed since; both leave nothing behind.
``errors.StoreUnavailable`` means that nothing is known to have happened, and that trying again later may work.
"""

from __future__ import annotations

from typing import Literal, Protocol

from assay.model import (
    Attempt,
    AttemptCount,
    Caller,
    Environment,
    EnvironmentCounts,
    Event,
    KeptKeys,
    Member,
    NumberedAttempt,
    NumberedEvent,
    Observations,
    OperatorLink,
    OperatorPassword,
    Organization,
    PersonCounts,
    Profile,
    Project,
    PublicToken,
    ReplayMark,
    Secret,
    Session,
    SessionView,
    SigningKey,
    SubjectKind,
    User,
    WorkspaceKey,
)
from assay.store.dashboard_writes import CountSignIn as CountSignIn
from assay.store.dashboard_writes import CreateOperatorLink as CreateOperatorLink
from assay.store.dashboard_writes import DeleteOperator as DeleteOperator
from assay.store.dashboard_writes import ForgetSignIns as ForgetSignIns
from assay.store.dashboard_writes import ReplaceOperator as ReplaceOperator
from assay.store.dashboard_writes import ReplaceOperatorPassword as ReplaceOperatorPassword
from assay.store.dashboard_writes import SignInCount as SignInCount
from assay.store.dashboard_writes import UseOperatorLink as UseOperatorLink
from assay.store.maintained import Due as Due
from assay.store.maintained import Maintained as Maintained
from assay.store.operator_writes import ConfigureEnvironment as ConfigureEnvironment
from assay.store.operator_writes import CreateEnvironment as CreateEnvironment
from assay.store.operator_writes import CreatePublicToken as CreatePublicToken
from assay.store.operator_writes import CreateWorkspaceKey as CreateWorkspaceKey
from assay.store.operator_writes import DeleteEnvironment as DeleteEnvironment
from assay.store.operator_writes import DeleteProject as DeleteProject
from assay.store.operator_writes import DeletePublicToken as DeletePublicToken
from assay.store.operator_writes import ErasePerson as ErasePerson
from assay.store.operator_writes import RecordEvents as RecordEvents
from assay.store.operator_writes import RenameProject as RenameProject
from assay.store.operator_writes import RevokeSessionsWhere as RevokeSessionsWhere
from assay.store.operator_writes import RevokeWorkspaceKey as RevokeWorkspaceKey
from assay.store.operator_writes import TouchSecret as TouchSecret
from assay.store.operator_writes import TouchWorkspaceKey as TouchWorkspaceKey
from assay.store.questions import AttemptPoint as AttemptPoint
from assay.store.questions import AttemptSearch as AttemptSearch
from assay.store.questions import Configuration as Configuration
from assay.store.questions import EndedSessions as EndedSessions
from assay.store.questions import EventSearch as EventSearch
from assay.store.questions import Filter as Filter
from assay.store.questions import Search as Search
from assay.store.session_search import SessionSearch as SessionSearch
from assay.store.writes import CreateMember as CreateMember
from assay.store.writes import CreateOrganization as CreateOrganization
from assay.store.writes import CreateProfile as CreateProfile
from assay.store.writes import CreateProject as CreateProject
from assay.store.writes import CreateSecret as CreateSecret
from assay.store.writes import CreateSigningKeys as CreateSigningKeys
from assay.store.writes import CreateUser as CreateUser
from assay.store.writes import DeleteOrganization as DeleteOrganization
from assay.store.writes import DeleteProfile as DeleteProfile
from assay.store.writes import DeleteUser as DeleteUser
from assay.store.writes import Forget as Forget
from assay.store.writes import ForgetSessions as ForgetSessions
from assay.store.writes import Guard as Guard
from assay.store.writes import KeepKeys as KeepKeys
from assay.store.writes import LeaseKeys as LeaseKeys
from assay.store.writes import NoteAccesses as NoteAccesses
from assay.store.writes import Observe as Observe
from assay.store.writes import RecordAttempt as RecordAttempt
from assay.store.writes import ReplaceMember as ReplaceMember
from assay.store.writes import ReplaceOrganization as ReplaceOrganization
from assay.store.writes import ReplaceProfile as ReplaceProfile
from assay.store.writes import ReplaceUser as ReplaceUser
from assay.store.writes import RevokeSecret as RevokeSecret
from assay.store.writes import RevokeSession as RevokeSession
from assay.store.writes import RevokeSessionsOf as RevokeSessionsOf
from assay.store.writes import RewrapSigningKeys as RewrapSigningKeys
from assay.store.writes import RotateSigningKeys as RotateSigningKeys
from assay.store.writes import SetRootKeyCheck as SetRootKeyCheck
from assay.store.writes import StartSession as StartSession
from assay.store.writes import UpdateSession as UpdateSession
from assay.store.writes import Write as Write

UniqueKey = Literal[
    "project_slug",
    "environment_slug",
    "live_environment",
    "profile_id",
    "organization_slug",
    "organization_external_id",
    "member_email",
    "member_external_id",
    "user_email",
    "user_phone_number",
    "user_external_id",
    "session_number",
    "replay_mark",
    "signing_key",
]


class Conflict(Exception):
    """A unique key already holds this value."""

    def __init__(self, key: UniqueKey) -> None:
        super().__init__(key)
        self.key = key


class Stale(Exception):
    """What the write was decided upon has changed; read again and decide again."""


class Store(Protocol):
    """What a store promises. One conformance suite (``tests/store``) runs on every implementation.

    ``keeps_records`` says whether callers and views of sessions are the very same objects as long as their rows are the
    same, so that what was made of one can be told to hold still.
    """

    keeps_records: bool

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

    async def workspace_key(self, workspace_key_id: str) -> WorkspaceKey | None:
        """The key with this id, if it is live."""

    async def workspace_keys(self) -> list[WorkspaceKey]:
        """All workspace keys, revoked ones included, oldest first."""

    async def projects(self) -> list[Project]:
        """All projects, oldest first."""

    async def environment(self, environment_id: str) -> Environment | None:
        """One environment by id."""

    async def environments(self, project_id: str) -> list[Environment]:
        """The environments of a project, oldest first."""

    async def project_by_slug(self, slug: str) -> Project | None:
        """One project by its slug."""

    async def environment_by_slug(self, project_slug: str, environment_slug: str) -> Environment | None:
        """One environment by the two slugs that name it."""

    async def environment_counts(self, environment_id: str) -> EnvironmentCounts:
        """How much an environment holds."""

    async def configuration(self, environment_id: str) -> tuple[int, Configuration]:
        """What is set for an environment and its revision, in one snapshot; (0, defaults) when it is gone."""

    async def public_tokens(self, environment_id: str) -> list[PublicToken]:
        """The public tokens of an environment, oldest first."""

    async def secrets(self, environment_id: str) -> list[Secret]:
        """All secrets of an environment, revoked ones included, oldest first."""

    async def signing_keys(self, environment_id: str) -> list[SigningKey]:
        """All signing keys of an environment, oldest first."""

    async def signing_key_environment(self, kid: str) -> str | None:
        """Whose signing key this is, whatever its state; None for a kid that is not ours."""

    async def all_signing_keys(self) -> list[SigningKey]:
        """All signing keys of the store, for a change of the root key."""

    # -- operators of the dashboard

    async def operator_password(self, user_id: str) -> OperatorPassword | None:
        """What is kept of an operator's password; None for one who has none."""

    async def operator_link(self, token_hash: bytes, now: int) -> OperatorLink | None:
        """The one-time link with this hash, if it still works at ``now``."""

    # -- trust

    async def profile(self, environment_id: str, profile_id: str) -> Profile | None:
        """One profile with its PEM files."""

    async def profiles(self, environment_id: str) -> list[Profile]:
        """All profiles of an environment, oldest first."""

    async def profile_page(self, environment_id: str, words: str, after: tuple[int, str], limit: int) -> list[Profile]:
        """Profiles of which name, id or issuer holds ``words``, oldest first, that follow (created_at, profile_id)."""

    async def kept_keys(self, environment_id: str, profile_id: str) -> list[KeptKeys]:
        """What is remembered of the profile's fetched sources, in the order of ``source``."""

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

    async def search_members(
        self, search: Search, organization_ids: tuple[str, ...] | None
    ) -> tuple[list[Member], int]:
        """A page of the members of these organizations (None: of the environment), and how many match in all."""

    async def search_users(self, search: Search) -> tuple[list[User], int]:
        """A page, and how many match in all."""

    # -- sessions

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        """The session with its subject and organization, live or not, in one snapshot."""

    async def sessions_of(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, now: int
    ) -> list[Session]:
        """Live sessions of one subject at ``now``, oldest first."""

    async def sessions_alive(self, now: int) -> dict[str, int]:
        """Live sessions at ``now`` by environment. It counts them all, so it runs beside everything else."""

    async def live_sessions(
        self, environment_id: str, organization_id: str | None, profile_id: str | None, now: int
    ) -> int:
        """How many sessions :class:`RevokeSessionsWhere` with these values would end at ``now``."""

    async def recent_sessions(self, environment_id: str, search: SessionSearch) -> tuple[list[Session], int | None]:
        """The sessions that match, newest first, and the number before which to go on; None when none is older.

        A page may be short, even empty, and yet not the last one (:class:`SessionSearch`).
        """

    # -- records

    async def events_after(self, environment_id: str | None, number: int, limit: int) -> list[NumberedEvent]:
        """Events of one environment (None: of all) with a greater number, oldest first."""

    async def replay_mark(self, environment_id: str, profile_id: str, mark: str) -> ReplayMark | None:
        """The mark of a token, live or not."""

    async def observations(self, environment_id: str, profile_id: str) -> Observations | None:
        """What the tokens of a profile have looked like so far; None before the first."""

    async def newest_events(self, environment_id: str | None, limit: int) -> list[NumberedEvent]:
        """The newest events of one environment (None: of all) with their numbers, newest first."""

    async def search_events(self, environment_id: str | None, search: EventSearch) -> list[NumberedEvent]:
        """A page of the events of one environment (None: of all) that match, newest first.

        It may look at every event there is, so it runs beside everything else.
        """

    async def person_counts(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, traces: tuple[str, ...]
    ) -> PersonCounts:
        """What :class:`ErasePerson` with these values would take with the person."""

    async def attempts(self, environment_id: str, limit: int) -> list[Attempt]:
        """The newest attempts, newest first."""

    async def search_attempts(self, environment_id: str | None, search: AttemptSearch) -> list[NumberedAttempt]:
        """A page of the attempts of one environment (None: of all) that match.

        It may look at every attempt there is, so it runs beside everything else.
        """

    async def attempt_counts(self, environment_id: str, profile_ids: tuple[str, ...], since: int) -> list[AttemptCount]:
        """What became of the attempts at these profiles since then, hour by hour; hours without any are left out."""

    async def attempt_series(
        self, environment_id: str, since: int, slice_seconds: int, most: int
    ) -> list[AttemptPoint]:
        """The attempts since then, counted by slice of time, profile, outcome and how long they took.

        Only the newest ``most`` of the environment are looked at, so that it takes a bounded time.
        """

    async def anything_to_forget(self, attempts_before: int, now: int) -> bool:
        """Whether :class:`Forget` with these values would find anything."""

    async def maintain(self, due: Due) -> Maintained:
        """Make room for coming months and drop those in which nothing lives, where months are tables of their own.

        Raises MayNotMaintain where the user of the database may not.
        """

    async def ended_sessions(self, after: int, before: int, ended_before: int, look: int) -> EndedSessions:
        """How many of the next ``look`` sessions in the order of numbers ended before ``ended_before`` (seconds).

        ``after`` and ``before`` are numbers, neither included.
        """

    async def events(self, environment_id: str | None, limit: int) -> list[Event]:
        """The newest events of one environment (None: of all), newest first."""
