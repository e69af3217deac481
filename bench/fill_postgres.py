"""The same as :mod:`bench.fill` for a PostgreSQL database: people and live sessions by the million, by SQL alone."""

from __future__ import annotations

import time
from collections.abc import Mapping

from assay.store import postgres_partitions
from assay.store.postgres_connections import Connection
from assay.store.postgres_partitions import Month
from bench import postgres
from bench.fill import FAR_SECONDS, RANDOM_BITS, SCATTER, SESSION_EPOCH_MS, SPREAD_MS
from bench.store_cost import Numbers

_INDEXES = """
select indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
from pg_index where indrelid = 'sessions'::regclass and not indisprimary
"""


def fill(url: str, people: int, sessions: int) -> tuple[float, Numbers]:
    """Bring the database to so many of each; the seconds it took, and which numbers the sessions have.

    It holds one member (person 0) and one session of them. Whoever does this owns its tables, and nobody else is at it.
    Raises BenchFault.
    """
    begun = time.monotonic()
    numbers = postgres.connected(url, lambda connection: _filled(connection, people, sessions))
    return time.monotonic() - begun, numbers


async def _filled(connection: Connection, people: int, sessions: int) -> Numbers:
    now_ms = int(time.time() * 1000)
    numbers = Numbers(first_ms=now_ms - SESSION_EPOCH_MS - SPREAD_MS - 60_000, count=sessions)
    await connection.execute("set synchronous_commit = off; set maintenance_work_mem = '1GB'")
    await _make_months(connection, (now_ms - SPREAD_MS) // 1000 - 60, now_ms // 1000)
    await _copy(connection, "members", people - 1, _MEMBER)
    await _copy(connection, "member_emails", people - 1, _MEMBER_EMAIL)
    indexes = await connection.fetch(_INDEXES)
    for name, _ in indexes:
        await connection.execute(f"drop index {name}")
    await _copy(connection, "sessions", sessions - 1, _session(people, numbers))
    for _, text in indexes:
        await connection.execute(text)
    # As autovacuum would later, and then not while something is measured.
    for statement in ("vacuum (analyze, freeze)", "checkpoint"):
        await connection.execute(statement)
    return numbers


async def _make_months(connection: Connection, first: int, last: int) -> None:
    """Months that are over have tables in a database that was there at the time."""
    month = Month.of(first)
    while month.starts_at <= last:
        await postgres_partitions.make(connection, month)
        month = month.next


_MEMBER_ID = "left(member_id, -12) || lpad(to_hex(n), 12, '0')"
_EMAIL = "'person-' || n || '@example.com'"
_MEMBER = {"member_id": _MEMBER_ID, "external_id": "'auth0|' || lpad(n::text, 24, '0')", "email": _EMAIL}
_MEMBER_EMAIL = {"member_id": _MEMBER_ID, "email": _EMAIL}


def _session(people: int, numbers: Numbers) -> Mapping[str, str]:
    ms = f"({numbers.first_ms} + n * {SPREAD_MS} / {numbers.count})"
    seconds = f"({ms} + {SESSION_EPOCH_MS}) / 1000"
    return {
        "number": f"({ms} << {RANDOM_BITS}) | ((n * {numbers.JITTER}) & {(1 << RANDOM_BITS) - 1})",
        "id_tail": "(random() * 1e17)::bigint",
        "token_hash": "sha256(int8send(n))",
        "subject_id": f"left(subject_id, -12) || lpad(to_hex(1 + (n * {SCATTER}) % {people - 1}), 12, '0')",
        "started_at": seconds,
        "last_accessed_at": seconds,
        "expires_at": f"{seconds} + {FAR_SECONDS}",
    }


async def _copy(connection: Connection, table: str, count: int, changed: Mapping[str, str]) -> None:
    """Insert ``count`` copies of the table's first row, with these columns computed of n, which counts them."""
    named = "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
    columns = [row[0] for row in await connection.fetch(named, table)]
    values = ", ".join(changed.get(column, column) for column in columns)
    await connection.execute(
        f"with first as materialized (select * from {table} limit 1)"
        f" insert into {table} ({', '.join(columns)}) select {values}"
        f" from generate_series(1::bigint, {count}) as series (n) cross join first"
    )
