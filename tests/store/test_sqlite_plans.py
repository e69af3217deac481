"""What an attest rests on is looked for once in a commit, and again after anything that may have changed it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from assay.store import ReplaceProfile, RevokeSecret, Stale, StartSession, Write, sqlite_files, sqlite_plans
from assay.store.sqlite import SqliteStore, open_sqlite
from assay.store.statements import positional
from tests import records
from tests.store.conftest import Tenant, settle


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "assay.db")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the writer's connection is asked, with the values in it."""
    asked: list[str] = []
    connect = sqlite_files.connect_writer

    def connected(path: str, busy_seconds: float) -> sqlite3.Connection:
        connection = connect(path, busy_seconds)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(sqlite_files, "connect_writer", connected)
    return asked


@pytest.fixture
async def store(path: str, statements: list[str]) -> AsyncIterator[SqliteStore]:
    del statements  # watched from the start
    opened = await open_sqlite(path)
    yield opened
    await opened.close()


@pytest.fixture
async def tenant(store: SqliteStore) -> Tenant:
    return await settle(store, "acme")


def start(tenant: Tenant, **changes: object) -> StartSession:
    """The write of an attest at the tenant's profile."""
    guard = records.guard(tenant.secret, profile_id="vercel_jwt", profile_revision=1)
    attempt = records.attempt(tenant.id, outcome="granted")
    event = records.event(tenant.id)
    session = records.session(tenant.member)
    return records.start(session, tenant.secret, **{"guard": guard, "attempt": attempt, "events": (event,)} | changes)


async def together(store: SqliteStore, *writes: Write) -> list[type]:
    """What became of writes that share a commit."""
    return [type(one) for one in await asyncio.gather(*map(store.write, writes), return_exceptions=True)]


NONE = type(None)


def looks(statements: list[str]) -> int:
    return sum(statement.startswith("select 1 from secrets g") for statement in statements)


async def test_attests_of_one_commit_have_one_look_at_what_they_rest_on(
    store: SqliteStore, tenant: Tenant, statements: list[str]
) -> None:
    before = statements.count("commit")
    assert await together(store, *(start(tenant) for _ in range(10))) == [NONE] * 10
    assert (statements.count("commit") - before, looks(statements)) == (1, 1)
    assert await together(store, start(tenant)) == [NONE]
    assert looks(statements) == 2


async def test_a_secret_revoked_by_one_write_of_a_commit_opens_nothing_to_the_next(
    store: SqliteStore, tenant: Tenant
) -> None:
    revoke = RevokeSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, revoked_at=records.NOW)
    assert await together(store, start(tenant), revoke, start(tenant)) == [NONE, NONE, Stale]


async def test_a_profile_replaced_by_one_write_of_a_commit_grants_nothing_to_the_next(
    store: SqliteStore, tenant: Tenant
) -> None:
    replace = ReplaceProfile(profile=tenant.profile)
    assert await together(store, start(tenant), replace, start(tenant)) == [NONE, NONE, Stale]


async def test_what_held_in_one_commit_is_looked_for_in_the_next(store: SqliteStore, tenant: Tenant, path: str) -> None:
    assert await together(store, start(tenant)) == [NONE]
    with closing(sqlite_files.connect(path)) as other:
        other.execute("update secrets set revoked_at = 1")
    assert await together(store, start(tenant)) == [Stale]


async def test_a_guard_that_holds_says_nothing_of_another_one(store: SqliteStore, tenant: Tenant) -> None:
    rival = await settle(store, "rival")
    theirs = records.guard(rival.secret, environment_id=tenant.id, profile_id="vercel_jwt", profile_revision=1)
    old = records.guard(tenant.secret, profile_id="vercel_jwt", profile_revision=2)
    none = records.guard(tenant.secret, profile_id="another", profile_revision=1)
    writes = [start(tenant), *(start(tenant, guard=one) for one in (theirs, old, none)), start(rival)]
    assert await together(store, *writes) == [NONE, Stale, Stale, Stale, NONE]


async def test_a_refused_guard_leaves_no_mark_session_attempt_or_event(store: SqliteStore, tenant: Tenant) -> None:
    mark = records.replay_mark(tenant.secret)
    gone = records.guard(records.secret(tenant.id))
    assert await together(store, start(tenant, guard=gone, replay=mark), start(tenant)) == [Stale, NONE]
    assert await store.replay_mark(tenant.id, mark.profile_id, mark.mark) is None
    assert len(await store.attempts(tenant.id, 10)) == len(await store.events(tenant.id, 10)) == 1


def test_an_attest_with_a_session_has_the_plan_of_every_store(tenant: Tenant) -> None:
    """What its guard asks for is changed by the writes of other sessions, so it is asked with the session's own."""
    for guard in (records.guard(tenant.secret, session_number=7), records.guard(tenant.secret, profile_revisions={})):
        assert not any(one.otherwise == "holds" for one in sqlite_plans.plan(start(tenant, guard=guard)))


async def test_an_attempt_of_an_environment_that_is_gone_is_not_kept(store: SqliteStore, tenant: Tenant) -> None:
    stray = records.attempt("project-test-gone", outcome="granted")
    assert await together(store, start(tenant, attempt=stray)) == [NONE]
    assert await store.attempts("project-test-gone", 10) == []


def test_values_without_a_column_are_missed_where_a_statement_is_made() -> None:
    assert (
        positional("insert into t values (:b, :a) returning :b", "a", "b")
        == "insert into t values (?2, ?1) returning ?2"
    )
    with pytest.raises(ValueError, match="not in"):
        positional("select :c", "a", "b")
