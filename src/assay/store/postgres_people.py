# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""The organizations, members, users and sessions of the PostgreSQL store."""

from __future__ import annotations

from typing import Any

from assay import ids
from assay.model import Member, Organization, Session, SessionView, SubjectKind, User
from assay.store import Search, SessionSearch, rows, session_search
from assay.store.filters import Target
from assay.store.postgres_hot_reads import HotReads
from assay.store.postgres_reading import Pooled, Reads, Snapshot
from assay.store.postgres_statements import TEXTS, numbered
from assay.store.rows import Parameters, R, Rows, json_text
from assay.store.search import names_deleted, query_of


class PostgresPeople:
    """The reads of people and their sessions. ``aside`` are the connections for what goes over whole tables."""

    _hot: HotReads
    _reads: Pooled
    _aside: Pooled

    async def organization(self, environment_id: str, reference: str, *, by_slug: bool) -> Organization | None:
        # No external id has the form of one of our own (decisions D3), so one look is enough for those.
        is_own = ids.is_own_form(reference)
        return await self._hot.organizations.ask(environment_id, reference, int(is_own), int(by_slug and not is_own))

    async def member(self, environment_id: str, organization_id: str, reference: str) -> Member | None:
        name = "member_of_organization" if ids.is_own_form(reference) else "member_by_external_id"
        return await _member(self._reads, name, environment_id, organization_id, reference)

    async def member_by_id(self, environment_id: str, member_id: str) -> Member | None:
        return await self._reads.one("member_by_id", rows.MEMBER, environment_id=environment_id, reference=member_id)

    async def members_by_external_id(self, environment_id: str, external_id: str) -> list[Member]:
        key = {"environment_id": environment_id, "external_id": external_id}
        return await self._reads.all("members_by_external_id", rows.MEMBER, **key)

    async def member_by_email(self, environment_id: str, organization_id: str, email: str) -> Member | None:
        return await _member(self._reads, "member_by_email", environment_id, organization_id, email)

    async def member_candidates(
        self, environment_id: str, organization_id: str, external_id: str | None, email: str | None
    ) -> tuple[Member | None, Member | None]:
        return await self._hot.members.ask(environment_id, organization_id, external_id, email)

    async def member_count(self, environment_id: str, organization_id: str) -> int:
        key = {"environment_id": environment_id, "organization_id": organization_id}
        return int((await self._reads.rows("member_count", **key))[0][0])

    async def user(self, environment_id: str, reference: str) -> User | None:
        name = "user_by_id" if ids.is_own_form(reference) else "user_by_external_id"
        return await _user(self._reads, name, environment_id, reference)

    async def user_candidates(
        self, environment_id: str, external_id: str | None, email: str | None
    ) -> tuple[User | None, User | None]:
        return await self._hot.users.ask(environment_id, external_id, email)

    async def search_organizations(self, search: Search) -> tuple[list[Organization], int]:
        return await self._search("organizations", rows.ORGANIZATION, search)

    async def search_members(
        self, search: Search, organization_ids: tuple[str, ...] | None
    ) -> tuple[list[Member], int]:
        scope: Parameters = {"with_deleted": int(names_deleted(search))}
        if organization_ids is None:
            return await self._search("members", rows.MEMBER, search, statements="all_members", **scope)
        scope["organization_ids"] = json_text(organization_ids)
        return await self._search("members", rows.MEMBER, search, **scope)

    async def search_users(self, search: Search) -> tuple[list[User], int]:
        return await self._search("users", rows.USER, search)

    async def _search(
        self, target: Target, shape: Rows[R], search: Search, statements: str = "", **scope: object
    ) -> tuple[list[R], int]:
        wanted = query_of(TEXTS, target, search, statements, scope)

        async def page_and_total(reads: Snapshot) -> tuple[list[Any], int]:
            page, total = numbered(wanted.page), numbered(wanted.total)
            found = await reads.run(page, page.arguments(wanted.parameters))
            return found, int((await reads.run(total, total.arguments(wanted.parameters)))[0][0])

        found, total = await self._aside.snapshot(page_and_total)
        return [shape.record(row) for row in found], total

    # -- sessions

    async def session(self, environment_id: str, number: int) -> SessionView | None:
        return await self._hot.sessions.ask(environment_id, number)

    async def sessions_of(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, now: int
    ) -> list[Session]:
        key = {"environment_id": environment_id, "subject_kind": subject_kind, "subject_id": subject_id}
        return await self._reads.all("sessions_of", rows.SESSION, **key, now=now)

    async def sessions_alive(self, now: int) -> dict[str, int]:
        return {row[0]: row[1] for row in await self._aside.rows("sessions_alive", now=now)}

    async def live_sessions(
        self, environment_id: str, organization_id: str | None, profile_id: str | None, now: int
    ) -> int:
        key = {"environment_id": environment_id, "organization_id": organization_id, "profile_id": profile_id}
        return int((await self._aside.rows("live_sessions", **key, now=now))[0][0])

    async def recent_sessions(self, environment_id: str, search: SessionSearch) -> tuple[list[Session], int | None]:
        found, further = await session_search.find(self._aside.rows, environment_id, search)
        return [rows.SESSION.record(row) for row in found], further


async def _member(
    reads: Reads, name: str, environment_id: str, organization_id: str, reference: str | None
) -> Member | None:
    if reference is None:
        return None
    key = {"environment_id": environment_id, "organization_id": organization_id, "reference": reference}
    return await reads.one(name, rows.MEMBER, **key)


async def _user(reads: Reads, name: str, environment_id: str, reference: str | None) -> User | None:
    if reference is None:
        return None
    return await reads.one(name, rows.USER, environment_id=environment_id, reference=reference)
