"""``assay backup``."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import settings
from assay.config import Settings
from assay.keys.sealing import root_key_file
from assay.store import backup as backups


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make; it must not exist yet.")],
    *,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy the database into one file while servers use it: all of it, as it is at one moment.

    The file can be read by you alone (mode 600). The root key is not in it; without it, the signing keys in it and the
    shared secrets stay sealed. Keep that too, but elsewhere.
    """
    found, now = settings(database), int(time.time())
    asyncio.run(backups.back_up(found.database, str(file), now=now))
    where = _root_key(found)
    lines = [
        f"Backed up {found.database} to {file}.",
        f"The root key is not in it. It is in {where}; keep a copy of it, but not beside the backup.",
    ]
    output.show({"backup": str(file), "made_at": output.time(now), "root_key": where}, lines, as_json=as_json)


def _root_key(found: Settings) -> str:
    return "ASSAY_ROOT_KEY" if found.root_key else str(root_key_file(found))
