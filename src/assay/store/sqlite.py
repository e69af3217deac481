# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""The embedded store: one SQLite file, one writer, and readers beside it.

Reads run where they are asked for, on a connection of their own: a point read takes less time than handing it to
a thread would. Each sees the last commit; those of several statements see one and the same.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from assay import ids
from assay.keys.recent import Kept
from assay.model import (
    Caller,
    Environment,
    EnvironmentCounts,
    KeptKeys,
    Member,
    OperatorLink,
    OperatorPassword,
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
    WorkspaceKey,
)
from assay.observing.meter import Meter
from assay.rules.permissions import Policy
from assay.store import (
    Configuration,
    ErasePerson,
    Search,
    SessionSearch,
    Write,
    rows,
    session_search,
    sqlite_files,
)
from assay.store.operator_plans import searched
from assay.store.rows import Parameters, json_text
from assay.store.search import names_deleted, pattern
from assay.store.sqlite_checkpoints import Checkpoints
from assay.store.sqlite_lock import WriteLock
from assay.store.sqlite_plans import plan
from assay.store.sqlite_reads import MAX_RECORDS
from assay.store.sqlite_records import SqliteRecords
from assay.store.sqlite_writer import Writer
from assay.store.statements import STATEMENTS

_SESSION_STAMP, _SESSION_VIEW = STATEMENTS["session_stamp"], STATEMENTS["session_view"]
_MEMBER_AT = len(rows.SESSION.columns)
_USER_AT = _MEMBER_AT + len(rows.MEMBER.columns)


class _Kept(NamedTuple):
    """A view of a session as it was at a version of the configuration."""

    view: SessionView
    version: int


async def open_sqlite(
    path: str, *, busy_seconds: float = sqlite_files.BUSY_SECONDS, meter: Meter | None = None
) -> SqliteStore:
    """Open the file, making and migrating it as needed. Raises opening.SchemaTooNew and opening.StoreFault."""
    await asyncio.to_thread(sqlite_files.prepare, path, busy_seconds)
    writer = Writer(
        lambda: sqlite_files.connect_writer(path, busy_seconds),
        WriteLock(path, busy_seconds),
        Checkpoints(lambda: sqlite_files.connect(path)),
        meter,
    )
    return SqliteStore(lambda: sqlite_files.connect_reader(path), writer)


