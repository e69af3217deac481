"""Replacing the file of an SQLite store: only one that nobody uses, and without a moment in which there is none."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from assay.store import sqlite_files
from assay.store.opening import StoreFault

# Where SQLite's locks are in a database file (its "Database File Format", and unix locking in os_unix.c): whoever
# has a database with a write-ahead log open holds a shared lock on the last 510 of these bytes all the time.
_LOCKS_AT, _LOCKS_LENGTH = 0x4000_0000, 512

_COMPANIONS = ("-wal", "-shm", "-journal")


@contextmanager
def held(path: str) -> Iterator[None]:
    """Keep everybody else out of the file at ``path`` while this runs; a missing one is nobody's.

    A readable file takes up its log first, so that it is whole by itself. Whoever opens it meanwhile waits, and is
    refused when the file has been replaced by then: SQLite writes to no file that has lost its name. Raises StoreFault
    when the file is another program's, or when some process has it open.
    """
    release = _lock(path) if Path(path).exists() else None
    try:
        yield
    finally:
        if release is not None:
            release()


def swap(new: str, path: str, aside: str) -> str | None:
    """Let ``path`` be the file ``new`` from one moment to the next; returns ``aside`` when something was there before.

    What was there gets the name ``aside``, and its log and its journal go with it: a log that stayed would be taken
    for the new file's. Raises StoreFault when ``aside`` exists, and OSError.
    """
    if any(os.path.lexists(aside + suffix) for suffix in ("", *_COMPANIONS)):
        raise StoreFault(f"{aside} is there already; move it away first")
    left = [suffix for suffix in ("", *_COMPANIONS) if os.path.lexists(path + suffix)]
    if "" in left:
        _name_as_well(path, aside)
    for suffix in left:
        if suffix:
            Path(path + suffix).rename(aside + suffix)
    Path(new).replace(path)
    sync_folder(path)
    return aside if left else None


def _name_as_well(path: str, aside: str) -> None:
    """Give the file a second name: a moment without the first would let somebody make an empty store."""
    try:
        os.link(path, aside)
    except OSError:  # the file system has no second names
        Path(path).rename(aside)


def sync_folder(path: str) -> None:
    """Wait until the names in the directory of ``path`` are on the disk."""
    descriptor = os.open(Path(path).absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(path: str) -> Callable[[], None]:
    """Lock the file; what comes back lets go of it."""
    try:
        _refuse_foreign(path)
        return _lock_readable(path)
    except sqlite3.DatabaseError as fault:
        if _is_busy(fault):
            raise _in_use(path) from None
        return _lock_damaged(path)


def _refuse_foreign(path: str) -> None:
    """Raise StoreFault for another program's database, and sqlite3.DatabaseError for what is none."""
    # Whoever may write clears the log away at the end, even one that could not be read.
    with closing(sqlite_files.connect_existing(path, "ro", 0)) as connection:
        if not sqlite_files.is_empty(connection):
            sqlite_files.schema_of_store(connection, path)


def _lock_readable(path: str) -> Callable[[], None]:
    with ExitStack() as stack:
        connection = sqlite_files.connect_existing(path, "rw", 0)
        stack.callback(connection.close)
        # Only who has the file alone may switch its log off; SQLite writes the log into the file at that.
        connection.execute("pragma journal_mode = delete")
        connection.execute("begin exclusive")
        if connection.execute("pragma journal_mode").fetchone()[0] != "delete":
            raise _in_use(path)  # somebody switched the log on again in between
        return stack.pop_all().close


def _lock_damaged(path: str) -> Callable[[], None]:
    """The same lock without SQLite, which takes none on what it cannot read."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS_LENGTH, _LOCKS_AT)
    except OSError:
        os.close(descriptor)
        raise _in_use(path) from None
    return lambda: os.close(descriptor)


def _is_busy(fault: sqlite3.Error) -> bool:
    return fault.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _in_use(path: str) -> StoreFault:
    return StoreFault(f"{path} is in use; stop every process that has it open first")
