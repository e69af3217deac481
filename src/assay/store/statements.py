"""Every statement, read from ``sql/*.sql`` once: a name, a sentence, the SQL.

In the files ``{member}`` stands for the columns of a Member, ``{s.secret}`` for those of a Secret under the alias
``s``, ``{:member}`` for the named parameters of a Member, and any other ``{name}`` for the statement of that name.
Nothing else is ever put into a statement's text; values are bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.store import rows

SHAPES: Mapping[str, rows.Rows[Any]] = {
    "project": rows.PROJECT,
    "environment": rows.ENVIRONMENT,
    "secret": rows.SECRET,
    "public_token": rows.PUBLIC_TOKEN,
    "workspace_key": rows.WORKSPACE_KEY,
    "jwt_template": rows.JWT_TEMPLATE,
    "redirect_url": rows.REDIRECT_URL,
    "signing_key": rows.SIGNING_KEY,
    "profile": rows.PROFILE,
    "pem_file": rows.PEM_FILE,
    "kept_keys": rows.KEPT_KEYS,
    "organization": rows.ORGANIZATION,
    "member": rows.MEMBER,
    "user": rows.USER,
    "operator_password": rows.OPERATOR_PASSWORD,
    "operator_link": rows.OPERATOR_LINK,
    "session": rows.SESSION,
    "replay_mark": rows.REPLAY_MARK,
    "observations": rows.OBSERVATIONS,
    "attempt": rows.ATTEMPT,
    "event": rows.EVENT,
}

# The one gap left open: a search puts its conditions here, each of them a statement of these files (search.py).
CONDITIONS = "{conditions}"

_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_PLACE = re.compile(r"\{(?P<before>:|\w+\.)?(?P<name>\w+)\}")


def load(*folders: Path) -> dict[str, str]:
    """All statements by name; one of a later folder stands for that of an earlier one.

    Raises ValueError for a block without a name, or with one that its folder uses twice.
    """
    blocks: dict[str, str] = {}
    for folder in folders:
        blocks |= _blocks(folder)
    return {name: _fill(text, blocks) for name, text in blocks.items()}


def _blocks(folder: Path) -> dict[str, str]:
    blocks: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        for block in re.split(r"\n\s*\n", file.read_text(encoding="utf-8").strip()):
            name, sentence, *statement = block.splitlines()
            if not (name.startswith("-- ") and sentence.startswith("-- ") and statement) or name[3:] in blocks:
                raise ValueError(f"{file.name}: {name} needs a name of its own, a sentence and a statement")
            blocks[name[3:]] = "\n".join(line for line in statement if not line.startswith("--")).rstrip(";")
    return blocks


def positional(text: str, *columns: str) -> str:
    """A statement that takes its values in the order of ``columns``. Raises ValueError for any other place."""
    return _NAMED.sub(lambda place: f"?{columns.index(place[1]) + 1}", text)


def _fill(text: str, blocks: Mapping[str, str]) -> str:
    """Put columns, parameters and other statements in their places. Raises KeyError for a name nobody knows."""

    def put(place: re.Match[str]) -> str:
        if place[0] == CONDITIONS:
            return CONDITIONS
        before, name = place["before"] or "", place["name"]
        if name in SHAPES:
            return ", ".join(before + column for column in SHAPES[name].columns)
        return _fill(blocks[name], blocks)

    return _PLACE.sub(put, text)


SHARED = Path(__file__).with_name("sql")

STATEMENTS: Mapping[str, str] = load(SHARED)
