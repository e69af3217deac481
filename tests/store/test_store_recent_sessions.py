"""The newest sessions of an environment: what is found, in which order, page by page, and how long it takes."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from assay.model import Session
from assay.store import SessionSearch, Store
from tests import records
from tests.records import NOW
from tests.store.conftest import ON_SQLITE, Tenant

MANY = 100_000

COPIED = """
with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < :many)
insert into sessions
select s.number + n, s.id_tail, s.environment_id, s.kind, s.token_hash, s.subject_kind, s.subject_id,
    s.organization_id, s.factors, s.custom_claims, s.started_at, s.last_accessed_at, s.expires_at, s.revoked_at,
    s.revision
from sessions s, numbers where s.number = :number
"""


async def started(store: Store, tenant: Tenant, **changes: object) -> Session:
    session = records.session(tenant.member, **changes)
    await store.write(records.start(session, tenant.secret))
    return session


async def all_pages(store: Store, tenant: Tenant, **search: object) -> list[list[Session]]:
    pages: list[list[Session]] = []
    before: int | None = SessionSearch().before
    while before is not None:
        asked = SessionSearch(**{"before": before, **search})  # type: ignore[arg-type]
        found, before = await store.recent_sessions(tenant.id, asked)
        pages.append(found)
    return pages


async def test_sessions_come_newest_first_and_only_those_of_the_environment(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    first, second = [await started(store, tenant) for _ in range(2)]
    await started(store, neighbour)
    ended = await started(store, tenant, revoked_at=NOW)
    assert await store.recent_sessions(tenant.id, SessionSearch()) == ([ended, second, first], None)


async def test_pages_follow_each_other_without_a_gap(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    made = []
    for _ in range(5):
        made.append(await started(store, tenant))
        await started(store, neighbour)
    pages = await all_pages(store, tenant, limit=2)
    assert [session for page in pages for session in page] == made[::-1]
    assert [len(page) for page in pages] == [2, 2, 1]


async def test_a_read_looks_at_a_limited_number_of_sessions_whosoever_they_are(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    made = await started(store, tenant)
    for _ in range(4):
        await started(store, neighbour)
    pages = await all_pages(store, tenant, look=2)
    assert pages == [[], [], [made]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("the member", "other revoked expired live"),
        ("the user", "consumer"),
        ("the organization", "other revoked expired live"),
        ("another profile", "other"),
        ("live ones", "consumer other live"),
        ("ended ones", "revoked expired"),
        ("live ones of the profile", "consumer live"),
    ],
)
async def test_a_search_finds_what_it_names(store: Store, tenant: Tenant, asked: str, expected: str) -> None:
    made = {
        "live": await started(store, tenant),
        "expired": await started(store, tenant, expires_at=NOW + 5),
        "revoked": await started(store, tenant, revoked_at=NOW),
        "other": await started(store, tenant, factors=(records.factor(profile_id="other"),)),
        "consumer": records.session(tenant.user),
    }
    await store.write(records.start(made["consumer"], tenant.secret))
    searches = {
        "the member": SessionSearch(subject_id=tenant.member.member_id),
        "the user": SessionSearch(subject_id=tenant.user.user_id),
        "the organization": SessionSearch(organization_id=tenant.organization.organization_id),
        "another profile": SessionSearch(profile_id="other"),
        "live ones": SessionSearch(is_live=True, now=NOW + 5),
        "ended ones": SessionSearch(is_live=False, now=NOW + 5),
        "live ones of the profile": SessionSearch(is_live=True, now=NOW + 5, profile_id=tenant.profile.profile_id),
    }
    found, further = await store.recent_sessions(tenant.id, searches[asked])
    assert [name for session in found for name in made if made[name] == session] == expected.split()
    assert further is None


async def test_ids_of_another_environment_find_nothing(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    await started(store, neighbour)
    for search in (
        SessionSearch(subject_id=neighbour.member.member_id),
        SessionSearch(organization_id=neighbour.organization.organization_id),
    ):
        assert await store.recent_sessions(tenant.id, search) == ([], None)


@ON_SQLITE
@pytest.mark.parametrize("whose", ["own", "of the neighbour"])
async def test_a_page_among_a_hundred_thousand_sessions_is_there_at_once(
    store: Store, tenant: Tenant, neighbour: Tenant, path: str, whose: str
) -> None:
    crowded = tenant if whose == "own" else neighbour
    await started(store, tenant)
    one = await started(store, crowded)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(COPIED, {"many": MANY, "number": one.number})
    began = time.perf_counter()
    found, further = await store.recent_sessions(tenant.id, SessionSearch(limit=50))
    took = time.perf_counter() - began
    assert len(found) == (50 if whose == "own" else 0)
    assert further is not None
    # Without the limit the whole table would be read, which takes several times as long.
    assert took < 0.1
