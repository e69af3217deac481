"""What has come to its end is forgotten, in small writes, and nothing else is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec
import pytest

from assay import config, errors, serving
from assay.model import ReplayMark, Session
from assay.rules import session_ids
from assay.store import (
    AttemptSearch,
    CreateProfile,
    CreateUser,
    Forget,
    ForgetSessions,
    RecordAttempt,
    Store,
    Write,
)
from assay.stories import housekeeping
from assay.stories.context import Call, Context
from assay.stories.housekeeping import Housekeeper
from tests import records
from tests.calls import Clock
from tests.records import NOW
from tests.turns import Turns

DAY = 86_400
NUMBERS = itertools.count(1)


@pytest.fixture
def ctx(ctx: Context) -> Context:
    return msgspec.structs.replace(ctx, settings=config.read({"ASSAY_ATTEMPTS_DAYS": "30"}))


def mark(call: Call, name: str, expires_at: int) -> ReplayMark:
    return ReplayMark(
        environment_id=call.environment.environment_id,
        profile_id="vercel_jwt",
        mark=name,
        created_at=NOW - 100,
        expires_at=expires_at,
        secret_id="secret",
        request_hash=b"h",
    )


async def attempt_at(store: Store, call: Call, created_at: int, replay: ReplayMark | None = None) -> None:
    attempt = records.attempt(call.environment.environment_id, created_at=created_at)
    await store.write(RecordAttempt(attempt=attempt, replay=replay))


async def ages(store: Store, call: Call) -> list[int]:
    found = await store.search_attempts(call.environment.environment_id, AttemptSearch(limit=1000))
    return [NOW - each.attempt.created_at for each in found]


async def test_attempts_are_kept_as_long_as_the_setting_says(ctx: Context, store: Store, call: Call) -> None:
    for age in (40 * DAY, 30 * DAY + 1, 30 * DAY, 1):
        await attempt_at(store, call, NOW - age)
    await Housekeeper(ctx).forget()
    assert await ages(store, call) == [1, 30 * DAY]
    shorter = msgspec.structs.replace(ctx, settings=config.read({"ASSAY_ATTEMPTS_DAYS": "1"}))
    await Housekeeper(shorter).forget()
    assert await ages(store, call) == [1]


async def test_marks_are_kept_until_their_tokens_would_be_refused_anyway(
    ctx: Context, store: Store, call: Call, clock: Clock
) -> None:
    environment_id = call.environment.environment_id
    await store.write(CreateProfile(profile=records.profile(environment_id)))
    for name, expires_at in (("old", NOW), ("live", NOW + 1)):
        await attempt_at(store, call, NOW, mark(call, name, expires_at))
    await Housekeeper(ctx).forget()
    assert await store.replay_mark(environment_id, "vercel_jwt", "old") is None
    assert await store.replay_mark(environment_id, "vercel_jwt", "live") is not None
    clock.turn(1)
    await Housekeeper(ctx).forget()
    assert await store.replay_mark(environment_id, "vercel_jwt", "live") is None


class Timer:
    """Seconds that pass while something is forgotten: so many for each record that may go in a write."""

    def __init__(self, store: Store, per_record: float) -> None:
        self.now = 0.0
        self.limits: list[int] = []
        self.per_record, self.waiting = per_record, 0.0
        self._write = store.write

    def __call__(self) -> float:
        return self.now

    async def write(self, write: Write) -> None:
        if isinstance(write, Forget | ForgetSessions):
            self.limits.append(write.limit)
            self.now += self.waiting + write.limit * self.per_record
        await self._write(write)


class Pauses:
    """A sleep that takes no time and tells how long it would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_writes_grow_as_long_as_they_are_fast_and_let_others_write_between_them(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(100):
        await attempt_at(store, call, NOW - 31 * DAY)
    timer, pauses = Timer(store, per_record=0.0001), Pauses()
    monkeypatch.setattr(store, "write", timer.write)
    await Housekeeper(ctx, pauses, timer).forget()
    assert await ages(store, call) == []
    assert timer.limits == [20, 40, 50]
    assert pauses.seconds == pytest.approx([0.0025, 0.004, 0.005])


async def test_writes_shrink_when_they_take_longer_than_they_may(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    timer = Timer(store, per_record=0.00005)
    monkeypatch.setattr(store, "write", timer.write)
    keeper = Housekeeper(ctx, Pauses(), timer)
    for waiting, limits in ((0.0, [20, 40, 80]), (0.015, [100, 25, 20])):
        for _ in range(130):
            await attempt_at(store, call, NOW - 31 * DAY)
        timer.waiting, timer.limits = waiting, []
        await keeper.forget()
        assert timer.limits == limits


async def test_nothing_to_forget_writes_nothing(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await attempt_at(store, call, NOW)

    async def never(change: Write) -> None:
        raise AssertionError(f"wrote a {type(change).__name__}")

    monkeypatch.setattr(store, "write", never)
    await Housekeeper(ctx).forget()


# ---------------------------------------------------------------- sessions


async def started(store: Store, call: Call, **changes: int) -> Session:
    """A session that began 40 days ago for a day, with the number of its time."""
    user = records.user(call.environment.environment_id)
    await store.write(CreateUser(user=user))
    at = changes.pop("started_at", NOW - 40 * DAY)
    number = session_ids.first_number_at(at) + next(NUMBERS)
    session = records.session(user, **{"number": number, "started_at": at, "expires_at": at + DAY} | changes)
    await store.write(records.start(session, call.caller.secret, guard=records.guard(call.caller.secret, now=at)))
    return session


async def left(store: Store, sessions: Sequence[Session]) -> list[bool]:
    return [await store.session(each.environment_id, each.number) is not None for each in sessions]


SESSIONS: dict[str, tuple[dict[str, int], bool]] = {
    "expired too long ago": ({"expires_at": NOW - 30 * DAY - 1}, False),
    "expired as long ago as is kept": ({"expires_at": NOW - 30 * DAY}, True),
    "revoked too long ago": ({"expires_at": NOW + DAY, "revoked_at": NOW - 30 * DAY - 1}, False),
    "revoked as long ago as is kept": ({"expires_at": NOW + DAY, "revoked_at": NOW - 30 * DAY}, True),
    "old and live": ({"expires_at": NOW + 1}, True),
    "begun only then": ({"started_at": NOW - 30 * DAY, "expires_at": NOW - 30 * DAY + 300}, True),
}


@pytest.mark.parametrize("case", SESSIONS)
async def test_ended_sessions_are_kept_as_long_as_the_setting_says(
    ctx: Context, store: Store, call: Call, case: str
) -> None:
    changes, is_kept = SESSIONS[case]
    session = await started(store, call, **changes)
    await Housekeeper(ctx).forget()
    assert await left(store, [session]) == [is_kept]


async def test_another_setting_keeps_ended_sessions_for_another_time(ctx: Context, store: Store, call: Call) -> None:
    sessions = [await started(store, call, expires_at=NOW - days * DAY) for days in (3, 5)]
    fewer = msgspec.structs.replace(ctx, settings=config.read({"ASSAY_SESSIONS_KEPT_DAYS": "4"}))
    await Housekeeper(fewer).forget()
    assert await left(store, sessions) == [True, False]


async def test_a_long_table_is_walked_in_rounds_that_go_on_where_the_last_one_stopped(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "LOOK", 2)
    monkeypatch.setattr(housekeeping, "MOST_LOOKED_AT", 4)
    sessions = [await started(store, call) for _ in range(6)]
    keeper = Housekeeper(ctx)
    await keeper.forget()
    assert await left(store, sessions) == [False] * 4 + [True] * 2
    await keeper.forget()
    assert await left(store, sessions) == [False] * 6


async def test_after_the_last_session_the_walk_starts_over(
    ctx: Context, store: Store, call: Call, clock: Clock
) -> None:
    session = await started(store, call, expires_at=NOW + 1)
    keeper = Housekeeper(ctx)
    await keeper.forget()
    assert await left(store, [session]) == [True]
    clock.turn(30 * DAY + 2)
    await keeper.forget()
    assert await left(store, [session]) == [False]


async def test_many_ended_sessions_go_in_several_writes(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [await started(store, call) for _ in range(50)]
    timer = Timer(store, per_record=0.0001)
    monkeypatch.setattr(store, "write", timer.write)
    await Housekeeper(ctx, Pauses(), timer).forget()
    assert await left(store, sessions) == [False] * 50
    assert timer.limits == [20, 40]


# ---------------------------------------------------------------- while the server runs


async def test_the_server_tidies_at_once_and_then_each_minute(
    ctx: Context, store: Store, call: Call, clock: Clock
) -> None:
    await attempt_at(store, call, NOW - 31 * DAY)
    await attempt_at(store, call, NOW - 30 * DAY)
    turns = Turns()
    async with serving.forgetting(ctx, turns):
        await asyncio.wait_for(turns.begun.wait(), 30)
        assert await ages(store, call) == [30 * DAY]
        clock.turn(1)
        await turns.next()
        await asyncio.wait_for(turns.begun.wait(), 30)
        assert await ages(store, call) == []
    assert turns.asked == [60, 60]


@pytest.mark.parametrize("fault", [errors.StoreUnavailable(detail="full"), RuntimeError("a defect")], ids=repr)
async def test_a_fault_is_logged_and_tried_again(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    await attempt_at(store, call, NOW - 31 * DAY)
    forget, faults = Housekeeper.forget, [fault]

    async def failing(keeper: Housekeeper) -> None:
        if faults:
            raise faults.pop()
        await forget(keeper)

    monkeypatch.setattr(Housekeeper, "forget", failing)
    turns = Turns()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving.forgetting(ctx, turns))
        await turns.next()
        await asyncio.wait_for(turns.begun.wait(), 30)
        assert await ages(store, call) == []
