"""Copies of stores, and a source that has rows in every table, whatever the tables are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from assay.keys.copied import CopiedKeys, SourceKeys
from assay.keys.sealing import RootKey, secret_of, signing_key_purpose
from assay.store import copying, sqlite_files
from assay.store.copying import Copied, TableCopied, Tell
from assay.store.copying_sides import open_source, open_target
from assay.store.copying_tables import LEFT_OUT

NOW = 1_780_000_000
SECRET = RootKey(b"s" * 32)
HERE, THERE = RootKey(b"h" * 32), RootKey(b"t" * 32)


def silent(_phase: str, _rows: int, _part: float) -> None:
    """For whoever need not know how far it is."""


async def copied(source: str, target: str, tell: Tell = silent, *, old: RootKey = HERE, new: RootKey = HERE) -> Copied:
    """Copy the store at one address, whose root key is ``old``, to the other."""
    opened = await open_source(source)
    try:
        check_value = await opened.root_key_check()
        secret = check_value and secret_of(old, check_value)
        assert secret
        there = await open_target(target)
        try:
            return await copying.copy(opened, there, CopiedKeys(SourceKeys(old, secret), new), tell, now=NOW)
        finally:
            await there.close()
    finally:
        await opened.close()


async def compared(source: str, target: str) -> dict[str, TableCopied]:
    """Both sides of each table."""
    opened, there = await open_source(source), await open_target(target)
    try:
        keys = CopiedKeys(SourceKeys(HERE, SECRET), HERE)
        return {each.table: each for each in await copying.compare(opened, there, keys, silent)}
    finally:
        await there.close()
        await opened.close()


def filled(path: str, rows: int = 7, root_key: RootKey = HERE) -> str:
    """Make a store in this file with so many rows in every table, all in one environment; its address.

    No row makes sense to a server, but all keys hold.
    """
    sqlite_files.prepare(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("insert into meta values ('root_key_check', ?)", (SECRET.sealed_under(root_key),))
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            if table not in LEFT_OUT:
                _fill(connection, table, rows, root_key)
    return f"sqlite:///{path}"


def _fill(connection: sqlite3.Connection, table: str, rows: int, root_key: RootKey) -> None:
    columns = [(row[1], row[2]) for row in connection.execute(f"pragma table_info({table})")]
    values = ", ".join("?" * len(columns))
    for number in range(1, rows + 1):
        row = [_value(table, name, kind, number, root_key) for name, kind in columns]
        connection.execute(f"insert into {table} values ({values})", row)


_SHARED = {
    "project_id": ("projects",),
    "environment_id": ("environments", "rbac_policies"),
    "organization_id": ("organizations",),
}


def _value(table: str, column: str, kind: str, number: int, root_key: RootKey) -> Any:
    if column == "sealed_private_key":
        return root_key.seal(b"private key", signing_key_purpose("environment_id-1", f"kid-{number}"))
    if column == "state":
        return {1: "active", 2: "next"}.get(number, "retired")
    if table not in _SHARED.get(column, (table,)):
        number = 1
    return {"INTEGER": number << 40, "TEXT": f"{column}-{number}", "BLOB": f"{column}-{number}".encode()}[kind.upper()]
