"""Looking into the file of a store directly, whatever its tables are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

Rows = dict[str, set[tuple[Any, ...]]]


def tables(path: str) -> dict[str, list[str]]:
    """The columns of every table."""
    with closing(sqlite3.connect(path)) as connection:
        return _tables(connection)


def everything(path: str, *, leave_out: tuple[str, ...] = ()) -> Rows:
    """All rows of all tables but those left out."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for name in _tables(connection) if name not in leave_out]
        return {name: set(connection.execute(f"select * from {name}").fetchall()) for name in names}


def holders(path: str, environment_id: str) -> set[str]:
    """The tables with a row of this environment."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            name
            for name, columns in _tables(connection).items()
            if "environment_id" in columns
            and connection.execute(f"select 1 from {name} where environment_id = ?", (environment_id,)).fetchone()
        }


def finds(path: str, text: str) -> set[str]:
    """The tables with this text, in whatever case, anywhere in a row."""
    return {
        name
        for name, rows in everything(path).items()
        if any(text.lower() in _text(value).lower() for row in rows for value in row)
    }


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    return {name: [row[1] for row in connection.execute(f"pragma table_info({name})")] for name in names}
