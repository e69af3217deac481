"""Searches: what a request may ask for, checked before the store sees it (contract §6.6, decisions D30)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from assay import errors, ids
from assay.store import Filter, Search
from assay.store.filters import FILTERS, MAX_FILTERS, Target
from assay.stories import cursors, search_values
from assay.stories.context import Call, Context

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_ORGANIZATIONS = 1000

_NOT_RECOGNIZED: dict[Target, type[errors.Error]] = {
    "organizations": errors.OrganizationSearchFilterNotRecognized,
    "members": errors.MemberSearchFilterNotRecognized,
    "users": errors.UserSearchFilterNotRecognized,
}
_MIXED_IDS: dict[str, type[errors.Error]] = {
    "member_ids": errors.MemberSearchMixedIds,
    "user_id": errors.UserSearchMixedIds,
}


class SearchOperand(msgspec.Struct, kw_only=True):
    """One condition."""

    filter_name: str
    filter_value: Any = None


class SearchQuery(msgspec.Struct, kw_only=True):
    """All conditions (AND), or any of them (OR, which the hosted service deprecates). No operands: everything."""

    operator: Literal["AND", "OR"] | None = None
    operands: list[SearchOperand] | None = None


class SearchRequest(msgspec.Struct, kw_only=True):
    """A page of at most ``limit`` records (1 to 1000, else 100), from where ``cursor`` says."""

    cursor: str | None = None
    limit: int | None = None
    query: SearchQuery | None = None


class MemberSearchRequest(SearchRequest, kw_only=True):
    """As :class:`SearchRequest`, within these organizations: ids, external ids or slugs."""

    organization_ids: list[str]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A checked search. The store is asked for one record more than ``limit``, to know whether a page follows."""

    search: Search
    limit: int
    binding: bytes

    def next_cursor(self, ctx: Context, last_id: str | None) -> str | None:
        """What brings the page after ``last_id``; None when there is none."""
        return None if last_id is None else cursors.make(ctx.cursor_key, self.binding, last_id)


def prepare(
    ctx: Context, call: Call, target: Target, request: SearchRequest, organization_ids: Iterable[str] = ()
) -> Prepared:
    """The search for the store, bound to ``organization_ids`` as well when it runs within some.

    Raises …SearchFilterNotRecognized, …SearchMixedIds, InvalidSearch, InvalidCursor.
    """
    query = request.query or SearchQuery()
    limit = DEFAULT_LIMIT if request.limit is None else request.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise errors.InvalidSearch(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    filters = _filters(target, query.operands or [])
    environment_id = call.environment.environment_id
    any_of = query.operator == "OR"
    # A cursor of another tenant, target or query would answer with a page out of nowhere.
    binding = cursors.binding(environment_id, target, sorted(organization_ids), any_of, filters)
    after = None if request.cursor is None else cursors.read(ctx.cursor_key, binding, request.cursor)
    search = Search(environment_id=environment_id, filters=filters, any_of=any_of, limit=limit + 1, after=after)
    return Prepared(search=search, limit=limit, binding=binding)


def _filters(target: Target, operands: list[SearchOperand]) -> tuple[Filter, ...]:
    if len(operands) > MAX_FILTERS:
        raise errors.InvalidSearch(f"A search takes at most {MAX_FILTERS} operands.")
    return tuple(_filter(target, operand) for operand in operands)


def _filter(target: Target, operand: SearchOperand) -> Filter:
    name = operand.filter_name
    if name not in FILTERS[target]:
        known = ", ".join(sorted(FILTERS[target]))
        raise _NOT_RECOGNIZED[target](f"The search filter is not known. Those that exist are: {known}.")
    value = search_values.read(name, operand.filter_value)
    if name in _MIXED_IDS and len({ids.is_own_form(item) for item in value}) > 1:
        raise _MIXED_IDS[name]
    return Filter(name, value)
