"""A sleep that ends when a test says so."""

from __future__ import annotations

import asyncio


class Turns:
    """A sleep that ends when a test says so, and says when it was begun."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.begun.set()
        await self.over.wait()
        self.over.clear()

    async def done(self) -> None:
        """Wait until the work of one turn is done."""
        await asyncio.wait_for(self.begun.wait(), 30)

    async def next(self) -> None:
        """Wait until the work of one turn is done, and let the next one begin."""
        await self.done()
        self.begun.clear()
        self.over.set()
