"""``assay migrate``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import settings
from assay.config import shown_database
from assay.store import postgres_roles
from assay.store.opening import Migrated
from assay.store.opening import migrate as bring_up_to_date

RolesSql = Annotated[
    bool,
    typer.Option(
        "--roles-sql",
        help="Change nothing; print the SQL that makes two users of a PostgreSQL database: one that owns the tables, and"
        " one for servers, with no right that they can spare.",
    ),
]


def migrate(*, database: Database = None, roles_sql: RolesSql = False, as_json: Json = False) -> None:
    """Bring the schema of the database up to date. It may run on many hosts at once, and while servers run.

    With PostgreSQL this is the one command that changes the schema, so run it as the owner of the tables before servers
    of a new version start; those of the version before go on meanwhile. Every command does it with an SQLite file.
    """
    if roles_sql:
        output.show({"sql": postgres_roles.script()}, postgres_roles.script().splitlines(), as_json=as_json)
        return
    found = settings(database)
    done = asyncio.run(bring_up_to_date(found.database))
    document = {"database": shown_database(found.database), "schema": done.schema, "applied": list(done.applied)}
    output.show({**document, "months": list(done.months)}, _lines(document["database"], done), as_json=as_json)


def _lines(shown: object, done: Migrated) -> list[str]:
    lines = [f"Applied {name}." for name in done.applied]
    lines += [f"Made the table {name}." for name in done.months]
    return [*lines, f"{shown} has schema {done.schema}."]
