"""The statements as PostgreSQL takes them: shared text, or its second form out of ``sql_postgres``, with ``$n`` places.

A value is sent with its type, because PostgreSQL cannot infer one in ``:name is null``: that of the column of this
name, or what the statement itself says in ``:name::type``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin

from assay.store.rows import Parameters
from assay.store.statements import SHAPES, SHARED, STATEMENTS, load

_OF_SQLITE = frozenset({"configuration_version"})
"""What asks a table that only the embedded store has."""

TEXTS: Mapping[str, str] = {
    name: text
    for name, text in load(SHARED, Path(__file__).with_name("sql_postgres")).items()
    if name not in _OF_SQLITE
}
"""Every statement by name, before its places are numbered."""

_PLACE = re.compile(r"(?<![:\w]):(?P<name>[a-z_]\w*)(?P<type>::[a-z]+(?:\[\])?)?")

# What stands for no column, or for columns of several types of which this is the usual one.
_OTHERS = {
    **dict.fromkeys(("now", "until", "since", "limit", "look", "floor", "before", "most", "slice_seconds"), "bigint"),
    **dict.fromkeys(("is_live", "with_deleted", "known", "revision_step", "tombstones"), "bigint"),
    **dict.fromkeys(("attempts_before", "forgotten_before", "after_created_at", "free", "longest"), "bigint"),
    **dict.fromkeys(("number", "position", "profile_revision", "rotated_at", "settled", "newest", "seen"), "bigint"),
    **dict.fromkeys(("after_number", "upto", "ended_before", "accessed_at"), "bigint"),
    **dict.fromkeys(("root_key_check", "made_at"), "bytea"),
    **dict.fromkeys(("sessions", "issuers", "subjects", "parts"), "text[]"),
    **dict.fromkeys(("numbers",), "bigint[]"),
}

# PostgreSQL's text holds no NUL. It is kept as a character that no id, address or slug can hold either (decisions D21).
_NUL, _FOR_NUL = "\x00", "\uffff"


class Statement(NamedTuple):
    """Text with numbered places, and the names of what goes there, in order."""

    text: str
    names: tuple[str, ...]

    def arguments(self, parameters: Parameters) -> list[Any]:
        """The values in the order of their places. Raises KeyError for one that is missing."""
        return [storable(parameters[name]) for name in self.names]


def storable(value: object) -> object:
    """The value as PostgreSQL can hold it."""
    return value.replace(_NUL, _FOR_NUL) if isinstance(value, str) and _NUL in value else value


def type_of(kind: Any) -> str:  # noqa: ANN401 - a type, in any of its spellings
    """The type of a column for values of this type in Python."""
    if get_origin(kind) is not None and get_origin(kind) in {Union, type(int | None)}:
        return next(type_of(one) for one in get_args(kind) if one is not type(None))
    return {int: "bigint", bool: "bigint", bytes: "bytea"}.get(kind, "text")


_TYPES = {name: type_of(kind) for shape in SHAPES.values() for name, kind in shape.kinds.items()} | _OTHERS


@functools.lru_cache(maxsize=512)
def numbered(text: str) -> Statement:
    """A statement with ``:name`` places as one with ``$n`` places, each with its type."""
    said = {place["name"]: place["type"] for place in _PLACE.finditer(text) if place["type"]}
    names: dict[str, int] = {}

    def put(place: re.Match[str]) -> str:
        name = place["name"]
        number = names.setdefault(name, len(names) + 1)
        return f"${number}{said.get(name) or '::' + _TYPES.get(name, 'text')}"

    return Statement(_PLACE.sub(put, text), tuple(names))


STATEMENTS_BY_NAME: Mapping[str, Statement] = {name: numbered(text) for name, text in TEXTS.items()}

# Plans hold the shared text (steps.py); two names that share one must not differ here.
BY_SHARED_TEXT: Mapping[str, Statement] = {
    text: STATEMENTS_BY_NAME[name] for name, text in STATEMENTS.items() if name in STATEMENTS_BY_NAME
}
