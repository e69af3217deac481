"""Migrating a PostgreSQL database, and refusing one that cannot be used; no password is ever shown."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from assay.store import postgres_connections, postgres_schema, sqlite_files
from assay.store.opening import SchemaTooNew, SchemaTooOld, StoreFault, migrate, open_store
from assay.store.postgres_partitions import Month
from assay.store.postgres_schema import Migration
from tests import postgres, records
from tests.store import contents
from tests.store.conftest import ON_POSTGRES, populate

KNOWN = postgres_schema.migrations()
NEWEST = KNOWN[-1]


@pytest.fixture
def empty() -> Iterator[str]:
    """The address of a database without anything in it."""
    url = postgres.server().database()
    yield url
    name = url.rpartition("/")[2]
    postgres.run(lambda: postgres.execute(postgres.server().url("postgres"), f"drop database {name} with (force)"))


def a_later(number: int, compatible_from: int) -> Migration:
    return Migration(number, f"{number}_later", compatible_from, "alter table users add column later text default 'x'")


def test_migrations_bear_the_numbers_of_those_of_sqlite() -> None:
    """``Store.schema`` answers the same for both."""
    numbers = [one.number for one in postgres_schema.migrations()]
    assert numbers == list(range(numbers[0], sqlite_files.migrations()[-1].number + 1))


def test_every_migration_says_what_a_release_must_know_to_use_it() -> None:
    known = postgres_schema.migrations()
    assert all(known[0].number <= one.compatible_from <= one.number for one in known)


async def test_a_database_that_nobody_migrated_is_refused_with_advice(empty: str) -> None:
    with pytest.raises(SchemaTooOld, match="run: assay migrate"):
        await open_store(empty)
    assert contents.tables(empty) == {}


async def test_many_hosts_migrate_a_database_once(empty: str) -> None:
    done = await asyncio.gather(*(migrate(empty) for _ in range(6)))
    assert {one.schema for one in done} == {NEWEST.number}
    assert sorted(len(one.applied) for one in done) == [0] * 5 + [len(postgres_schema.migrations())]
    assert sorted(len(one.months) for one in done) == [0] * 5 + [4]
    store = await open_store(empty)
    assert await store.schema() == NEWEST.number
    await store.close()


async def test_an_older_schema_is_refused_until_it_is_migrated(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrate(empty)
    later = a_later(NEWEST.number + 1, NEWEST.number)
    monkeypatch.setattr(postgres_schema, "migrations", lambda: (*KNOWN, later))
    with pytest.raises(SchemaTooOld, match=f"has schema {NEWEST.number}.*needs {later.number}; run: assay migrate"):
        await open_store(empty)
    assert (await migrate(empty)).applied == (later.name,)
    await (await open_store(empty)).close()


async def test_a_newer_schema_that_only_added_something_is_used(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an upgrade rolls over the hosts, the release before reads and writes what the new one has migrated."""
    with monkeypatch.context() as newer:
        later = a_later(NEWEST.number + 1, NEWEST.number)
        newer.setattr(postgres_schema, "migrations", lambda: (*KNOWN, later))
        await migrate(empty)
    assert (await migrate(empty)).applied == ()
    store = await open_store(empty)
    assert await store.schema() == NEWEST.number + 1
    project = records.new_project()
    await store.write(project)
    tenant = await populate(store, project.environments[1], project.secrets[1])
    assert await store.user(tenant.id, tenant.user.user_id) == tenant.user
    await store.close()


