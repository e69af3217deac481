"""Rows of the table of pages, and which of them a path names.

The table is data: the tests walk over it, and a page that is in it is looked at by all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec

from assay.dashboard.page import Answer, Page
from assay.stories.operators import Role

Handler = Callable[[Page], Awaitable[Answer]]

IN_ENVIRONMENT = "{project_slug}/{environment_slug}/"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One page, or one form post. ``path`` stands below ``/dashboard/`` and has no slash at its ends.

    ``role`` is the least one that may call it; None is for whoever comes. ``section`` is the entry of the navigation
    that a page belongs to.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    role: Role | None
    section: str = ""

    @property
    def in_environment(self) -> bool:
        """Whether it acts on the environment that its path names."""
        return self.path.startswith(IN_ENVIRONMENT)


def get(path: str, handler: Handler, section: str = "", *, role: Role | None = "viewer") -> Row:
    """A page."""
    return Row(method="GET", path=path, handler=handler, role=role, section=section)


def post(path: str, handler: Handler, *, role: Role | None = "editor") -> Row:
    """A form post."""
    return Row(method="POST", path=path, handler=handler, role=role)


class Table:
    """All rows, found by the path of a request. Of several that fit, the one whose fixed parts come first wins."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = sorted(rows, key=lambda row: [part.startswith("{") for part in row.path.split("/")])

    def find(self, path: str) -> list[tuple[Row, dict[str, str]]]:
        """Rows of every method for this still encoded path, with its parameters, the best ones first."""
        segments = path.split("/")
        fitting = ((row, _parameters(row.path.split("/"), segments)) for row in self._rows)
        return [(row, parameters) for row, parameters in fitting if parameters is not None]


def _parameters(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    found = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            text = _decoded(segment)
            if not text:
                return None
            found[wanted[1:-1]] = text
        elif wanted != segment:
            return None
    return found


def _decoded(segment: str) -> str:
    """A segment as text; empty when it is none that could name anything."""
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return ""
    return "" if "\x00" in text else text
