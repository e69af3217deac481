"""The store and the fetcher, as they are counted and traced."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from assay.keys.fetch import Fetched
from assay.keys.origins import Fetch
from assay.model import Profile
from assay.observing.meter import Meter
from assay.observing.tracer import NO_TRACER, Tracer
from assay.store import Store, Write


def observed_fetch(fetch: Fetch, meter: Meter, tracer: Tracer, timer: Callable[[], float] = time.perf_counter) -> Fetch:
    """``fetch``, counted and traced; ``timer`` gives seconds."""

    async def observed(url: str, ca_pem: str | None = None) -> Fetched:
        started, failed = timer(), True
        try:
            with tracer.step("fetch keys"):
                fetched = await fetch(url, ca_pem)
            failed = False
        finally:
            meter.fetched(timer() - started, failed=failed)
        return fetched

    return observed


def traced_store(store: Store, tracer: Tracer) -> Store:
    """``store`` with spans for writes and for the reading of profiles; itself while traces are off."""
    return store if tracer is NO_TRACER else cast("Store", _TracedStore(store, tracer))


class _TracedStore:
    """Passes everything on."""

    def __init__(self, store: Store, tracer: Tracer) -> None:
        self._store = store
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self._store, name)

    async def write(self, write: Write) -> None:
        """As ``Store.write`` says."""
        with self._tracer.step("write", type(write).__name__):
            await self._store.write(write)

    async def profile(self, environment_id: str, profile_id: str) -> Profile | None:
        """As ``Store.profile`` says."""
        with self._tracer.step("read profile"):
            return await self._store.profile(environment_id, profile_id)