async def test_a_newer_schema_that_needs_more_is_refused(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = a_later(NEWEST.number + 1, NEWEST.number + 1)
    with monkeypatch.context() as newer:
        newer.setattr(postgres_schema, "migrations", lambda: (*KNOWN, later))
        await migrate(empty)
    for attempt in (open_store, migrate):
        with pytest.raises(SchemaTooNew, match=f"has schema {later.number}.*this one knows {NEWEST.number}"):
            await attempt(empty)


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrate(empty)
    broken = Migration(NEWEST.number + 1, "broken", NEWEST.number, "create table half (a text); select nonsense")
    with monkeypatch.context() as newer:
        newer.setattr(postgres_schema, "migrations", lambda: (*KNOWN, broken))
        with pytest.raises(StoreFault, match="UndefinedColumnError"):
            await migrate(empty)
    assert "half" not in contents.tables(empty)
    await (await open_store(empty)).close()


FOREIGN = {
    "other tables": "create table songs (title text)",
    "migrations of another kind": "create table schema_migrations (version text)",
}


@pytest.mark.parametrize("made", FOREIGN.values(), ids=FOREIGN)
async def test_the_database_of_another_program_is_left_alone(empty: str, made: str) -> None:
    await postgres.execute(empty, made)
    before = contents.tables(empty)
    with pytest.raises(StoreFault, match="tables of another program"):
        await migrate(empty)
    assert contents.tables(empty) == before


async def test_a_database_that_cannot_hold_every_letter_is_refused() -> None:
    server = postgres.server()
    made = "create database latin encoding 'LATIN1' locale 'C' template template0"
    await postgres.execute(server.url("postgres"), made)
    try:
        with pytest.raises(StoreFault, match="UTF8"):
            await migrate(server.url("latin"))
    finally:
        await postgres.execute(server.url("postgres"), "drop database latin")


UNUSABLE = {
    "no such database": ("postgresql://postgres:hidden@127.0.0.1:{port}/nowhere", "does not exist"),
    "no such user": ("postgresql://nobody:hidden@127.0.0.1:{port}/postgres", "refuses this user"),
    "nobody listens": ("postgresql://me:hidden@127.0.0.1:1/assay", "ConnectionRefusedError"),
    "a port that is none": ("postgresql://me:hidden@127.0.0.1:x/assay", "cannot be used"),
    "a host that is none": ("postgresql://me:hidden@[::1/assay", "looks like postgresql://"),
    "no database": ("postgresql://me:hidden@127.0.0.1", "looks like postgresql://"),
    "another word": ("postgresql://me:hidden@127.0.0.1/assay?pgbouncer=yes", "must be 0 or 1"),
    "too many connections": ("postgresql://me:hidden@127.0.0.1/assay?reads=65", "from 1 to 64"),
    "no connections": ("postgresql://me:hidden@127.0.0.1/assay?writes=0", "from 1 to 64"),
    "a mode that is none": ("postgresql://me:hidden@127.0.0.1:{port}/postgres?sslmode=hidden", "cannot be used"),
    "a password with a slash": ("postgresql://me:hid/hidden@127.0.0.1:{port}/postgres", "cannot be used"),
}


@pytest.mark.parametrize(("address", "reason"), UNUSABLE.values(), ids=UNUSABLE)
async def test_what_cannot_be_opened_is_told_without_the_password(address: str, reason: str) -> None:
    url = address.format(port=postgres.server().port)
    for attempt in (open_store, migrate):
        with pytest.raises(StoreFault, match=reason) as told:
            await attempt(url)
        assert "hid" not in str(told.value)
        assert told.value.__cause__ is None


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing."""
    monkeypatch.setattr(postgres_connections, "CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StoreFault, match="TimeoutError"):
        await open_store(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/assay")


# ---------------------------------------------------------------- months


@ON_POSTGRES
async def test_rows_of_a_month_that_was_not_there_are_moved_into_it(address: str) -> None:
    """A month that nobody made in time does harm to nobody, and can be made later."""
    store = await open_store(address)
    project = records.new_project()
    await store.write(project)
    tenant = await populate(store, project.environments[1], project.secrets[1])
    month = Month(2031, 5)
    (low, high), at = month.bounds("sessions"), month.starts_at
    inside = [records.session(tenant.member, number=number) for number in (low, high - 1)]
    outside = [records.session(tenant.member, number=number) for number in (low - 1, high)]
    for one in (*inside, *outside):
        await store.write(records.start(one, tenant.secret, attempt=records.attempt(tenant.id, created_at=at)))
    assert (await postgres_schema.migrate(address, at)).months == (
        "sessions_2031_05",
        "attempts_2031_05",
        "sessions_2031_06",
        "attempts_2031_06",
    )
    found = contents.rows(address, "select tableoid::regclass::text, number from sessions order by 1, 2")
    assert found == [
        *(("sessions_2031_05", one.number) for one in inside),
        ("sessions_2031_06", high),
        ("sessions_rest", low - 1),
    ]
    assert contents.rows(address, "select count(*) from attempts_2031_05") == [(4,)]
    assert (await postgres_schema.migrate(address, at)).months == ()
    assert await store.session(tenant.id, low) is not None
    await store.close()
    drop = ";".join(f"drop table {of}_2031_{month}" for of in ("sessions", "attempts") for month in ("05", "06"))
    await postgres.execute(address, drop)


def test_months_follow_each_other_and_their_bounds_meet() -> None:
    month = Month(2026, 11)
    for _ in range(26):
        following = month.next
        for of in ("sessions", "attempts"):
            assert month.bounds(of)[1] == following.bounds(of)[0] > month.bounds(of)[0]
        assert Month.of(following.starts_at) == following
        assert Month.of(following.starts_at - 1) == month
        month = following
    assert month == Month(2029, 1)
