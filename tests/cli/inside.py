"""A look into the database that the commands worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from assay import config
from assay.app import open_context
from assay.model import Event
from assay.stories.context import Context

Result = TypeVar("Result")


def inside(database: str, look: Callable[[Context], Awaitable[Result]]) -> Result:
    """What ``look`` finds in the opened world."""

    async def open_and_look() -> Result:
        async with open_context(config.read({}, database=database)) as ctx:
            return await look(ctx)

    return asyncio.run(open_and_look())


def events(database: str) -> list[Event]:
    """The audit record, newest first."""
    return inside(database, lambda ctx: ctx.store.events(None, 100))
