# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""PostgreSQL databases as the ends of a copy (:mod:`assay.store.copying`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import asyncpg

from assay.store import postgres_connections, postgres_partitions, postgres_schema
from assay.store.copying_sides import taken_over
from assay.store.copying_tables import TABLES, Changes, Row, Statements, Table
from assay.store.opening import StoreFault
from assay.store.postgres_address import Address, parse
from assay.store.postgres_connections import FAULTS, Connection, Limits
from assay.store.postgres_partitions import Month
from assay.store.postgres_statements import storable

MOST_MONTHS = 24
"""Rows that are older go into the tables for what no month holds."""

_LIMITS = Limits(statement=0, lock=60_000, idle_in_transaction=0)

_CHECK = "select value from meta where name = 'root_key_check'"
_OTHERS = """
select 1 from pg_stat_activity
where datname = current_database() and application_name = 'assay' and pid <> pg_backend_pid() limit 1
"""
_SNAPSHOT = "begin isolation level repeatable read"
_COLUMNS = """
select attname::text from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
"""
# Nobody drops a month as dead into which old sessions that live are being copied (postgres_upkeep), or makes one too.
_NO_UPKEEP = f"select pg_advisory_xact_lock_shared({postgres_schema.LOCK})"
_UPKEEP = f"select pg_advisory_xact_lock({postgres_schema.LOCK})"
# The row itself is the gate: whoever changes the mark waits for this transaction, and stops the next ones.
_GATE = f"{_CHECK} and value = $1 for update"
_CLAIM = "insert into meta (name, value) values ('root_key_check', $1) on conflict (name) do nothing returning 1"
_SET_CHECK = "update meta set value = $1 where name = 'root_key_check'"
_NUMBER_ON = """
select setval('records_number', greatest(1, last_value, (select max(number) from events),
    (select max(number) from attempts)), true) from records_number
"""


async def open_source(url: str) -> PostgresSource:
    """The database at this address, as it is from now on for this reader. Raises StoreFault."""
    address, connection = await _opened(url)
    with _faults_named(address):
        is_alone = await _have_alone(connection)
        if not is_alone:
            await connection.execute(f"{_SNAPSHOT} read only")
        await connection.fetch(_CHECK)  # the first read is the moment that is copied
    return PostgresSource(connection, address, is_alone=is_alone)


async def open_target(url: str) -> PostgresTarget:
    """The database at this address, which must have its schema. Raises StoreFault."""
    address, connection = await _opened(url)
    return PostgresTarget(connection, address)


async def _opened(url: str) -> tuple[Address, Connection]:
    address = parse(url)
    if address.pools_transactions:
        raise StoreFault(
            "a copy needs the server itself: name its own address, not that of a pooler, and no pgbouncer=1"
        )
    with _faults_named(address):
        connection = await postgres_connections.connect(address, _LIMITS)
        try:
            await postgres_schema.check(connection, address)
        except BaseException:
            connection.terminate()
            raise
    return address, connection


async def _have_alone(connection: Connection) -> bool:
    """Keep others from writing if no server, and no command, is connected. Locks come before the first read."""
    if await connection.fetch(_OTHERS):
        return False
    try:
        await connection.execute(
            f"{_SNAPSHOT}; lock table {', '.join(each.name for each in TABLES)} in share mode nowait"
        )
    except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError):
        await connection.execute("rollback")
        return False
    return True


