"""When sessions were last used: shown at once, written later for many, and lost by nobody who stops in good order."""

from __future__ import annotations

import asyncio

import pytest

from assay import errors, serving
from assay.store import NoteAccesses, RevokeSecret, Store, Write
from assay.stories import last_access
from assay.stories.granted import Granted
from assay.stories.last_access import LastAccess
from tests.calls import Clock
from tests.stories.attesting import World, make_world
from tests.turns import Turns


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "consumer")
    await made.add_profile()
    return made


@pytest.fixture
async def granted(world: World) -> Granted:
    return await world.attest(session_duration_minutes=60)


def number_of(granted: Granted) -> int:
    assert granted.details is not None
    return granted.details.session.number


async def stored(world: World, granted: Granted) -> int:
    view = await world.ctx.store.session(world.environment_id, number_of(granted))
    assert view is not None
    return view.session.last_accessed_at


class Refusing:
    """Stands for ``Store.write`` while the disk is full, or while nobody may write at all."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    async def __call__(self, _write: Write) -> None:
        raise self.fault


async def test_an_authenticate_that_changes_nothing_writes_nothing(
    world: World, clock: Clock, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.ctx.store, "write", Refusing(AssertionError("it wrote")))
    clock.turn(7)
    found = await world.authenticate(session_token=granted.session_token)
    assert found.details is not None
    assert found.details.session.last_accessed_at == int(clock.now)
    assert await stored(world, granted) == int(clock.now) - 7


async def test_a_full_disk_refuses_changes_of_a_session_and_lets_it_be_used(
    world: World, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.ctx.store, "write", Refusing(errors.StoreUnavailable(detail="full")))
    assert (await world.authenticate(session_token=granted.session_token)).person == granted.person
    with pytest.raises(errors.StoreUnavailable):
        await world.authenticate(session_token=granted.session_token, session_duration_minutes=60)


async def test_a_secret_that_was_revoked_while_the_request_came_in_opens_nothing(
    world: World, granted: Granted
) -> None:
    secret = world.call.caller.secret
    revoke = RevokeSecret(environment_id=world.environment_id, secret_id=secret.secret_id, revoked_at=secret.created_at)
    await world.ctx.store.write(revoke)
    with pytest.raises(errors.UnauthorizedCredentials):
        await world.authenticate(session_token=granted.session_token)


async def test_of_many_accesses_the_last_one_is_written(world: World, clock: Clock, granted: Granted) -> None:
    for _ in range(3):
        clock.turn(5)
        await world.authenticate(session_token=granted.session_token)
    await world.ctx.last_access.keep(world.ctx.store.write)
    assert await stored(world, granted) == int(clock.now)


# ---------------------------------------------------------------- what is remembered


class Written:
    """A store that notes what it is to write, or refuses it."""

    def __init__(self) -> None:
        self.accesses: list[dict[int, int]] = []
        self.refuses = 0

    async def write(self, write: Write) -> None:
        assert isinstance(write, NoteAccesses)
        if self.refuses:
            self.refuses -= 1
            raise errors.StoreUnavailable(detail="full")
        self.accesses.append(write.accesses)


@pytest.fixture
def written() -> Written:
    return Written()


async def test_much_is_written_in_batches_in_the_order_of_numbers(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_access, "BATCH", 2)
    remembered = LastAccess()
    for number in (5, 1, 3):
        remembered.note(number, 100 + number)
    await remembered.keep(written.write)
    assert written.accesses == [{1: 101, 3: 103}, {5: 105}]
    await remembered.keep(written.write)
    assert len(written.accesses) == 2


async def test_what_could_not_be_written_is_written_later_unless_it_is_outdated(written: Written) -> None:
    remembered, written.refuses = LastAccess(), 1
    remembered.note(1, 101)
    remembered.note(2, 102)
    with pytest.raises(errors.StoreUnavailable):
        await remembered.keep(written.write)
    remembered.note(2, 202)
    await remembered.keep(written.write)
    assert written.accesses == [{1: 101, 2: 202}]


async def test_when_there_is_no_room_for_more_nobody_waits_for_the_minute_to_end(written: Written) -> None:
    remembered = LastAccess(most=2)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for number in (1, 2, 1):
        remembered.note(number, 100)
    pausing = asyncio.create_task(remembered.or_full(never))
    await asyncio.sleep(0)
    assert not pausing.done()
    remembered.note(3, 100)
    await asyncio.wait_for(pausing, 30)
    await remembered.keep(written.write)
    assert written.accesses == [{1: 100, 2: 100}]
    remembered.note(3, 101)
    await remembered.keep(written.write)
    assert written.accesses[1:] == [{3: 101}]


# ---------------------------------------------------------------- while the server runs


async def test_the_server_writes_accesses_each_minute_and_at_its_end(
    world: World, clock: Clock, granted: Granted
) -> None:
    turns = Turns()
    async with serving.accesses_kept(world.ctx, turns):
        await turns.done()
        clock.turn(5)
        await world.authenticate(session_token=granted.session_token)
        assert await stored(world, granted) == int(clock.now) - 5
        await turns.next()
        await turns.done()
        assert await stored(world, granted) == int(clock.now)
        clock.turn(5)
        await world.authenticate(session_token=granted.session_token)
    assert await stored(world, granted) == int(clock.now)
    assert set(turns.asked) == {60}


async def test_what_cannot_be_written_at_the_end_does_not_hinder_it(
    world: World, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving.tidied(world.ctx, forgets=False):
        await world.authenticate(session_token=granted.session_token)
        monkeypatch.setattr(world.ctx.store, "write", Refusing(errors.StoreUnavailable(detail="full")))
    monkeypatch.undo()
    await world.ctx.last_access.keep(world.ctx.store.write)
