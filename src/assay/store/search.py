"""Searches: fixed conditions out of ``sql/searches.sql``, put together; every value is bound."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any, NamedTuple

from assay.store import Filter, Search
from assay.store.filters import MAX_FILTERS, Target
from assay.store.rows import Parameters, json_text
from assay.store.statements import CONDITIONS, STATEMENTS

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ADDRESSES = frozenset({"member_emails", "email_address"})

# Longer than anything that is stored, and shorter than the longest pattern a database takes.
_MAX_PATTERN = 4096


class Query(NamedTuple):
    """The statement for a page, the one for their total number, and what both are given."""

    page: str
    total: str
    parameters: Parameters


def query(target: Target, search: Search, statements: str = "", **scope: object) -> Query:
    """The statements of a search; ``scope`` is what they ask for beside it, ``statements`` names others than the usual.

    Raises KeyError for a filter the target does not have, ValueError for more filters than MAX_FILTERS.
    """
    return query_of(STATEMENTS, target, search, statements, scope)


def query_of(
    texts: Mapping[str, str], target: Target, search: Search, statements: str, scope: Mapping[str, object]
) -> Query:
    """The same out of other ``texts`` by name. Raises KeyError and ValueError as :func:`query`."""
    if len(search.filters) > MAX_FILTERS:
        raise ValueError(f"a search has at most {MAX_FILTERS} filters")
    conditions = []
    parameters = {
        "environment_id": search.environment_id,
        "after": search.after or "",  # every id comes after the empty text
        "limit": search.limit,
        **scope,
    }
    for number, one in enumerate(search.filters):
        conditions.append(texts[f"{target}.{one.name}"].replace(":value", f":value_{number}"))
        parameters.update(_bound(f"value_{number}", one))
    joined = (" or " if search.any_of else " and ").join(conditions) or texts["everything"]
    return Query(
        page=texts[f"search_{statements or target}"].replace(CONDITIONS, joined),
        total=texts[f"count_{statements or target}"].replace(CONDITIONS, joined),
        parameters=parameters,
    )


def names_deleted(search: Search) -> bool:
    """Whether a search of members asks for deleted ones, which it otherwise never sees (contract §6.6)."""
    return any(one.name == "statuses" and "deleted" in one.value for one in search.filters)


def _bound(name: str, one: Filter) -> Mapping[str, Any]:
    value = one.value
    if one.name.endswith("_fuzzy"):
        return {name: pattern(value)}
    if isinstance(value, Mapping):
        return {f"{name}_{part}": bound for part, bound in value.items()}
    if isinstance(value, (list, tuple)):
        return {name: json_text([item.translate(_LOWER) for item in value] if one.name in _ADDRESSES else value)}
    return {name: value}


def pattern(part: str) -> str | None:
    """A pattern that finds ``part`` anywhere in a lower-cased text; None, which finds nothing, for an absurd one."""
    if len(part) > _MAX_PATTERN:
        return None
    escaped = part.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
