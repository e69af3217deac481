"""The link by which the first operator comes in: shown on the terminal, else left in a file, and never in the log."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import structlog

from assay.config import Settings, is_postgres, sqlite_path
from assay.stories import operators
from assay.stories.context import Context, Operator
from assay.stories.operators import Invitation

_HINT = "assay operator invite EMAIL --role owner"

PATH = "/dashboard/welcome?token="

log = structlog.get_logger()


async def invited(context: Context) -> Invitation | None:
    """A new link, which ends those of earlier starts; None when there are operators. A file of one is then removed."""
    invitation = await operators.first_link(context, by=Operator(name="serve"))
    file = file_of(context.settings)
    if invitation is None and file is not None:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
    return invitation


def hand_out(invitation: Invitation, url: str, settings: Settings) -> None:
    """Show the link to who started the server, or leave it beside the database for them alone."""
    link = f"{settings.public_url or url}{PATH}{invitation.token}"
    if sys.stdout.isatty():
        sys.stdout.write(f"Become the first operator of the dashboard, within 24 hours:\n  {link}\n")
        sys.stdout.flush()
        return
    file = file_of(settings)
    if file is None:
        log.warning("first_operator", hint=_HINT)
        return
    try:
        _write(file, link)
    except OSError as fault:
        log.warning("first_operator", fault=fault.strerror, hint=_HINT)
    else:
        log.info("first_operator", file=str(file))


def file_of(settings: Settings) -> Path | None:
    """Where the link lies when there is no terminal: beside the file of an SQLite store."""
    if is_postgres(settings.database):
        return None
    return Path(f"{sqlite_path(settings.database)}.first-operator")


def _write(file: Path, link: str) -> None:
    """Readable by its owner alone from the first moment on, and never through a link that somebody left there."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(f"{link}\n")
