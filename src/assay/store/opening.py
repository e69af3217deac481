"""Opening a store by its address, and what can be wrong with it then."""

from __future__ import annotations

from typing import NamedTuple

from assay.config import is_postgres
from assay.observing.meter import Meter
from assay.store import Store

_SQLITE = "sqlite:///"


class StoreFault(Exception):
    """The store cannot be opened; the message says why and what to do. For whoever starts a command."""


class SchemaTooOld(StoreFault):
    """A PostgreSQL database waits for ``assay migrate`` (decisions D28). Run that once, then start the servers."""


class SchemaTooNew(StoreFault):
    """A newer Assay has migrated this store (decisions D28). Use that version, or restore a backup from before."""


class MayNotMaintain(StoreFault):
    """This user of a PostgreSQL database does not own its tables. Run ``assay maintain`` as the one that does."""


class Migrated(NamedTuple):
    """What a migration has done: the schema now, the migrations applied, and the tables made for coming months."""

    schema: int
    applied: tuple[str, ...] = ()
    months: tuple[str, ...] = ()


async def migrate(url: str, grant_to: str | None = None) -> Migrated:
    """Bring the schema of the store at this address up to date, and give a user of servers its rights.

    Raises SchemaTooNew and StoreFault.
    """
    if is_postgres(url):
        from assay.store import postgres_schema  # noqa: PLC0415 - only what is opened is imported

        return await postgres_schema.migrate(url, grant_to=grant_to)
    store = await open_store(url)
    try:
        return Migrated(await store.schema())
    finally:
        await store.close()


async def open_store(url: str, meter: Meter | None = None) -> Store:
    """Open the store at ``sqlite:///PATH`` or ``postgresql://USER@HOST/DATABASE``.

    The schema of a file is brought up to date; that of a PostgreSQL database must be so already (decisions D28). Raises
    SchemaTooNew when a newer Assay has been at it, SchemaTooOld when nobody has brought a database up to date, and
    StoreFault when it cannot be opened at all.
    """
    if is_postgres(url):
        from assay.store.postgres import open_postgres  # noqa: PLC0415 - only what is opened is imported

        return await open_postgres(url, meter=meter)
    path = sqlite_path(url)
    from assay.store.sqlite import open_sqlite  # noqa: PLC0415 - only what is opened is imported

    return await open_sqlite(path, meter=meter)


def sqlite_path(url: str) -> str:
    """The path in ``sqlite:///PATH``. Raises StoreFault for any other address; one of PostgreSQL is never quoted."""
    if is_postgres(url):
        raise StoreFault(
            "this is done with SQLite files only; PostgreSQL has its own programs for it: pg_dump and pg_restore, or"
            " a base backup with write-ahead log archiving"
        )
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        raise StoreFault(
            f"{url} is not the address of a store; it looks like sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        )
    return path
