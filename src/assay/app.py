"""The pieces put together: settings become the context that stories, the API and the command line work in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from assay.config import Settings
from assay.keys import sealing
from assay.keys.fetch import Fetcher
from assay.keys.local import OwnServer
from assay.keys.profile_keys import ProfileKeySets
from assay.keys.remote import Time
from assay.keys.signing import Signer
from assay.keys.token_seal import TokenSeal
from assay.store.opening import open_store
from assay.stories.context import Context


@asynccontextmanager
async def open_context(
    settings: Settings, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
) -> AsyncIterator[Context]:
    """The world that stories work in, open while the block runs.

    ``clock`` gives seconds since the epoch, ``monotonic`` seconds that never step back, for cool-downs.
    Raises ConfigFault, WrongRootKey, SchemaTooNew and StoreFault, whose messages say what to do.
    """
    async with AsyncExitStack() as stack:
        store = await open_store(settings.database)
        stack.push_async_callback(store.close)
        root_key = await sealing.open_root_key(settings, store)
        store_secret = await sealing.check(store, root_key)
        signer = Signer(store, root_key, clock)
        own = OwnServer(keys=signer, open_secret=store_secret.open)
        fetcher = Fetcher(allow_loopback=settings.allow_loopback_key_urls, networks=settings.key_url_networks)
        keys = ProfileKeySets(store, fetcher.fetch, own, time=Time(clock=clock, monotonic=monotonic))
        stack.push_async_callback(keys.close)
        yield Context(
            store=store,
            keys=keys,
            signer=signer,
            token_seal=TokenSeal(store_secret),
            settings=settings,
            cursor_key=store_secret.derive("search-cursors"),
            seal=store_secret.seal,
            clock=clock,
        )
