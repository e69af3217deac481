"""A PostgreSQL store of several hosts: which of them is used, and that an old primary is used no more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from assay.store import postgres_connections, postgres_hosts
from assay.store.opening import open_store
from assay.store.postgres_address import parse
from assay.store.postgres_connections import SHORT
from assay.store.postgres_hosts import Connect, Fence, OldPrimary, Place, Watch, connect_to_newest
from tests import postgres
from tests.store.conftest import ON_POSTGRES

SYSTEM, ANOTHER = 7, 8


class Fake:
    """A connection to a server of this timeline, which a test may change."""

    def __init__(self, timeline: int, system: int = SYSTEM) -> None:
        self.timeline = timeline
        self.system = system
        self.asked = asyncio.Event()
        self.cut = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self.cut.is_set()

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        del query, arguments
        self.asked.set()
        if self.closed:
            raise asyncpg.InterfaceError
        return [(self.system, self.timeline)]

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.cut.set()


def at(link: Fake) -> Connect[Fake]:
    async def connect() -> Fake:
        await asyncio.sleep(0)
        return link

    return connect


async def replica() -> Fake:
    raise asyncpg.TargetServerAttributeNotMatched


async def refusing() -> Fake:
    raise ConnectionRefusedError


async def silent() -> Fake:
    await asyncio.Event().wait()
    raise AssertionError


async def unknowing(*_: object) -> list[Any]:
    raise asyncpg.UndefinedFunctionError


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_hosts, "GRACE_SECONDS", 0.01)
    monkeypatch.setattr(postgres_hosts, "WATCH_SECONDS", 0.01)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


# ---------------------------------------------------------------- choosing


@pytest.mark.parametrize("others", [[replica], [refusing], [silent], [replica, refusing, silent]])
async def test_the_host_that_takes_writes_is_found_whatever_the_others_do(others: list[Connect[Fake]]) -> None:
    primary = Fake(1)
    assert await connect_to_newest([*others, at(primary)], Fence()) is primary
    assert await connect_to_newest([at(primary), *others], Fence()) is primary
    assert not primary.closed


@pytest.mark.parametrize("place", [0, 1])
async def test_of_two_primaries_the_newer_is_used_and_the_other_let_go(place: int) -> None:
    old, new = Fake(3), Fake(4)
    hosts = [at(old)]
    hosts.insert(place, at(new))
    assert await connect_to_newest(hosts, Fence()) is new
    await settle()
    assert (old.closed, new.closed) == (True, False)


async def test_without_a_primary_the_fault_that_says_most_is_raised() -> None:
    with pytest.raises(ConnectionRefusedError):
        await connect_to_newest([replica, refusing, replica], Fence())
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await connect_to_newest([replica, replica], Fence())


async def test_whoever_is_cancelled_leaves_no_connection_behind() -> None:
    found = Fake(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await connect_to_newest([at(found), silent], Fence())
    await settle()
    assert found.closed or not found.asked.is_set()


async def test_a_server_that_knows_no_timelines_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Fake(1)
    monkeypatch.setattr(server, "fetch", unknowing)
    assert await connect_to_newest([at(server), replica], Fence()) is server


# ---------------------------------------------------------------- the fence


async def test_an_old_primary_is_not_used_once_a_newer_one_was_seen() -> None:
    fence, old = Fence(), Fake(3)
    fence.saw(Place(SYSTEM, 4))
    with pytest.raises(OldPrimary):
        await connect_to_newest([at(old), silent], fence)
    assert old.closed


async def test_connections_to_an_old_primary_are_cut_when_a_newer_one_is_seen() -> None:
    fence, old, new = Fence(), Fake(3), Fake(4)
    await connect_to_newest([at(old), silent], fence)
    assert not old.closed
    await connect_to_newest([silent, at(new)], fence)
    assert (old.closed, new.closed) == (True, False)


async def test_a_replica_cuts_nothing() -> None:
    fence, primary = Fence(), Fake(3)
    await connect_to_newest([at(primary), replica], fence)
    fence.saw(Place(SYSTEM, 0))
    assert not primary.closed


async def test_timelines_of_another_cluster_are_not_compared() -> None:
    """After a major upgrade they begin at 1 again."""
    fence, upgraded = Fence(), Fake(1, ANOTHER)
    fence.saw(Place(SYSTEM, 9))
    assert await connect_to_newest([at(upgraded), silent], fence) is upgraded
    fence.saw(Place(SYSTEM, 10))
    assert not upgraded.closed


# ---------------------------------------------------------------- the watch


@asynccontextmanager
async def watched(fence: Fence, *hosts: Connect[Fake]) -> AsyncIterator[None]:
    watch = Watch(hosts, fence, (OSError, asyncpg.InterfaceError))
    try:
        yield
    finally:
        await watch.close()


async def test_a_replica_that_becomes_the_primary_is_noticed_and_the_old_one_cut() -> None:
    fence, old, follower = Fence(), Fake(3), Fake(0)
    await connect_to_newest([at(old), replica], fence)
    async with watched(fence, at(follower)):
        await follower.asked.wait()
        assert not old.closed
        follower.timeline = 4
        await asyncio.wait_for(old.cut.wait(), 10)
    assert follower.closed


async def test_a_host_that_cannot_be_looked_at_is_tried_again() -> None:
    fence, old, tries = Fence(), Fake(3), [ConnectionRefusedError(), OSError()]
    await connect_to_newest([at(old), replica], fence)

    async def connect() -> Fake:
        if tries:
            raise tries.pop()
        return Fake(4)

    async with watched(fence, connect):
        await asyncio.wait_for(old.cut.wait(), 10)


# ---------------------------------------------------------------- addresses and servers


ADDRESSES = {
    "one host": ("u@a:1/d?sslmode=require", ["u@a:1/d?sslmode=require"]),
    "several hosts": ("u:p%2C@a,b:2/d?sslmode=require", ["u:p%2C@a/d?sslmode=require", "u:p%2C@b:2/d?sslmode=require"]),
    "several in the query": ("u@/d?host=a,b&port=1,2", ["u@/d?host=a&port=1", "u@/d?host=b&port=2"]),
    "several with one port": ("u@/d?host=a,b&port=1", ["u@/d?host=a&port=1", "u@/d?host=b&port=1"]),
    "several with no port": ("u@/d?host=a,b", ["u@/d?host=a", "u@/d?host=b"]),
    "what the environment says": ("u@/d", ["u@/d"]),
    "addresses in brackets": ("u@[::1]:1,[::2]/d", ["u@[::1]:1/d", "u@[::2]/d"]),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_each_host_of_an_address_is_asked_by_itself(case: str) -> None:
    text, each = ADDRESSES[case]
    assert parse(f"postgresql://{text}").dsns == tuple(f"postgresql://{one}" for one in each)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A host that takes connections and says nothing, as one behind a network that is cut."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize("name", ["{silent},{server}", "{server},{silent}"], ids=["first", "last"])
@ON_POSTGRES
async def test_a_silent_host_keeps_nobody_from_the_primary(address: str, silent_port: int, name: str) -> None:
    server = f"127.0.0.1:{postgres.server().port}"
    store = await open_store(address.replace(server, name.format(silent=f"127.0.0.1:{silent_port}", server=server)))
    await store.ping()
    await store.close()


@ON_POSTGRES
async def test_a_server_says_where_it_is_to_a_user_with_no_rights(address: str) -> None:
    await postgres.execute(address, "create role nobody_much login")
    try:
        dsn = parse(address.replace("postgres@", "nobody_much@"))
        connection = await postgres_connections.connect(dsn, SHORT)
        place = await postgres_hosts.place_of(connection)
        await connection.close(timeout=5)
    finally:
        await postgres.execute(address, "drop role nobody_much")
    assert place.system > 0
    assert place.timeline == 1


@ON_POSTGRES
async def test_a_store_of_several_hosts_looks_at_each_of_them_until_it_is_closed(address: str) -> None:
    server = f"127.0.0.1:{postgres.server().port}"
    watching = "from pg_stat_activity where application_name = 'assay watch' and datname = current_database()"
    store = await open_store(address.replace(server, f"{server},{server}"))
    await store.ping()
    await postgres.found(address, f"select 1 {watching} having count(*) = 2")
    await store.close()
    await postgres.found(address, f"select 1 {watching} having count(*) = 0")


@ON_POSTGRES
async def test_a_store_of_one_host_needs_no_connection_more(address: str) -> None:
    store = await open_store(address)
    await store.ping()
    watching = "select count(*) from pg_stat_activity where application_name = 'assay watch'"
    assert await postgres.fetch(address, f"{watching} and datname = current_database()") == [(0,)]
    await store.close()
