"""One transaction that carries the writes of many requests, each of which happens as a whole or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import asyncpg

from assay import errors
from assay.store import Conflict, Stale, Write, postgres_batches, postgres_locks, postgres_plans
from assay.store.postgres_connections import FAULTS, Connection, is_lost

Outcome = Exception | None | Literal["blocked"]
"""None when it is durable, else what to raise; ``blocked`` when another transaction has what it rests on."""

_BLOCKED: Literal["blocked"] = "blocked"

_FOLLOWED = 1_095_979_865
"""The upper half of the names of locks that tell followers how far records are settled (``oldest_writing``)."""

_BEGIN = "begin isolation level read committed read write"
_SHOW_FOLLOWERS = f"""
; select pg_advisory_xact_lock_shared(({_FOLLOWED}::bigint << 32) | (last_value & 4294967295)) from records_number
"""  # noqa: S608 - put together out of constants

# Without a limit: a server that ends the wait for a replica says that the commit is done, and it may not be.
_COMMIT = "set local statement_timeout = 0; commit"

_NAMED = """
from (
    select k.name, k.alone, hashtextextended(k.name, 0) as hashed
    from unnest($1::text[], $2::boolean[]) k (name, alone) order by 3) n
"""
_TRY_LOCKS = f"""
select n.name {_NAMED}
where not case
    when n.alone then pg_try_advisory_xact_lock(n.hashed) else pg_try_advisory_xact_lock_shared(n.hashed) end
"""
_LOCKS = f"""
select case when n.alone then pg_advisory_xact_lock(n.hashed) else pg_advisory_xact_lock_shared(n.hashed) end {_NAMED}
"""


class Work(NamedTuple):
    """One write, what it holds still, and how it is done in a transaction; ``run`` raises Conflict and Stale."""

    write: Write
    names: postgres_locks.Names
    run: Callable[[Connection], Awaitable[None]]


class UnknownOutcome(Exception):
    """The commit was sent, and what became of it is not known; the text says what happened."""


class Transaction:
    """``preface`` is what a pooler's connection is told at each beginning. ``waits`` for what others have meanwhile."""

    def __init__(self, connection: Connection, preface: str, *, waits: bool) -> None:
        self._connection = connection
        self._begin = _BEGIN + preface + _SHOW_FOLLOWERS
        self._waits = waits
        self._warnings: list[str] = []

    async def run(self, batch: Sequence[Work]) -> list[Outcome]:
        """Commit the batch. Raises UnknownOutcome, and what the driver raises when nothing has been committed."""
        await self._connection.execute(self._begin)
        try:
            outcomes = await self._done(batch)
        except BaseException:
            if not self._connection.is_closed():
                await self._connection.execute("rollback")
            raise
        await self._commit()
        return outcomes

    async def _commit(self) -> None:
        self._connection.add_log_listener(self._told)
        try:
            status = await self._connection.execute(_COMMIT)
        except FAULTS as fault:
            raise UnknownOutcome(type(fault).__name__) from None
        finally:
            self._connection.remove_log_listener(self._told)
        if status != "COMMIT" or self._warnings:
            raise UnknownOutcome(f"{status} {' '.join(self._warnings)}")

    def _told(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Somebody ended the wait for a replica: the commit is said to be done, and is not yet where it must be."""
        self._warnings.append(str(message.sqlstate))

    async def _done(self, batch: Sequence[Work]) -> list[Outcome]:
        blocked = await self._locked(batch)
        outcomes: list[Outcome] = [
            _BLOCKED if blocked and not blocked.isdisjoint((*work.names.shared, *work.names.alone)) else None
            for work in batch
        ]
        free = [number for number, outcome in enumerate(outcomes) if outcome is None]
        for together in _in_order(batch, free):
            if len(together) == 1 or not await self._done_together(batch, together, outcomes):
                for number in together:
                    outcomes[number] = await self._done_alone(batch[number], is_single=len(batch) == 1)
        return outcomes

    async def _locked(self, batch: Sequence[Work]) -> set[str]:
        """Have all names of the batch, or answer those that others have."""
        names = postgres_locks.merged(work.names for work in batch)
        if not names:
            return set()
        arguments = (list(names), list(names.values()))
        if self._waits:
            await self._connection.fetch(_LOCKS, *arguments)
            return set()
        return {row[0] for row in await self._connection.fetch(_TRY_LOCKS, *arguments)}

    async def _done_together(self, batch: Sequence[Work], hot: _Hot, outcomes: list[Outcome]) -> bool:
        """Do these hot ones at once. False when they can only be done one by one, and nothing of them is done."""
        await self._connection.execute("savepoint together")
        found: list[Exception | None] | None = None
        try:
            writes = [batch[number].write for number in hot]
            found = await postgres_batches.commit_batch(self._connection, writes, list(hot.values()))
        except asyncpg.PostgresError as fault:
            if concerns_all(self._connection, fault):
                raise
        if found is None:
            await self._connection.execute("rollback to savepoint together; release savepoint together")
            return False
        for number, outcome in zip(hot, found, strict=True):
            outcomes[number] = outcome
        return True

    async def _done_alone(self, work: Work, *, is_single: bool) -> Exception | None:
        """Do one so that it happens as a whole or not at all. Raises what concerns the whole batch."""
        if not is_single:
            await self._connection.execute("savepoint one")
        try:
            await work.run(self._connection)
        except Exception as fault:
            if not isinstance(fault, (Conflict, Stale)) and concerns_all(self._connection, fault):
                raise
            await self._connection.execute(
                f"rollback{self._begin_again}" if is_single else "rollback to savepoint one; release savepoint one"
            )
            return fault if isinstance(fault, (Conflict, Stale)) else postgres_plans.verdict(fault)
        if not is_single:
            await self._connection.execute("release savepoint one")
        return None

    @property
    def _begin_again(self) -> str:
        """What is committed after a write that failed by itself: nothing."""
        return f"; {_BEGIN}"


_Hot = dict[int, bytes]
"""Numbers of writes, and each as a document."""


def _in_order(batch: Sequence[Work], numbers: list[int]) -> Iterator[_Hot]:
    """The writes in the order in which they are done: hot ones together, as far as nothing comes in between."""
    hot: _Hot = {}
    for number in numbers:
        work = batch[number]
        document = postgres_batches.hot(work.write)
        if document is not None:
            hot[number] = document
            continue
        if hot and not postgres_batches.may_go_first(work.write, work.names):
            yield hot
            hot = {}
        yield {number: b""}
    if hot:
        yield hot


def concerns_all(connection: Connection, fault: Exception) -> bool:
    """Whether the database is at fault, not one write: no room, a lock held for too long, a connection that is gone."""
    if is_lost(connection, fault) or isinstance(fault, errors.Error):
        return True
    return isinstance(fault, asyncpg.PostgresError) and (fault.sqlstate or "")[:2] not in {"22", "23"}


def may_be_repeated(fault: Exception) -> bool:
    """Whether the same batch may do better: it met another one's (deadlock, or a snapshot that did not hold)."""
    return isinstance(fault, asyncpg.exceptions.TransactionRollbackError)
