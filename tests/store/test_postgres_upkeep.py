"""Months of a PostgreSQL store: coming ones are made, rows without one get theirs, dead ones go, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from assay.model import Session
from assay.rules import session_ids
from assay.store import (
    AttemptSearch,
    Due,
    RecordAttempt,
    RevokeSession,
    Store,
    postgres_address,
    postgres_partitions,
    postgres_schema,
    postgres_upkeep,
)
from assay.store.maintained import Maintained
from tests import records
from tests.store import contents
from tests.store.conftest import ON_POSTGRES, Tenant

DAY = 86_400

pytestmark = ON_POSTGRES


@pytest.fixture
def address(address: str) -> str:
    """A database whose months are those of a fixed time, whenever the test runs."""
    for (name,) in _months(address):
        contents.change(address, f"drop table {name}")
    return address


def at(year: int, month: int, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


NOW = at(2026, 5, 20)


def due(now: int = NOW) -> Due:
    return Due(now=now, ended_before=now - 30 * DAY, attempts_before=now - 30 * DAY)


class Pauses:
    """A sleep that takes no time, and does something the first time."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


async def maintain(address: str, now: int = NOW, pauses: Pauses | None = None) -> Maintained:
    return await postgres_upkeep.maintain(postgres_address.parse(address), due(now), pauses or Pauses())


def _months(address: str) -> list[tuple[str]]:
    query = "select relname::text from pg_class where relispartition and relkind = 'r' and relname ~ '_\\d{4}_\\d\\d$'"
    return [(row[0],) for row in contents.rows(address, f"{query} order by 1")]


def months(address: str) -> list[str]:
    return [name for (name,) in _months(address)]


def table_of(address: str, session: Session) -> str:
    found = contents.rows(address, "select tableoid::regclass::text from sessions where number = $1", session.number)
    return str(found[0][0])


_random = itertools.count(1)


async def start(store: Store, tenant: Tenant, at_time: int, expires_at: int) -> Session:
    """A session of the tenant's member, made at a time."""
    minted = session_ids.mint(at_time, lambda size: next(_random).to_bytes(3, "big") + bytes(size - 3))
    session = msgspec.structs.replace(
        records.session(tenant.member), number=minted.number, id_tail=minted.id_tail, started_at=at_time,
        last_accessed_at=at_time, expires_at=expires_at, token_hash=minted.token_hash,
    )  # fmt: skip
    await store.write(records.start(session, tenant.secret))
    return session


async def attempt(store: Store, tenant: Tenant, created_at: int) -> None:
    await store.write(RecordAttempt(attempt=records.attempt(tenant.id, created_at=created_at)))


async def test_the_tables_of_this_month_and_of_coming_ones_are_made_once(address: str) -> None:
    wanted = [f"{of}_2026_{month}" for of in ("attempts", "sessions") for month in ("05", "06", "07")]
    assert sorted((await maintain(address)).made) == wanted
    assert await maintain(address) == Maintained()
    assert months(address) == wanted
    assert (await maintain(address, at(2026, 6))).made == ("sessions_2026_08", "attempts_2026_08")


async def test_rows_whose_month_had_no_table_are_moved_and_found_as_before(
    store: Store, tenant: Tenant, address: str
) -> None:
    past = await start(store, tenant, at(2026, 2, 7), at(2026, 12))
    current = await start(store, tenant, at(2026, 5, 31), at(2026, 12))
    await attempt(store, tenant, at(2026, 5, 3))
    assert table_of(address, past) == "sessions_rest"
    done = await maintain(address)
    assert (done.moved, done.left) == (3, 0)
    assert {"sessions_2026_02", "sessions_2026_05", "attempts_2026_05"} <= set(done.made)
    assert [table_of(address, one) for one in (past, current)] == ["sessions_2026_02", "sessions_2026_05"]
    for session in (past, current):
        assert (view := await store.session(tenant.id, session.number)) is not None
        assert view.session == session
    assert len(await store.search_attempts(tenant.id, AttemptSearch(limit=9))) == 1


async def test_a_row_of_a_clock_far_ahead_stays_where_it_is(store: Store, tenant: Tenant, address: str) -> None:
    session = await start(store, tenant, at(2061, 1), at(2061, 2))
    done = await maintain(address)
    assert (done.moved, done.left) == (0, 1)
    assert table_of(address, session) == "sessions_rest"


async def test_a_crowd_is_not_moved_while_others_wait(
    store: Store, tenant: Tenant, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_partitions, "MOST_MOVED", 1)
    crowd = [await start(store, tenant, at(2026, 5, day), at(2026, 12)) for day in (1, 2)]
    done = await maintain(address)
    assert "sessions_2026_05" not in done.made
    assert {"sessions_2026_06", "attempts_2026_05"} <= set(done.made)
    assert (done.moved, done.left) == (0, 2)
    assert {table_of(address, one) for one in crowd} == {"sessions_rest"}


# ---------------------------------------------------------------- what is dead


async def test_a_month_in_which_nothing_lives_is_dropped(store: Store, tenant: Tenant, address: str) -> None:
    await maintain(address, at(2026, 1))
    gone = await start(store, tenant, at(2026, 1, 5), at(2026, 1, 6))
    kept = await start(store, tenant, at(2026, 2, 5), due().ended_before)
    done = await maintain(address)
    assert "sessions_2026_01" in done.dropped
    assert "sessions_2026_02" not in done.dropped
    assert await store.session(tenant.id, gone.number) is None
    assert await store.session(tenant.id, kept.number) is not None
    assert (await maintain(address, NOW + 1)).dropped == ("sessions_2026_02",)


