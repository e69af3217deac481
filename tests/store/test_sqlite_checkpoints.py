"""Checkpoints: the writer makes none of its own, and the log stays bounded all the same."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from assay.store import RecordAttempt, sqlite_files
from assay.store.sqlite import SqliteStore
from assay.store.sqlite_checkpoints import Checkpoints
from assay.store.sqlite_lock import WriteLock
from assay.store.sqlite_writer import Writer
from tests import records
from tests.store.conftest import Tenant, settle

LONG = 30.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "assay.db")


class Watched:
    """A store whose connections tell what is asked of them. ``made`` grows with each checkpoint of its thread."""

    def __init__(self, path: str, *, every_seconds: float, many_writes: int, most_log_bytes: int) -> None:
        sqlite_files.prepare(path)
        self.path = path
        self.of_writer: list[str] = []
        self.of_thread: list[str] = []
        self.threads: set[str] = set()
        self.refuses = 0
        self.asked = threading.Condition()
        self.checkpoints = Checkpoints(
            self._connect, every_seconds=every_seconds, many_writes=many_writes, most_log_bytes=most_log_bytes
        )
        writer = Writer(self._connect_writer, WriteLock(path, LONG), self.checkpoints)
        self.store = SqliteStore(lambda: sqlite_files.connect_reader(path), writer)

    def _connect_writer(self) -> sqlite3.Connection:
        self.writer = sqlite_files.connect_writer(self.path)
        self.writer.set_trace_callback(self.of_writer.append)
        return self.writer

    def _connect(self) -> sqlite3.Connection:
        with self.asked:
            self.threads.add(threading.current_thread().name)
            self.of_thread.append("connect")
            self.asked.notify_all()
        if self.refuses:
            self.refuses -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return sqlite_files.connect(self.path)

    async def made(self, count: int) -> None:
        """Wait until the thread has begun so many checkpoints."""
        await asyncio.to_thread(self._made, count)

    def _made(self, count: int) -> None:
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.of_thread) >= count, LONG)

    def restarts(self) -> int:
        return self.of_writer.count("pragma wal_checkpoint(restart)")


async def settled(path: str, **limits: float) -> tuple[Watched, Tenant]:
    chosen = {"every_seconds": LONG, "many_writes": 1_000_000, "most_log_bytes": 1 << 40} | limits
    watched = Watched(
        path,
        every_seconds=chosen["every_seconds"],
        many_writes=int(chosen["many_writes"]),
        most_log_bytes=int(chosen["most_log_bytes"]),
    )
    return watched, await settle(watched.store, "acme")


@pytest.fixture
async def opened() -> AsyncIterator[list[Watched]]:
    """Whatever a test puts in here is closed after it."""
    stores: list[Watched] = []
    yield stores
    for each in stores:
        await each.store.close()


async def write(watched: Watched, tenant: Tenant, count: int = 1) -> None:
    for _ in range(count):
        await watched.store.write(RecordAttempt(attempt=records.attempt(tenant.id)))


def log_bytes(path: str) -> int:
    return Path(path + "-wal").stat().st_size


def in_file(path: str) -> int:
    """How many attempts are in the file itself, whatever is in the log."""
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        return int(connection.execute("select count(*) from attempts").fetchone()[0])


async def test_the_writer_makes_no_checkpoints_of_its_own(path: str, opened: list[Watched]) -> None:
    watched, tenant = await settled(path)
    opened.append(watched)
    assert watched.writer.execute("pragma wal_autocheckpoint").fetchall() == [(0,)]
    await watched.store.write(RecordAttempt(attempt=records.attempt(tenant.id, reason="x" * 8_000_000)))
    await write(watched, tenant)
    assert in_file(path) == 0
    assert watched.of_thread == []


async def test_a_thread_makes_them_some_time_after_a_commit(path: str, opened: list[Watched]) -> None:
    watched, tenant = await settled(path, every_seconds=0)
    opened.append(watched)
    await write(watched, tenant)
    await watched.made(1)
    assert watched.threads == {"assay-store-checkpoints"}


async def test_many_writes_do_not_wait_for_that_time(path: str, opened: list[Watched]) -> None:
    watched, tenant = await settled(path, many_writes=100)
    opened.append(watched)
    await write(watched, tenant, 10)
    assert watched.of_thread == []
    await asyncio.gather(*(write(watched, tenant) for _ in range(100)))
    await watched.made(1)


async def test_a_checkpoint_that_fails_is_tried_again_after_the_next_commit(path: str, opened: list[Watched]) -> None:
    watched, tenant = await settled(path, many_writes=1)
    opened.append(watched)
    await watched.made(1)
    watched.refuses = 1
    before = len(watched.of_thread)
    for more in (1, 2, 3):
        await write(watched, tenant)
        await watched.made(before + more)
    assert len(await watched.store.attempts(tenant.id, 10)) == 3


async def test_a_log_that_never_ends_starts_over_when_it_is_too_long(path: str, opened: list[Watched]) -> None:
    watched, tenant = await settled(path, many_writes=20, most_log_bytes=200_000)
    opened.append(watched)
    for _ in range(150):
        before = len(watched.of_thread)
        await asyncio.gather(*(write(watched, tenant) for _ in range(20)))
        await watched.made(before + 1)
    assert watched.restarts() > 1
    assert log_bytes(path) < 2_000_000  # without a new start it would have three times as many and more
    assert len(await watched.store.attempts(tenant.id, 10_000)) == 3_000


async def test_a_reader_of_the_log_delays_its_start_and_no_write(path: str, opened: list[Watched]) -> None:
    watched, tenant = await settled(path, most_log_bytes=1)
    opened.append(watched)
    with closing(sqlite_files.connect(path)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from attempts").fetchall()
        watched.checkpoints._is_log_full = True
        await write(watched, tenant)
        assert watched.restarts() == 1
        assert watched.writer.execute("pragma busy_timeout").fetchall() == [(5000,)]
    assert len(await watched.store.attempts(tenant.id, 10)) == 1
