"""Templates: where they are, how they escape, and the few words they know beside their own."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from pathlib import Path

import jinja2

import assay
from assay.dashboard import static_files

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_FOLDER = Path(__file__).parent / "templates"


@functools.cache
def environment() -> jinja2.Environment:
    """The templates. Everything that is put into one is escaped; a name that nobody gave is a fault."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"utc": utc, "stamp": stamp, "away": away, "spoken": spoken, "counted": counted}
    made.filters |= {"as_json": as_json, "as_pretty_json": as_pretty_json, "present": present}
    made.globals |= {"version": assay.__version__, "static": _address}
    return made


def utc(seconds: int) -> str:
    """A time to read: ``28 May 2026, 20:26 UTC``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %b %Y, %H:%M UTC")


def stamp(seconds: int) -> str:
    """A time for programs, RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def away(seconds: int, now: int) -> str:
    """How far a time is from now: ``3 minutes ago``, ``in 2 hours``."""
    distance = abs(seconds - now)
    if distance < _MINUTE:
        return "just now" if seconds <= now else "in under a minute"
    length = spoken(distance)
    return f"{length} ago" if seconds <= now else f"in {length}"


def spoken(seconds: int) -> str:
    """A length of time in its greatest unit: ``45 seconds``, ``3 hours``, ``12 days``."""
    for size, unit in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= size:
            return counted(seconds // size, unit)
    return counted(seconds, "second")


def counted(number: int, noun: str) -> str:
    """``1 session``, ``12,345 sessions``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_json(value: object) -> str:
    """A value out of a token, as JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


def as_pretty_json(value: object) -> str:
    """A value as JSON to read and to edit, over several lines."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def present(given: dict[str, object]) -> dict[str, object]:
    """What there is; members that are None are left out."""
    return {name: value for name, value in given.items() if value is not None}


def _address(name: str) -> str:
    return f"/dashboard/static/{static_files.by_name()[name].served_as}"
