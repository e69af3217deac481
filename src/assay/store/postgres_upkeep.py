"""Upkeep of the months of a PostgreSQL store: coming ones are made, rows without a month get theirs, dead ones go.

Making and dropping a table of a partitioned one keeps everybody else off all of it for a moment. So whoever does it
never waits for more than an instant for those who use it, because all others would queue up behind; it tries again a
few times, and else leaves it to the next run. One of many hosts is at it at a time, by the lock that a migration takes
too. Whoever brings old sessions into a database (postgres_copying) holds that lock as well, shared: a month is dropped
after it was looked through, and nothing else ever puts a live session into an old one.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

import asyncpg

from assay import errors
from assay.rules import session_ids
from assay.store import postgres_connections, postgres_partitions, postgres_schema
from assay.store.maintained import Due, Maintained
from assay.store.opening import MayNotMaintain
from assay.store.postgres_address import Address
from assay.store.postgres_connections import FAULTS, Connection, Connector, Limits, named
from assay.store.postgres_partitions import KEYS, Month, Partitioned

COMING = 2
"""So many months after this one have their tables, so that nothing happens when a month of runs is missed."""

LIMITS = Limits(statement=3_600_000, lock=250, idle_in_transaction=60_000)
"""A month may be looked through for long; others may be kept waiting for a quarter of a second."""

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before something that was in use is tried again."""

_TABLES: tuple[Partitioned, ...] = tuple(KEYS)
_NAME = re.compile(r"(sessions|attempts)_(\d{4})_(\d{2})")
_SAID = re.compile(r"the last session here ends at (\d+)")
_IN_USE = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

Sleep = Callable[[float], Awaitable[None]]
Work = Callable[[], Awaitable[None]]


class Table(NamedTuple):
    """The table of one month, and the end of the last of its sessions, as far as it was looked for already."""

    of: Partitioned
    month: Month
    last_end: int | None = None

    @property
    def name(self) -> str:
        """Such as sessions_2026_05: made of numbers alone, so it needs no quotes."""
        return self.month.table(self.of)

    def may_go(self, due: Due) -> bool:
        """Whether nothing may live in it, as far as can be told without a look."""
        if self.of == "attempts":
            return self.month.next.starts_at <= due.attempts_before
        is_known_to_live = self.last_end is not None and self.last_end >= due.ended_before
        return self.month.next.starts_at <= due.ended_before and not is_known_to_live


async def maintain(address: Address, due: Due, sleep: Sleep = asyncio.sleep) -> Maintained:
    """Do what is due, over a connection of its own.

    Raises MayNotMaintain, and errors.StoreUnavailable: then what was done so far stands.
    """
    connector = Connector(address, LIMITS)
    connection = await connector()
    try:
        return await _Upkeep(connection, connector.preface, due, sleep).run()
    except (asyncpg.InsufficientPrivilegeError, _NotTheOwner):
        raise MayNotMaintain(
            f"{address.shown} lets only the owner of its tables maintain them; run assay maintain as that user"
        ) from None
    except FAULTS as fault:
        raise errors.StoreUnavailable(detail=f"maintaining: {named(fault)}") from None
    finally:
        await connection.close(timeout=postgres_connections.CONNECT_SECONDS)


class _NotTheOwner(Exception):
    """The tables belong to a role that this user cannot take."""


class _Elsewhere(Exception):
    """Another process maintains or migrates this database now."""


