"""Whose turn it is to write: a lock that several processes over one SQLite file take around each transaction.

SQLite lets one of them write at a time, and the others look again after pauses that grow to a tenth of a second. Here
they wait in the kernel instead, which wakes them as soon as the lock is free, and frees it when its holder dies. It
only makes waiting short: that one alone writes is still SQLite's doing, so whoever does not know this lock, or cannot
have it, harms nothing.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SUFFIX = "-lock"


class HeldTooLong(Exception):
    """Another process has been writing for as long as we were ready to wait."""


class WriteLock:
    """The lock of the database at ``path``, on a file beside it; used by one thread. Waits for ``seconds`` at most."""

    def __init__(self, path: str, seconds: float) -> None:
        self._path = path + SUFFIX
        self._seconds = seconds
        self._waiter: _Waiter | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs. Raises HeldTooLong, and OSError when the file cannot be had."""
        file = self._take()
        try:
            yield
        finally:
            os.close(file)

    def _take(self) -> int:
        if self._waiter is None:
            # Opened each time: the lock belongs to the open file, and no process keeps one whose name is gone.
            file = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _is_free(file):
                return file
            self._waiter = _Waiter(file)
        if not self._waiter.has_it_within(self._seconds):
            raise HeldTooLong("another process has been writing for too long")
        taken, self._waiter = self._waiter.file, None
        return taken


def _is_free(file: int) -> bool:
    """Take the lock if nobody else holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(file)
        raise
    return True


class _Waiter:
    """Waits for the lock in a thread of its own, since a wait in the kernel cannot be told when to end.

    When it comes to the lock after everybody has stopped waiting for it, it waits on for whoever is next to ask; until
    then it must not hold up other processes, so it lets go and takes the lock again when asked.
    """

    def __init__(self, file: int) -> None:
        self.file = file
        self._change = threading.Condition()
        self._is_wanted = True
        self._has_it = False
        threading.Thread(target=self._wait, name="assay-store-lock", daemon=True).start()

    def has_it_within(self, seconds: float) -> bool:
        """Whether the lock was had within so many seconds; if not, it is not held afterwards."""
        with self._change:
            self._is_wanted = True
            self._change.notify_all()
            self._is_wanted = self._change.wait_for(lambda: self._has_it, seconds)
            return self._has_it

    def _wait(self) -> None:
        while True:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            with self._change:
                if self._is_wanted:
                    self._has_it = True
                    self._change.notify_all()
                    return
                fcntl.flock(self.file, fcntl.LOCK_UN)
                self._change.wait_for(lambda: self._is_wanted)
