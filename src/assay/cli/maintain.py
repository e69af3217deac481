"""``assay maintain``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import settings
from assay.config import Settings, shown_database
from assay.store import Maintained, Store
from assay.store.opening import open_store
from assay.stories import maintenance


class _Household(msgspec.Struct, frozen=True):
    """What maintenance works on: no keys, so that it needs no root key."""

    store: Store
    settings: Settings
    clock: Callable[[], float] = time.time


def maintain(*, database: Database = None, as_json: Json = False) -> None:
    """Forget what has come to its end: old attempts, marks of used tokens, and in PostgreSQL months of sessions.

    A server does this by itself. With PostgreSQL, months are tables: this makes those of coming months and drops those
    in which nothing lives, which only the owner of the tables may. Where servers have a user of their own that may not,
    run it each day as the owner, on as many hosts as you like.
    """
    found = settings(database)
    done = asyncio.run(_maintained(found))
    document = {"database": shown_database(found.database), **msgspec.structs.asdict(done)}
    output.show(document, _lines(done), as_json=as_json)


async def _maintained(found: Settings) -> Maintained:
    store = await open_store(found.database)
    try:
        return await maintenance.maintain(_Household(store, found))
    finally:
        await store.close()


def _lines(done: Maintained) -> list[str]:
    lines = [f"Made the table {name}." for name in done.made]
    lines += [f"Dropped the table {name}: nothing in it lives any more." for name in done.dropped]
    lines += [f"Others used {name}; the next run tries again." for name in done.busy]
    if done.moved:
        lines.append(f"Moved {output.counted(done.moved, 'row')} into the tables of their months.")
    if done.left:
        lines.append(f"Rows in no month's table: {done.left}. They go when they end.")
    if done.elsewhere:
        lines.append("Another process maintains or migrates this database now; the months are left to it.")
    return [*lines, "What had come to its end is forgotten."]
