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
from typing import Any, Generic, Never, TypeVar, get_args, get_type_hints

import msgspec

Record = TypeVar("Record", bound=msgspec.Struct)

MAX_DEPTH = 32
MAX_NUMBER_CHARACTERS = 64
MAX_STRUCTURE = 1_024
MAX_BRACKETS = 256
"""Commas, colons and opening brackets in the text of a small object, and the brackets among them."""

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
    plain = _plain_object(text)
    if plain is not None:
        return plain
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


def loads_small(text: bytes) -> dict[str, Any]:
    """Decode one small JSON object, such as a part of a token, as strictly as ``loads`` and several times as fast.

    Whoever sends a token decides how dear it is to read, so this also bounds its structure: more than 1,024 commas,
    colons and opening brackets (those in strings count too), or 256 brackets, are refused before anything is built.
    Raises JsonFault. Floats may have any length; integers have at most 64 digits.
    """
    structure = text.translate(None, _NOT_STRUCTURE)
    brackets = structure.count(b"[") + structure.count(b"{")
    if len(structure) > MAX_STRUCTURE or brackets > MAX_BRACKETS:
        raise JsonFault(f"it has more than {MAX_STRUCTURE} separators or {MAX_BRACKETS} brackets")
    value = _decoded(text)
    if not isinstance(value, dict):
        raise JsonFault("it is not a JSON object")
    if brackets > MAX_DEPTH and not _within_depth(value):
        raise JsonFault(f"it is nested more than {MAX_DEPTH} deep")
    if _has_long_digits(text) and _holds_long_integer(value):
        raise JsonFault("it holds a number out of range")
    # One byte is found several times as fast as four, and hardly any text has an escape.
    escapes = text.replace(b"\\\\", b"") if b"\\" in text and b"\\u00" in text else b""
    if b"\\u0000" in escapes:
        raise JsonFault("it holds a string with NUL or half a surrogate pair")
    _check_repetitions(structure, escapes, value)
    return value


# What separates values, and for each byte whether it is a digit.
_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b",:[{")
_DIGITS = bytes(byte in b"0123456789" for byte in range(256))
_EIGHT_DIGITS = b"\1" * 8
_SMALL_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_SMALL_ENCODER = msgspec.json.Encoder()

# What a plain object may hold besides integers; of floats, the standard decoder also judges how they are spelled.
_PLAIN = frozenset({str, bool, type(None)})
_LARGEST_PLAIN = 2**63


class PlainReader(Generic[Record]):
    """Reads small objects straight into a ``kind`` of record, for text that leaves nothing to judge.

    It takes what :func:`loads` would take and :func:`msgspec.convert` would make the same record of: no escapes, lists
    or further objects, no null, no unknown or repeated member. All else is for those two, which say what is wrong.
    """

    def __init__(self, kind: type[Record]) -> None:
        types = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(kind).items()}
        self._decode = msgspec.json.Decoder(kind).decode
        self._integers = tuple(name for name, parts in types.items() if int in parts)
        optional = all(field.required or field.default is None for field in msgspec.structs.fields(kind))
        self._is_able = optional and all(_is_alike(part) for parts in types.values() for part in parts)

    def read(self, text: bytes) -> Record | None:
        """The record, or None where the text must be read the other way."""
        if not self._is_able or not _is_plain(text):
            return None
        try:
            record = self._decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        # Each member as written has a colon, so no more colons than fields that came with a value mean that no member
        # was repeated, unknown or null.
        values = msgspec.structs.astuple(record)
        if text.count(b":") != len(values) - values.count(None):
            return None
        for name in self._integers:
            if abs(getattr(record, name) or 0) > _LARGEST_PLAIN:
                return None
        return record


def _is_alike(part: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether both ways read this type alike; those that cannot be in a plain object are read by neither."""
    is_record = isinstance(part, type) and issubclass(part, msgspec.Struct)
    return is_record or part in {str, int, bool, type(None), dict[str, Any]}


def _is_plain(text: bytes) -> bool:
    """Whether there is one object and nothing that could hide or repeat a member of another."""
    return b"\\" not in text and b"[" not in text and text.rfind(b"{") == 0


def _plain_object(text: bytes) -> dict[str, Any] | None:
    """An object without escapes, lists or further objects in it, as most bodies are; None: read it the other way.

    Of such text msgspec reads exactly what the standard decoder does, in a tenth of the time, but for one thing: it
    keeps the last of two members with one name. Each member as written has a colon, so no more colons than members
    were read means that none was repeated.
    """
    if not _is_plain(text):
        return None
    try:
        value: dict[str, Any] = _SMALL_DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if text.count(b":") != len(value):
        return None
    for item in value.values():
        if type(item) not in _PLAIN and not (type(item) is int and abs(item) <= _LARGEST_PLAIN):
            return None
    return value


def _decoded(text: bytes) -> object:
    """Decode with msgspec, which refuses what is not JSON, not finite, not UTF-8, or half a surrogate pair."""
    try:
        return _SMALL_DECODER.decode(text)
    except UnicodeDecodeError:
        raise JsonFault("it is not UTF-8") from None
    except msgspec.ValidationError:
        raise JsonFault("it holds a number out of range") from None
    except (msgspec.DecodeError, RecursionError):
        raise JsonFault("it is not JSON") from None


def _check_repetitions(structure: bytes, escapes: bytes, value: dict[str, Any]) -> None:
    """Find repeated members by what is lost when the value is written again.

    Each member has a colon outside of strings, and msgspec keeps the last of two members with one name. So the value
    written again has fewer colons than the text, unless nothing was repeated. The colons inside of strings are the
    same on both sides, save those that the text spells as an escape: these are added here. ``escapes`` is the text
    without its escaped backslashes, so that each escape in it is a real one.
    """
    escaped = escapes.count(b"\\u003a") + escapes.count(b"\\u003A")
    if structure.count(b":") + escaped != _SMALL_ENCODER.encode(value).count(b":"):
        raise JsonFault("it repeats a member of an object")


def _within_depth(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        children = (item for each in level for item in (each.values() if isinstance(each, dict) else each))
        level = [child for child in children if isinstance(child, dict | list)]
    return not level


def _has_long_digits(text: bytes) -> bool:
    """Whether more than 64 digits stand together anywhere, in strings too; linear on hostile text.

    Of so many, eight neighbours among every eighth byte are digits, which is rare. Only then all are looked at, as one
    number of which each step keeps the bytes that begin a run of twice the length.
    """
    digits = text.translate(_DIGITS)
    if _EIGHT_DIGITS not in digits[::8]:
        return False
    runs = int.from_bytes(digits, "little")
    for length in (1, 2, 4, 8, 16, 32, 1):
        runs &= runs >> 8 * length
    return runs != 0


def _holds_long_integer(value: object) -> bool:
    """Whether there is an integer of more than 64 digits in a value that is known not to be deep."""
    if isinstance(value, dict | list):
        return any(map(_holds_long_integer, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) >= 10**MAX_NUMBER_CHARACTERS


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
