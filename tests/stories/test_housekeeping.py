"""What has come to its end is forgotten, in small writes, and nothing else is."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec
import pytest

from assay import config, errors, serving
from assay.model import ReplayMark
from assay.store import AttemptSearch, CreateProfile, Forget, RecordAttempt, Store, Write
from assay.stories import housekeeping
from assay.stories.context import Call, Context
from tests import records
from tests.calls import Clock
from tests.records import NOW

DAY = 86_400


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
    await housekeeping.forget(ctx)
    assert await ages(store, call) == [1, 30 * DAY]
    shorter = msgspec.structs.replace(ctx, settings=config.read({"ASSAY_ATTEMPTS_DAYS": "1"}))
    await housekeeping.forget(shorter)
    assert await ages(store, call) == [1]


async def test_marks_are_kept_until_their_tokens_would_be_refused_anyway(
    ctx: Context, store: Store, call: Call, clock: Clock
) -> None:
    environment_id = call.environment.environment_id
    await store.write(CreateProfile(profile=records.profile(environment_id)))
    for name, expires_at in (("old", NOW), ("live", NOW + 1)):
        await attempt_at(store, call, NOW, mark(call, name, expires_at))
    await housekeeping.forget(ctx)
    assert await store.replay_mark(environment_id, "vercel_jwt", "old") is None
    assert await store.replay_mark(environment_id, "vercel_jwt", "live") is not None
    clock.turn(1)
    await housekeeping.forget(ctx)
    assert await store.replay_mark(environment_id, "vercel_jwt", "live") is None


async def test_much_to_forget_is_forgotten_in_batches_that_let_others_write(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    for _ in range(5):
        await attempt_at(store, call, NOW - 31 * DAY)
    batches: list[Write] = []
    write = store.write

    async def counted(change: Write) -> None:
        batches.append(change)
        await write(change)

    monkeypatch.setattr(store, "write", counted)
    await housekeeping.forget(ctx)
    assert await ages(store, call) == []
    assert [each.limit for each in batches if isinstance(each, Forget)] == [2, 2, 2]


async def test_nothing_to_forget_writes_nothing(
    ctx: Context, store: Store, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await attempt_at(store, call, NOW)

    async def never(change: Write) -> None:
        raise AssertionError(f"wrote a {type(change).__name__}")

    monkeypatch.setattr(store, "write", never)
    await housekeeping.forget(ctx)


# ---------------------------------------------------------------- while the server runs


class Turns:
    """A sleep that ends when a test says so, and says when it was begun."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.begun.set()
        await self.over.wait()
        self.over.clear()

    async def next(self) -> None:
        """Wait until the work of one turn is done, and let the next one begin."""
        await asyncio.wait_for(self.begun.wait(), 30)
        self.begun.clear()
        self.over.set()


async def test_the_server_tidies_at_once_and_then_each_minute(
    ctx: Context, store: Store, call: Call, clock: Clock
) -> None:
    await attempt_at(store, call, NOW - 31 * DAY)
    await attempt_at(store, call, NOW - 30 * DAY)
    turns = Turns()
    async with serving.tidied(ctx, turns):
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
    forget, faults = housekeeping.forget, [fault]

    async def failing(context: Context) -> None:
        if faults:
            raise faults.pop()
        await forget(context)

    monkeypatch.setattr(housekeeping, "forget", failing)
    turns = Turns()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving.tidied(ctx, turns))
        await turns.next()
        await asyncio.wait_for(turns.begun.wait(), 30)
        assert await ages(store, call) == []
