"""``assay copy``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from assay.cli import asking, output
from assay.cli.options import Json
from assay.cli.progress import Progress
from assay.cli.running import settings
from assay.config import Settings, is_postgres, shown_database, sqlite_path
from assay.keys.copied import CopiedKeys, SourceKeys, finished_keys, source_keys
from assay.keys.sealing import find_root_key
from assay.store import copying
from assay.store.copying import Copied, TableCopied
from assay.store.copying_sides import Source, open_source, open_target
from assay.store.opening import StoreFault

SOURCE_ROOT_KEY = "ASSAY_ROOT_KEY_FROM"

_FORM = "sqlite:///PATH or postgresql://USER@HOST/DATABASE."


def copy(
    *,
    source: Annotated[str, typer.Option("--from", metavar="URL", help=f"The database to copy: {_FORM}")],
    target: Annotated[
        str,
        typer.Option("--to", metavar="URL", help=f"Where to, empty or begun by an earlier copy of the same: {_FORM}"),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Only compare the two; exit code 1 when they differ. Changes nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy a whole database into another one, from SQLite to PostgreSQL or back, and check every row of it.

    While servers use the source the copy is a preparation, and stays closed: nothing can be served from it. Stop them
    and run the same again; only what has changed since is copied, and the copy can be used. It may be interrupted and
    run again too. The source stays as it is.

    ASSAY_ROOT_KEY, or the file beside an SQLite file, is the root key of the target. That of the source is
    ASSAY_ROOT_KEY_FROM, else the file beside it, else the same ASSAY_ROOT_KEY. If they differ everything is sealed
    anew. Passwords of PostgreSQL are better in ~/.pgpass or PGPASSWORD than in an address, which others on this machine
    may see.
    """
    ends = _Settings(settings(source), settings(target))
    _refuse_same(source, target)
    with closing(Progress()) as progress:
        if check:
            _show_checked(asyncio.run(_check(ends, progress)), ends, as_json=as_json)
            return
        try:
            done = asyncio.run(_copy(ends, progress))
        except KeyboardInterrupt:
            progress.close()
            asking.tell(["Stopped. Run the same command again to go on; the copy stays closed until then."])
            raise
    output.show(_document(done, ends), _lines(done, ends), as_json=as_json)


class _Settings(NamedTuple):
    source: Settings
    target: Settings


async def _copy(ends: _Settings, progress: Progress) -> Copied:
    async with _source(ends) as (source, its_keys):
        target = await open_target(ends.target.database)
        try:
            await copying.refuse_used(target)  # before a root key file is made for it
            keys = CopiedKeys(its_keys, find_root_key(ends.target))
            return await copying.copy(source, target, keys, progress.tell, now=int(time.time()))
        finally:
            await target.close()


async def _check(ends: _Settings, progress: Progress) -> tuple[TableCopied, ...]:
    async with _source(ends) as (source, its_keys):
        _refuse_missing(ends.target.database)
        target = await open_target(ends.target.database)
        try:
            keys = finished_keys(its_keys, ends.target, await target.root_key_check())
            return await copying.compare(source, target, keys, progress.tell)
        finally:
            await target.close()


@asynccontextmanager
async def _source(ends: _Settings) -> AsyncIterator[tuple[Source, SourceKeys]]:
    """The source with its keys; without those nothing can come of it, so they are found before a target is made."""
    source = await open_source(ends.source.database)
    try:
        named = os.environ.get(SOURCE_ROOT_KEY, "")
        yield source, source_keys(ends.source, await source.root_key_check(), named)
    finally:
        await source.close()


def _refuse_missing(database: str) -> None:
    if not is_postgres(database) and not Path(sqlite_path(database)).is_file():
        raise StoreFault(f"{sqlite_path(database)} is not there, or is no file")


def _refuse_same(source: str, target: str) -> None:
    same = source == target
    if not is_postgres(source) and not is_postgres(target):
        same = Path(sqlite_path(source)).resolve() == Path(sqlite_path(target)).resolve()
    if same:
        raise typer.BadParameter("--from and --to name the same database")


def _document(done: Copied, ends: _Settings) -> dict[str, Any]:
    return {
        "from": shown_database(ends.source.database),
        "to": shown_database(ends.target.database),
        "is_finished": done.is_finished,
        "rows": sum(each.source.rows for each in done.tables),
        "inserted": done.inserted,
        "updated": done.updated,
        "deleted": done.deleted,
        "tables": [{"table": each.table, **msgspec.to_builtins(each.target)} for each in done.tables],
    }


def _lines(done: Copied, ends: _Settings) -> list[str]:
    source, target = shown_database(ends.source.database), shown_database(ends.target.database)
    whole = output.counted(sum(each.source.rows for each in done.tables), "row")
    changes = f"{done.inserted} inserted, {done.updated} updated, {done.deleted} deleted"
    lines = [
        f"{target} holds the {whole} of {source}: {changes}.",
        "Every table was counted and digested on both sides.",
    ]
    if done.is_finished:
        return [
            *lines,
            "It can be used now. Start no server on the source again: what is revoked here would live there.",
        ]
    return [
        *lines,
        "The source is in use, so this copy is not the last one and stays closed.",
        "Stop every server of the source and run the same command again; it copies what has changed since.",
    ]


def _show_checked(tables: tuple[TableCopied, ...], ends: _Settings, *, as_json: bool) -> None:
    equal = all(each.is_equal for each in tables)
    rows = [
        (each.table, str(each.source.rows), str(each.target.rows), "" if each.is_equal else "differs")
        for each in tables
    ]
    document = {
        "from": shown_database(ends.source.database),
        "to": shown_database(ends.target.database),
        "is_equal": equal,
        "tables": [msgspec.to_builtins(each) | {"is_equal": each.is_equal} for each in tables],
    }
    said = "They hold the same." if equal else "They differ."
    output.show(document, [*output.table(("TABLE", "FROM", "TO", ""), rows), "", said], as_json=as_json)
    if not equal:
        raise typer.Exit(1)
