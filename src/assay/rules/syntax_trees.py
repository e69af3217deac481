"""The parts of a compiled CEL expression, read out of the form in which the library hands it over.

That form is the message ``cel.expr.CheckedExpr`` of the CEL specification (checked.proto and syntax.proto), wrapped
in ``google.protobuf.Any``, in the wire format of protocol buffers. Only what is needed to judge an expression is read:
names, texts, and their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

Kind = Literal["constant", "name", "member", "call", "list", "map", "loop"]

# Numbers of fields in checked.proto and syntax.proto.
_SOURCE, _EXPRESSION = 5, 4
_POSITIONS = 4
_ANY_TYPE, _ANY_VALUE = 1, 2
_CHECKED = b"/cel.expr.CheckedExpr"
_ENTRY, _KEY, _VALUE = 2, 3, 4
_ID, _CONSTANT, _NAME, _MEMBER, _CALL, _LIST, _MAP, _LOOP = 2, 3, 4, 5, 6, 7, 8, 9
_TEXT, _BYTES, _INTEGER = 6, 7, 3
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_MORE = 0x80

_Field = tuple[int, int, bytes]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an expression. ``place`` is its offset in the text, in characters from 0.

    ``name`` is the name, the member that is selected, or the function that is called; of a loop, its variable, and
    ``gathered`` that in which its value gathers. A loop's parts are its range, first value, condition, step and
    result; a call's parts begin with what it is called on. ``text`` is the value of a constant text, ``number`` that
    of a constant whole number.
    """

    kind: Kind
    place: int = 0
    name: str = ""
    gathered: str = ""
    text: str | None = None
    number: int | None = None
    parts: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """This part and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def read(serialized: bytes) -> Node:
    """The expression of a ``CheckedExpr``. Raises ValueError for anything else."""
    wrapped = {number: value for number, _, value in _fields(serialized)}
    if not wrapped.get(_ANY_TYPE, b"").endswith(_CHECKED):
        raise ValueError("it is no checked expression")
    places: dict[int, int] = {}
    root = b""
    for number, _, value in _fields(wrapped[_ANY_VALUE]):
        if number == _SOURCE:
            places = dict(_positions(value))
        elif number == _EXPRESSION:
            root = value
    return _node(root, places)


def _positions(source: bytes) -> Iterator[tuple[int, int]]:
    for number, _, value in _fields(source):
        if number == _POSITIONS:
            entry = {name: whole for name, whole, _ in _fields(value)}
            yield entry.get(1, 0), entry.get(2, 0)


def _node(raw: bytes, places: dict[int, int]) -> Node:
    place = 0
    for number, whole, value in _fields(raw):
        if number == _ID:
            place = places.get(whole, 0)
        elif number in _READERS:
            return msgspec.structs.replace(_READERS[number](value, places), place=place)
    raise ValueError("an expression has no part that is known")


def _constant(raw: bytes, _places: dict[int, int]) -> Node:
    for number, whole, value in _fields(raw):
        if number in {_TEXT, _BYTES}:
            return Node(kind="constant", text=value.decode("utf-8", "replace"))
        if number == _INTEGER:
            return Node(kind="constant", number=whole - 2**64 if whole >= 2**63 else whole)
    return Node(kind="constant")


def _name(raw: bytes, _places: dict[int, int]) -> Node:
    return Node(kind="name", name=_texts(raw).get(1, ""))


def _member(raw: bytes, places: dict[int, int]) -> Node:
    return Node(kind="member", name=_texts(raw).get(2, ""), parts=_parts(raw, places, 1))


def _call(raw: bytes, places: dict[int, int]) -> Node:
    parts = (*_parts(raw, places, 1), *_parts(raw, places, 3))
    return Node(kind="call", name=_texts(raw).get(2, ""), parts=parts)


def _list(raw: bytes, places: dict[int, int]) -> Node:
    return Node(kind="list", parts=_parts(raw, places, 1))


def _map(raw: bytes, places: dict[int, int]) -> Node:
    entries = (value for number, _, value in _fields(raw) if number == _ENTRY)
    return Node(kind="map", parts=tuple(part for entry in entries for part in _parts(entry, places, _KEY, _VALUE)))


def _loop(raw: bytes, places: dict[int, int]) -> Node:
    texts = _texts(raw)
    parts = _parts(raw, places, 2, 4, 5, 6, 7)
    return Node(kind="loop", name=texts.get(1, ""), gathered=texts.get(3, ""), parts=parts)


_READERS = {
    _CONSTANT: _constant,
    _NAME: _name,
    _MEMBER: _member,
    _CALL: _call,
    _LIST: _list,
    _MAP: _map,
    _LOOP: _loop,
}


def _parts(raw: bytes, places: dict[int, int], *numbers: int) -> tuple[Node, ...]:
    return tuple(_node(value, places) for number, _, value in _fields(raw) if number in numbers)


def _texts(raw: bytes) -> dict[int, str]:
    return {number: value.decode("utf-8", "replace") for number, _, value in _fields(raw)}


def _fields(raw: bytes) -> Iterator[_Field]:
    """Number and value of each field of a message: a whole number, or bytes."""
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        number, form = tag >> 3, tag & 7
        whole, length = 0, 0
        if form == _VARINT:
            whole, position = _varint(raw, position)
        elif form == _DELIMITED:
            length, position = _varint(raw, position)
        elif form in {_EIGHT_BYTES, _FOUR_BYTES}:
            length = 8 if form == _EIGHT_BYTES else 4
        else:
            raise ValueError("a field has a form that is not known")
        yield number, whole, raw[position : position + length]
        position += length


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    whole = shift = 0
    while position < len(raw):
        byte = raw[position]
        position += 1
        whole |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return whole, position
        shift += 7
    raise ValueError("a number does not end")
