"""JSON pointers lead to a value or nowhere, also through JSON in a string."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay.rules import pointers
from assay.rules.pointers import BadPointer

CLAIMS: dict[str, Any] = {
    "a": {"b": [10, {"c": "deep"}], "": "empty", "x/y": "slash", "m~n": "tilde", "0": "zero", "null": None},
    "list": ["first", ["inner"]],
    "custom:orgs": '{"ids": ["o-1", "o-2"], "again": "{\\"more\\": true}"}',
    "text": "plain",
    "broken": '{"a": ',
    "twice": '{"a": 1, "a": 2}',
    "number": 7,
    "": "nameless",
}

FOUND = {
    "/a/b/0": 10,
    "/a/b/1/c": "deep",
    "/a/": "empty",
    "/a/x~1y": "slash",
    "/a/m~0n": "tilde",
    "/a/0": "zero",
    "/a/null": None,
    "/list/1/0": "inner",
    "/list": ["first", ["inner"]],
    "/": "nameless",
    "/custom:orgs/ids/1": "o-2",
    "/custom:orgs/again/more": True,
    "/text": "plain",
}

NOWHERE = {
    "no such member": "/b",
    "below nothing": "/a/b/1/c/d/e",
    "below null": "/a/null/x",
    "below a number": "/number/0",
    "below a text that is no JSON": "/text/0",
    "below broken JSON": "/broken/a",
    "below JSON with a member twice": "/twice/a",
    "index beyond the end": "/list/2",
    "index with a zero before it": "/list/01",
    "index below zero": "/list/-1",
    "index in other digits": "/list/\u0661",
    "index after the end": "/list/-",
    "index of five digits": "/list/00000",
    "name in a list": "/list/first",
    "other case": "/A/b",
    "dotted": "/a.b",
}

BAD = {
    "no slash": ("a/b", "starts with /"),
    "empty": ("", "starts with /"),
    "bare tilde": ("/a~", "~ stands only before 0 or 1"),
    "tilde before 2": ("/a~2", "~ stands only before 0 or 1"),
    "too many steps": ("/a" * 17, "at most 16 steps"),
}


@pytest.mark.parametrize(("text", "expected"), FOUND.items())
def test_a_pointer_leads_to_its_value(text: str, expected: object) -> None:
    found = pointers.find(CLAIMS, pointers.parse(text))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", NOWHERE.values(), ids=NOWHERE.keys())
def test_a_pointer_to_nothing_leads_nowhere(text: str) -> None:
    assert pointers.find(CLAIMS, pointers.parse(text)) is msgspec.UNSET


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_a_text_that_is_no_pointer_is_told_why(text: str, words: str) -> None:
    with pytest.raises(BadPointer, match=words):
        pointers.parse(text)


def test_tilde_one_is_not_made_of_tilde_zero_one() -> None:
    """RFC 6901 §4: ~01 is ~1 and not a slash."""
    assert pointers.parse("/~01") == ("~1",)


def test_strings_within_strings_are_opened_one_per_step_and_no_further() -> None:
    inner: Any = "end"
    for _ in range(4):
        inner = msgspec.json.encode({"n": inner}).decode()
    claims = {"c": inner}
    assert pointers.find(claims, pointers.parse("/c" + "/n" * 4)) == "end"
    assert pointers.find(claims, pointers.parse("/c" + "/n" * 5)) is msgspec.UNSET
    assert isinstance(pointers.find(claims, pointers.parse("/c")), str)


def test_json_in_a_string_that_is_nested_too_deeply_leads_nowhere() -> None:
    assert pointers.find({"c": "[" * 5_000}, ("c", "0")) is msgspec.UNSET
    assert pointers.find({"c": "[" * 40 + "]" * 40}, ("c", "0")) is msgspec.UNSET