class _PostgresSide:
    def __init__(self, connection: Connection, address: Address) -> None:
        self._connection = connection
        self._address = address
        self._texts: dict[str, Statements] = {}
        self.shown = address.shown

    async def schema(self) -> int:
        with _faults_named(self._address):
            found = await postgres_schema.current(self._connection, self._address)
        return found.number if found else 0

    async def columns(self, table: str) -> frozenset[str]:
        return frozenset(row[0] for row in await self._rows(_COLUMNS, table))

    async def root_key_check(self) -> bytes | None:
        found = await self._rows(_CHECK)
        return found[0][0] if found else None

    async def page(self, table: Table, columns: Sequence[str], after: Row | None) -> list[Row]:
        texts = self._statements(table, columns)
        return await (self._rows(texts.first) if after is None else self._rows(texts.following, *after))

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=postgres_connections.CONNECT_SECONDS)
        except FAULTS:
            self._connection.terminate()

    async def _rows(self, query: str, *arguments: object) -> list[Row]:
        with _faults_named(self._address):
            return [tuple(row) for row in await self._connection.fetch(query, *arguments)]

    def _statements(self, table: Table, columns: Sequence[str]) -> Statements:
        if table.name not in self._texts:
            self._texts[table.name] = Statements(table, columns, "${}".format)
        return self._texts[table.name]


class PostgresSource(_PostgresSide):
    """A :class:`assay.store.copying_sides.Source` in a database."""

    def __init__(self, connection: Connection, address: Address, *, is_alone: bool) -> None:
        super().__init__(connection, address)
        self.is_alone = is_alone

    async def count(self, table: Table) -> int:
        return int((await self._rows(f"select count(*) from {table.name}"))[0][0])  # noqa: S608 - a name of our own

    async def least(self, table: str, column: str) -> int | None:
        found: int | None = (await self._rows(f"select min({column}) from {table}"))[0][0]  # noqa: S608 - names of our own
        return found


class PostgresTarget(_PostgresSide):
    """A :class:`assay.store.copying_sides.Target` in a database."""

    def storable(self, rows: list[Row]) -> list[Row]:
        return [_storable(row) for row in rows]

    async def is_empty(self, table: Table) -> bool:
        return not await self._rows(f"select 1 from {table.name} limit 1")  # noqa: S608 - a name of our own

    async def claim(self, found: bytes | None, mark: bytes) -> None:
        if found is None:
            if not await self._rows(_CLAIM, mark):
                raise taken_over(self.shown)
            return
        await self._in_transaction(found, [(_SET_CHECK, [(mark,)])])

    async def make_room(self, since: int, now: int) -> None:
        """Make the tables of these months; who may not leaves it to the next `assay migrate`."""
        months = [Month.of(since)]
        while months[-1] < Month.of(now):
            months.append(months[-1].next)
        with _faults_named(self._address):
            await self._connection.execute("begin")
            try:
                await self._connection.fetch(_UPKEEP)
                for month in months[-MOST_MONTHS:]:
                    await postgres_partitions.make(self._connection, month)
            except asyncpg.InsufficientPrivilegeError:
                await self._connection.execute("rollback")
            else:
                await self._connection.execute("commit")

    async def change(self, mark: bytes, table: Table, columns: Sequence[str], changes: Changes) -> None:
        await self._in_transaction(mark, self._statements(table, columns).of(changes))

    async def finish(self, mark: bytes, check_value: bytes) -> None:
        with _faults_named(self._address):
            await self._connection.execute("analyze")  # nothing is known yet of what the tables hold
        await self._in_transaction(mark, [(_NUMBER_ON, [()]), (_SET_CHECK, [(check_value,)])])

    async def _in_transaction(self, mark: bytes, work: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Do it all or nothing, while the check value is this. A fault ends the run, and the transaction with it."""
        with _faults_named(self._address):
            await self._connection.execute("begin")
            await self._connection.fetch(_NO_UPKEEP)
            if not await self._connection.fetch(_GATE, mark):
                raise taken_over(self.shown)
            for text, rows in work:
                await self._connection.executemany(text, rows)
            await self._connection.execute("commit")


def _storable(row: Row) -> Row:
    return tuple(map(storable, row)) if any(type(each) is str and "\x00" in each for each in row) else row


@contextmanager
def _faults_named(address: Address) -> Iterator[None]:
    """No text of the driver is passed on: it quotes values."""
    try:
        yield
    except (*FAULTS, ValueError) as fault:
        raise postgres_schema.unusable(address, fault) from None
