"""A server keeps the months of its store, as long as its user of the database may."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from assay import config, errors, months
from assay.store import Due, Maintained, Store
from assay.store.opening import MayNotMaintain
from assay.stories.context import Context
from tests.records import NOW

DAY = 86_400


@pytest.fixture
def ctx(ctx: Context) -> Context:
    return msgspec.structs.replace(ctx, settings=config.read({"ASSAY_ATTEMPTS_DAYS": "7"}))


class Months:
    """A store's answers, one for each run, and what was asked for."""

    def __init__(self, *answers: Maintained | Exception) -> None:
        self.asked: list[Due] = []
        self._answers = itertools.chain(answers, itertools.repeat(Maintained()))

    async def maintain(self, due: Due) -> Maintained:
        self.asked.append(due)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Turns:
    """A sleep that goes on for ever after some turns."""

    def __init__(self, turns: int) -> None:
        self.asked: list[float] = []
        self.over = asyncio.Event()
        self._turns = turns

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        if len(self.asked) >= self._turns:
            self.over.set()
            await asyncio.Event().wait()


async def kept(ctx: Context, store: Store, answers: Months, monkeypatch: pytest.MonkeyPatch, turns: int) -> Turns:
    monkeypatch.setattr(store, "maintain", answers.maintain)
    sleep = Turns(turns)
    async with months.kept(ctx, sleep):
        await asyncio.wait_for(sleep.over.wait(), 30)
    return sleep


async def test_months_are_kept_at_once_and_then_each_hour(
    ctx: Context, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Months(Maintained(made=("sessions_2026_05",)))
    with capture_logs() as logs:
        turns = await kept(ctx, store, answers, monkeypatch, turns=2)
    assert turns.asked == [3600, 3600]
    due = Due(now=NOW, ended_before=NOW - 30 * DAY, attempts_before=NOW - 7 * DAY)
    assert answers.asked == [due, due]
    assert [(line["event"], line["made"]) for line in logs] == [("months_kept", ("sessions_2026_05",))]


@pytest.mark.parametrize("fault", [errors.StoreUnavailable(detail="away"), RuntimeError("a defect")], ids=repr)
async def test_a_fault_is_logged_and_the_next_hour_tries_again(
    ctx: Context, store: Store, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    answers = Months(fault)
    with capture_logs() as logs:
        await kept(ctx, store, answers, monkeypatch, turns=2)
    assert len(answers.asked) == 2
    assert [line["event"] for line in logs] == ["months_not_kept"]


async def test_a_server_whose_user_may_not_says_so_once_and_leaves_it(
    ctx: Context, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, said = Months(MayNotMaintain("db lets only the owner")), asyncio.Event()
    monkeypatch.setattr(store, "maintain", answers.maintain)

    def hear(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        assert event["event"] == "months_not_kept"
        said.set()
        raise structlog.DropEvent

    structlog.configure(processors=[hear])
    turns = Turns(1)
    async with months.kept(ctx, turns):
        await asyncio.wait_for(said.wait(), 30)
    assert (len(answers.asked), turns.asked) == (1, [])
