"""A database as it is after years: people and live sessions by the million, made of one of each by SQL alone."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SESSION_EPOCH_MS = 1_735_689_600_000
SPREAD_MS = 30 * 24 * 3600 * 1000
"""The sessions were started over the last thirty days."""
RANDOM_BITS = 22
FAR_SECONDS = 365 * 24 * 3600
SCATTER = 7919
"""Prime: the sessions of a person lie apart."""
TABLES = ("members", "member_emails", "sessions")


def fill(file: Path, people: int, sessions: int) -> float:
    """Bring the file to so many of each; the seconds it took. It holds one member (person 0) and one session of them.

    Nobody may have the file open. Indexes are dropped and made again: that is many times faster.
    """
    begun = time.monotonic()
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in ("journal_mode = delete", "synchronous = off", "cache_size = -1000000", "temp_store = memory"):
            connection.execute(f"pragma {pragma}")
        with _without_indexes(connection):
            connection.execute("begin")
            _copy(connection, "members", people - 1, _MEMBER)
            _copy(connection, "member_emails", people - 1, _MEMBER_EMAIL)
            _copy(connection, "sessions", sessions - 1, _session(people, sessions))
            connection.execute("commit")
        connection.execute("pragma journal_mode = wal")
    finally:
        connection.close()
    return time.monotonic() - begun


_MEMBER_ID = "substr(member_id, 1, length(member_id) - 12) || printf('%012x', n)"
_MEMBER = {
    "member_id": _MEMBER_ID,
    "external_id": "printf('auth0|%024d', n)",
    "email": "printf('person-%d@example.com', n)",
}
_MEMBER_EMAIL = {"member_id": _MEMBER_ID, "email": "printf('person-%d@example.com', n)"}


def _session(people: int, sessions: int) -> Mapping[str, str]:
    first_ms = int(time.time() * 1000) - SESSION_EPOCH_MS - SPREAD_MS - 60_000
    ms = f"({first_ms} + n * {SPREAD_MS} / {sessions})"
    seconds = f"({ms} + {SESSION_EPOCH_MS}) / 1000"
    return {
        "number": f"({ms} << {RANDOM_BITS}) | ((n * 2654435761) & {(1 << RANDOM_BITS) - 1})",
        "id_tail": "abs(random() >> 7)",
        "token_hash": "randomblob(32)",
        "subject_id": (
            f"substr(subject_id, 1, length(subject_id) - 12) || printf('%012x', 1 + (n * {SCATTER}) % {people - 1})"
        ),
        "started_at": seconds,
        "last_accessed_at": seconds,
        "expires_at": f"{seconds} + {FAR_SECONDS}",
    }


def _copy(connection: sqlite3.Connection, table: str, count: int, changed: Mapping[str, str]) -> None:
    """Insert ``count`` copies of the table's first row, with these columns computed of n, which counts them."""
    columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
    values = ", ".join(changed.get(column, column) for column in columns)
    connection.execute(
        f"with recursive series (n) as (select 1 union all select n + 1 from series where n < {count}),"
        f" first as materialized (select * from {table} limit 1)"
        f" insert into {table} ({', '.join(columns)}) select {values} from series cross join first"
    )


@contextmanager
def _without_indexes(connection: sqlite3.Connection) -> Iterator[None]:
    marks = ", ".join("?" * len(TABLES))
    wanted = f"select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name in ({marks})"
    indexes = connection.execute(wanted, TABLES).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}")
    yield
    for _, text in indexes:
        connection.execute(text)
