"""How late the event loop is: everything that answers waits for it, so that this shows overload first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from assay.observing.meter import Meter

EVERY_SECONDS = 1.0


@asynccontextmanager
async def measured(
    meter: Meter,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    timer: Callable[[], float] = time.perf_counter,
) -> AsyncIterator[None]:
    """Measure it each second while the block runs; ``timer`` gives seconds."""
    measuring = asyncio.create_task(_measure(meter, sleep, timer))
    try:
        yield
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring


async def _measure(meter: Meter, sleep: Callable[[float], Awaitable[None]], timer: Callable[[], float]) -> None:
    while True:
        began = timer()
        await sleep(EVERY_SECONDS)
        meter.lagged(max(0.0, timer() - began - EVERY_SECONDS))
