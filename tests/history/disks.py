"""A disk that loses what was not synced, and the embedded store on it.

SIGKILL shows nothing of a missing fsync: what a process has written survives it in the page cache. So this is an SQLite
VFS that remembers what a file held when it was last synced. ``Disk.cut`` is the power cut: what was synced stays, and
of what was written since each block stays or not, as a drive likes. The files as they are then can be opened anew.

The store uses the ``sqlite3`` of the standard library, which cannot have a VFS written in Python, and apsw can; each
brings a copy of SQLite. So :func:`installed` lets the store connect through apsw, and everything above the connection
is the product's own: its pragmas, its schema, its writer, its plans. ``synchronous`` makes a mutant of it.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, cast
from unittest import mock

import apsw

from assay.store import sqlite_files

NAME: Final = "assay-tests-power-cut"
Synchronous = Literal["full", "normal", "off"]


class Disk:
    """What a drive holds of the files of one folder."""

    def __init__(self) -> None:
        self.syncs = 0
        self._lock = threading.Lock()
        self._synced: dict[str, bytearray] = {}
        self._since: dict[str, list[tuple[int, bytes | None]]] = {}

    def wrote(self, name: str, offset: int, block: bytes | None) -> None:
        """A block was written, or (None) the file cut off at the offset."""
        with self._lock:
            self._since.setdefault(name, []).append((offset, block))

    def sync(self, name: str) -> None:
        """All that was written to the file is on the drive."""
        with self._lock:
            self.syncs += 1
            self._apply(self._synced.setdefault(name, bytearray()), self._since.pop(name, []))

    def forget(self, name: str) -> None:
        """The file was deleted."""
        with self._lock:
            self._synced.pop(name, None)
            self._since.pop(name, None)

    def rest(self) -> None:
        """Time passes: all that was written so far has reached the drive by itself."""
        with self._lock:
            for name, blocks in self._since.items():
                self._apply(self._synced.setdefault(name, bytearray()), blocks)
            self._since.clear()

    def cut(self, folder: Path, chance: random.Random, kept: float) -> None:
        """Cut the power: put what the drive holds at this moment into ``folder``.

        ``kept`` is the share of the blocks not synced that it holds, in no order.
        """
        with self._lock:
            for name in self._synced.keys() | self._since.keys():
                content = bytearray(self._synced.get(name, b""))
                self._apply(content, [each for each in self._since.get(name, []) if chance.random() < kept])
                (folder / Path(name).name).write_bytes(content)

    @staticmethod
    def _apply(content: bytearray, blocks: list[tuple[int, bytes | None]]) -> None:
        for offset, block in blocks:
            if block is None:
                del content[offset:]
                continue
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(block)] = block


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(NAME, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - as above
        self._disk.forget(filename)
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - as above
        super().xWrite(data, offset)
        if self._name:
            self._disk.wrote(self._name, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - as above
        super().xTruncate(newsize)
        if self._name:
            self._disk.wrote(self._name, newsize, None)

    def xSync(self, flags: int) -> None:  # noqa: N802 - as above
        super().xSync(flags)
        if self._name:
            self._disk.sync(self._name)


@contextmanager
def installed(disk: Disk, synchronous: Synchronous = "full") -> Iterator[None]:
    """Let the embedded store keep its files on the disk while the block runs."""
    vfs = _Vfs(disk)
    try:
        with mock.patch.object(sqlite_files, "sqlite3", _Driver(synchronous)):
            yield
    finally:
        vfs.unregister()


def recover(cut_off: Path, folder: Path) -> None:
    """Copy what no database holds, the root key, beside the files that a power cut left."""
    for file in cut_off.glob("*.root-key"):
        shutil.copy(file, folder)


class _Driver:
    """What the store uses of the module ``sqlite3``; all else is the module's."""

    def __init__(self, synchronous: Synchronous) -> None:
        self._synchronous = synchronous

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, path: str, timeout: float = 5.0, **_kept_by_the_caller: object) -> Connection:
        with _as_sqlite3():
            return Connection(apsw.Connection(path, vfs=NAME), timeout, self._synchronous)


class Connection:
    """An apsw connection with the manners of one of ``sqlite3``."""

    def __init__(self, inner: apsw.Connection, timeout: float, synchronous: Synchronous) -> None:
        self._inner = inner
        self._synchronous = synchronous
        inner.set_busy_timeout(int(timeout * 1000))

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def execute(self, sql: str, parameters: Any = ()) -> Rows:
        if sql.lower().startswith("pragma synchronous"):
            sql = f"pragma synchronous = {self._synchronous}"
        with _as_sqlite3():
            before = self._inner.total_changes()
            cursor = self._inner.execute(sql, parameters or None)
            return Rows(cursor, self._inner.total_changes() - before and self._inner.changes())

    def create_function(
        self, name: str, narg: int, function: Callable[..., Any], *, deterministic: bool = False
    ) -> None:
        with _as_sqlite3():
            self._inner.create_scalar_function(name, function, narg, deterministic=deterministic)

    def close(self) -> None:
        with _as_sqlite3():
            self._inner.close()


class Rows:
    """What a statement finds, read as it is asked for, and how many rows it changed."""

    def __init__(self, cursor: apsw.Cursor, rowcount: int) -> None:
        self._cursor = cursor
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def fetchone(self) -> Any:
        with _as_sqlite3():
            return next(self._cursor, None)

    def fetchall(self) -> list[Any]:
        with _as_sqlite3():
            return list(self._cursor)

    def close(self) -> None:
        with _as_sqlite3():
            self._cursor.close()


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    """Raise what the standard library would."""
    try:
        yield
    except apsw.ConstraintError as fault:
        raised = sqlite3.IntegrityError(str(fault))
        code = cast("Any", fault).extendedresult  # which the type stubs do not know
        raised.sqlite_errorname = str(apsw.mapping_extended_result_codes[code])
        raise raised from None
    except apsw.Error as fault:
        raise sqlite3.OperationalError(str(fault)) from None
