"""``assay migrate``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import settings
from assay.config import shown_database
from assay.store.opening import Migrated
from assay.store.opening import migrate as bring_up_to_date

GrantTo = Annotated[
    str | None,
    typer.Option(
        "--grant-to",
        metavar="USER",
        help="PostgreSQL: also give this user of the database the rights that servers need, and no others.",
    ),
]
RolesSql = Annotated[
    bool,
    typer.Option(
        "--roles-sql",
        help="PostgreSQL: do nothing but print the SQL that makes two users, one that owns the tables and one for"
        " servers.",
    ),
]


def migrate(
    *, database: Database = None, grant_to: GrantTo = None, roles_sql: RolesSql = False, as_json: Json = False
) -> None:
    """Bring the schema of the database up to date. It may run on many hosts at once, and while servers run.

    With PostgreSQL this is the one command that changes the schema, so run it as the owner of the tables before servers
    of a new version start; those of the version before go on meanwhile. Every command does it with an SQLite file.
    """
    if roles_sql:
        from assay.store import postgres_roles  # noqa: PLC0415 - PostgreSQL's client stays out of all other commands

        output.show({"sql": postgres_roles.SCRIPT}, postgres_roles.SCRIPT.splitlines(), as_json=as_json)
        return
    found = settings(database)
    done = asyncio.run(bring_up_to_date(found.database, grant_to))
    document = {"database": shown_database(found.database), "schema": done.schema, "applied": list(done.applied)}
    output.show({**document, "months": list(done.months)}, _lines(document["database"], done), as_json=as_json)


def _lines(shown: object, done: Migrated) -> list[str]:
    lines = [f"Applied {name}." for name in done.applied]
    lines += [f"Made the table {name}." for name in done.months]
    return [*lines, f"{shown} has schema {done.schema}."]
