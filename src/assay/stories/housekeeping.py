"""Housekeeping: what has an end is forgotten after it, so that no table grows for ever.

Attempt records are kept for as many days as the setting says; marks of tokens that work once until the token would be
refused for its age anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from assay import store
from assay.config import Settings

BATCH = 1_000
"""So many records of a kind go in one write: between two of them, logins take their turn."""

_DAY = 86_400


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


async def forget(ctx: Household) -> None:
    """Forget what has come to its end by now, in small writes, until nothing is left. Raises StoreUnavailable."""
    now = int(ctx.clock())
    attempts_before = now - ctx.settings.attempts_days * _DAY
    while await ctx.store.anything_to_forget(attempts_before, now):
        await ctx.store.write(store.Forget(attempts_before=attempts_before, now=now, limit=BATCH))
