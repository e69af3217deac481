"""The connections of one process: how they are shared, and that none of them is ever lost."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from assay import errors
from assay.store import postgres_connections
from assay.store.postgres_connections import Connection, Connections, Connector


class Fake:
    """A connection that knows only whether it is closed."""

    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the driver's own
        del timeout
        self.closed = True


class Maker:
    """Makes them; ``fails`` as often as it says first."""

    def __init__(self) -> None:
        self.made: list[Fake] = []
        self.fails = 0

    async def __call__(self) -> Fake:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise errors.StoreUnavailable
        self.made.append(Fake())
        return self.made[-1]


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def pool(maker: Maker) -> Connections:
    return Connections(cast("Connector", maker), 2)


def close(connection: Connection) -> None:
    cast("Fake", connection).closed = True


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_connection_that_was_given_back_is_used_again(pool: Connections, maker: Maker) -> None:
    for _ in range(3):
        pool.give_back(await pool.take())
    assert len(maker.made) == 1


async def test_a_closed_one_is_replaced(pool: Connections, maker: Maker) -> None:
    for _ in range(5):
        one = await pool.take()
        pool.give_back(one)
        close(one)
    assert len(maker.made) == 5


@pytest.mark.parametrize(
    ("fault", "is_kept"),
    [
        pytest.param(None, True, id="none"),
        pytest.param(ValueError(), True, id="of the caller"),
        pytest.param(ConnectionResetError(), False, id="of the network"),
        pytest.param(asyncio.CancelledError(), False, id="a caller that was cancelled"),
    ],
)
async def test_what_is_not_known_to_be_well_is_not_used_again(
    pool: Connections, fault: BaseException | None, is_kept: bool
) -> None:
    one = await pool.take()
    pool.give_back(one, fault)
    assert (await pool.take() is one) == is_kept


async def test_those_who_wait_are_served_in_their_order(pool: Connections) -> None:
    taken = [await pool.take(), await pool.take()]
    waiting = [asyncio.create_task(pool.take()) for _ in range(3)]
    await settle()
    pool.give_back(taken[0])
    await settle()
    assert [each.done() for each in waiting] == [True, False, False]
    close(taken[1])
    pool.give_back(taken[1])  # a lost one makes room for a new one
    await settle()
    assert [each.done() for each in waiting] == [True, True, False]
    pool.give_back(waiting[0].result())
    assert await waiting[2] is taken[0]


@pytest.mark.parametrize("is_lost", [True, False], ids=["the right to make one", "a connection"])
async def test_whoever_is_cancelled_while_it_waits_takes_nothing_along(pool: Connections, is_lost: bool) -> None:
    taken = [await pool.take(), await pool.take()]
    waiting = [asyncio.create_task(pool.take()) for _ in range(2)]
    await settle()
    if is_lost:
        close(taken[0])
    pool.give_back(taken[0])
    waiting[0].cancel()  # it has been given something, and never knew
    await settle()
    assert waiting[0].cancelled()
    await asyncio.wait_for(waiting[1], 5)


async def test_what_came_at_the_last_moment_is_taken(pool: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connections, "WAIT_SECONDS", 0.0)
    taken = [await pool.take(), await pool.take()]
    with pytest.raises(errors.StoreUnavailable):
        await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    pool.give_back(taken[0])
    assert await waiting is taken[0]


async def test_an_attempt_that_fails_leaves_room_for_the_next(pool: Connections, maker: Maker) -> None:
    maker.fails = 4
    for _ in range(4):
        with pytest.raises(errors.StoreUnavailable):
            await pool.take()
    assert {id(await pool.take()) for _ in range(2)} == {id(one) for one in maker.made}


async def test_a_closed_pool_keeps_nothing(pool: Connections, maker: Maker) -> None:
    idle, used = await pool.take(), await pool.take()
    pool.give_back(idle)
    await pool.close()
    pool.give_back(used)
    assert all(each.closed for each in maker.made)
    with pytest.raises(errors.StoreUnavailable):
        await pool.take()
