"""Configuration files applied to a real store, with nothing between the file and the stories."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from assay import config
from assay.app import open_context
from assay.store import Store
from assay.store.opening import open_store
from assay.stories.context import Context
from assay.stories.declared import applying, current, exporting, preparing
from assay.stories.declared.applying import Applied
from assay.stories.declared.exporting import Exported
from assay.stories.declared.parsing import parse
from assay.stories.declared.planning import Options
from assay.stories.declared.preparing import Prepared
from assay.stories.declared.surroundings import Surroundings
from assay.stories.declared.wanted import Wanted
from tests.calls import OPERATOR


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Context]:
    """A world over a database in ``folder``."""
    settings = config.read({"ASSAY_DATABASE": f"sqlite:///{folder / 'assay.db'}"})
    async with open_context(settings) as ctx:
        yield ctx


@asynccontextmanager
async def scratch() -> AsyncIterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{folder}/rehearsal.db")
        try:
            yield store
        finally:
            await store.close()


def wanted(text: str, files: Mapping[str, bytes] | None = None, environ: Mapping[str, str] | None = None) -> Wanted:
    """What a file says, with these files beside it."""
    around = Surroundings(read=lambda path: (files or {})[path], environ={} if environ is None else environ)
    return parse(text.encode(), around)


async def prepare(
    ctx: Context, found: Wanted, *, prune: bool = False, delete_projects: bool = False, allow_problems: bool = False
) -> Prepared:
    options = Options(prune=prune, delete_projects=delete_projects)
    return await preparing.prepare(ctx, found, options, scratch, allow_problems=allow_problems)


async def apply(
    ctx: Context, found: Wanted, *, prune: bool = False, delete_projects: bool = False, allow_problems: bool = False
) -> Applied:
    """Plan and do."""
    prepared = await prepare(ctx, found, prune=prune, delete_projects=delete_projects, allow_problems=allow_problems)
    return await applying.apply(ctx, OPERATOR, prepared.plan)


async def export(ctx: Context, *, beside: bool = False) -> Exported:
    found = await current.read(ctx.store)
    return exporting.export(found, project_slug=None, public_url=ctx.settings.public_url, beside=beside)


async def snapshot(ctx: Context) -> tuple[object, int]:
    """Everything a file can configure, revisions included, and how many audit events there are."""
    return await current.read(ctx.store), len(await ctx.store.events(None, 10_000))
