"""Near misses are told for what they are, and nothing else is called one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from assay.model import Profile
from assay.rules import hints
from assay.rules.facts import Sight
from assay.rules.hints import MOST_HINTS, MOST_NAMED, Known
from tests import records
from tests.records import NOW

ISSUER, AUDIENCE = "https://login.example/tenant", "https://api.example"


def profile(**changes: Any) -> Profile:
    return records.profile("project-test-1", **({"issuer": ISSUER, "audience": AUDIENCE} | changes))


def sight(claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, **changes: Any) -> Sight:
    return Sight(profile=profile(**changes), header=header or {"alg": "RS256"}, claims=claims or {}, now=float(NOW))


@pytest.mark.parametrize(
    ("came", "way"),
    [
        (f"{ISSUER}/", "by a slash at the end"),
        ("https://Login.example/tenant", "in upper and lower case"),
        ("http://login.example/tenant", "in http and https"),
        ("login.example/tenant", "in http and https"),
        (f" {ISSUER}\n", "by spaces at an end"),
        ("http://LOGIN.example/tenant/", "in upper and lower case and by a slash at the end and in http and https"),
    ],
    ids=["trailing slash", "letter case", "http for https", "no scheme", "spaces", "three at once"],
)
def test_an_issuer_that_differs_in_a_small_way_is_told(came: str, way: str) -> None:
    [hint] = hints.of("issuer", sight({"iss": came}))
    assert hint == f"iss and the profile's issuer differ only {way}: {came!r} came, {ISSUER!r} is expected."


@pytest.mark.parametrize(
    "came",
    [
        "https://login.example/other",
        "https://login.example/tenant/more",
        "ftp://login.example/tenant",
        "",
        7,
        None,
        [ISSUER],
    ],
    ids=repr,
)
def test_an_issuer_that_differs_otherwise_is_no_near_miss(came: object) -> None:
    assert hints.of("issuer", sight({"iss": came})) == []


def test_an_issuer_template_is_compared_as_the_token_fills_it() -> None:
    template: dict[str, Any] = {"issuer": "https://login.example/{tid}/v2", "issuer_check": "template"}
    claims = {"iss": "https://login.example/t1/v2/", "tid": "t1"}
    assert "by a slash at the end" in hints.of("issuer", sight(claims, **template))[0]
    assert hints.of("issuer", sight({"iss": claims["iss"]}, **template)) == []


def test_another_profile_that_trusts_the_issuer_is_named() -> None:
    others = [Known(profile()), Known(profile(profile_id="other", issuer="https://elsewhere.example"))]
    found = hints.of("issuer", sight({"iss": "https://elsewhere.example"}), others)
    assert found == ["Another profile trusts this issuer: other."]


@pytest.mark.parametrize(
    ("claims", "changes", "part"),
    [
        ({"aud": f"{AUDIENCE}/"}, {}, "by a slash at the end"),
        ({"aud": ["x", "HTTPS://api.example"]}, {}, "in upper and lower case"),
        ({"aud": "http://second.example"}, {"additional_audiences": ("https://second.example",)}, "in http and https"),
        ({"aud": [AUDIENCE, "x"]}, {"single_audience": True}, "single_audience"),
        ({"aud": "account", "azp": AUDIENCE}, {}, "perhaps audience_claim should be azp"),
        ({"client_id": AUDIENCE}, {}, "perhaps audience_claim should be client_id"),
        ({"aud": ["x", AUDIENCE]}, {"audience_claim": "azp"}, "perhaps audience_claim should be aud"),
        ({"scope": "openid"}, {}, "looks like an access token"),
        ({"token_use": "access", "client_id": "c"}, {}, "looks like an access token"),
        ({"aud": "client-1", "nonce": "n"}, {}, "looks like an id token"),
        ({"aud": "client-1", "token_use": "id"}, {}, "looks like an id token"),
    ],
    ids=[
        "trailing slash",
        "letter case in a list",
        "another audience of the profile's list",
        "others beside it",
        "in azp",
        "in client_id",
        "in aud",
        "access token by scope",
        "access token by token_use",
        "id token by nonce",
        "id token by token_use",
    ],
)
def test_an_audience_that_is_nearly_right_is_told(claims: dict[str, Any], changes: dict[str, Any], part: str) -> None:
    assert any(part in hint for hint in hints.of("audience", sight(claims, **changes)))


def test_another_audience_of_the_same_issuer_names_the_profile_that_is_for_it() -> None:
    others = [
        Known(profile()),
        Known(profile(profile_id="second", audience="https://second.example")),
        Known(profile(profile_id="foreign", audience="https://second.example", issuer="https://other.example")),
    ]
    found = hints.of("audience", sight({"iss": ISSUER, "aud": ["https://second.example"]}), others)
    assert found == ["Another profile is for this audience: second."]


@pytest.mark.parametrize(
    ("claims", "hint"),
    [
        ({"exp": NOW - 100}, "exp misses by 70 s beyond the leeway; this clock may be ahead of the issuer's."),
        ({"nbf": NOW + 45}, "nbf misses by 15 s beyond the leeway; this clock may be behind the issuer's."),
        ({"iat": NOW + 31.4}, "iat misses by 1 s beyond the leeway; this clock may be behind the issuer's."),
        ({"exp": NOW * 1000}, "exp looks like milliseconds; tokens tell time in seconds."),
    ],
    ids=["expired", "not yet valid", "made in the future", "milliseconds"],
)
def test_a_clock_that_is_off_is_told_with_the_seconds(claims: dict[str, Any], hint: str) -> None:
    assert hints.of("times", sight(claims)) == [hint]


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 2 * 86_400},
        {"exp": NOW + 10, "iat": NOW - 10, "nbf": NOW},
        {"exp": "soon", "iat": True, "nbf": None},
        {"exp": 10**63, "iat": -(10**63), "nbf": 1e300},
    ],
    ids=["long ago", "all is well", "no numbers", "beyond all numbers"],
)
def test_times_that_are_no_near_miss_bring_no_hint(claims: dict[str, Any]) -> None:
    assert hints.of("times", sight(claims)) == []


@pytest.mark.parametrize("step", ["keys", "signature"])
def test_a_key_that_another_profile_knows_is_told(step: str) -> None:
    profiles = [Known(profile(), ("k1", "k2")), Known(profile(profile_id="other"), ("k3",))]
    assert hints.of(step, sight(header={"alg": "RS256", "kid": "k3"}), profiles) == [
        "The profile's keys are called 'k1', 'k2'.",
        "Another profile knows the key 'k3': other.",
    ]


def test_a_key_that_the_profile_knows_brings_no_hint() -> None:
    profiles = [Known(profile(), ("k1",)), Known(profile(profile_id="other"), ("k1",))]
    assert hints.of("signature", sight(header={"alg": "RS256", "kid": "k1"}), profiles) == []
    assert hints.of("signature", sight(header={"alg": "RS256"}), profiles) == []


@pytest.mark.parametrize(
    ("step", "header", "parts"),
    [
        ("shape", {}, ["without Bearer"]),
        ("algorithm", {"alg": "HS256"}, ["shared secret"]),
        ("algorithm", {"alg": "None"}, ["not signed at all"]),
        ("algorithm", {"alg": "ES256K"}, ["signs with 'ES256K'"]),
        ("type", {"typ": "logout+jwt"}, ["list 'logout+jwt'"]),
        ("type", {}, ["list absent"]),
        ("type", {"typ": "at+jwt"}, ["list 'at+jwt'", "looks like an access token"]),
    ],
    ids=["shape", "shared secret", "unsigned", "algorithm", "type", "no type", "access token"],
)
def test_the_header_is_told_of(step: str, header: dict[str, Any], parts: list[str]) -> None:
    found = hints.of(step, sight(header=header))
    assert len(found) == len(parts)
    assert all(part in hint for part, hint in zip(parts, found, strict=True))


def test_a_mapped_claim_in_another_case_is_told() -> None:
    found = hints.of("mapping", sight({"Email": "a@b.example"}, attribute_mapping={"email": "email", "name": "name"}))
    assert found == ["The profile maps the claim 'email', and the token has 'Email'."]


def test_a_step_without_hints_has_none() -> None:
    assert hints.of("person", sight({"iss": f"{ISSUER}/"})) == []


# ---------------------------------------------------------------- hostile values


def test_there_are_never_more_hints_than_one_can_read() -> None:
    names = [f"{'/' * length}".join((AUDIENCE, "")) for length in range(1, 100)]
    assert len(hints.of("audience", sight({"aud": names}))) == MOST_HINTS
    many = [Known(profile(profile_id=f"p{number}", issuer="x")) for number in range(100)]
    [hint] = hints.of("issuer", sight({"iss": "x"}), many)
    assert hint.count("p") <= MOST_NAMED + len("Another profile")


@pytest.mark.parametrize("step", ["shape", "algorithm", "type", "issuer", "audience", "times", "mapping", "keys"])
@pytest.mark.parametrize(
    "value",
    ["\x1b[31m" + ISSUER.upper(), "/" * 10_000, [["deep"]], {"a": {}}, -1.5, False, None],
    ids=["control characters", "huge", "list", "object", "number", "boolean", "null"],
)
def test_no_value_of_a_token_breaks_a_hint(step: str, value: object) -> None:
    names = ("iss", "aud", "azp", "client_id", "exp", "nbf", "iat", "scope", "nonce", "token_use", "email", "Email")
    hostile = sight(dict.fromkeys(names, value), {"alg": value, "typ": value, "kid": value})
    for hint in hints.of(step, replace(hostile, claims=hostile.claims | {"aud": [value, value]}), [Known(profile())]):
        assert len(hint) < 1_000
        assert hint.isprintable()
