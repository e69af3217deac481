"""The schema of a PostgreSQL store: ``assay migrate`` brings it up to date, whoever opens it checks it (decisions D28).

Releases change over one host at a time, so a release may use a schema newer than its own, as long as the newest
migration says that what the release knows is enough: it only added things that have defaults.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import NamedTuple

import asyncpg

from assay.store import postgres_connections, postgres_partitions, postgres_roles
from assay.store.opening import Migrated, SchemaTooNew, SchemaTooOld, StoreFault
from assay.store.postgres_address import Address, parse
from assay.store.postgres_connections import FAULTS, Connection, Limits, named
from assay.store.postgres_partitions import Month

LEAST_VERSION = 14

LOCK = 0x_A55A_0001
"""The name of the lock that one of many hosts has while it migrates or maintains."""

_LIMITS = Limits(statement=0, lock=0, idle_in_transaction=0)
_COMPATIBLE = re.compile(r"-- compatible from (\d+)\n")


class Migration(NamedTuple):
    """One numbered step of the schema; appended to, never changed.

    A release that knows the migrations up to ``compatible_from`` can use the schema as it is after this one.
    """

    number: int
    name: str
    compatible_from: int
    sql: str


class Schema(NamedTuple):
    """Where a database is: the newest migration applied, and what one must know to use it."""

    number: int
    compatible_from: int


def migrations() -> tuple[Migration, ...]:
    """All migrations this version knows, in order. Raises ValueError for one that does not say who can use it."""
    folder = Path(__file__).with_name("postgres_migrations")
    return tuple(_read(file) for file in sorted(folder.glob("*.sql")))


def _read(file: Path) -> Migration:
    sql = file.read_text(encoding="utf-8")
    said = _COMPATIBLE.match(sql)
    if said is None:
        raise ValueError(f"{file.name} must begin with a line such as: -- compatible from 6")
    return Migration(int(file.stem.split("_", 1)[0]), file.stem, int(said[1]), sql)


async def migrate(url: str, now: int | None = None, grant_to: str | None = None) -> Migrated:
    """Bring the schema at this address up to date, and make the tables of the month of ``now`` (seconds) and the next.

    Any number of hosts may do it at once: one does, the others wait for it and find it done. ``grant_to`` is the user
    of servers, which gets the rights it needs in the same transaction. Raises SchemaTooNew when
    a newer Assay has been at it, and StoreFault, whose message says what to do and never quotes a password.
    """
    address = parse(url)
    try:
        connection = await postgres_connections.connect(address, _LIMITS)
        try:
            await refuse_unfit(connection, address)
            await connection.execute("begin")
            done = await _migrated(connection, address, Month.of(int(time.time()) if now is None else now))
            if grant_to is not None:
                await postgres_roles.grant(connection, grant_to)
            await connection.execute("commit")
        finally:
            await connection.close(timeout=postgres_connections.CONNECT_SECONDS)
    except (*FAULTS, ValueError) as fault:
        raise unusable(address, fault) from None
    return done


async def _migrated(connection: Connection, address: Address, month: Month) -> Migrated:
    await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
    schema = await current(connection, address)
    if schema is None:
        await _refuse_foreign(connection, address)
    known = migrations()
    refuse_newer(schema, address, known)
    pending = [one for one in known if schema is None or one.number > schema.number]
    for migration in pending:
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into schema_migrations (number, name, applied_at, compatible_from) values ($1, $2, $3, $4)",
            *(migration.number, migration.name, int(time.time()), migration.compatible_from),
        )
    made = [await postgres_partitions.make(connection, one) for one in (month, month.next)]
    months = [table for tables in made for table in tables]
    number = max(known[-1].number, 0 if schema is None else schema.number)
    return Migrated(number, tuple(one.name for one in pending), tuple(months))


async def check(connection: Connection, address: Address) -> None:
    """Refuse a database that this version cannot serve from. Raises SchemaTooNew, SchemaTooOld and StoreFault."""
    await refuse_unfit(connection, address)
    schema = await current(connection, address)
    known = migrations()
    if schema is None:
        raise SchemaTooOld(f"{address.shown} has no schema yet; run: assay migrate")
    if schema.number < known[-1].number:
        found, needed = schema.number, known[-1].number
        raise SchemaTooOld(f"{address.shown} has schema {found}, and this version needs {needed}; run: assay migrate")
    refuse_newer(schema, address, known)


async def current(connection: Connection, address: Address) -> Schema | None:
    """The schema of a database of ours, None in one that has none. Raises StoreFault for another program's."""
    columns = await connection.fetch(
        "select attname from pg_attribute where attrelid = to_regclass('schema_migrations') and attnum > 0"
    )
    if not columns:
        return None
    if "compatible_from" not in {row[0] for row in columns}:
        raise _foreign(address)
    newest = "select number, compatible_from from schema_migrations order by number desc limit 1"
    found = await connection.fetch(newest)
    return Schema(*found[0]) if found else None


def refuse_newer(schema: Schema | None, address: Address, known: tuple[Migration, ...]) -> None:
    """Raise SchemaTooNew for a schema of which this version does not know enough."""
    newest = known[-1].number
    if schema is not None and schema.compatible_from > newest:
        raise SchemaTooNew(
            f"{address.shown} has schema {schema.number}, which needs a version of Assay that knows"
            f" {schema.compatible_from}, and this one knows {newest}: use the version that migrated it"
        )


async def refuse_unfit(connection: Connection, address: Address) -> None:
    """Raise StoreFault for a server that is too old, or text that cannot hold every letter."""
    settings = "select current_setting('server_version_num')::int, current_setting('server_encoding')"
    ((version, encoding),) = await connection.fetch(settings)
    if version < LEAST_VERSION * 10_000:
        raise StoreFault(f"{address.shown} is a PostgreSQL older than {LEAST_VERSION}; use a newer one")
    if encoding != "UTF8":
        raise StoreFault(f"{address.shown} does not keep text as UTF8; make the database with encoding 'UTF8'")


async def _refuse_foreign(connection: Connection, address: Address) -> None:
    here = "select 1 from pg_class where relkind in ('r', 'p') and relnamespace = current_schema()::regnamespace"
    if await connection.fetch(f"{here} limit 1"):
        raise _foreign(address)


def _foreign(address: Address) -> StoreFault:
    return StoreFault(f"{address.shown} holds tables of another program; name an empty database")


def unusable(address: Address, fault: BaseException) -> StoreFault:
    """Why the database cannot be used; the driver's own text may quote what is secret."""
    if isinstance(fault, StoreFault):
        return fault
    if isinstance(fault, asyncpg.InvalidAuthorizationSpecificationError):
        return StoreFault(f"{address.shown} refuses this user or its password")
    if isinstance(fault, asyncpg.InvalidCatalogNameError):
        return StoreFault(f"{address.shown} does not exist; make the database first")
    if isinstance(fault, asyncpg.InsufficientPrivilegeError):
        return StoreFault(f"{address.shown} does not let this user do that; migrate as the owner of the tables")
    return StoreFault(f"{address.shown} cannot be used as a store: {named(fault)}")
