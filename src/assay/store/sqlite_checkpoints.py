"""Checkpoints: what was committed moves from the log into the file, away from the thread that writes.

A writer that does this itself keeps everybody waiting for two more fsyncs now and then. So a thread with a connection
of its own does it, a second after the first commit or as soon as there were many, and never waits for anybody.

While writes never pause, it never comes to the end of the log, and only then can the log start over. So when the log
has grown to its limit, the writer does the last bit between two of its transactions. The log takes no more than that
limit, and what is committed while it cannot start over because a long read still needs it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress

EVERY_SECONDS = 1.0
MANY_WRITES = 1_000
"""Some five megabytes of log, when they are attests."""
MOST_LOG_BYTES = 64 * 1024 * 1024
READERS_MILLISECONDS = 20
"""So long may the writer wait for readers of the log when it is to start over; most of them take less than one."""


class Checkpoints:
    """The checkpoints of one store. ``connect`` opens a connection for them; the rest is called by its writer."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        every_seconds: float = EVERY_SECONDS,
        many_writes: int = MANY_WRITES,
        most_log_bytes: int = MOST_LOG_BYTES,
    ) -> None:
        self._connect = connect
        self._every_seconds = every_seconds
        self._many_writes = many_writes
        self._most_log_bytes = most_log_bytes
        self._writes = 0
        self._is_log_full = False
        self._something, self._much = threading.Event(), threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def adopt(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Let ``connection`` write without checkpoints of its own. Raises sqlite3.Error."""
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute(f"pragma journal_size_limit = {self._most_log_bytes}")
        return connection

    def before(self, connection: sqlite3.Connection) -> None:
        """A transaction is about to begin: let the log start over if it has grown too long."""
        if not self._is_log_full:
            return
        self._is_log_full = False
        # What goes wrong here says nothing about the writes that wait, and the thread will ask for it again.
        with suppress(sqlite3.Error):
            ((patience,),) = connection.execute("pragma busy_timeout").fetchall()
            connection.execute(f"pragma busy_timeout = {READERS_MILLISECONDS}")
            try:
                is_busy, pages, _ = connection.execute("pragma wal_checkpoint(restart)").fetchone()
                # Without a number of pages it was not begun, because the thread is at one: the next transaction tries.
                self._is_log_full = bool(is_busy) and pages < 0
            finally:
                connection.execute(f"pragma busy_timeout = {patience}")

    def committed(self, writes: int) -> None:
        """So many writes are in the log."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="assay-store-checkpoints", daemon=True)
            self._thread.start()
        self._writes += writes
        self._something.set()
        if self._writes >= self._many_writes:
            self._much.set()

    def close(self) -> None:
        """End the thread. What is still in the log then stays there until the last process lets go of the file."""
        self._closed = True
        self._something.set()
        self._much.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._something.wait()
            self._much.wait(self._every_seconds)
            self._writes = 0
            self._something.clear()
            self._much.clear()
            # What goes wrong is tried again after the next commit; the log keeps what the file does not have yet.
            with suppress(sqlite3.Error), closing(self._connect()) as connection:
                _, pages, _ = connection.execute("pragma wal_checkpoint(passive)").fetchone()
                ((page_bytes,),) = connection.execute("pragma page_size").fetchall()
                self._is_log_full = pages * page_bytes >= self._most_log_bytes
