"""What stands on the right of an attribute mapping finds a value, a default, nothing, or refuses the token."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay import errors
from assay.rules import mapped_values
from assay.rules.mapped_values import BadMapping
from tests.unit.claimed import claims

CLAIMS = claims(
    {
        "https://example.com/role": "admin",
        "kubernetes.io": {"namespace": "web", "serviceaccount": {"name": "api"}},
        "a.b": "dotted",
        "a": {"b": "nested"},
        "~x": "tilde",
        "nothing": None,
        "flag": "true",
        "cel": "claims.a",
        "groups": ["g-1", "g-2"],
        "custom": '{"plan": "pro"}',
    },
    {"kid": "k-1", "client": "c-1"},
)
UNSET = msgspec.UNSET

VALUES: dict[str, tuple[object, object]] = {
    "a URL": ("https://example.com/role", "admin"),
    "a name with a dot": ("a.b", "dotted"),
    "a name with a dot that holds an object": (
        "kubernetes.io",
        {"namespace": "web", "serviceaccount": {"name": "api"}},
    ),
    "a name with a tilde": ("~x", "tilde"),
    "a pointer": ("/kubernetes.io/serviceaccount/name", "api"),
    "a pointer into text": ("/custom/plan", "pro"),
    "a pointer is no path of dots": ("/a.b", "dotted"),
    "a missing claim": ("b", UNSET),
    "a null claim": ("nothing", None),
    "from a name": ({"from": "a.b"}, "dotted"),
    "from a pointer": ({"from": "/groups/1"}, "g-2"),
    "a default for a missing claim": ({"from": "b", "default": "else"}, "else"),
    "a default for null": ({"from": "nothing", "default": 7}, 7),
    "no default for what is there": ({"from": "flag", "default": "false"}, "true"),
    "a default of null": ({"from": "b", "default": None}, None),
    "a default of false": ({"from": "/a/c", "default": False}, False),
    "an expression": ({"cel": "claims.a.b + '!'"}, "nested!"),
    "an expression over the header": ({"cel": "header.client"}, "c-1"),
    "an expression with a list": ({"cel": "claims.groups.filter(g, g != 'g-1')"}, ["g-2"]),
    "an expression that fails, with a default": ({"cel": "claims.b", "default": "else"}, "else"),
    "an expression that is null, with a default": ({"cel": "claims.nothing", "default": "else"}, "else"),
    "a claim that looks like an expression": ("cel", "claims.a"),
}


@pytest.mark.parametrize(("value", "expected"), VALUES.values(), ids=VALUES.keys())
def test_a_value_is_found_where_the_mapping_says(value: object, expected: object) -> None:
    found = mapped_values.find("email", value, CLAIMS)
    assert found == expected
    assert type(found) is type(expected)


FAILING = {
    "missing claim": ("claims.b", "there is no 'b'"),
    "wrong types": ("claims.a + 1", "it compares or combines values of different types"),
    "division by zero": ("1 / size(claims.a.b.substring(6))", "it has no value"),
}


@pytest.mark.parametrize(("text", "why"), FAILING.values(), ids=FAILING.keys())
def test_an_expression_without_a_value_refuses_the_token(text: str, why: str) -> None:
    """Taken for "not there", a broken email_verified would make every address a trusted one."""
    with pytest.raises(errors.JwtInvalidClaims) as refused:
        mapped_values.find("email_verified", {"cel": text}, CLAIMS)
    assert refused.value.detail == f"the expression for email_verified has no value: {why}"


BAD: dict[str, tuple[object, str]] = {
    "number": (5, "a claim name, a JSON pointer"),
    "null": (None, "a claim name, a JSON pointer"),
    "list": (["email"], "a claim name, a JSON pointer"),
    "empty object": ({}, "a claim name, a JSON pointer"),
    "a default alone": ({"default": "x"}, "a claim name, a JSON pointer"),
    "from and cel": ({"from": "a", "cel": "claims.a"}, "a claim name, a JSON pointer"),
    "an unknown member": ({"from": "a", "else": "x"}, "a claim name, a JSON pointer"),
    "from a number": ({"from": 5}, "from must be a claim name or a JSON pointer"),
    "from nothing": ({"from": ""}, "the name of a claim is empty"),
    "no name": ("", "the name of a claim is empty"),
    "bad pointer": ("/a/~", "~ stands only before 0 or 1"),
    "from a bad pointer": ({"from": "/~"}, "~ stands only before 0 or 1"),
    "cel of a number": ({"cel": 5}, "cel must be an expression"),
    "cel with a slip": ({"cel": "claims.a ="}, "line 1, column 10: "),
}


@pytest.mark.parametrize(("value", "words"), BAD.values(), ids=BAD.keys())
def test_a_value_of_no_use_is_told_why_and_refuses_every_token(value: Any, words: str) -> None:
    with pytest.raises(BadMapping) as told:
        mapped_values.place(value)
    assert words in str(told.value)
    with pytest.raises(errors.JwtInvalidClaims) as refused:
        mapped_values.find("email", value, CLAIMS)
    assert refused.value.detail == f"the profile's mapping of email is of no use: {told.value}"
