"""Months of a PostgreSQL store, kept by a server whose user of the database may: at once, and then each hour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from assay import errors
from assay.store.opening import MayNotMaintain
from assay.stories import maintenance
from assay.stories.context import Context

EVERY_SECONDS = 3600

log = structlog.get_logger()

Sleep = Callable[[float], Awaitable[None]]


@asynccontextmanager
async def kept(context: Context, sleep: Sleep = asyncio.sleep) -> AsyncIterator[None]:
    """Make tables for coming months and drop those of dead ones while the block runs."""
    keeping = asyncio.create_task(_keep(context, sleep))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(context: Context, sleep: Sleep) -> None:
    while await _once(context):
        await sleep(EVERY_SECONDS)


async def _once(context: Context) -> bool:
    """Whether there is reason to come again."""
    try:
        done = await maintenance.keep_months(context)
    except MayNotMaintain:
        # As it should be where servers have a user of their own; somebody else runs the command then.
        log.info("months_not_kept", reason="this user of the database may not; run assay maintain each day")
        return False
    except errors.StoreUnavailable as fault:
        log.warning("months_not_kept", detail=fault.detail)
    except Exception:
        # A defect here must not end it for good, and be noticed when a month has no table.
        log.exception("months_not_kept")
    else:
        if done.made or done.dropped or done.busy:
            log.info("months_kept", made=done.made, dropped=done.dropped, moved=done.moved, busy=done.busy)
    return True
