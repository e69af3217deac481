"""Members of a request turned into the Struct a story takes; wrong ones are refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from assay import errors

Request = TypeVar("Request", bound=msgspec.Struct)

_WRONG_TYPE = re.compile(r"Expected `([^`]*)`.*?, got `([^`]*)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `([^`]*)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_ELSEWHERE = re.compile(r".* - at `\$\.?(.*)`", re.DOTALL)

_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def convert(
    given: dict[str, Any], path: Mapping[str, str], aliases: Mapping[str, str], kind: type[Request], *, text: bool
) -> Request:
    """The request of type ``kind``.

    Null counts as not given, unknown members are ignored, and ids of the path win (decisions D17). ``aliases`` maps
    other names of a field to its own. ``text`` says that the members come from a query string, where numbers and
    booleans are text. Raises BadRequest, which names the field and what was expected, never what came.
    """
    members = {name: value for name, value in given.items() if value is not None}
    for alias, name in aliases.items():
        if alias in members:
            _rename(members, alias, name)
    members.update(path)
    try:
        return msgspec.convert(members, kind, strict=not text)
    except msgspec.ValidationError as fault:
        raise errors.BadRequest(_sentence(str(fault), kind)) from None


def _rename(members: dict[str, Any], alias: str, name: str) -> None:
    value = members.pop(alias)
    if members.setdefault(name, value) != value:
        raise errors.BadRequest(f"{alias} and {name} are two names of one field and were given different values.")


def _sentence(fault: str, kind: type[msgspec.Struct]) -> str:
    """The decoder's finding in the words of the wire. What the caller sent is left out: it may be a token."""
    if wrong := _WRONG_TYPE.fullmatch(fault):
        expected, got, place = wrong.groups()
        return f"{place or 'The request'}: expected {_words(expected)}, got {_words(got)}."
    if missing := _MISSING.fullmatch(fault):
        name, place = missing.groups()
        return f"{f'{place}.{name}' if place else name}: this field is required."
    elsewhere = _ELSEWHERE.fullmatch(fault)
    place = elsewhere[1] if elsewhere else "The request"
    allowed = _choices(kind, re.findall(r"[A-Za-z_]\w*", place))  # without places in a list
    expected = "one of " + ", ".join(map(str, allowed)) if allowed else "another form"
    return f"{place}: expected {expected}."


def _words(types: str) -> str:
    """``int | null`` as "a whole number"."""
    names = [name for name in types.split(" | ") if name != "null"] or ["null"]
    return " or ".join(_WORDS.get(name, name) for name in names)


def _choices(hint: Any, names: list[str]) -> tuple[Any, ...]:  # noqa: ANN401 - any annotation
    """The values that a ``Literal`` field allows, found by following ``names`` into a type."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _choices(get_type_hints(hint).get(names[0]), names[1:]) if names else ()
    return next(filter(None, (_choices(part, names) for part in get_args(hint))), ())
