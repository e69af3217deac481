"""Months of sessions and attempts: tables of their own, so that one in which nothing lives is dropped whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from assay.rules import session_ids
from assay.store.postgres_connections import Connection

Partitioned = Literal["sessions", "attempts"]

KEYS: dict[Partitioned, str] = {"sessions": "number", "attempts": "created_at"}
"""What months go by."""

MOST_MOVED = 50_000
"""So many rows are moved into a new month at most: nobody else writes meanwhile. More stay where they are."""

_RANDOM_BITS = 22
_DECEMBER = 12


class Month(NamedTuple):
    """A month of the calendar, in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, seconds: int) -> Month:
        """The month of a time in seconds since the epoch."""
        at = datetime.fromtimestamp(seconds, UTC)
        return cls(at.year, at.month)

    @property
    def next(self) -> Month:
        """The month after this one."""
        return Month(self.year + 1, 1) if self.month == _DECEMBER else Month(self.year, self.month + 1)

    @property
    def starts_at(self) -> int:
        """Its first second since the epoch."""
        return int(datetime(self.year, self.month, 1, tzinfo=UTC).timestamp())

    def table(self, of: Partitioned) -> str:
        """The name of its table, such as sessions_2026_05."""
        return f"{of}_{self.year:04}_{self.month:02}"

    def bounds(self, of: Partitioned) -> tuple[int, int]:
        """Where its rows begin, and those of the next month: session numbers, or times in seconds."""
        return _bound(of, self), _bound(of, self.next)


def _bound(of: Partitioned, month: Month) -> int:
    """Session numbers hold milliseconds since 2025 in their top bits (decisions D14)."""
    if of == "attempts":
        return month.starts_at
    return max(0, month.starts_at * 1000 - session_ids.EPOCH_MILLISECONDS) << _RANDOM_BITS


def month_of(of: Partitioned, key: int) -> Month:
    """The month of a row by its session number, or by its time in seconds."""
    seconds = key if of == "attempts" else ((key >> _RANDOM_BITS) + session_ids.EPOCH_MILLISECONDS) // 1000
    return Month.of(seconds)


async def make(connection: Connection, month: Month, tables: Iterable[Partitioned] = tuple(KEYS)) -> list[str]:
    """Make those tables of one month that are not there; answers their names.

    In a transaction of the caller's, as a role that owns the tables. Rows of the month that were put elsewhere before,
    because it was not there, are moved into it; a month with very many of them is not made.
    """
    return [month.table(of) for of in tables if await _made(connection, of, month)]


async def _made(connection: Connection, of: Partitioned, month: Month) -> bool:
    table, (low, high) = month.table(of), month.bounds(of)
    if (await connection.fetch("select to_regclass($1) is not null", table))[0][0]:
        return False
    within = f"{KEYS[of]} >= {low} and {KEYS[of]} < {high}"
    crowd = f"select 1 from {of}_rest where {within} offset {MOST_MOVED} limit 1"  # noqa: S608 - made of numbers alone
    if await connection.fetch(crowd):
        return False
    room = " with (fillfactor = 85)" if of == "sessions" else ""
    # Nobody uses any of it meanwhile, not even the list of its parts: whoever has planned a statement on the parts of
    # before would look for a moved row where it is no more, and a session would seem unknown, or not be revoked.
    # Names and bounds are made of numbers alone.
    await connection.execute(
        f"lock table only {of} in access exclusive mode;"  # noqa: S608 - as above
        f"lock table {of}_rest in access exclusive mode;"
        f"create table {table} (like {of} including defaults including constraints){room};"
        f"with moved as (delete from {of}_rest where {within} returning *) insert into {table} select * from moved;"
        f"alter table {of} attach partition {table} for values from ({low}) to ({high})"
    )
    return True
