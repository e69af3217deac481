"""JSON text read strictly, for everything that comes from outside: request bodies, tokens, key documents.

The standard decoder is too kind for a service that judges: it keeps the last of two members with one name, takes
``NaN`` and ``1e400``, and lets lone surrogates and NUL through, which databases later choke on. Each of those is a
place where two readers of one text see different things (RFC 8259 §4, RFC 8725 §3.7, RFC 7493).
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, Never

MAX_DEPTH = 32
MAX_NUMBER_CHARACTERS = 64

# A lone surrogate only comes out of a \uD800-style escape; it cannot be written as UTF-8 again.
_SURROGATE = re.compile("[\ud800-\udfff]")

# A whole string, or one that never ends. The possessive parts and the optional closing quote make each byte be
# looked at once, so that the search stays linear on hostile text.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?+', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class JsonFault(ValueError):
    """The text is not JSON that every reader would read alike; the message says why, without quoting the text."""


def loads(text: bytes) -> Any:  # noqa: ANN401 - a JSON value
    """Decode UTF-8 JSON into plain Python values.

    Raises JsonFault for invalid UTF-8, a byte order mark, repeated members, numbers that are not finite or longer
    than 64 characters, strings with NUL or lone surrogates, and nesting deeper than 32.
    """
    _check_depth(text)
    try:
        value = _DECODER.decode(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise JsonFault("it is not UTF-8") from None
    except json.JSONDecodeError as fault:
        raise JsonFault(f"it is not JSON (at character {fault.pos})") from None
    if b"\\u" in text:  # only an escape can bring what is looked for; raw NUL and surrogates never get this far
        _check_strings(value)
    return value


def size(value: object) -> int:
    """Bytes of the value as compact UTF-8 JSON, the measure of every size limit on claims and metadata."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _check_depth(text: bytes) -> None:
    """Refuse deep nesting before the recursive decoder sees it, which would pay for each level with stack (A41)."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise JsonFault(f"it is nested more than {MAX_DEPTH} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonFault("it repeats a member of an object")
    return members


def _finite(text: str) -> float:
    value = float(text) if len(text) <= MAX_NUMBER_CHARACTERS else math.inf
    if not math.isfinite(value):
        raise JsonFault("it holds a number out of range")
    return value


def _integer(text: str) -> int:
    # Python's own limit is 4300 digits and raises a plain ValueError; nothing we read needs more than a few.
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise JsonFault("it holds a number out of range")
    return int(text)


def _constant(_text: str) -> Never:
    raise JsonFault("it holds a number that is not finite")


def _check_strings(value: object) -> None:
    if isinstance(value, str):
        if "\x00" in value or _SURROGATE.search(value):
            raise JsonFault("it holds a string with NUL or half a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_strings(key)
            _check_strings(item)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item)


# One decoder for all: it keeps no state between calls, and making one costs as much as reading a small token.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_int=_integer, parse_constant=_constant, strict=True
)
