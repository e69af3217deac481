"""Docstrings as text for the callers of the API: roles, citations and what is raised left out."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
# Rules are cited for those who change the code; docs/reference/rules.md explains them.
_CITED = re.compile(r"\s*\((?:(?:contract|decisions?|security|RFC)\b|[DRA]\d)[^()]*\)")
_RAISED = "Raises "


class Told(NamedTuple):
    """What a docstring tells: its first sentence without the full stop, all the rest, and what it says is raised.

    ``raised`` is the docstring's own text, for those who look for names in it; the others are CommonMark.
    """

    summary: str
    text: str
    raised: str


def told(documented: object) -> Told:
    """The docstring of a function or class, in parts."""
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(documented) or "").split("\n\n")]
    parts = [part.partition(_RAISED) for part in paragraphs]
    text = "\n\n".join(filter(None, (plain(before) for before, _, _ in parts)))
    summary, dot, more = text.partition(". ")
    head, gap, rest = summary.partition("\n\n")
    if gap:
        summary, more = head, f"{rest}{dot}{more}"
    return Told(summary.rstrip(".:"), more.strip(), " ".join(raised for _, _, raised in parts if raised))


def plain(text: str) -> str:
    """Text of a docstring as CommonMark that speaks to callers."""
    without = _CITED.sub("", _ROLE.sub(r"`\1`", text)).replace("``", "`")
    return without.strip()
