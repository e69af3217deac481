"""How the embedded store reads: on one connection beside its writer, or aside in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, TypeVar, cast

from assay import errors
from assay.keys.recent import Recent
from assay.store import (
    Search,
)
from assay.store.filters import Target
from assay.store.rows import Parameters, R, Rows
from assay.store.search import query
from assay.store.statements import STATEMENTS

T = TypeVar("T")

MAX_KEPT = 4_000
"""So many decoded records of the configuration are kept at most; a profile with its keys takes some kilobytes."""


class SqliteReads:
    """Reads statements by name. ``connect`` opens a connection that can only read.

    All reads of one turn of the event loop see one commit: the newest one at the first of them. That is as good as
    the newest one for each. What a request reads is read in a turn that was queued after the request, or the answer
    to a write that it waited for, had come; so no commit that was told to anybody before that can be missed.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._reader = connect()
        self._loop = asyncio.get_running_loop()
        self._in_turn = False
        self._version = -1
        self._kept: Recent[tuple[object, ...], Any] = Recent(MAX_KEPT)

    def _begin_turn(self) -> None:
        """Let the statements from here to the end of this turn of the loop see one commit."""
        self._fetched("begin", {})
        version = self._fetched(STATEMENTS["configuration_version"], {})[0][0]
        if version != self._version:
            self._version, self._kept = version, Recent(MAX_KEPT)
        # Only now: nothing that is kept may be handed out in a turn for which the version could not be read.
        self._in_turn = True
        self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._in_turn = False
        with suppress(sqlite3.Error):  # a fault of the file, or the end of the store, may have ended it already
            self._reader.execute("rollback")

    def _configured(self, read: Callable[..., T | None], *key: object) -> T | None:
        """What ``read(*key)`` gives, kept in its decoded form until anything in the configuration changes.

        Whether it still holds is read in the same snapshot as whatever else is read in this turn (decisions D29).
        ``read`` looks into no table whose changes do not move the version of the configuration (see migration 7).
        """
        if not self._in_turn:
            self._begin_turn()
        name = (read.__name__, *key)
        kept = self._kept.get(name)
        if kept is None:
            kept = read(*key)
            if kept is not None:  # what is not there has names without end
                self._kept.put(name, kept)
        return cast("T | None", kept)

    def _one(self, name: str, shape: Rows[R], **parameters: object) -> R | None:
        found = self._select(name, parameters)
        return shape.record(found[0]) if found else None

    def _all(self, name: str, shape: Rows[R], **parameters: object) -> list[R]:
        return [shape.record(row) for row in self._select(name, parameters)]

    def _search(
        self, target: Target, shape: Rows[R], search: Search, statements: str = "", **scope: object
    ) -> tuple[list[R], int]:
        wanted = query(target, search, statements, **scope)
        page = [shape.record(row) for row in self._run(wanted.page, wanted.parameters)]
        return page, int(self._run(wanted.total, wanted.parameters)[0][0])

    def _select(self, name: str, parameters: Parameters) -> list[Any]:
        return self._run(STATEMENTS[name], parameters)

    def _run(self, sql: str, parameters: Parameters) -> list[Any]:
        if not self._in_turn:
            self._begin_turn()
        return self._fetched(sql, parameters)

    def _fetched(self, sql: str, parameters: Parameters) -> list[Any]:
        try:
            return _fetched(self._reader, sql, parameters)
        except errors.StoreUnavailable:
            self._end_turn()  # the snapshot may be gone, and what follows must not read from two
            raise

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
