"""The pieces put together: settings become the context that stories, the API and the command line work in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from assay.config import Settings
from assay.keys import sealing
from assay.keys.fetch import Fetcher
from assay.keys.local import OwnServer
from assay.keys.origins import Fetch
from assay.keys.profile_keys import ProfileKeySets
from assay.keys.remote import Time
from assay.keys.signing import Signer
from assay.keys.token_seal import TokenSeal
from assay.observing.meter import Meter
from assay.observing.observed import observed_fetch, traced_store
from assay.observing.tracer import NO_TRACER, Tracer
from assay.store.opening import open_store
from assay.stories.context import Context


@asynccontextmanager
async def open_context(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    tracer: Tracer = NO_TRACER,
    fetch: Fetch | None = None,
) -> AsyncIterator[Context]:
    """The world that stories work in, open while the block runs.

    ``clock`` gives seconds since the epoch, ``monotonic`` seconds that never step back, for cool-downs.
    ``tracer`` is the caller's to close. ``fetch`` stands for the way to the issuers.
    Raises ConfigFault, WrongRootKey, SchemaTooNew and StoreFault, whose messages say what to do.
    """
    async with AsyncExitStack() as stack:
        meter = Meter()
        store = traced_store(await open_store(settings.database, meter), tracer)
        stack.push_async_callback(store.close)
        root_key = await sealing.open_root_key(settings, store)
        store_secret = await sealing.check(store, root_key)
        signer = Signer(store, root_key, clock, meter, tracer)
        own = OwnServer(keys=signer, open_secret=store_secret.open)
        fetcher = Fetcher(allow_loopback=settings.allow_loopback_key_urls, networks=settings.key_url_networks)
        observed = observed_fetch(fetch or fetcher.fetch, meter, tracer)
        keys = ProfileKeySets(store, observed, own, time=Time(clock=clock, monotonic=monotonic))
        stack.push_async_callback(keys.close)
        yield Context(
            store=store,
            keys=keys,
            signer=signer,
            token_seal=TokenSeal(store_secret),
            settings=settings,
            cursor_key=store_secret.derive("search-cursors"),
            seal=store_secret.seal,
            holds=store_secret.holds,
            clock=clock,
            meter=meter,
            tracer=tracer,
        )
