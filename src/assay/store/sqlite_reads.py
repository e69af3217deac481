"""How the embedded store reads: on one connection beside its writer, or aside in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, TypeVar, cast

from assay import errors
from assay.keys.recent import Kept
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

MAX_RECORDS = 2_000
"""So many records of people, and so many views of sessions, are kept at most; a member takes some two kilobytes."""


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
        self._turn: sqlite3.Cursor | None = None
        self._version = -1
        self._kept: Kept[tuple[object, ...], Any] = Kept(MAX_KEPT)
        self._records: Kept[tuple[str, int], Any] = Kept(MAX_RECORDS)

    def _begin_turn(self) -> None:
        """Let the statements from here to the end of this turn of the loop see one commit.

        The statement that is read here has further rows, so SQLite keeps its snapshot until the cursor is closed; that
        takes two statements less than a transaction.
        """
        try:
            self._turn = self._reader.execute(STATEMENTS["configuration_version"])
            version = self._turn.fetchone()[0]
        except sqlite3.Error as fault:
            self._end_turn()
            raise errors.StoreUnavailable(detail=f"reading: {fault}") from None
        if version != self._version:
            self._version, self._kept = version, Kept(MAX_KEPT)
        # Only now: nothing that is kept may be handed out in a turn for which the version could not be read.
        self._in_turn = True
        self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._in_turn = False
        if self._turn is not None:
            with suppress(sqlite3.Error):  # a fault of the file, or the end of the store, may have ended it already
                self._turn.close()
            self._turn = None

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
                self._kept.keep(name, kept)
        return cast("T | None", kept)

    def _stamped(self, stamp: str, by_id: str, shape: Rows[R], key: Parameters) -> R | None:
        """The record that the statement ``stamp`` finds, and the very same one for as long as its revision is.

        That statement gives an id and a revision, which every change of the record moves; ``by_id`` reads the whole.
        Whoever makes something of a record can so tell at a glance whether what was made of it still holds.
        """
        found = self._run(STATEMENTS[stamp], key)
        if not found:
            return None
        record = self._records.get(found[0])
        if record is None:
            environment = {"environment_id": key["environment_id"]}
            record = self._one(by_id, shape, **environment, reference=found[0][0])
            self._records.keep(found[0], record)
        return cast("R | None", record)

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
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as fault:
            self._end_turn()  # the snapshot may be gone, and what follows must not read from two
            raise errors.StoreUnavailable(detail=f"reading: {fault}") from None

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
