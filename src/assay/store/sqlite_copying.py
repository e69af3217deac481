# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""SQLite files as the ends of a copy (:mod:`assay.store.copying`).

Nothing here waits for anything but the disk, page by page; between pages the event loop has its turn, so that Ctrl-C
ends a run.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from assay.store import sqlite_files
from assay.store.copying_sides import taken_over
from assay.store.copying_tables import Changes, Row, Statements, Table
from assay.store.opening import StoreFault

_CHECK = "select value from meta where name = 'root_key_check'"
_SET_CHECK = "insert or replace into meta (name, value) values ('root_key_check', ?)"


def open_source(path: str) -> SqliteSource:
    """The file at ``path``, migrated forward as by every command. Raises StoreFault."""
    if not Path(path).is_file():
        raise StoreFault(f"{path} is not there, or is no file")
    sqlite_files.prepare(path)
    with _faults_named(path):
        connection = sqlite_files.connect(path)
        is_alone = _have_alone(connection)
        if not is_alone:
            connection.execute("begin")
            connection.execute(_CHECK).fetchone()  # the first read is the moment that is copied
        return SqliteSource(connection, path, is_alone=is_alone)


def open_target(path: str) -> SqliteTarget:
    """The file at ``path``, made when it is not there. Raises StoreFault."""
    sqlite_files.prepare(path)
    with _faults_named(path):
        connection = sqlite_files.connect(path)
        # The source held its own keys; here rows come and go in the order of their tables.
        connection.execute("pragma foreign_keys = off")
        return SqliteTarget(connection, path)


def _have_alone(connection: sqlite3.Connection) -> bool:
    """Keep everybody out if nobody is in: only who has the file alone may switch its log off."""
    connection.execute("pragma busy_timeout = 0")
    try:
        connection.execute("pragma journal_mode = delete")
        connection.execute("begin exclusive")
        if connection.execute("pragma journal_mode").fetchone()[0] == "delete":
            return True
        connection.execute("rollback")  # somebody switched the log on again in between
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise
    finally:
        connection.execute(f"pragma busy_timeout = {int(sqlite_files.BUSY_SECONDS * 1000)}")
    return False


class _SqliteSide:
    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._texts: dict[str, Statements] = {}
        self.shown = path

    async def schema(self) -> int:
        with _faults_named(self.shown):
            return sqlite_files.schema_of_store(self._connection, self.shown)

    async def columns(self, table: str) -> frozenset[str]:
        with _faults_named(self.shown):
            return frozenset(
                row[0] for row in self._connection.execute("select name from pragma_table_info(?)", (table,))
            )

    async def root_key_check(self) -> bytes | None:
        with _faults_named(self.shown):
            row: tuple[bytes] | None = self._connection.execute(_CHECK).fetchone()
        return None if row is None else row[0]

    async def page(self, table: Table, columns: Sequence[str], after: Row | None) -> list[Row]:
        await asyncio.sleep(0)
        texts = self._statements(table, columns)
        with _faults_named(self.shown):
            if after is None:
                return self._connection.execute(texts.first).fetchall()
            return self._connection.execute(texts.following, after).fetchall()

    async def close(self) -> None:
        with _faults_named(self.shown):
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            self._connection.close()

    def _statements(self, table: Table, columns: Sequence[str]) -> Statements:
        if table.name not in self._texts:
            self._texts[table.name] = Statements(table, columns, "?{}".format)
        return self._texts[table.name]


class SqliteSource(_SqliteSide):
    """A :class:`assay.store.copying_sides.Source` in a file."""

    def __init__(self, connection: sqlite3.Connection, path: str, *, is_alone: bool) -> None:
        super().__init__(connection, path)
        self.is_alone = is_alone

    async def count(self, table: Table) -> int:
        return await self._number(f"select count(*) from {table.name}") or 0  # noqa: S608 - a name of our own

    async def least(self, table: str, column: str) -> int | None:
        return await self._number(f"select min({column}) from {table}")  # noqa: S608 - names of our own

    async def _number(self, query: str) -> int | None:
        with _faults_named(self.shown):
            found: int | None = self._connection.execute(query).fetchone()[0]
        return found


class SqliteTarget(_SqliteSide):
    """A :class:`assay.store.copying_sides.Target` in a file."""

    def storable(self, rows: list[Row]) -> list[Row]:
        return rows

    async def is_empty(self, table: Table) -> bool:
        with _faults_named(self.shown):
            return self._connection.execute(f"select 1 from {table.name} limit 1").fetchone() is None  # noqa: S608 - a name of our own

    async def claim(self, found: bytes | None, mark: bytes) -> None:
        with self._transaction(found):
            self._connection.execute(_SET_CHECK, (mark,))

    async def make_room(self, since: int, now: int) -> None:
        del since, now  # a file has one table for all months

    async def change(self, mark: bytes, table: Table, columns: Sequence[str], changes: Changes) -> None:
        with self._transaction(mark):
            for text, rows in self._statements(table, columns).of(changes):
                self._connection.executemany(text, rows)

    async def finish(self, mark: bytes, check_value: bytes) -> None:
        with self._transaction(mark):
            self._connection.execute(_SET_CHECK, (check_value,))

    @contextmanager
    def _transaction(self, mark: bytes | None) -> Iterator[None]:
        """One that writes, while the check value is this."""
        with _faults_named(self.shown):
            self._connection.execute("begin immediate")
            try:
                row = self._connection.execute(_CHECK).fetchone()
                if (row and row[0]) != mark:
                    raise taken_over(self.shown)
                yield
                self._connection.execute("commit")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")


@contextmanager
def _faults_named(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as fault:
        raise StoreFault(f"{path} cannot be copied: {fault}") from None
