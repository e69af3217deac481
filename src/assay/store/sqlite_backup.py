"""Backups of an SQLite store that is in use, and putting one in its place.

A backup is one file, made from one snapshot: processes that use the store go on writing and wait for nothing. It
holds no log and no remains of what was deleted. Everything here waits for the disk, so callers of the event loop use
:mod:`assay.store.backup`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex

from assay.model import Event
from assay.store import rows, sqlite_files
from assay.store.backup import Backup, Restored
from assay.store.opening import StoreFault
from assay.store.sqlite_swap import held, swap, sync_folder
from assay.store.statements import STATEMENTS

# How many steps of SQLite's machine pass between two looks at ``stop``: some milliseconds.
_STEPS_BETWEEN_LOOKS = 100_000


def back_up(source: str, target: str, made_at: int, stop: Callable[[], bool] = bool) -> None:
    """Copy the store at ``source`` to the new file ``target``, for its owner alone, and note when that was (seconds).

    The file appears when it is complete, checked and on the disk, or not at all. The schema stays as it is. Raises
    opening.StoreFault: no store there, damaged, a target that exists or cannot be written, or ``stop`` became true.
    """
    _refuse_existing(target)
    with _faults_named(f"{source} cannot be backed up to {target}"), _new_file_beside(target) as copy:
        with closing(_connect(source)) as connection:
            sqlite_files.schema_of_store(connection, source)
            _copy(connection, copy, stop)
        with closing(_connect(copy)) as connection:
            _check(connection, source)
            connection.execute(STATEMENTS["remember_backup"], {"made_at": str(made_at).encode()})
        _sync(copy)
        _publish(copy, target)


def inspect(path: str) -> Backup:
    """What the backup at ``path`` is, after a check of all of it. A store that is no backup will do as well.

    Raises opening.SchemaTooNew when a newer Assay made it, and opening.StoreFault when it is damaged or no store.
    """
    with _faults_named(f"{path} cannot be restored"), closing(_connect(path)) as connection:
        return _inspected(connection, path)


def restore(
    backup: str, target: str, *, end_sessions_at: int | None, events: tuple[Event, ...], aside_suffix: str
) -> Restored:
    """Put a copy of ``backup`` in the place of the store at ``target``, migrated forward; the backup stays as it is.

    With ``end_sessions_at`` (seconds) no session of it is live any more: those that were revoked after the backup was
    made would be live again. ``events`` are written into the restored store. What was at ``target`` is kept beside it
    under its name and ``aside_suffix``, with its log if it could not be read. There is always one of the two at
    ``target``, and a whole one. Raises as :func:`inspect`, and StoreFault when another process has ``target`` open.
    """
    target = os.path.realpath(target)
    with _faults_named(f"{backup} cannot be restored to {target}"), closing(_connect(backup)) as connection:
        found = _inspected(connection, backup)
        with held(target), _new_file_beside(target) as copy:
            _copy(connection, copy, bool)
            sqlite_files.prepare(copy)
            with closing(_connect(copy)) as restored:
                _finish(restored, end_sessions_at, events)
            _sync(copy)
            return Restored(backup=found, aside=swap(copy, target, target + aside_suffix))


def _finish(connection: sqlite3.Connection, end_sessions_at: int | None, events: tuple[Event, ...]) -> None:
    connection.execute("begin immediate")
    if end_sessions_at is not None:
        connection.execute(STATEMENTS["end_all_sessions"], {"revoked_at": end_sessions_at})
    for event in events:
        connection.execute(STATEMENTS["record_event"], rows.EVENT.parameters(event))
    connection.execute("commit")
    connection.execute("pragma journal_mode = delete")  # all of it is in the one file from now on


def _inspected(connection: sqlite3.Connection, path: str) -> Backup:
    schema = sqlite_files.schema_of_store(connection, path)
    sqlite_files.refuse_newer(schema, path)
    _check(connection, path)
    made_at, check = _meta(connection, "backup_made_at"), _meta(connection, "root_key_check")
    return Backup(schema=schema, made_at=None if made_at is None else int(made_at), root_key_check=check)


def _meta(connection: sqlite3.Connection, statement: str) -> bytes | None:
    row: tuple[bytes] | None = connection.execute(STATEMENTS[statement]).fetchone()
    return None if row is None else row[0]


def _check(connection: sqlite3.Connection, path: str) -> None:
    found = [str(row[0]) for row in connection.execute("pragma integrity_check(3)")]
    if found != ["ok"]:
        raise StoreFault(f"{path} is damaged: {'; '.join(found)}")


def _connect(path: str) -> sqlite3.Connection:
    return sqlite_files.connect_existing(path, "rw", sqlite_files.BUSY_SECONDS)


def _copy(connection: sqlite3.Connection, target: str, stop: Callable[[], bool]) -> None:
    """Write everything of one snapshot into the empty file ``target``; free pages and the log are left out."""
    connection.set_progress_handler(lambda: stop() or None, _STEPS_BETWEEN_LOOKS)
    connection.execute("vacuum into ?", (target,))
    connection.set_progress_handler(None, 0)


@contextmanager
def _new_file_beside(target: str) -> Iterator[str]:
    """An empty file for its owner alone, in the directory of ``target``; gone afterwards unless it got another name."""
    path = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{token_hex(8)}")  # noqa: PTH118, PTH119, PTH120 - paths are text here
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield path
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(path + suffix).unlink(missing_ok=True)


def _publish(copy: str, target: str) -> None:
    """Give the finished file its name, unless somebody else took the name meanwhile."""
    try:
        os.link(copy, target)
    except OSError:  # the name is taken, or the file system has no second names
        _refuse_existing(target)
        Path(copy).rename(target)
    sync_folder(target)


def _refuse_existing(target: str) -> None:
    if os.path.lexists(target):
        raise StoreFault(f"{target} is there already; name a file that does not exist") from None


def _sync(path: str) -> None:
    """Wait until the whole file is on the disk; ``vacuum into`` does not."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _faults_named(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as fault:
        raise StoreFault(f"{what}: {fault}") from None
    except OSError as fault:
        raise StoreFault(f"{what}: {fault.strerror}") from None
