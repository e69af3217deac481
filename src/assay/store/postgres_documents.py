"""Many rows in one value, as a JSON text: one statement for all of them, whatever their number.

A list per column would do as well (``unnest``), but the driver looks at each value of a list several times over, and
writing JSON costs a tenth of that. The text is written by the same encoder as JSON in a column is, and its parts are
kept as they were written, so that what is stored is the same either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from assay.store.postgres_statements import TEXTS, storable, type_of
from assay.store.rows import _is_json

Kinds = Mapping[str, Any]
"""Names of columns, each with its type in Python."""

_encode = msgspec.json.Encoder().encode

# PostgreSQL's text holds no NUL, and a text in JSON none in this form, while a JSON text in a column may.
_NUL = b"\\u0000"


def kinds(record: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of a Struct, each with its type."""
    return {field.name: field.type for field in msgspec.structs.fields(record)}


# ---------------------------------------------------------------- records


def document(record: msgspec.Struct) -> bytes | None:
    """The record as JSON; None for one that PostgreSQL would not read back as it is."""
    try:
        text = _encode(record)
    except ValueError:  # half a surrogate pair
        return None
    return None if _NUL in text else text


def joined(documents: Iterable[bytes]) -> str:
    """Documents as the one value of a statement."""
    return f"[{b','.join(documents).decode()}]"


def of_records(
    name: str, own: Kinds, parts: Mapping[str, tuple[str, Kinds]] | None = None, more: Mapping[str, str] | None = None
) -> str:
    """The statement of this name about the rows of ``i``, which are made of documents.

    Columns are those of the document itself (``own``), those of the ``parts`` it holds, each with what stands before
    their names, what ``more`` makes of them, and ``place``, the number of the document, from 1 on.
    """
    parts = parts or {}
    fields = [f"{column} {_type_in_json(kind)}" for column, kind in own.items()] + [f"{part} json" for part in parts]
    columns = [_column("w", column, kind) for column, kind in own.items()]
    tables = []
    for part, (before, its) in parts.items():
        tables.append(f" cross join lateral json_to_record(w.{part}) as {part} ({_fields(its)})")
        columns += [_column(part, column, kind, before) for column, kind in its.items()]
    columns += [f"{text} as {column}" for column, text in (more or {}).items()]
    every = ", ".join([*own, *parts, "place"])
    source = f"rows from (json_to_recordset($1::json) as ({', '.join(fields)})) with ordinality as w ({every})"
    return _about(name, f"select w.place, {', '.join(columns)} from {source}{''.join(tables)}")  # noqa: S608 - names of columns only


def _fields(columns: Kinds) -> str:
    return ", ".join(f"{column} {_type_in_json(kind)}" for column, kind in columns.items())


def _type_in_json(kind: object) -> str:
    if _is_json(kind):
        return "json"
    if _is_bool(kind):
        return "boolean"
    return "text" if type_of(kind) == "bytea" else type_of(kind)


def _column(table: str, column: str, kind: object, before: str = "") -> str:
    """One column as it is stored."""
    value = f"{table}.{column}"
    if _is_json(kind):
        value = f"{value}::text"
    elif _is_bool(kind):
        value = f"{value}::int::bigint"
    elif type_of(kind) == "bytea":
        value = f"decode({value}, 'base64')"
    return f"{value} as {before}{column}"


def _is_bool(kind: object) -> bool:
    return kind is bool


# ---------------------------------------------------------------- keys


def of_keys(name: str, columns: Kinds) -> str:
    """The statement of this name about the rows of ``i``, which are keys with these columns and their ``place``."""
    values = []
    for number, (column, kind) in enumerate(columns.items()):
        value, kept = f"(k ->> {number})", type_of(kind)
        typed = {"bytea": f"decode({value}, 'base64')", "text": value}.get(kept, f"{value}::{kept}")
        values.append(f"{typed} as {column}")
    rows = f"select place, {', '.join(values)} from json_array_elements($1::json) with ordinality as w (k, place)"  # noqa: S608 - names of columns only
    return _about(name, rows)


def keys(wanted: Sequence[tuple[Any, ...]]) -> str:
    """Keys as the one value of a statement. Raises ValueError for what is no text."""
    text = _encode(wanted)
    if _NUL in text:
        text = _encode([[storable(value) for value in key] for key in wanted])
    return text.decode()


def _about(name: str, rows: str) -> str:
    text = TEXTS[name]
    start = f"with i as ({rows})"
    return f"{start}, {text.removeprefix('with ')}" if text.startswith("with ") else f"{start} {text}"
