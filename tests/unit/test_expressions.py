"""Expressions are checked when they are saved, say where a fault is, and cannot run for long."""

from __future__ import annotations

import time
from typing import Any

import pytest

from assay.rules import expressions
from assay.rules.expressions import BadExpression, ExpressionFault, compile_expression

BAD = {
    "nothing": ("", "the expression is empty"),
    "blanks": (" \n", "the expression is empty"),
    "too long": ("claims.a == '" + "x" * 2_048 + "'", "more than 2048 characters"),
    "unfinished": ("claims.a ==", "line 1, column 12: "),
    "one equals sign": ("claims.a = 'b'", "line 1, column 10: "),
    "second line": ("claims.a == 'b'\n&& claim.b", "line 2, column 9: undeclared reference to 'claim.b'"),
    "unknown function": ("claims.a.lower()", "line 1, column 15: undeclared reference to 'lower'"),
    "wrong types": ("'a' + 1 == claims.b", "line 1, column 5: found no matching overload for '_+_'"),
    "nested too deeply": ("(" * 40 + "true" + ")" * 40, "the expression is nested too deeply"),
    "long chain": ("1" + "+1" * 900, "the expression is nested too deeply"),
    "bytes": ("b'abc'", "of the type bytes"),
    "duration": ("duration('1s')", "of the type duration"),
    "type": ("type(claims.a)", "of the type type"),
    "optional": ("claims.?a", 'its value may be absent; say what it is then, such as claims.?name.orValue("")'),
    "pattern out of a claim": (
        "claims.a == 'b'\n && claims.a.matches(claims.b)",
        "line 2, column 21: the pattern of matches must be a text in quotes",
    ),
    "pattern of a function": ("matches(claims.a, claims.b)", "the pattern of matches must be a text in quotes"),
    "pattern put together": ("claims.a.matches('^' + claims.b)", "the pattern of matches must be a text in quotes"),
    "pattern with a slip": ("claims.a.matches('(')", '"(" is not a regular expression'),
    "pattern with a look-ahead": ("claims.a.matches('(?=a)b')", '"(?=a)b" is not a regular expression'),
    "pattern that is too long": (f"claims.a.matches('{'a' * 257}')", "at most 256 characters"),
    "pattern that counts too often": ("claims.a.matches('a{9}b{9}c{9}d{9}e{9}')", "4 counted repetitions"),
    "replacement out of a claim": ("claims.a.replace('a', claims.b)", "what replace puts in must be a text in quotes"),
    "loops in loops": (
        "claims.a.map(x, claims.a.map(y, claims.a.map(z, x + y + z)))",
        "it could take too long: it loops in loops, or repeats long texts",
    ),
    "a list for every element": ("claims.l.map(x, claims.l)", "it could take too long"),
    "split for every element": ("claims.l.map(x, claims.s.split(''))", "it could take too long"),
    "split without end, looped over": ("claims.s.split(' ').map(x, x + '!')", 'needs a limit, such as split(" ", 100)'),
    "doubling": ("[claims.s].map(y, y+y).map(y, y+y)" + ".map(y, y+y+y+y+y+y+y+y+y+y)" * 6, "it could take too long"),
    "doubling while it is compiled": ("claims.?s" + ".optMap(v, v)" * 5 + ".orValue('')", "more than 4 times"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_an_expression_of_no_use_is_told_what_is_wrong_and_where(text: str, words: str) -> None:
    started = time.perf_counter()
    with pytest.raises(BadExpression) as refused:
        compile_expression(text)
    assert words in str(refused.value)
    assert time.perf_counter() - started < 1


VALUES: dict[str, tuple[str, Any]] = {
    "text": ("claims.s + '-' + header.kid", "s-k"),
    "whole number": ("claims.n + 1", 8),
    "number without a part": ("claims.n == 7.0", True),
    "true": ("claims.s == 's'", True),
    "null": ("claims.nil", None),
    "list": ("claims.l.map(x, x * 2)", [2, 4]),
    "object": ("{'s': claims.s, 'l': [claims.n]}", {"s": "s", "l": [7]}),
    "member": ("claims.o['a.b'].c", "deep"),
    "missing member with a value instead": ("claims.?o.?x.orValue('none')", "none"),
    "lower case": ("claims.mail.lowerAscii()", "ada@example.com"),
    "split with a limit": ("claims.scope.split(' ', 10).filter(x, x.startsWith('r:'))", ["r:a", "r:b"]),
    "words": ("'r:a' in claims.scope.split(' ')", True),
    "pattern": ("claims.mail.matches('^[A-Za-z]+@Example[.]com$')", True),
    "nested lists": ("claims.orgs.map(o, o.roles.map(r, r + '!'))", [["x!"], []]),
    "name before every element": ("claims.l.map(x, claims.s + '-' + string(x))", ["s-1", "s-2"]),
    "time": ("timestamp(claims.t) < timestamp('2030-01-01T00:00:00Z')", True),
    "macro for what may be absent": ("claims.?s.optMap(v, v + '!').orValue('')", "s!"),
}
CLAIMS: dict[str, Any] = {
    "s": "s",
    "n": 7,
    "nil": None,
    "l": [1, 2],
    "o": {"a.b": {"c": "deep"}},
    "mail": "Ada@Example.com",
    "scope": "openid r:a r:b",
    "orgs": [{"roles": ["x"]}, {"roles": []}],
    "t": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(("text", "expected"), VALUES.values(), ids=VALUES.keys())
def test_a_value_is_plain_json(text: str, expected: Any) -> None:
    found = compile_expression(text).value(CLAIMS, {"kid": "k"})
    assert found == expected
    assert type(found) is type(expected)


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "missing claim": ("claims.x", {}, "there is no 'x'"),
    "missing claim below": ("claims.a.b.c", {"a": {"b": {}}}, "there is no 'c'"),
    "member of a text": ("claims.a.b", {"a": "text"}, "it has no value"),
    "different types": ("claims.a < claims.b", {"a": 1, "b": "x"}, "it compares or combines values of different types"),
    "truth of a text": ("claims.a && true", {"a": "x"}, "it compares or combines values of different types"),
    "number out of range": ("claims.a == 1", {"a": 10**60}, "a number is out of range"),
    "number out of range elsewhere": ("claims.a == 1", {"a": 1, "b": 10**60}, "a number is out of range"),
    "too many iterations": (
        "claims.a.exists(x, claims.a.exists(y, x + y < 0))",
        {"a": list(range(200))},
        "it looks at too many values",
    ),
    "value of another type": ("[timestamp(claims.a)]", {"a": "2026-01-01T00:00:00Z"}, "which no claim can have"),
    "names that are numbers": ("{1: claims.a}", {"a": 1}, "which no claim can have"),
    "secret operand": ("claims.a / 0", {"a": 7}, "it has no value"),
}


@pytest.mark.parametrize(("text", "claims", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_an_expression_without_a_value_says_why(text: str, claims: dict[str, Any], words: str) -> None:
    with pytest.raises(ExpressionFault) as raised:
        compile_expression(text).value(claims, {})
    assert words in str(raised.value)


def test_a_reason_never_quotes_a_value() -> None:
    for text in ("claims.secret.x", "claims.secret + 1", "claims[claims.secret]", "int(claims.secret)"):
        with pytest.raises(ExpressionFault) as raised:
            compile_expression(text).value({"secret": "hunter2"}, {})
        assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("true", False),
        ("'a' == 'a'", False),
        ("[1].map(claims, claims == 1)[0]", False),
        ("claims.a == 1", True),
        ("has(header.kid)", True),
    ],
)
def test_it_is_known_whether_an_expression_reads_the_token(text: str, reads: bool) -> None:
    assert compile_expression(text).reads_token is reads


def test_the_members_that_are_read_are_known_however_they_are_written() -> None:
    text = """claims . a == claims["b"] && claims[?'c.d'].orValue('') == claims.?e.orValue(-3) && has(claims.f)
    && claims.g.h == header.kid && claims[header.x] == 'y' // claims.comment"""
    expression = compile_expression(text)
    assert expression.members_read("claims") == {"a", "b", "c.d", "e", "f", "g"}
    assert expression.members_read("header") == {"kid", "x"}
    assert {-3, "", "y", "b"} <= set(expression.constants())


HOSTILE: dict[str, Any] = {
    "s": "a" * 15_000,
    "l": list(range(1_000)),
    "o": {f"k{number}": number for number in range(500)},
}

COSTLY = [
    "claims.s.matches('(a+)+$')",
    "claims.s.matches('^(a|a)*b$')",
    "claims.s.matches('(a?){200}(a{0,200})b')",
    "claims.s.matches('([a-z]*)*([a-z]*)*([a-z]*)*c')",
    "claims.l.exists(x, claims.l.exists(y, x + y < 0))",
    "claims.l.map(x, claims.s + 'b').size() == 1000",
    "claims.l.filter(x, x > 1).map(x, x + 1).exists(x, x < 0)",
    "claims.l.exists(x, claims.s.contains('b'))",
    "claims.o.exists(k, claims.o.exists(l, k + l == ''))",
    "claims.s.replace('a', 'bb').replace('b', 'cc').size() > 0",
    "claims.s.split('').exists(x, x == 'b')",
]


@pytest.mark.parametrize("text", COSTLY)
def test_no_token_makes_an_expression_run_for_long(text: str) -> None:
    """The bound is generous, for a busy machine; each takes a few tens of milliseconds at most."""
    expression = compile_expression(text)
    started = time.perf_counter()
    try:
        expression.value(HOSTILE, {})
    except ExpressionFault as fault:
        assert "too many values" in str(fault)  # noqa: PT017 - some end so and some do not
    assert time.perf_counter() - started < 2


def test_an_expression_is_compiled_once() -> None:
    assert compile_expression("claims.once == 1") is compile_expression("claims.once == 1")
    assert expressions.MAX_CHARACTERS == 2_048
