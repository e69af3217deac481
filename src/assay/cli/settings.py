"""``assay config``."""

from __future__ import annotations

import os
from typing import Any

import typer

from assay import config
from assay.cli import output
from assay.cli.options import Database, Json
from assay.config import ConfigFault, Setting
from assay.keys.sealing import find_root_key
from assay.observing.opening import check as check_traces


def show(*, database: Database = None, as_json: Json = False) -> None:
    """Show all settings: the value, where it comes from, and what it means. Secrets are not shown.

    Settings are environment variables. Exit code 1 when one has a value that Assay cannot use.
    """
    rows = [_row(setting, database) for setting in config.SETTINGS]
    problem = _problem(database)
    output.show({"settings": rows, "problem": problem}, _lines(rows, problem), as_json=as_json)
    if problem is not None:
        raise typer.Exit(1)


def _row(setting: Setting, database: str | None) -> dict[str, Any]:
    value, source = os.environ.get(setting.variable, ""), "environment"
    if setting.variable == "ASSAY_DATABASE" and database:
        value, source = database, "--database"
    if not value:
        value, source = setting.default, "default"
    return {
        "variable": setting.variable,
        "value": "(hidden)" if setting.secret and value else _shown(setting, value),
        "source": source,
        "meaning": setting.meaning,
    }


def _shown(setting: Setting, value: str) -> str:
    return config.shown_database(value) if setting.variable == "ASSAY_DATABASE" else value


def _problem(database: str | None) -> str | None:
    try:
        settings = config.read(os.environ, database=database)
        if settings.root_key or config.is_postgres(settings.database):
            find_root_key(settings)
        check_traces(settings)
    except ConfigFault as fault:
        return str(fault)
    return None


def _lines(rows: list[dict[str, Any]], problem: str | None) -> list[str]:
    lines: list[str] = []
    for row in rows:
        lines += [f"{row['variable']} = {row['value'] or '(empty)'}", f"  {row['source']}. {row['meaning']}", ""]
    return [*lines, f"Problem: {problem}." if problem else "All settings can be used."]
