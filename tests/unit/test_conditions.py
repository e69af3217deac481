"""Conditions must be exactly true, and say what is wrong with them when they are saved (decisions D8)."""

from __future__ import annotations

from typing import Any

import pytest

from assay import errors
from assay.rules import conditions
from assay.rules.conditions import SHARED_ISSUERS
from tests.unit.claimed import claims, profile

CLAIMS = claims({"a": "b", "n": 1, "yes": "true", "one": 1, "list": [True], "act": {"sub": "x"}}, {"kid": "k"})


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("claims.a == 'b'",),
        ("claims.a == 'b'", "claims.n > 0"),
        ("header.kid == 'k'",),
        ("!has(claims.x)",),
        ("claims.x == 1 || claims.n == 1",),
        ("claims.list[0]",),
    ],
    ids=str,
)
def test_a_token_that_meets_every_condition_passes(texts: tuple[str, ...]) -> None:
    conditions.check(CLAIMS, profile(conditions=texts))


NOT_MET: dict[str, tuple[str, str]] = {
    "false": ("claims.a == 'c'", "is False"),
    "missing claim": ("claims.x == 'b'", "has no value: there is no 'x'"),
    "member of a text": ("claims.a.b == 'c'", "has no value: "),
    "a text that says true": ("claims.yes", "is 'true'"),
    "a number that says true": ("claims.one", "is 1"),
    "a list that holds true": ("claims.list", "is [True]"),
    "a claim that is there": ("claims.act", "is {'sub': 'x'}"),
    "a fault on one side": ("claims.x == 1 && claims.n == 1", "has no value: "),
    "a slip": ("claims.a = 'b'", "is of no use: line 1, column 10: "),
    "what is too dear": ("claims.a.matches(claims.a)", "is of no use: line 1, column 17: "),
    "null": ("null", "is None"),
}


@pytest.mark.parametrize(("text", "words"), NOT_MET.values(), ids=NOT_MET.keys())
def test_a_condition_that_is_not_exactly_true_refuses_the_token(text: str, words: str) -> None:
    with pytest.raises(errors.JwtInvalidClaims) as refused:
        conditions.check(CLAIMS, profile(conditions=("claims.a == 'b'", text)))
    assert refused.value.detail.startswith("the condition ")
    assert words in refused.value.detail


CONSTANT = [
    "true",
    "false",
    "1 == 1",
    "'a' in ['a']",
    "claims.a == 'b' || true",
    "true || claims.a == 'b'",
    "claims.a == 'b' && false",
    "!(claims.a == 'b' && false)",
    "claims.a == 'b' || 1 < 2",
    "claims == claims",
    "header.alg == 'RS256' || true",
    "has(claims.a) || !has(claims.a)",
]
TELLING = [
    "claims.a == 'b'",
    "claims.a != 'b'",
    "!has(claims.act)",
    "has(claims.sub)",
    "!has(claims.sts) || claims.sts != 'pending'",
    "claims.?sts.orValue('active') == 'active'",
    "claims.?sts.orValue('') != 'pending'",
    "'https://stytch.com/session' in claims",
    "!claims.exists(k, k == 'act')",
    "!claims.sub.endsWith('@clients')",
    "claims.auth_time <= claims.iat",
    "header.signer == 'arn'",
    "header.alg == 'RS256'",
    "!has(header.jku)",
    "claims.a == 'b' || claims.a == 'c'",
    "claims.tid in ['a', 'b']",
    "claims.level == 3",
    "'any' == 'any' ? has(claims.sub) : claims.hd == 'any'",
]


@pytest.mark.parametrize("text", CONSTANT)
def test_a_condition_that_is_the_same_for_every_token_is_a_problem(text: str) -> None:
    assert conditions.problems(profile(conditions=(text,))) == ["Condition 1 has the same value for every token."]


@pytest.mark.parametrize("text", TELLING)
def test_a_condition_that_tells_tokens_apart_is_none(text: str) -> None:
    assert conditions.problems(profile(conditions=(text,))) == []


def test_every_faulty_condition_is_named_by_its_place() -> None:
    texts = ("claims.a == 'b'", "claims.a = 'b'", "claims.a\n== claim.b", "claims.a + 'x'", "'a'")
    assert conditions.problems(profile(conditions=texts)) == [
        "Condition 2 cannot be compiled: line 1, column 10: token recognition error at: '= '.",
        "Condition 3 cannot be compiled: line 2, column 9: undeclared reference to 'claim.b'.",
        "Condition 4 has a value of the type string, so it is never true.",
        "Condition 5 has a value of the type string, so it is never true.",
    ]


# ---------------------------------------------------------------- templates

TEMPLATE: dict[str, Any] = {"issuer": "https://i.example/{tid}/", "issuer_check": "template"}
NO_PIN = "With issuer_check template a condition must say which values of tid may log in."


@pytest.mark.parametrize(
    "text",
    [
        "claims.tid == 'a'",
        "claims['tid'] == 'a'",
        "claims.tid in ['a', 'b']",
        "claims.tid.matches('^acme-[0-9]+$')",
        "claims.tid == 'a' && claims.ver == '2.0'",
        "claims.?tid.orValue('') == 'a'",
    ],
)
def test_a_template_is_pinned_by_a_condition_on_its_claim(text: str) -> None:
    assert conditions.problems(profile(**TEMPLATE, conditions=(text,))) == []
    assert conditions.problems(profile(**TEMPLATE, conditions=("has(claims.sub)", text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "claims.ver == '2.0'",
        "claims.tid != ''",
        "has(claims.tid)",
        "claims.tid.size() > 0",
        "claims.tid != 'a'",
        "claims.tid.matches('^[0-9a-f-]{36}$')",
        "claims.ver == '2.0' // claims.tid == 'a'",
        "claims.ver == 'claims.tid'",
    ],
)
def test_a_condition_that_any_tenant_meets_pins_no_template(text: str) -> None:
    assert conditions.problems(profile(**TEMPLATE, conditions=(text,))) == [NO_PIN]


def test_a_template_without_conditions_is_told_both() -> None:
    assert conditions.problems(profile(**TEMPLATE)) == [NO_PIN]
    assert conditions.problems(profile(issuer_check="template", conditions=("claims.a == 'b'",))) == [
        "With issuer_check template the issuer holds exactly one {claim}."
    ]


# ---------------------------------------------------------------- strangers


@pytest.mark.parametrize("shared", SHARED_ISSUERS, ids=lambda shared: shared.name)
def test_a_strangers_token_meets_no_pin_and_every_other_condition(shared: conditions.SharedIssuer) -> None:
    exact = "{" not in shared.issuers[0]
    made = {"issuer": shared.issuers[0], "issuer_check": "exact" if exact else "none"}
    [told] = conditions.problems(profile(**made, conditions=("claims.sub != 'x'",)))
    assert told == f"{shared.why} No condition tells yours from theirs: add one such as {shared.pin}"
    assert conditions.problems(profile(**made, conditions=(shared.pin,))) == []
    assert conditions.problems(profile(**made, conditions=("claims.sub != 'x'", shared.pin))) == []


def test_an_issuer_of_ones_own_is_not_shared() -> None:
    for issuer in ("https://gitlab.acme.example", "https://accounts.google.com.acme.example", "https://github.com"):
        assert conditions.problems(profile(issuer=issuer)) == []


def test_a_slash_at_the_end_makes_no_shared_issuer_ones_own() -> None:
    [told] = conditions.problems(profile(issuer="https://gitlab.com/"))
    assert "Every project on GitLab.com" in told
