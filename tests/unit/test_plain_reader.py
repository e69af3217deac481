"""Bodies read straight into records: as the careful way reads them, or not at all."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from assay.jsontext import PlainReader


class Nested(msgspec.Struct):
    """A member that no plain text can hold."""

    name: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is read."""

    token: str
    minutes: int | None = None
    flag: bool | None = None
    text: str | None = None
    claims: dict[str, Any] | None = None
    nested: Nested | None = None


@pytest.mark.parametrize(
    "members",
    [
        {"token": "t"},
        {"token": "t", "minutes": 5},
        {"minutes": -(2**63), "token": "", "flag": False, "text": "ä"},
        {"token": "t", "minutes": 0},
    ],
)
def test_a_plain_body_is_the_record_that_the_careful_way_makes(members: dict[str, Any]) -> None:
    text = json.dumps(members, ensure_ascii=False).encode()
    assert PlainReader(Asked).read(text) == msgspec.convert(members, Asked)


LEFT = {
    "empty": b"",
    "no object": b'"token"',
    "repeated": b'{"token":"a","token":"b"}',
    "repeated, the first one null": b'{"token":"a","text":null,"text":"b"}',
    "unknown": b'{"token":"a","other":"b"}',
    "unknown and repeated": b'{"token":"a","other":"b","other":"c"}',
    "null": b'{"token":"a","minutes":null}',
    "null where something must be": b'{"token":null}',
    "missing": b'{"minutes":5}',
    "of another type": b'{"token":5}',
    "a fraction": b'{"token":"a","minutes":5.0}',
    "a number that is too long": b'{"token":"a","minutes":%s}' % (b"9" * 65),
    "a number that is too long, below zero": b'{"token":"a","minutes":-%s}' % (b"9" * 65),
    "an escape": b'{"token":"\\u0041"}',
    "a name spelled by an escape": b'{"token":"a","t\\u006fken":"b"}',
    "an object": b'{"token":"a","claims":{"b":"c"}}',
    "a record": b'{"token":"a","nested":{"name":"c"}}',
    "a list": b'{"token":["a"]}',
    "space before": b' {"token":"a"}',
    "more after": b'{"token":"a"} x',
    "not UTF-8": b'{"token":"\xff"}',
    "a surrogate": b'{"token":"\xed\xa0\x80"}',
    "NUL": b'{"token":"\x00"}',
    "a byte order mark": b'\xef\xbb\xbf{"token":"a"}',
    "a value that looks like more members": b'{"token":"a:b"}',
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_all_else_is_left_to_the_careful_way(text: bytes) -> None:
    assert PlainReader(Asked).read(text) is None


class Defaulted(msgspec.Struct):
    """Absent is not None here, so that counting would mislead."""

    token: str
    minutes: int = 5


class Timed(msgspec.Struct):
    """The two ways need not read numbers with a fraction alike."""

    seconds: float


@pytest.mark.parametrize(("kind", "text"), [(Defaulted, b'{"token":"a"}'), (Timed, b'{"seconds":1.5}')])
def test_a_record_that_it_cannot_judge_is_left_to_the_careful_way(kind: type[msgspec.Struct], text: bytes) -> None:
    assert PlainReader(kind).read(text) is None
