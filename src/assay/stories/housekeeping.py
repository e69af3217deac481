"""Housekeeping: what has an end is forgotten after it, so that no table grows for ever.

Attempt records and ended sessions are kept for as many days as the settings say; marks of tokens that work once until
the token would be refused for its age anyway. Nothing waits for this: whether something has ended is judged when it is
read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from assay import store
from assay.config import Settings
from assay.rules import session_ids

FEWEST, MOST = 20, 1_000
"""So many records of a kind go in one write."""
GOAL_SECONDS = 0.005
"""What a write of ours may take: logins wait for it, and never more than twice as long."""
LOOK = 2_000
MOST_LOOKED_AT = 500_000
"""Sessions that are looked at in one round, which is about a second's work of a thread beside the others."""

_DAY = 86_400

Sleep = Callable[[float], Awaitable[None]]


class Household(Protocol):
    """What housekeeping needs of a context."""

    @property
    def store(self) -> store.Store:
        """Where the records are."""

    @property
    def settings(self) -> Settings:
        """How long they are kept."""

    @property
    def clock(self) -> Callable[[], float]:
        """Gives seconds since the epoch."""


class Housekeeper:
    """Forgets what has come to its end; one for each process that does. ``timer`` gives seconds."""

    def __init__(
        self, ctx: Household, sleep: Sleep = asyncio.sleep, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._ctx = ctx
        self._sleep = sleep
        self._timer = timer
        self._limit = FEWEST
        self._walked_to = 0

    async def forget(self) -> None:
        """Forget what has come to its end by now, in small writes. Raises StoreUnavailable."""
        await self._forget_records()
        await self._forget_sessions()

    async def _forget_records(self) -> None:
        ctx = self._ctx
        now = int(ctx.clock())
        attempts_before = now - ctx.settings.attempts_days * _DAY
        while await ctx.store.anything_to_forget(attempts_before, now):
            await self._write(store.Forget(attempts_before=attempts_before, now=now, limit=self._limit))

    async def _forget_sessions(self) -> None:
        """Go on in the order of numbers where the last round stopped, and at the end start over.

        An index on the end of sessions would make each login dearer; this reads the table along its key instead, as
        far as there are sessions old enough to have ended so long ago.
        """
        ctx = self._ctx
        ended_before = int(ctx.clock()) - ctx.settings.sessions_kept_days * _DAY
        before = session_ids.first_number_at(ended_before)
        for _ in range(0, MOST_LOOKED_AT, LOOK):
            found = await ctx.store.ended_sessions(self._walked_to, before, ended_before, LOOK)
            if found.last is None:
                self._walked_to = 0
                return
            await self._forget_ended(found, ended_before)
            self._walked_to = found.last

    async def _forget_ended(self, found: store.EndedSessions, ended_before: int) -> None:
        left = found.ended
        while left > 0 and found.last is not None:
            limit = self._limit
            await self._write(
                store.ForgetSessions(after=self._walked_to, upto=found.last, ended_before=ended_before, limit=limit)
            )
            left -= limit

    async def _write(self, write: store.Write) -> None:
        """Write, and let others write for as long; the next one takes as many as can be done in the time it may take.

        The time is that until the commit, so it holds more than our part: under load we do less.
        """
        started = self._timer()
        await self._ctx.store.write(write)
        took = max(self._timer() - started, GOAL_SECONDS / 2)
        self._limit = min(MOST, max(FEWEST, int(self._limit * GOAL_SECONDS / took)))
        await self._sleep(took)
