"""SQLite files: connections with the promises switched on, and the schema brought up to date."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from assay.rules import session_ids
from assay.store import traces
from assay.store.opening import SchemaTooNew, StoreFault

BUSY_SECONDS = 5.0
"""How long a transaction waits for one of another process before it gives up."""

_CACHED_STATEMENTS = 256


class Migration(NamedTuple):
    """One numbered step of the schema; appended to, never changed."""

    number: int
    name: str
    sql: str


def migrations() -> tuple[Migration, ...]:
    """All migrations this version knows, in order."""
    return tuple(
        Migration(int(file.stem.split("_", 1)[0]), file.stem, file.read_text(encoding="utf-8"))
        for file in sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    )


def connect(path: str, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection whose commits are durable and whose foreign keys hold. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        path,
        timeout=busy_seconds,
        isolation_level=None,  # transactions begin and end where the code says so
        check_same_thread=False,  # one thread at a time uses it, but another one may close it
        cached_statements=_CACHED_STATEMENTS,
    )
    try:
        connection.execute("pragma synchronous = full")
        connection.execute("pragma foreign_keys = on")
        connection.execute("pragma secure_delete = on")  # what is deleted is overwritten in the file as well
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_existing(path: str, mode: Literal["ro", "rw"], busy_seconds: float) -> sqlite3.Connection:
    """A plain connection to a file that is there, never one that makes it. Raises StoreFault and sqlite3.Error."""
    if not Path(path).is_file():
        raise StoreFault(f"{path} is not there, or is no file")
    uri = f"file:{quote(str(Path(path).absolute()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)


def connect_writer(path: str, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """The connection of a store's writer, which can find what tells of a person to be erased."""
    connection = connect(path, busy_seconds)
    _know_traces(connection)
    return connection


def connect_reader(path: str) -> sqlite3.Connection:
    """A connection that can only read, with a ``lower`` that knows more letters than ASCII's."""
    connection = connect(path)
    connection.execute("pragma query_only = on")
    connection.create_function("lower", 1, _lower, deterministic=True)
    _know_traces(connection)
    _tables(connection)  # a first read: from now on SQLite's lock tells everybody that the file is in use
    return connection


def _know_traces(connection: sqlite3.Connection) -> None:
    connection.create_function("session_id", 4, session_ids.id_of, deterministic=True)
    connection.create_function("tells_of", 2, traces.in_text, deterministic=True)
    connection.create_function("tells_of_json", 2, traces.in_json, deterministic=True)


def prepare(path: str, busy_seconds: float = BUSY_SECONDS) -> None:
    """Make the file if there is none and migrate it forward. Raises SchemaTooNew and StoreFault."""
    _make_private(path)
    try:
        connection = connect(path, busy_seconds)
        try:
            known = migrations()
            _pending(connection, path, known)  # refuses a file that is not ours before anything in it changes
            _use_wal(connection, path, busy_seconds)
            _migrate(connection, path, known)
        finally:
            connection.close()
    except sqlite3.Error as fault:
        raise StoreFault(f"{path} cannot be used as a store: {fault}") from None


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no table in the file. Raises sqlite3.Error."""
    return not _tables(connection)


def schema_of_store(connection: sqlite3.Connection, path: str) -> int:
    """Number of the newest migration in a file of ours. Raises StoreFault for anybody else's, and sqlite3.Error."""
    if "schema_migrations" not in _tables(connection):
        raise StoreFault(f"{path} is the database of another program; name another file")
    row = connection.execute("select max(number) from schema_migrations").fetchone()
    return int(row[0] or 0)


def refuse_newer(number: int, path: str, newest: int | None = None) -> None:
    """Raise SchemaTooNew for a schema after ``newest``, the last one that this version knows."""
    newest = migrations()[-1].number if newest is None else newest
    if number > newest:
        raise SchemaTooNew(
            f"{path} has schema {number}, and this version of Assay knows {newest}:"
            " use the version that migrated it, or restore a backup from before"
        )


def _make_private(path: str) -> None:
    """Make a missing file for its owner alone: it holds addresses and sealed keys, and SQLite would let all read."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except FileNotFoundError:
        raise StoreFault(f"{path} cannot be made: its directory does not exist; make it first") from None
    except IsADirectoryError:
        raise StoreFault(f"{path} is a directory; name a file in it") from None
    except OSError as fault:
        raise StoreFault(f"{path} cannot be opened for writing: {fault.strerror}") from None


def _use_wal(connection: sqlite3.Connection, path: str, busy_seconds: float) -> None:
    """Switch to a write-ahead log, which stays on in the file.

    SQLite does not wait for others at this switch, so two processes that open a new file at once must try again.
    """
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            mode = connection.execute("pragma journal_mode = wal").fetchone()[0]
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise StoreFault(f"{path} cannot have a write-ahead log; put it on a local disk")
        return


def _migrate(connection: sqlite3.Connection, path: str, known: tuple[Migration, ...]) -> None:
    if _pending(connection, path, known):
        connection.execute("begin immediate")
        try:
            # Read again: whoever opened the same file at the same moment may have been faster.
            for migration in _pending(connection, path, known):
                _apply(connection, migration)
            connection.execute("commit")
        finally:
            if connection.in_transaction:
                connection.execute("rollback")


def _pending(connection: sqlite3.Connection, path: str, known: tuple[Migration, ...]) -> tuple[Migration, ...]:
    number = 0 if is_empty(connection) else schema_of_store(connection, path)
    refuse_newer(number, path, known[-1].number)
    return tuple(migration for migration in known if migration.number > number)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    for statement in _statements(migration.sql):
        connection.execute(statement)
    connection.execute(
        "insert into schema_migrations (number, name, applied_at) values (?, ?, ?)",
        (migration.number, migration.name, int(time.time())),
    )


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one; sqlite3's own way to run a script would commit before it."""
    lines: list[str] = []
    for line in script.splitlines(keepends=True):
        lines.append(line)
        if sqlite3.complete_statement("".join(lines)):
            yield "".join(lines)
            lines.clear()


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
