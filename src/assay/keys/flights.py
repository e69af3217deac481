"""The fetches under way in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable

Flight = asyncio.Task[None]


class Flights:
    """They belong to nobody who waits for them, so that nobody's leaving ends them."""

    def __init__(self) -> None:
        self._tasks: set[Flight] = set()

    def start(self, work: Coroutine[None, None, None]) -> Flight:
        """Run ``work`` until it ends or ``close`` is called; the loop itself holds tasks only weakly."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def landed(flights: Iterable[Flight]) -> None:
    """Wait until all have ended, however they end. Whoever stops waiting ends none of them."""
    waiting = list(flights)
    if waiting:
        await asyncio.wait(waiting)
