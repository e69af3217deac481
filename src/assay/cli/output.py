"""What commands print: one JSON object, or lines for people."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any


def show(document: dict[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print the outcome of a command to standard output, in the form that was asked for."""
    if as_json:
        _write_json(document)
    else:
        write(*lines)


def write(*lines: str) -> None:
    """Print lines for people to standard output."""
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def refuse(error_type: str, message: str, *, as_json: bool) -> None:
    """Say why a command did nothing: a sentence on standard error, and with ``--json`` an object as well."""
    sentence = message if message.startswith("Usage:") else f"assay: {message}"
    sys.stderr.write("".join(f"{printable(line)}\n" for line in sentence.splitlines()))
    if as_json:
        _write_json({"error_type": error_type, "error_message": message})


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows under titles, the columns aligned; only the titles when there are no rows."""
    whole = [titles, *rows]
    widths = [max(len(row[column]) for row in whole) for column in range(len(titles))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in whole]


def fields(values: dict[str, str]) -> list[str]:
    """Names and values, indented and aligned."""
    width = max(len(name) for name in values)
    return [f"  {name.ljust(width)}  {value}" for name, value in values.items()]


def command(*words: str, database: str | None) -> str:
    """An ``assay`` command ready to paste, over the same database as the one that suggests it."""
    where = ("--database", database) if database else ()
    return "  " + shlex.join(["assay", *words, *where])


def counted(number: int, noun: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def time(seconds: int | None) -> str | None:
    """Seconds since the epoch as RFC 3339 in UTC; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def printable(line: str) -> str:
    """The line as a terminal may be shown it."""
    # Names come from callers and tokens: a control character in one must not drive the operator's terminal.
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in line)