async def test_a_revoked_session_has_ended(store: Store, tenant: Tenant, address: str) -> None:
    await maintain(address, at(2026, 1))
    session = await start(store, tenant, at(2026, 1, 5), at(2026, 12))
    assert "sessions_2026_01" not in (await maintain(address)).dropped
    await store.write(RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=due().ended_before - 1))
    contents.change(address, "comment on table sessions_2026_01 is null")
    assert "sessions_2026_01" in (await maintain(address)).dropped


async def test_a_month_with_a_live_session_is_not_looked_through_again_before_that_ends(
    store: Store, tenant: Tenant, address: str
) -> None:
    await maintain(address, at(2026, 1))
    session = await start(store, tenant, at(2026, 1, 5), at(2026, 9))
    await maintain(address)
    contents.change(address, f"delete from sessions where number = {session.number}")
    assert "sessions_2026_01" not in (await maintain(address)).dropped
    assert "sessions_2026_01" in (await maintain(address, at(2026, 9) + 30 * DAY + 1)).dropped


async def test_a_session_that_lives_longer_than_was_seen_keeps_its_month(
    store: Store, tenant: Tenant, address: str
) -> None:
    await maintain(address, at(2026, 1))
    session = await start(store, tenant, at(2026, 1, 5), at(2026, 6))
    await maintain(address)
    contents.change(address, f"update sessions set expires_at = {at(2026, 12)} where number = {session.number}")
    assert "sessions_2026_01" not in (await maintain(address, at(2026, 8))).dropped
    assert await store.session(tenant.id, session.number) is not None


async def test_attempts_of_a_month_that_is_older_than_is_kept_go_at_once(
    store: Store, tenant: Tenant, address: str
) -> None:
    await maintain(address, at(2026, 3))
    for created_at in (at(2026, 3, 31), at(2026, 4, 1)):
        await attempt(store, tenant, created_at)
    assert "attempts_2026_03" in (await maintain(address, at(2026, 5, 1))).dropped
    found = await store.search_attempts(tenant.id, AttemptSearch(limit=9))
    assert [each.attempt.created_at for each in found] == [at(2026, 4, 1)]


# ---------------------------------------------------------------- beside others


async def test_of_many_hosts_one_does_it_and_nobody_fails(address: str) -> None:
    url = address
    runs = [asyncio.create_task(maintain(url)) for _ in range(4)]
    migrations = await asyncio.gather(*(postgres_schema.migrate(url, NOW) for _ in range(2)))
    made = [table for each in await asyncio.gather(*runs) for table in each.made]
    made += [table for each in migrations for table in each.months]
    assert len(made) == len(set(made))
    assert (await maintain(url)).elsewhere is False
    assert set(months(url)) >= {"sessions_2026_05", "sessions_2026_07", "attempts_2026_07"}


async def test_while_another_process_is_at_it_nothing_is_done(address: str) -> None:
    other = await asyncpg.connect(address)
    try:
        async with other.transaction():
            await other.execute("select pg_advisory_xact_lock_shared($1)", postgres_schema.LOCK)
            assert await maintain(address) == Maintained(elsewhere=True)
    finally:
        await other.close()
    assert months(address) == []


async def test_what_others_use_for_long_is_left_to_the_next_run(store: Store, tenant: Tenant, address: str) -> None:
    await maintain(address, at(2026, 1))
    await maintain(address)  # the coming months are there
    await start(store, tenant, at(2026, 1, 5), at(2026, 1, 6))
    await postgres_schema.migrate(address, at(2026, 1))
    await start(store, tenant, at(2026, 1, 5), at(2026, 1, 6))
    reader, pauses = await asyncpg.connect(address), Pauses()
    try:
        async with reader.transaction():
            await reader.fetch("select count(*) from sessions")
            done = await maintain(address, pauses=pauses)
            assert "sessions_2026_01" in done.busy
            assert "sessions_2026_01" in months(address)
            assert pauses.asked[:3] == list(postgres_upkeep.PAUSES)
            await start(store, tenant, NOW, NOW + 60)  # nobody else waits for the reader
    finally:
        await reader.close()
    assert "sessions_2026_01" in (await maintain(address)).dropped


async def test_sessions_go_on_being_made_and_used_while_months_come_and_go(
    store: Store, second: Store, tenant: Tenant, address: str
) -> None:
    now, done = [NOW], asyncio.Event()
    started: list[Session] = []

    async def log_in(through: Store) -> None:
        while not done.is_set():
            session = await start(through, tenant, now[0], now[0] + 600)
            assert await through.session(tenant.id, session.number) is not None
            started.append(session)

    logging_in = [asyncio.create_task(log_in(one)) for one in (store, second) * 3]
    dropped: set[str] = set()
    for month in range(5, 13):
        now[0] = at(2026, month, 2)
        dropped |= set((await maintain(address, now[0])).dropped)
    done.set()
    await asyncio.gather(*logging_in)
    assert {f"{of}_2026_{month:02}" for of in ("sessions", "attempts") for month in range(5, 10)} <= dropped
    left = {number for (number,) in contents.rows(address, "select number from sessions")}
    months_of = {each.number: postgres_partitions.month_of("sessions", each.number) for each in started}
    assert left == {number for number, month in months_of.items() if month.table("sessions") not in dropped}