class SqliteStore(SqliteRecords):
    """A :class:`assay.store.Store` in one file. ``connect`` opens a connection that can only read."""

    keeps_records = True

    def __init__(self, connect: Callable[[], sqlite3.Connection], writer: Writer) -> None:
        super().__init__(connect)
        self._writer = writer
        self._views: Kept[tuple[object, ...], _Kept] = Kept(MAX_RECORDS)

    async def close(self) -> None:
        await self._writer.close()
        self._end_turn()
        self._reader.close()

    async def write(self, write: Write) -> None:
        if isinstance(write, ErasePerson):
            write = await searched(write, self._aside)
        await self._writer.commit(plan(write))

    async def ping(self) -> None:
        self._select("projects_exist", {})

    async def schema(self) -> int:
        return int(self._select("schema", {})[0][0])

    # -- tenancy

    async def root_key_check(self) -> bytes | None:
        found: list[tuple[bytes]] = self._select("root_key_check", {})
        return found[0][0] if found else None

    async def caller(self, environment_id: str, secret_hash: bytes) -> Caller | None:
        return self._configured(self._caller, environment_id, secret_hash)

    def _caller(self, environment_id: str, secret_hash: bytes) -> Caller | None:
        found = self._select("caller", {"environment_id": environment_id, "secret_hash": secret_hash})
        if not found:
            return None
        row, split = found[0], len(rows.ENVIRONMENT.columns)
        return Caller(
            environment=rows.ENVIRONMENT.record(row[:split]),
            secret=rows.SECRET.record(row[split:-1]),
            signing_kid=row[-1],
        )

    async def secret_is_live(self, environment_id: str, secret_id: str) -> bool:
        return bool(self._configured(self._secret_is_live, environment_id, secret_id))

    def _secret_is_live(self, environment_id: str, secret_id: str) -> bool | None:
        return bool(self._select("secret_is_live", {"environment_id": environment_id, "secret_id": secret_id})) or None

    async def workspace_key(self, workspace_key_id: str) -> WorkspaceKey | None:
        return self._one("workspace_key", rows.WORKSPACE_KEY, workspace_key_id=workspace_key_id)

    async def workspace_keys(self) -> list[WorkspaceKey]:
        return self._all("workspace_keys", rows.WORKSPACE_KEY)

    async def projects(self) -> list[Project]:
        return self._all("projects", rows.PROJECT)

    async def environment(self, environment_id: str) -> Environment | None:
        return self._configured(self._environment, environment_id)

    def _environment(self, environment_id: str) -> Environment | None:
        return self._one("environment", rows.ENVIRONMENT, environment_id=environment_id)

    async def environments(self, project_id: str) -> list[Environment]:
        return self._all("environments", rows.ENVIRONMENT, project_id=project_id)

    async def project_by_slug(self, slug: str) -> Project | None:
        return self._one("project_by_slug", rows.PROJECT, slug=slug)

    async def environment_by_slug(self, project_slug: str, environment_slug: str) -> Environment | None:
        key = {"project_slug": project_slug, "environment_slug": environment_slug}
        return self._one("environment_by_slug", rows.ENVIRONMENT, **key)

    async def environment_counts(self, environment_id: str) -> EnvironmentCounts:
        ((users, organizations, members),) = await self._aside("environment_counts", environment_id=environment_id)
        return EnvironmentCounts(users=users, organizations=organizations, members=members)

    async def configuration(self, environment_id: str) -> tuple[int, Configuration]:
        return self._configured(self._configuration, environment_id) or (0, Configuration())

    def _configuration(self, environment_id: str) -> tuple[int, Configuration] | None:
        key = {"environment_id": environment_id}
        revision = self._select("environment_revision", key)
        if not revision:
            return None
        policy = self._select("rbac_policy", key)
        return revision[0][0], Configuration(
            policy=msgspec.json.decode(policy[0][0], type=Policy) if policy else None,
            jwt_templates=tuple(self._all("jwt_templates", rows.JWT_TEMPLATE, **key)),
            redirect_urls=tuple(self._all("redirect_urls", rows.REDIRECT_URL, **key)),
        )

    async def public_tokens(self, environment_id: str) -> list[PublicToken]:
        return self._all("public_tokens", rows.PUBLIC_TOKEN, environment_id=environment_id)

    async def secrets(self, environment_id: str) -> list[Secret]:
        return self._all("secrets", rows.SECRET, environment_id=environment_id)

    async def signing_keys(self, environment_id: str) -> list[SigningKey]:
        return list(self._configured(self._signing_keys, environment_id) or ())

    def _signing_keys(self, environment_id: str) -> tuple[SigningKey, ...] | None:
        return tuple(self._all("signing_keys", rows.SIGNING_KEY, environment_id=environment_id)) or None

    async def signing_key_environment(self, kid: str) -> str | None:
        return self._configured(self._signing_key_environment, kid)

    def _signing_key_environment(self, kid: str) -> str | None:
        found: list[tuple[str]] = self._select("signing_key_environment", {"kid": kid})
        return found[0][0] if found else None

    async def all_signing_keys(self) -> list[SigningKey]:
        return self._all("all_signing_keys", rows.SIGNING_KEY)

    # -- operators of the dashboard

    async def operator_password(self, user_id: str) -> OperatorPassword | None:
        return self._one("operator_password", rows.OPERATOR_PASSWORD, user_id=user_id)

    async def operator_link(self, token_hash: bytes, now: int) -> OperatorLink | None:
        return self._one("operator_link", rows.OPERATOR_LINK, token_hash=token_hash, now=now)

    # -- trust

    async def profile(self, environment_id: str, profile_id: str) -> Profile | None:
        return self._configured(self._profile, environment_id, profile_id)

    def _profile(self, environment_id: str, profile_id: str) -> Profile | None:
        found = self._one("profile", rows.PROFILE, environment_id=environment_id, profile_id=profile_id)
        return None if found is None else self._with_pem_files(found)

    async def profiles(self, environment_id: str) -> list[Profile]:
        found = self._all("profiles", rows.PROFILE, environment_id=environment_id)
        return [self._with_pem_files(profile) for profile in found]

    async def profile_page(self, environment_id: str, words: str, after: tuple[int, str], limit: int) -> list[Profile]:
        key = {"environment_id": environment_id, "pattern": pattern(words) if words else None, "limit": limit}
        place = {"after_created_at": after[0], "after_profile_id": after[1]}
        found = self._all("profile_page", rows.PROFILE, **key, **place)
        return [self._with_pem_files(profile) for profile in found]

    def _with_pem_files(self, profile: Profile) -> Profile:
        if profile.public_key_type != "PEM":
            return profile
        key = {"environment_id": profile.environment_id, "profile_id": profile.profile_id}
        return msgspec.structs.replace(profile, pem_files=tuple(self._all("pem_files", rows.PEM_FILE, **key)))

    async def kept_keys(self, environment_id: str, profile_id: str) -> list[KeptKeys]:
        return self._all("kept_keys", rows.KEPT_KEYS, environment_id=environment_id, profile_id=profile_id)

    # -- people

    async def organization(self, environment_id: str, reference: str, *, by_slug: bool) -> Organization | None:
        return self._configured(self._organization, environment_id, reference, by_slug)

    def _organization(self, environment_id: str, reference: str, by_slug: bool) -> Organization | None:  # noqa: FBT001
        """No external id has the form of one of our own (decisions D3), so one look is enough for those."""
        key = {"environment_id": environment_id, "reference": reference}
        if ids.is_own_form(reference):
            return self._one("organization_by_id", rows.ORGANIZATION, **key)
        found = self._one("organization_by_external_id", rows.ORGANIZATION, **key)
        if found is None and by_slug:
            found = self._one("organization_by_slug", rows.ORGANIZATION, **key)
        return found

    async def member(self, environment_id: str, organization_id: str, reference: str) -> Member | None:
        if not ids.is_own_form(reference):
            return self._member("member_stamp_by_external_id", environment_id, organization_id, reference)
        key = {"environment_id": environment_id, "organization_id": organization_id, "reference": reference}
        return self._one("member_of_organization", rows.MEMBER, **key)

    async def member_by_id(self, environment_id: str, member_id: str) -> Member | None:
        return self._one("member_by_id", rows.MEMBER, environment_id=environment_id, reference=member_id)

    async def members_by_external_id(self, environment_id: str, external_id: str) -> list[Member]:
        return self._all("members_by_external_id", rows.MEMBER, environment_id=environment_id, external_id=external_id)

    async def member_by_email(self, environment_id: str, organization_id: str, email: str) -> Member | None:
        return self._member("member_stamp_by_email", environment_id, organization_id, email)

    async def member_candidates(
        self, environment_id: str, organization_id: str, external_id: str | None, email: str | None
    ) -> tuple[Member | None, Member | None]:
        by_external_id = self._member("member_stamp_by_external_id", environment_id, organization_id, external_id)
        if _holds(by_external_id, email):
            return by_external_id, by_external_id
        return by_external_id, self._member("member_stamp_by_email", environment_id, organization_id, email)

    def _member(self, stamp: str, environment_id: str, organization_id: str, reference: str | None) -> Member | None:
        if reference is None:
            return None
        key = {"environment_id": environment_id, "organization_id": organization_id, "reference": reference}
        return self._stamped(stamp, "member_by_id", rows.MEMBER, key)

    async def member_count(self, environment_id: str, organization_id: str) -> int:
        key = {"environment_id": environment_id, "organization_id": organization_id}
        return int(self._select("member_count", key)[0][0])

    async def user(self, environment_id: str, reference: str) -> User | None:
        if not ids.is_own_form(reference):
            return self._user("user_stamp_by_external_id", environment_id, reference)
        return self._one("user_by_id", rows.USER, environment_id=environment_id, reference=reference)

    async def user_candidates(
        self, environment_id: str, external_id: str | None, email: str | None
    ) -> tuple[User | None, User | None]:
        by_external_id = self._user("user_stamp_by_external_id", environment_id, external_id)
        if _holds(by_external_id, email):
            return by_external_id, by_external_id
        return by_external_id, self._user("user_stamp_by_email", environment_id, email)

    def _user(self, stamp: str, environment_id: str, reference: str | None) -> User | None:
        if reference is None:
            return None
        return self._stamped(stamp, "user_by_id", rows.USER, {"environment_id": environment_id, "reference": reference})

    async def search_organizations(self, search: Search) -> tuple[list[Organization], int]:
        return self._search("organizations", rows.ORGANIZATION, search)

    async def search_members(
        self, search: Search, organization_ids: tuple[str, ...] | None
    ) -> tuple[list[Member], int]:
        scope: Parameters = {"with_deleted": int(names_deleted(search))}
        if organization_ids is None:
            return self._search("members", rows.MEMBER, search, statements="all_members", **scope)
        return self._search("members", rows.MEMBER, search, organization_ids=json_text(organization_ids), **scope)

    async def search_users(self, search: Search) -> tuple[list[User], int]:
        return self._search("users", rows.USER, search)

    # -- sessions

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        """As the protocol says, and the very same view for as long as nothing of it has changed."""
        key = {"environment_id": environment_id, "number": number}
        found = self._run(_SESSION_STAMP, key)
        if not found:
            return None
        stamp = found[0]
        kept = self._views.get(stamp)
        if kept is not None and kept.version == self._version:
            return kept.view  # the organization is part of the configuration
        view = kept.view if kept else _view(self._run(_SESSION_VIEW, key)[0])
        if view.session.organization_id is not None:
            organization = self._configured(self._organization_by_id, environment_id, view.session.organization_id)
            if view.organization is not organization:
                view = msgspec.structs.replace(view, organization=organization)
        self._views.keep(stamp, _Kept(view, self._version))
        return view

    def _organization_by_id(self, environment_id: str, organization_id: str) -> Organization | None:
        key = {"environment_id": environment_id, "reference": organization_id}
        return self._one("organization_by_id", rows.ORGANIZATION, **key)

    async def sessions_of(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, now: int
    ) -> list[Session]:
        return self._all(
            "sessions_of",
            rows.SESSION,
            environment_id=environment_id,
            subject_kind=subject_kind,
            subject_id=subject_id,
            now=now,
        )

    async def sessions_alive(self, now: int) -> dict[str, int]:
        return dict(await self._aside("sessions_alive", now=now))

    async def live_sessions(
        self, environment_id: str, organization_id: str | None, profile_id: str | None, now: int
    ) -> int:
        key = {"environment_id": environment_id, "organization_id": organization_id, "profile_id": profile_id}
        return int((await self._aside("live_sessions", **key, now=now))[0][0])

    async def recent_sessions(self, environment_id: str, search: SessionSearch) -> tuple[list[Session], int | None]:
        found, further = await session_search.find(self._aside, environment_id, search)
        return [rows.SESSION.record(row) for row in found], further


def _view(row: tuple[Any, ...]) -> SessionView:
    """The session of a row of three records, of which one or two are there; its organization is not among them."""
    session, member, user = row[:_MEMBER_AT], row[_MEMBER_AT:_USER_AT], row[_USER_AT:]
    return SessionView(
        session=rows.SESSION.record(session),
        member=None if member[0] is None else rows.MEMBER.record(member),
        user=None if user[0] is None else rows.USER.record(user),
    )


def _holds(person: Member | User | None, address: str | None) -> bool:
    """Whether the person holds the address, and so nobody else: mostly one reading is enough."""
    return person is not None and address is not None and person.email == address
