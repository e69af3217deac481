"""The two ends of a copy, whatever databases they are in. Everything raises opening.StoreFault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.config import is_postgres
from assay.store.copying_tables import Changes, Row, Table
from assay.store.opening import StoreFault, sqlite_path


class Side(Protocol):
    """A store whose rows are read as they stand. ``shown`` is its address without a password."""

    shown: str

    async def schema(self) -> int:
        """Number of the newest migration."""

    async def columns(self, table: str) -> frozenset[str]:
        """The names of its columns."""

    async def root_key_check(self) -> bytes | None:
        """The check value as it stands, an unfinished copy's too."""

    async def page(self, table: Table, columns: Sequence[str], after: Row | None) -> list[Row]:
        """The next rows after a key (None: from the first), in the order of keys; fewer than a page are the last."""

    async def close(self) -> None:
        """Let go of it."""


class Source(Side, Protocol):
    """Where rows come from: all of them as they are at one moment. It never changes.

    ``is_alone``: no other process has it open, and none can write to it before it is closed.
    """

    is_alone: bool

    async def count(self, table: Table) -> int:
        """How many rows there are."""

    async def least(self, table: str, column: str) -> int | None:
        """The least value of a column of numbers; None without a row."""


class Target(Side, Protocol):
    """Where they go."""

    def storable(self, rows: list[Row]) -> list[Row]:
        """The rows as this database can hold them."""

    async def is_empty(self, table: Table) -> bool:
        """Whether there is no row."""

    async def claim(self, found: bytes | None, mark: bytes) -> None:
        """Let the check value be ``mark`` if it is still what was ``found``: from now on this run alone may write."""

    async def make_room(self, since: int, now: int) -> None:
        """Be ready for sessions and attempts from between these times (seconds)."""

    async def change(self, mark: bytes, table: Table, columns: Sequence[str], changes: Changes) -> None:
        """Do these changes, all or nothing, unless another run has claimed the target meanwhile."""

    async def finish(self, mark: bytes, check_value: bytes) -> None:
        """Have new records numbered after those that came, and let everybody in."""


async def open_source(url: str) -> Source:
    """The store at this address, to be read. Raises opening.StoreFault."""
    if is_postgres(url):
        from assay.store import postgres_copying  # noqa: PLC0415 - only what is opened is imported

        return await postgres_copying.open_source(url)
    from assay.store import sqlite_copying  # noqa: PLC0415 - only what is opened is imported

    return sqlite_copying.open_source(sqlite_path(url))


async def open_target(url: str) -> Target:
    """The store at this address, to be written; a missing file is made. Raises opening.StoreFault."""
    if is_postgres(url):
        from assay.store import postgres_copying  # noqa: PLC0415 - only what is opened is imported

        return await postgres_copying.open_target(url)
    from assay.store import sqlite_copying  # noqa: PLC0415 - only what is opened is imported

    return sqlite_copying.open_target(sqlite_path(url))


def taken_over(shown: str) -> StoreFault:
    """Another run has claimed the target, or has finished it."""
    return StoreFault(f"another copy into {shown} was begun meanwhile, so this one has stopped")
