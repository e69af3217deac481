"""The writer of one process: commits the writes of many requests together, on a few connections.

A commit costs a round trip and an fsync, whatever it carries, so all writes of one tick of the event loop, and all that
came while every connection was busy, share one transaction. Nobody is told anything before the commit.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from assay import errors
from assay.observing.meter import Meter
from assay.store import Write
from assay.store.postgres_connections import FAULTS, Connection, Connections, bounded, is_lost, named
from assay.store.postgres_locks import Names
from assay.store.postgres_transactions import Outcome, Transaction, UnknownOutcome, Work, may_be_repeated

MAX_BATCH = 512
"""So many writes share a commit at most: the first of them waits for the last."""

TRIES = 8
"""So often is a batch tried again that met another one's in the database."""


class Job(NamedTuple):
    """A write and how it is done, since when (by the event loop's clock) somebody waits for it, and who."""

    work: Work
    since: float
    answer: asyncio.Future[None]


class Lane:
    """Takes jobs in the order in which they come, and up to ``at_once`` batches of them at a time.

    Those for which there is nobody free within so many ``seconds`` are put back undone: the commits before them hang.
    """

    def __init__(
        self,
        settle: Callable[[list[Job]], Awaitable[None]],
        put_back: Callable[[Job], None],
        *,
        at_once: int,
        most: int,
        seconds: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settle = settle
        self._put_back = put_back
        self._at_once = at_once
        self._most = most
        self._seconds = seconds
        self._jobs: deque[Job] = deque()
        self._busy = 0
        self._running: set[asyncio.Task[None]] = set()
        self._late: asyncio.TimerHandle | None = None

    def add(self, jobs: list[Job]) -> None:
        """Take these jobs, and start with them if there is somebody free."""
        self._jobs.extend(jobs)
        if self._busy < self._at_once and self._jobs:
            self._busy += 1
            task = self._loop.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        elif self._late is None and self._jobs:
            self._late = self._loop.call_at(self._jobs[0].since + self._seconds, self._look_for_late_ones)

    def _look_for_late_ones(self) -> None:
        self._late = None
        oldest = self._loop.time() - self._seconds
        while self._jobs and self._jobs[0].since <= oldest:
            self._put_back(self._jobs.popleft())
        self.add([])

    async def finish(self) -> None:
        """Wait until everything that was taken is settled."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self) -> None:
        # Counted down before anything else can run: a job that came after the last look would wait for ever.
        try:
            while self._jobs:
                await self._settle([self._jobs.popleft() for _ in range(min(len(self._jobs), self._most))])
        finally:
            self._busy -= 1


class Writer:
    """Takes writes on the event loop and answers each by itself.

    ``hot`` are the connections for what requests wait for; one of them is for writes that must wait for what another
    process has. ``slow`` are those for writes that go over whole tables, one at a time.
    """

    def __init__(self, hot: Connections, slow: Connections, lanes: int, meter: Meter | None = None) -> None:
        self._meter = meter or Meter()
        self._waiting = 0
        self._meter.watch_queue(lambda: self._waiting)
        self._loop = asyncio.get_running_loop()
        self._tick: list[Job] = []
        self._closed = False
        self._hot, self._slow = hot, slow
        soon, late = hot.connect.limits.seconds, slow.connect.limits.seconds
        back = self._put_back
        self._first = Lane(self._settle_first, back, at_once=lanes, most=MAX_BATCH, seconds=soon)
        self._patient = Lane(self._settle_patiently, back, at_once=1, most=MAX_BATCH, seconds=soon)
        self._large = Lane(self._settle_large, back, at_once=1, most=1, seconds=late)

    async def commit(
        self, write: Write, names: Names, run: Callable[[Connection], Awaitable[None]], *, is_large: bool = False
    ) -> None:
        """Do the write and make it durable. Raises Conflict, Stale or errors.StoreUnavailable.

        A large one has a transaction of its own, in which it may take minutes.
        """
        if self._closed:
            raise errors.StoreUnavailable(detail="the store is closed")
        job = Job(Work(write, names, run), self._loop.time(), self._loop.create_future())
        self._waiting += 1
        if is_large:
            self._large.add([job])
        else:
            if not self._tick:
                self._loop.call_soon(self._hand_over)
            self._tick.append(job)
        await job.answer

    async def close(self) -> None:
        """Commit what was handed over."""
        self._closed = True
        self._hand_over()
        for lane in (self._first, self._patient, self._large):
            await lane.finish()

    def _hand_over(self) -> None:
        jobs, self._tick = self._tick, []
        self._first.add(jobs)

    # -- batches

    async def _settle_first(self, batch: list[Job]) -> None:
        await self._settle(self._hot, batch, waits=False)

    async def _settle_patiently(self, batch: list[Job]) -> None:
        await self._settle(self._hot, batch, waits=True)

    async def _settle_large(self, batch: list[Job]) -> None:
        await self._settle(self._slow, batch, waits=True)

    async def _settle(self, connections: Connections, batch: list[Job], *, waits: bool) -> None:
        started = time.perf_counter()
        late = self._loop.call_later(connections.connect.limits.seconds, _give_up, batch)
        try:
            outcomes = await _committed(connections, [job.work for job in batch], waits=waits)
        except Exception as fault:  # noqa: BLE001 - somebody waits for every job, whatever a batch does
            outcomes = [fault] * len(batch)
        finally:
            late.cancel()
        failed = isinstance(outcomes[0], errors.StoreUnavailable)
        self._meter.committed(len(batch), time.perf_counter() - started, failed=failed)
        self._tell(batch, outcomes)

    def _put_back(self, job: Job) -> None:
        self._tell([job], [errors.StoreUnavailable(detail="writing: the commits before it take too long")])

    def _tell(self, batch: list[Job], outcomes: list[Outcome]) -> None:
        blocked: list[Job] = []
        for job, outcome in zip(batch, outcomes, strict=True):
            if outcome == "blocked":
                blocked.append(job)
                continue
            self._waiting -= 1
            if job.answer.done():  # whoever waited has been cancelled; the write stands all the same
                continue
            if outcome is None:
                job.answer.set_result(None)
            else:
                job.answer.set_exception(outcome)
        self._patient.add(blocked)


def _give_up(batch: list[Job]) -> None:
    """Answer those who wait; the batch goes on."""
    for job in batch:
        if not job.answer.done():
            job.answer.set_exception(
                errors.StoreUnavailable(detail="writing: nobody knows yet whether it is committed")
            )


async def _committed(connections: Connections, batch: list[Work], *, waits: bool) -> list[Outcome]:
    """What became of each. Raises errors.StoreUnavailable when the whole batch failed."""
    was_lost = False
    for _ in range(TRIES):
        try:
            return await _once(connections, batch, waits=waits)
        except UnknownOutcome as fault:
            raise errors.StoreUnavailable(detail=f"writing: nobody knows whether it is committed: {fault}") from None
        except _Failed as fault:
            # Nothing of it was committed. A lost connection is replaced once: an idle one may be lost for long.
            if not (fault.may_be_repeated or (fault.is_lost and not was_lost)):
                raise errors.StoreUnavailable(detail=f"writing: {fault}") from None
            was_lost = was_lost or fault.is_lost
    raise errors.StoreUnavailable(detail="writing: other writes came in between again and again")


async def _once(connections: Connections, batch: list[Work], *, waits: bool) -> list[Outcome]:
    connection = await connections.take()
    fault: BaseException | None = None
    transaction = Transaction(connection, connections.connect.preface, waits=waits)
    try:
        with bounded(connection, connections.connect.limits.commit_seconds):
            return await transaction.run(batch)
    except BaseException as raised:
        fault = raised
        if isinstance(raised, FAULTS):
            raise _Failed(
                named(raised), is_lost=is_lost(connection, raised), may_be_repeated=may_be_repeated(raised)
            ) from None
        raise
    finally:
        if isinstance(fault, UnknownOutcome):
            connection.terminate()
        connections.give_back(connection, fault)


class _Failed(Exception):
    """A batch of which nothing was committed; the text is the kind of the error."""

    def __init__(self, text: str, *, is_lost: bool, may_be_repeated: bool) -> None:
        super().__init__(text)
        self.is_lost = is_lost
        self.may_be_repeated = may_be_repeated
