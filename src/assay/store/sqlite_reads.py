"""How the embedded store reads: on one connection beside its writer, or aside in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from assay import errors
from assay.store import (
    Search,
)
from assay.store.filters import Target
from assay.store.rows import Parameters, R, Rows
from assay.store.search import query
from assay.store.statements import STATEMENTS


class SqliteReads:
    """Reads statements by name. ``connect`` opens a connection that can only read."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._reader = connect()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Let the statements inside see one commit. Nothing inside may wait: the connection is shared."""
        self._run("begin", {})
        try:
            yield
        finally:
            if self._reader.in_transaction:  # a fault of the file may have ended it already
                self._run("rollback", {})

    def _one(self, name: str, shape: Rows[R], **parameters: object) -> R | None:
        found = self._select(name, parameters)
        return shape.record(found[0]) if found else None

    def _all(self, name: str, shape: Rows[R], **parameters: object) -> list[R]:
        return [shape.record(row) for row in self._select(name, parameters)]

    def _search(
        self, target: Target, shape: Rows[R], search: Search, statements: str = "", **scope: object
    ) -> tuple[list[R], int]:
        wanted = query(target, search, statements, **scope)
        with self._snapshot():
            page = [shape.record(row) for row in self._run(wanted.page, wanted.parameters)]
            return page, int(self._run(wanted.total, wanted.parameters)[0][0])

    def _select(self, name: str, parameters: Parameters) -> list[Any]:
        return self._run(STATEMENTS[name], parameters)

    def _run(self, sql: str, parameters: Parameters) -> list[Any]:
        return _fetched(self._reader, sql, parameters)

    async def _aside(self, name: str, **parameters: object) -> list[Any]:
        """Read in a thread, on a connection of its own: what goes over whole tables holds up nobody else."""
        return await asyncio.to_thread(self._read_aside, STATEMENTS[name], parameters)

    def _read_aside(self, sql: str, parameters: Parameters) -> list[Any]:
        try:
            connection = self._connect()
        except sqlite3.Error as fault:
            raise errors.StoreUnavailable(detail=f"reading: {fault}") from None
        with closing(connection):
            return _fetched(connection, sql, parameters)


def _fetched(connection: sqlite3.Connection, sql: str, parameters: Parameters) -> list[Any]:
    try:
        return connection.execute(sql, parameters).fetchall()
    except sqlite3.Error as fault:
        raise errors.StoreUnavailable(detail=f"reading: {fault}") from None
