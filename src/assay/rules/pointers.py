"""JSON pointers (RFC 6901) into claims, which also step into strings that hold JSON (decisions D9)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from assay import jsontext

MAX_STEPS = 16

_POINTERS_KEPT = 4_096
_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)


class BadPointer(ValueError):
    """The text is no JSON pointer; the message says why."""


@lru_cache(_POINTERS_KEPT)
def parse(text: str) -> tuple[str, ...]:
    """The steps of a pointer that starts with ``/``. Raises BadPointer."""
    if not text.startswith("/"):
        raise BadPointer("a JSON pointer starts with /")
    if _BAD_ESCAPE.search(text):
        raise BadPointer("in a JSON pointer ~ stands only before 0 or 1")
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
    if len(steps) > MAX_STEPS:
        raise BadPointer(f"a JSON pointer has at most {MAX_STEPS} steps")
    return steps


def find(value: Any, steps: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON values
    """What the steps lead to, or msgspec.UNSET when there is nothing there.

    A string in the middle of the way is read as JSON: some issuers put an object into a claim as text. The text is
    read as strictly as a token, and one that is not JSON leads nowhere.
    """
    for step in steps:
        value = _step(_opened(value), step)
        if value is msgspec.UNSET:
            return value
    return value


def _opened(value: Any) -> Any:  # noqa: ANN401 - JSON values
    if not isinstance(value, str):
        return value
    try:
        return jsontext.loads(value.encode())
    except (jsontext.JsonFault, UnicodeEncodeError):
        return msgspec.UNSET


def _step(value: Any, step: str) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(value, dict):
        return value.get(step, msgspec.UNSET)
    if isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
        return value[int(step)]
    return msgspec.UNSET
