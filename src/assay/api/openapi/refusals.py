"""Which errors a call can answer with: those its story's docstring names, and those of the steps before the story."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from assay import errors
from assay.api.calls import Route
from assay.api.openapi.prose import told
from assay.stories import sessions

Errors = frozenset[type[errors.Error]]

_NAME = re.compile(r"\b[A-Z][A-Za-z0-9]+\b")
_REFERENCE = re.compile(r":func:`~?([\w.]+)`")

# What any call that reads the store can meet.
ALWAYS: Errors = frozenset({errors.StoreUnavailable, errors.InternalError})


def possible(row: Route) -> list[type[errors.Error]]:
    """The errors that a call of this row can answer with, by code. Wrong paths and methods are no calls of a row."""
    found = ALWAYS | {errors.UnauthorizedCredentials, errors.BadRequest} | raised(row.story)
    if row.method != "GET":
        found |= {errors.RequestTooLarge}
    if row.vertical is not None:
        found |= {errors.InvalidB2BEndpoint if row.vertical == "b2b" else errors.InvalidConsumerEndpoint}
    found |= raised(sessions.actor_of) if row.member_session else {errors.MemberSessionNotSupported}
    return by_code(found)


def by_code(found: Iterable[type[errors.Error]]) -> list[type[errors.Error]]:
    """The errors in the order of the reference."""
    return sorted(found, key=lambda error: error.code)


def raised(story: Callable[..., Any]) -> Errors:
    """The errors after "Raises" in a docstring; "as :func:`other`" stands for those of the other function."""
    return _raised(story, set())


def _raised(story: Callable[..., Any], seen: set[object]) -> Errors:
    if story in seen:
        return frozenset()
    seen.add(story)
    text = told(story).raised
    named = [vars(errors).get(name) for name in _NAME.findall(text)]
    found: Errors = frozenset(each for each in named if isinstance(each, type) and hasattr(each, "code"))
    for reference in _REFERENCE.findall(text):
        found |= _raised(_resolved(story, reference), seen)
    return found


def _resolved(story: Callable[..., Any], reference: str) -> Callable[..., Any]:
    """The function that a docstring calls ``name`` or ``module.name``, as seen from the story's module."""
    module = importlib.import_module(story.__module__)
    first, *rest = reference.split(".")
    found: Any = getattr(module, first)
    for name in rest:
        found = getattr(found, name)
    resolved: Callable[..., Any] = found
    return resolved
