"""Facts tell what was expected and what came, in a line each, and never a token."""

from __future__ import annotations

from typing import Any

import pytest

from assay.rules import facts
from assay.rules.facts import Sight
from assay.stories.judging import STEPS
from tests import records
from tests.issuer import Issuer, make_key
from tests.records import NOW

INNER = Issuer("https://inner.example", [make_key("RSA", "inner")]).mint({}, now=NOW)


def sight(claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, **changes: Any) -> Sight:
    profile = records.profile("project-test-1", **changes)
    return Sight(profile=profile, header=header or {}, claims=claims or {}, now=NOW + 0.4)


@pytest.mark.parametrize(
    ("step", "seen", "expected", "came"),
    [
        ("algorithm", sight(header={"alg": "none"}), "one of RS256, ES256", "'none'"),
        ("type", sight(header={}, typ=("absent", "JWT")), "one of absent, JWT", "none"),
        ("issuer", sight({"iss": "a"}, issuer="b"), "'b'", "'a'"),
        ("issuer", sight({}, issuer_check="none"), "anything: the conditions decide", "none"),
        ("audience", sight({"aud": ["x"]}, audience="a", additional_audiences=("b",)), "'a' or 'b' in aud", "['x']"),
        (
            "audience",
            sight({}, {"aud": "h"}, audience="a", audience_claim="header:aud", single_audience=True),
            "'a' and nothing else in header:aud",
            "'h'",
        ),
        ("audience", sight({}, audience_claim="none"), "anything: the conditions decide", "none"),
        (
            "times",
            sight({"exp": 5, "iat": "x"}, max_age_seconds=60),
            "exp, 30 s of leeway, a life of at most 31622400 s, iat at most 60 s ago",
            f"iat 'x', exp 5; now is {NOW}",
        ),
        ("identifiers", sight({"sub": 7}), "sub and jti are strings where they are there", "sub 7"),
        ("keys", sight(header={"kid": "k"}), "a key of the profile for the token's kid and algorithm", "kid 'k'"),
        ("conditions", sight(conditions=("claims.a == 1",)), "'claims.a == 1'", ""),
        ("mapping", sight(attribute_mapping={"email": "mail"}), "email from 'mail'", ""),
        ("replay", sight(replay="token_id"), "a token that was not used before", ""),
        ("person", sight(), "", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_step_says_what_was_expected_and_what_came(step: str, seen: Sight, expected: str, came: str) -> None:
    assert facts.of(step, seen) == (expected, came)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "value",
    ["\x1b[2J\n", "x" * 100_000, ["y" * 5_000] * 500, {"k" * 5_000: {"z": [1] * 1_000}}, 1e300, None, INNER],
    ids=["control characters", "huge", "long list", "object", "number", "null", "a token inside"],
)
def test_no_value_of_a_token_makes_a_fact_long_or_wild(step: str, value: object) -> None:
    names = ("iss", "aud", "sub", "jti", "exp", "nbf", "iat", "email")
    seen = sight(dict.fromkeys(names, value), {"alg": value, "typ": value, "kid": value})
    for text in facts.of(step, seen):
        assert len(text) < 1_000
        assert text.isprintable()
        assert INNER.rpartition(".")[2] not in text


def test_what_is_shared_of_a_token_has_no_token_in_it() -> None:
    shared = facts.shareable({"act": {"token": f"Bearer {INNER}", INNER: [INNER, 1, None]}, "n": "eyJ no token"})
    assert shared == {
        "act": {"token": "Bearer (a token, left out)", "(a token, left out)": ["(a token, left out)", 1, None]},
        "n": "eyJ no token",
    }
