"""The one writer of an SQLite file: a thread that commits the writes of many requests at once.

An fsync costs as much as everything else about a small write, so all writes of one tick of the event loop, and all
that came while the last commit was under way, share one transaction. What one of them may not do leaves the others
alone. Nobody is told anything before the commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from assay import errors
from assay.observing.meter import Meter
from assay.store import Conflict, Stale, UniqueKey
from assay.store.sqlite_checkpoints import Checkpoints
from assay.store.sqlite_lock import WriteLock
from assay.store.sqlite_plans import KEEPS_GUARDS, SqlitePlan
from assay.store.steps import Otherwise

MAX_BATCH = 512
"""So many writes share a commit at most: the first of them waits for the last."""

_CONFLICTS: Mapping[str, UniqueKey] = {
    "projects.slug": "project_slug",
    "environments.project_id, environments.slug": "environment_slug",
    "environments.project_id": "live_environment",
    "profiles.environment_id, profiles.profile_id": "profile_id",
    "organizations.environment_id, organizations.slug": "organization_slug",
    "organizations.environment_id, organizations.external_id": "organization_external_id",
    "member_emails.organization_id, member_emails.email": "member_email",
    "members.organization_id, members.external_id": "member_external_id",
    "users.environment_id, users.email": "user_email",
    "users.environment_id, users.phone_number": "user_phone_number",
    "users.environment_id, users.external_id": "user_external_id",
    "sessions.number": "session_number",
    "signing_keys.environment_id": "signing_key",
    "signing_keys.environment_id, signing_keys.kid": "signing_key",
}

_UNIQUE = "UNIQUE constraint failed: "


Held = set[object]
"""The values of guards that hold, for the length of a transaction."""


class Job(NamedTuple):
    """A plan, and whoever waits for it."""

    plan: SqlitePlan
    answer: asyncio.Future[None]


class Writer:
    """Takes plans on the event loop and answers them from its thread. ``connect`` opens its connection."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        lock: WriteLock,
        checkpoints: Checkpoints,
        meter: Meter | None = None,
    ) -> None:
        self._connect = connect
        self._lock = lock
        self._checkpoints = checkpoints
        self._meter = meter or Meter()
        self._waiting = 0
        self._meter.watch_queue(lambda: self._waiting)
        self._connection: sqlite3.Connection | None = None
        self._loop = asyncio.get_running_loop()
        self._tick: list[Job] = []
        self._closed = False
        self._queue: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="assay-store-writer", daemon=True)
        self._thread.start()

    # -- on the event loop

    def commit(self, plan: SqlitePlan) -> asyncio.Future[None]:
        """Run the plan and make it durable: to be awaited. Raises Conflict, Stale or errors.StoreUnavailable."""
        if self._closed:
            raise errors.StoreUnavailable(detail="the store is closed")
        if not self._tick:
            self._loop.call_soon(self._hand_over)
        answer = self._loop.create_future()
        self._tick.append(Job(plan, answer))
        self._waiting += 1
        return answer

    async def close(self) -> None:
        """Commit what was handed over, then end the thread and its connection."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        """Wake the thread once for everything that this tick brought; waking it per write costs more than the write."""
        if self._tick:
            self._queue.put(self._tick)
            self._tick = []

    # -- in the thread

    def _run(self) -> None:
        waiting: deque[Job] = deque()
        is_open = True
        while is_open or waiting:
            is_open = self._collect(waiting) and is_open
            batch = [waiting.popleft() for _ in range(min(len(waiting), MAX_BATCH))]
            if batch:
                self._answer(batch, self._metered(batch))
        if self._connection is not None:
            self._connection.close()
        self._checkpoints.close()

    def _collect(self, waiting: deque[Job]) -> bool:
        """Take all that has been handed over, waiting if there is nothing to do. False when no more will come."""
        try:
            while (jobs := self._queue.get(block=not waiting)) is not None:
                waiting.extend(jobs)
        except Empty:
            return True
        return False

    def _metered(self, batch: list[Job]) -> list[Exception | None]:
        started = time.perf_counter()
        outcomes = self._commit(batch)
        failed = isinstance(outcomes[0], errors.StoreUnavailable)
        self._meter.committed(len(batch), time.perf_counter() - started, failed=failed)
        return outcomes

    def _commit(self, batch: list[Job]) -> list[Exception | None]:
        """What became of each job: None when it is durable, else what to raise."""
        try:
            with self._lock.held(), self._kept_on_success() as connection:
                self._checkpoints.before(connection)
                outcomes = _run_all(connection, batch)
                connection.execute("commit")
        except Exception as fault:  # noqa: BLE001 - the thread must outlive whatever a batch does to it
            return [errors.StoreUnavailable(detail=f"writing: {fault}") for _ in batch]
        self._checkpoints.committed(len(batch))
        return outcomes

    @contextmanager
    def _kept_on_success(self) -> Iterator[sqlite3.Connection]:
        """The connection; after a fault the next batch gets a new one, and nothing of this one is left.

        SQLite opens a file that cannot be written for reading alone, and such a connection would never write again,
        whatever becomes of the file.
        """
        connection = self._connection or self._checkpoints.adopt(self._connect())
        self._connection = None
        try:
            yield connection
        except Exception:
            connection.close()
            raise
        self._connection = connection

    def _answer(self, batch: list[Job], outcomes: list[Exception | None]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._tell, batch, outcomes)
        except RuntimeError:  # the loop was closed before the store: nobody waits any more
            return

    def _tell(self, batch: list[Job], outcomes: list[Exception | None]) -> None:
        self._waiting -= len(batch)
        _tell(batch, outcomes)


def _tell(batch: list[Job], outcomes: list[Exception | None]) -> None:
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.answer.done():  # whoever waited has been cancelled; the write stands all the same
            continue
        if outcome is None:
            job.answer.set_result(None)
        else:
            job.answer.set_exception(outcome)


def _run_all(connection: sqlite3.Connection, batch: list[Job]) -> list[Exception | None]:
    """What became of each plan of a new transaction. Raises what concerns the whole batch.

    Hardly any write fails, and most of those that do have changed nothing yet. So the batch runs without savepoints,
    which cost as much as a statement each, and once more with them when one fails in its midst.
    """
    connection.execute("begin immediate")
    outcomes: list[Exception | None] = []
    held: Held = set()
    for job in batch:
        fault, changed = _run(connection, job.plan, held)
        if fault is not None and changed:
            connection.execute("rollback")
            connection.execute("begin immediate")
            held.clear()
            return [_run_undoable(connection, each.plan, held) for each in batch]
        outcomes.append(fault)
    return outcomes


def _run_undoable(connection: sqlite3.Connection, plan: SqlitePlan, held: Held) -> Exception | None:
    """Run one plan so that it happens as a whole or not at all. Raises what concerns the whole batch."""
    connection.execute("savepoint one")
    fault, _ = _run(connection, plan, held)
    if fault is not None:
        connection.execute("rollback to one")
    connection.execute("release one")
    return fault


def _run(connection: sqlite3.Connection, plan: SqlitePlan, held: Held) -> tuple[Exception | None, bool]:
    """What is wrong with one plan, if anything, and whether it has changed something before that came out.

    ``held`` are the guards that were found to hold in this transaction. They are looked for again after anything that
    could change it: a secret that was revoked by one write of a commit opens nothing to the next (decisions D29).
    """
    changed = False
    try:
        for sql, values, otherwise in plan:
            if otherwise == "holds":
                if values not in held and not _holds(connection, sql, values, held):
                    return Stale(), changed
                continue
            if sql not in KEEPS_GUARDS:
                held.clear()
            if connection.execute(sql, values).rowcount:
                changed = True
            elif otherwise != "go on":
                return _without_effect(otherwise), changed
    except Exception as fault:
        if _concerns_all(fault):
            raise
        return _verdict(fault), changed
    return None, changed


def _holds(connection: sqlite3.Connection, sql: str, values: Any, held: Held) -> bool:  # noqa: ANN401 - of any column
    """Whether a guard holds; one that does is remembered."""
    if connection.execute(sql, values).fetchone() is None:
        return False
    held.add(values)
    return True


def _without_effect(otherwise: Otherwise) -> Exception | None:
    if otherwise == "stop":
        return None
    return Conflict("replay_mark") if otherwise == "replayed" else Stale()


def _concerns_all(fault: Exception) -> bool:
    """Whether the database is at fault, not one write: a full disk, a lock held for too long, a damaged file."""
    return isinstance(fault, sqlite3.OperationalError) or type(fault) is sqlite3.DatabaseError


def _verdict(fault: Exception) -> Exception:
    """Name the promise that SQLite found broken; any other fault goes to the caller as it is."""
    if not isinstance(fault, sqlite3.IntegrityError):
        return fault
    if fault.sqlite_errorname == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return Stale()
    key = _CONFLICTS.get(str(fault).removeprefix(_UNIQUE))
    return fault if key is None else Conflict(key)
