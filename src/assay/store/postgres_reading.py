"""How the PostgreSQL store reads: one statement by itself, or several in one snapshot."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from assay import errors
from assay.store.postgres_connections import FAULTS, Connection, Connections, bounded, is_lost, named
from assay.store.postgres_statements import STATEMENTS_BY_NAME, Statement
from assay.store.rows import R, Rows

T = TypeVar("T")

_AT_ONCE = 200

_SNAPSHOT = "begin isolation level repeatable read read only"
_SINGLE = "begin isolation level read committed read only"


class Reads(abc.ABC):
    """Reads statements by name."""

    @abc.abstractmethod
    async def run(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """The rows of a statement."""

    async def rows(self, name: str, **parameters: object) -> list[Any]:
        """The rows of the statement of this name."""
        statement = STATEMENTS_BY_NAME[name]
        return await self.run(statement, statement.arguments(parameters))

    async def one(self, name: str, shape: Rows[R], **parameters: object) -> R | None:
        """The first row as a record."""
        found = await self.rows(name, **parameters)
        return shape.record(found[0]) if found else None

    async def all(self, name: str, shape: Rows[R], **parameters: object) -> list[R]:
        """The rows as records."""
        return [shape.record(row) for row in await self.rows(name, **parameters)]


class Snapshot(Reads):
    """Statements on one connection, in the transaction that it is in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """The rows of a statement. Raises what the driver raises."""
        return await self._connection.fetch(statement.text, *arguments)

    async def stream(self, name: str, **parameters: object) -> AsyncIterator[Any]:
        """The rows of a statement, as many as there may be: some at a time."""
        statement = STATEMENTS_BY_NAME[name]
        async for row in self._connection.cursor(statement.text, *statement.arguments(parameters), prefetch=_AT_ONCE):
            yield row


class Pooled(Reads):
    """Each statement by itself, on whichever of these connections is free."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def run(self, statement: Statement, arguments: list[Any]) -> list[Any]:
        """The rows of a statement. Raises errors.StoreUnavailable."""
        if self.connections.connect.pools_transactions:
            return await self._inside(_SINGLE, lambda reads: reads.run(statement, arguments))
        return await self._tried(lambda connection: connection.fetch(statement.text, *arguments))

    async def snapshot(self, work: Callable[[Snapshot], Awaitable[T]]) -> T:
        """What ``work`` reads, all of it as it was at one moment. It may be run twice."""
        return await self._inside(_SNAPSHOT, work)

    async def latest(self, work: Callable[[Snapshot], Awaitable[T]]) -> T:
        """What ``work`` reads on one connection, each statement as things are when it is run. It may be run twice."""
        return await self._inside(_SINGLE, work)

    async def _inside(self, begin: str, work: Callable[[Snapshot], Awaitable[T]]) -> T:
        preface = self.connections.connect.preface

        async def transaction(connection: Connection) -> T:
            await connection.execute(begin + preface)
            try:
                return await work(Snapshot(connection))
            finally:
                await connection.execute("rollback")

        return await self._tried(transaction)

    async def _tried(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Once more when the connection turns out to be lost: the server may have been started anew meanwhile."""
        try:
            return await self._once(work)
        except _Lost:
            pass
        try:
            return await self._once(work)
        except _Lost as fault:
            raise errors.StoreUnavailable(detail=str(fault)) from None

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        connection = await self.connections.take()
        fault: BaseException | None = None
        try:
            with bounded(connection, self.connections.connect.limits.seconds):
                return await work(connection)
        except FAULTS as raised:
            fault = raised
            raise _verdict(connection, raised) from None
        except BaseException as raised:
            fault = raised if not isinstance(raised, Exception) else None
            raise
        finally:
            self.connections.give_back(connection, fault)


class _Lost(Exception):
    """The connection was lost before the answer came; the text says how."""


def _verdict(connection: Connection, fault: Exception) -> Exception:
    if isinstance(fault, asyncpg.DataError):
        return ValueError("PostgreSQL cannot hold a value that was asked for")
    told = f"reading: {named(fault)}"
    return _Lost(told) if is_lost(connection, fault) else errors.StoreUnavailable(detail=told)
