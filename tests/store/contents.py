"""Looking into the file or the database of a store directly, whatever its tables are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from tests import postgres

Rows = dict[str, set[tuple[Any, ...]]]

OF_SQLITE = frozenset({"configuration_version"})
"""Tables that only a file has."""


def rows(path: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """What a query finds; its places are ``?`` in a file, ``$1`` in a database."""
    if path.startswith("postgresql://"):
        return postgres.run(lambda: postgres.fetch(path, query, *arguments))
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, arguments).fetchall()


def change(path: str, statement: str) -> None:
    """Run a statement behind the store's back."""
    if path.startswith("postgresql://"):
        postgres.run(lambda: postgres.execute(path, statement))
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)


def tables(path: str) -> dict[str, list[str]]:
    """The columns of every table that all stores have; the parts of one that is partitioned are not told."""
    if path.startswith("postgresql://"):
        return _tables_of_database(path)
    names = [name for (name,) in rows(path, "select name from sqlite_master where type = 'table'")]
    return {
        name: [row[1] for row in rows(path, f"pragma table_info({name})")] for name in names if name not in OF_SQLITE
    }


def everything(path: str, *, leave_out: tuple[str, ...] = ()) -> Rows:
    """All rows of all tables but those left out."""
    return {name: set(rows(path, f"select * from {name}")) for name in tables(path) if name not in leave_out}


def holders(path: str, environment_id: str) -> set[str]:
    """The tables with a row of this environment."""
    return {
        name
        for name, columns in tables(path).items()
        if "environment_id" in columns
        and rows(path, f"select 1 from {name} where environment_id = '{environment_id}' limit 1")
    }


def finds(path: str, text: str) -> set[str]:
    """The tables with this text, in whatever case, anywhere in a row."""
    return {
        name
        for name, found in everything(path).items()
        if any(text.lower() in _text(value).lower() for row in found for value in row)
    }


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tables_of_database(url: str) -> dict[str, list[str]]:
    query = """
        select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attnum > 0 and not a.attisdropped
        order by c.relname, a.attnum"""
    found: dict[str, list[str]] = {}
    for table, column in rows(url, query):
        found.setdefault(table, []).append(column)
    return found
