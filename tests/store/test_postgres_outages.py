"""A PostgreSQL server that is away, comes back, or is in two minds about a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from assay import errors
from assay.store import CreateSecret, RecordAttempt, Search, Store, postgres_connections
from assay.store import postgres as postgres_store
from assay.store.opening import open_store
from assay.store.postgres_connections import LONG, Limits
from tests import postgres, records
from tests.store.conftest import ON_POSTGRES, Tenant

pytestmark = ON_POSTGRES


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is refused only because another one could not connect a moment ago."""
    monkeypatch.setattr(postgres_connections, "AWAY_SECONDS", 0.0)


@pytest.fixture
def stopped() -> Iterator[Callable[[], None]]:
    """Stop the server; it is there again afterwards, whatever becomes of the test."""
    server = postgres.server()
    yield server.stop
    server.stop()
    server.start()


CALLS: dict[str, Callable[[Store, Tenant], Awaitable[Any]]] = {
    "a read": lambda store, tenant: store.secret_is_live(tenant.id, tenant.secret.secret_id),
    "a read of several statements": lambda store, tenant: store.configuration(tenant.id),
    "a read of everything": lambda store, _tenant: store.sessions_alive(records.NOW),
    "a search": lambda store, tenant: store.search_users(Search(environment_id=tenant.id)),
    "a write": lambda store, tenant: store.write(CreateSecret(secret=records.secret(tenant.id))),
    "a large write": lambda store, _tenant: store.write(records.forget()),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_server_that_is_away_is_unavailable_and_is_used_again_when_it_is_back(
    store: Store, tenant: Tenant, stopped: Callable[[], None], call: str
) -> None:
    await CALLS[call](store, tenant)  # there are connections, which will be lost
    stopped()
    for _ in range(2):
        with pytest.raises(errors.StoreUnavailable):
            await CALLS[call](store, tenant)
    await asyncio.to_thread(postgres.server().start)
    await CALLS[call](store, tenant)


@pytest.mark.parametrize("call", CALLS)
async def test_connections_that_were_lost_meanwhile_are_noticed_by_nobody(
    store: Store, tenant: Tenant, address: str, call: str
) -> None:
    await CALLS[call](store, tenant)
    others = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
    await postgres.execute(address, f"{others} and datname = current_database()")
    await CALLS[call](store, tenant)


async def test_after_a_failed_attempt_the_others_are_refused_at_once(
    store: Store, stopped: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "AWAY_SECONDS", 1000.0)
    stopped()
    told = []
    for _ in range(2):
        with pytest.raises(errors.StoreUnavailable) as refused:
            await store.ping()
        told.append(refused.value.detail)
    assert "ConnectionRefusedError" in str(told[0])
    assert "a moment ago" in str(told[1])


async def test_writes_in_flight_when_the_server_stops_are_answered(
    store: Store, tenant: Tenant, stopped: Callable[[], None]
) -> None:
    writes = [asyncio.create_task(store.write(RecordAttempt(attempt=records.attempt(tenant.id)))) for _ in range(200)]
    await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    more = [asyncio.create_task(store.write(RecordAttempt(attempt=records.attempt(tenant.id)))) for _ in range(200)]
    await asyncio.sleep(0)
    await asyncio.to_thread(stopped)
    outcomes = await asyncio.gather(*writes, *more, return_exceptions=True)
    assert {type(one) for one in outcomes} <= {type(None), errors.StoreUnavailable}
    await asyncio.to_thread(postgres.server().start)
    kept = len(await store.attempts(tenant.id, 1000))
    assert kept >= outcomes.count(None)


# ---------------------------------------------------------------- a commit that waits for a replica


@pytest.fixture
async def waiting(address: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store whose commits wait for a replica that is not there, with limits that are soon over."""
    del tenant
    monkeypatch.setattr(postgres_store, "SHORT", Limits(statement=200, lock=200))
    opened = await open_store(address)
    await opened.ping()
    await _replica("nobody")
    yield opened
    await _replica("")
    await opened.close()


async def _replica(name: str) -> None:
    url = postgres.server().url("postgres")
    await postgres.execute(url, f"alter system set synchronous_standby_names = '{name}'")
    await postgres.execute(url, "select pg_reload_conf()")


async def _waits(address: str) -> int:
    """The process of the server that waits for the replica, once there is one."""
    query = "select pid from pg_stat_activity where wait_event = 'SyncRep' and datname = current_database()"
    return int((await postgres.found(address, query))[0][0])


async def test_the_limits_of_a_statement_do_not_end_the_wait_for_a_replica(
    waiting: Store, tenant: Tenant, address: str
) -> None:
    """The server would say that the commit is done; without the replica a failover would forget it."""
    write = asyncio.create_task(waiting.write(CreateSecret(secret=records.secret(tenant.id))))
    await _waits(address)
    await asyncio.wait([write], timeout=0.6)  # three times the limit
    assert not write.done()
    await _replica("")
    await asyncio.wait_for(write, 10)


async def test_a_commit_whose_wait_for_a_replica_was_ended_is_not_acknowledged(
    waiting: Store, tenant: Tenant, address: str
) -> None:
    write = asyncio.create_task(waiting.write(CreateSecret(secret=records.secret(tenant.id))))
    pid = await _waits(address)
    await postgres.execute(address, f"select pg_cancel_backend({pid})")
    with pytest.raises(errors.StoreUnavailable) as refused:
        await asyncio.wait_for(write, 10)
    assert "nobody knows whether it is committed" in str(refused.value.detail)


# ---------------------------------------------------------------- limits


async def test_the_limits_of_a_session_are_set(store: Store, address: str) -> None:
    await store.ping()
    shown = "select query from pg_stat_activity where application_name = 'assay' and datname = current_database()"
    assert await postgres.fetch(address, shown)
    reads = store._reads.connections  # type: ignore[attr-defined]
    connection = await reads.take()
    asked = {"synchronous_commit": "on", "statement_timeout": "10s", "lock_timeout": "5s"}
    asked["idle_in_transaction_session_timeout"] = "10s"
    found = {name: (await connection.fetch(f"show {name}"))[0][0] for name in asked}
    reads.give_back(connection)
    assert found == asked
    assert LONG.statement > 10_000


async def test_whoever_waits_too_long_for_a_connection_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "WAIT_SECONDS", 0.05)
    reads = store._reads.connections  # type: ignore[attr-defined]
    taken = [await reads.take() for _ in range(reads._size)]
    with pytest.raises(errors.StoreUnavailable):
        await store.ping()
    waiting = asyncio.create_task(store.ping())
    await asyncio.sleep(0)
    reads.give_back(taken.pop())
    await waiting
    for one in taken:
        reads.give_back(one)
