"""Whether this process can do its work."""

from __future__ import annotations

from assay.stories.context import Context


async def ready(ctx: Context) -> None:
    """Nothing when the store can be read. Raises StoreUnavailable."""
    await ctx.store.ping()