class _Upkeep:
    """One run. ``preface`` is what a pooler's connection is told at the beginning of each transaction."""

    def __init__(self, connection: Connection, preface: str, due: Due, sleep: Sleep) -> None:
        self._connection = connection
        self._begin = "begin isolation level read committed read write" + preface
        self._due = due
        self._sleep = sleep
        self._made: list[str] = []
        self._dropped: list[str] = []
        self._busy: list[str] = []
        self._moved = 0
        self._left = 0

    async def run(self) -> Maintained:
        try:
            await self._do()
        except _Elsewhere:
            return self._told(elsewhere=True)
        return self._told(elsewhere=False)

    def _told(self, *, elsewhere: bool) -> Maintained:
        return Maintained(
            made=tuple(self._made),
            dropped=tuple(self._dropped),
            moved=self._moved,
            left=self._left,
            busy=tuple(self._busy),
            elsewhere=elsewhere,
        )

    async def _do(self) -> None:
        month = Month.of(self._due.now)
        for _ in range(1 + COMING):
            for of in _TABLES:
                await self._turn(functools.partial(self._make, month, of))
            month = month.next
        for of in _TABLES:
            for stranded in await self._stranded(of, before=month):
                await self._turn(functools.partial(self._make, stranded, of))
        for table in await self._tables():
            if table.may_go(self._due):
                await self._turn(functools.partial(self._drop, table))
        self._left = sum([await self._rest(of) for of in _TABLES])

    # -- months

    async def _make(self, month: Month, of: Partitioned) -> None:
        """The table of a month if it is not there, with the rows that waited for it.

        One in a turn: who uses both tables may have the second one while we have the first.
        """
        waiting = await self._rest(of, month)

        async def make() -> None:
            if made := await postgres_partitions.make(self._connection, month, (of,)):
                self._made += made
                self._moved += waiting

        if not await self._patiently(make):
            self._busy.append(month.table(of))

    async def _stranded(self, of: Partitioned, before: Month) -> list[Month]:
        """The months of rows that have no table, but for those of a clock that was far ahead."""
        found: list[Month] = []
        at = Month.of(session_ids.EPOCH_MILLISECONDS // 1000)
        while (first := await self._first_of_rest(of, at)) is not None and first < before:
            found.append(first)
            at = first.next
        return found

    async def _first_of_rest(self, of: Partitioned, since: Month) -> Month | None:
        key = KEYS[of]
        query = f"select min({key}) from {of}_rest where {key} >= $1"  # noqa: S608 - made of constants
        ((first,),) = await self._connection.fetch(query, since.bounds(of)[0])
        return None if first is None else postgres_partitions.month_of(of, first)

    async def _rest(self, of: Partitioned, month: Month | None = None) -> int:
        """How many rows have no table, of a month or at all; not counted further than matters."""
        key, (low, high) = KEYS[of], (0, (1 << 63) - 1) if month is None else month.bounds(of)
        within = f"select 1 from {of}_rest where {key} >= {low} and {key} < {high}"  # noqa: S608 - made of numbers
        most = postgres_partitions.MOST_MOVED + 1
        ((rows,),) = await self._connection.fetch(f"select count(*) from ({within} limit {most}) r")  # noqa: S608
        return int(rows)

    # -- what is dead

    async def _tables(self) -> list[Table]:
        """All tables of months, oldest first."""
        found = await self._connection.fetch(
            "select c.relname::text, obj_description(c.oid, 'pg_class') from pg_inherits i"
            " join pg_class c on c.oid = i.inhrelid"
            " where i.inhparent in (to_regclass('sessions'), to_regclass('attempts')) order by 1"
        )
        return [table for name, comment in found if (table := _table(name, comment)) is not None]

    async def _drop(self, table: Table) -> None:
        """Drop the table, unless a session in it has not ended for long enough."""
        if table.of == "sessions" and await self._lives(table):
            return
        script = f"alter table {table.of} detach partition {table.name}; drop table {table.name}"
        if await self._patiently(lambda: self._execute(script)):
            self._dropped.append(table.name)
        else:
            self._busy.append(table.name)

    async def _lives(self, table: Table) -> bool:
        """Look through a month; what is found is written to the table, so that the next look comes when it can pay."""
        query = f"select max(least(expires_at, revoked_at)) from {table.name}"  # noqa: S608 - made of numbers
        ((last_end,),) = await self._connection.fetch(query)
        if last_end is None or last_end < self._due.ended_before:
            return False
        comment = f"comment on table {table.name} is 'the last session here ends at {int(last_end)}'"
        await self._patiently(lambda: self._execute(comment))
        return True

    # -- turns

    async def _turn(self, work: Work) -> None:
        """A transaction as the owner of the tables, while no other process is at it. Raises _Elsewhere."""
        await self._connection.execute(self._begin)
        try:
            await self._become_owner()
            await self._be_alone()
            await work()
        except BaseException:
            if not self._connection.is_closed():
                await self._connection.execute("rollback")
            raise
        await self._connection.execute("commit")

    async def _be_alone(self) -> None:
        locked = await self._connection.fetch("select pg_try_advisory_xact_lock($1)", postgres_schema.LOCK)
        if not locked[0][0]:
            raise _Elsewhere

    async def _become_owner(self) -> None:
        """Whoever maintains, new tables belong to the owner of the others."""
        owner = "select relowner from pg_class where oid = to_regclass('sessions')"
        found = await self._connection.fetch(
            f"select format('set local role %I', pg_get_userbyid(relowner)) from ({owner}) o"  # noqa: S608 - constant
            " where pg_has_role(relowner, 'member')"
        )
        if not found:
            raise _NotTheOwner
        await self._connection.execute(found[0][0])

    async def _patiently(self, work: Work) -> bool:
        """Try a few times, each time for an instant; False while others use what it needs."""
        for pause in (*PAUSES, None):
            await self._connection.execute("savepoint tried")
            try:
                await work()
            except _IN_USE:
                await self._connection.execute("rollback to savepoint tried")
                if pause is not None:
                    await self._sleep(pause)
            else:
                return True
        return False

    async def _execute(self, script: str) -> None:
        await self._connection.execute(script)


def _table(name: str, comment: str | None) -> Table | None:
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    said = _SAID.search(comment or "")
    month = Month(int(found[2]), int(found[3]))
    return Table(cast("Partitioned", found[1]), month, int(said[1]) if said else None)
