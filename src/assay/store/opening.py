"""Opening a store by its address, and what can be wrong with it then."""

from __future__ import annotations

from assay.observing.meter import Meter
from assay.store import Store

_SQLITE = "sqlite:///"


class StoreFault(Exception):
    """The store cannot be opened; the message says why and what to do. For whoever starts a command."""


class SchemaTooNew(StoreFault):
    """A newer Assay has migrated this store (decisions D28). Use that version, or restore a backup from before."""


async def open_store(url: str, meter: Meter | None = None) -> Store:
    """Open the store at ``sqlite:///PATH`` and bring its schema up to date (decisions D28).

    Raises SchemaTooNew when a newer Assay has been at it, StoreFault when it cannot be opened at all.
    """
    path = sqlite_path(url)
    from assay.store.sqlite import open_sqlite  # noqa: PLC0415 - only what is opened is imported

    return await open_sqlite(path, meter=meter)


def sqlite_path(url: str) -> str:
    """The path in ``sqlite:///PATH``. Raises StoreFault for any other address."""
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        raise StoreFault(f"{url} is not the address of a store; it looks like sqlite:///PATH")
    return path
