"""``assay restore``."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from assay.cli import asking, output
from assay.cli.options import Database, Json
from assay.cli.running import OPERATOR, settings
from assay.keys import sealing
from assay.store import backup as backups
from assay.store.backup import Backup, Restored
from assay.store.opening import sqlite_path


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup that `assay backup` made; it stays as it is.")],
    *,
    end_sessions: Annotated[bool, typer.Option("--end-sessions", help="End all sessions of the backup.")] = False,
    keep_sessions: Annotated[
        bool,
        typer.Option(
            "--keep-sessions",
            help="Leave them as the backup has them: those that were revoked after it was made are live again.",
        ),
    ] = False,
    yes: Annotated[bool, asking.Yes] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Replace the database by a backup. Stop all servers first; what was there is kept beside it, under another name.

    Needs the root key of the time when the backup was made. Checks all of the backup before anything changes. On a
    terminal it asks whether sessions are to end; elsewhere one of --end-sessions and --keep-sessions is required.
    """
    chosen = _chosen(end=end_sessions, keep=keep_sessions, can_ask=not yes and sys.stdin.isatty())
    found, now = settings(database), int(time.time())
    path = sqlite_path(found.database)  # refuses any other store, with advice
    backup = asyncio.run(backups.inspect(str(file)))
    sealing.check_backup(found, backup.root_key_check)
    _confirm(path, file, backup, yes=yes)
    ends = _ask() if chosen is None else chosen
    details = {"backup_made_at": output.time(backup.made_at), "sessions": "ended" if ends else "kept"}
    event = OPERATOR.event(None, "store.restored", file.name, now, **details)
    done = asyncio.run(backups.restore(str(file), found.database, now=now, end_sessions=ends, events=(event,)))
    document = {"database": found.database, "replaced": done.aside, **details}
    output.show(document, _lines(found.database, file, done, ends=ends), as_json=as_json)


def _chosen(*, end: bool, keep: bool, can_ask: bool) -> bool | None:
    """Whether sessions end; None when that is to be asked. It is never guessed: either answer can do harm."""
    if end and keep:
        raise typer.BadParameter("choose one of --end-sessions and --keep-sessions")
    if not (end or keep or can_ask):
        raise typer.BadParameter(
            "say what becomes of the backup's sessions: --end-sessions, or --keep-sessions, which makes those live"
            " again that were revoked after the backup was made"
        )
    return end if end or keep else None


def _confirm(path: str, file: Path, backup: Backup, *, yes: bool) -> None:
    """Ask before something is replaced; on an empty machine there is nothing to lose."""
    if os.path.lexists(path):
        asking.sure(f"Replace {path} by {file}, {_age(backup)}? What is there now is kept beside it.", yes=yes)


def _ask() -> bool:
    asking.tell(["Sessions that were revoked after the backup was made would be live again."])
    return asking.choose("End all sessions of the backup?")


def _age(backup: Backup) -> str:
    return f"made at {output.time(backup.made_at)}" if backup.made_at else "which is a database and no backup"


def _lines(database: str, file: Path, done: Restored, *, ends: bool) -> list[str]:
    lines = [f"Restored {database} from {file}, {_age(done.backup)}."]
    if done.aside:
        lines.append(f"What was there before is kept in {done.aside}; delete it when you need it no more.")
    lines.append("All its sessions have ended." if ends else "Its sessions are as they were in the backup.")
    lines.append("Secrets, workspace keys and people are also as they were then: revoke and erase again what has been.")
    return lines
