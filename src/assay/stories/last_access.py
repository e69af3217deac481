"""When sessions were last used: remembered by each process, and written now and then for many at once.

An access that changes nothing else is no reason to make its caller wait for the disk, nor to refuse it when the disk
is full. So what the store knows of ``last_accessed_at`` may be a minute old; nothing is decided on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from assay.store import NoteAccesses, Write

MOST_SESSIONS = 100_000
"""Some ten megabytes. When so many wait to be written, they are written at once, and others are not noted meanwhile."""
BATCH = 250
"""So many sessions go in one write: between two of them, logins take their turn."""


class LastAccess:
    """The accesses that one process has yet to write."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._at: dict[int, int] = {}
        self._full = asyncio.Event()

    def note(self, number: int, at: int) -> None:
        """The session with this number was used at ``at`` (seconds)."""
        if len(self._at) < self._most or number in self._at:
            self._at[number] = at
        else:
            self._full.set()

    async def keep(self, write: Callable[[Write], Awaitable[None]]) -> None:
        """Hand all that is noted to ``write``; what it could not write stays noted. Raises what it raises."""
        waiting, self._at = self._at, {}
        self._full.clear()
        try:
            for numbers in _batches(waiting):
                await write(NoteAccesses(accesses={number: waiting[number] for number in numbers}))
                for number in numbers:
                    del waiting[number]
        finally:
            self._at = waiting | self._at

    async def or_full(self, pause: Awaitable[None]) -> None:
        """Wait for the end of ``pause``, or only until there is no room for more."""
        either = (asyncio.ensure_future(pause), asyncio.ensure_future(self._full.wait()))
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in either:
                each.cancel()


def _batches(waiting: dict[int, int]) -> list[list[int]]:
    """All numbers, in their order: neighbours in the table are written together."""
    numbers = sorted(waiting)
    return [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
