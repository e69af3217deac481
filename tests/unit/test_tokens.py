"""A token is judged against its profile before any key is needed, and believed only after its signature verified."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.key_sources import AlbSource
from assay.keys import admission
from assay.model import Profile
from assay.rules import tokens
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from tests.issuer import ABSENT, AUDIENCE, Issuer, encode, make_key, sign, signature

NOW = 1_800_000_000.25
SECOND = int(NOW)
LEEWAY = 30
DAY = 24 * 60 * 60
ISSUER = Issuer("https://issuer.example/a")

PROFILE = Profile(
    environment_id="project-test-1",
    profile_id="ours",
    name="Ours",
    issuer=ISSUER.url,
    audience=AUDIENCE,
    public_key_type="JWK",
    algorithms=DEFAULT_ALGORITHMS,
    leeway_seconds=LEEWAY,
    created_at=0,
    updated_at=0,
)
STRICT = msgspec.structs.replace(PROFILE, leeway_seconds=0)


def read(claims: dict[str, Any], profile: Profile = PROFILE, now: float = NOW, **how: Any) -> tokens.Unverified:
    return tokens.read(ISSUER.mint(claims, now=NOW, **how), profile, now)


def test_a_good_token_is_read_and_verified() -> None:
    token = ISSUER.mint({"extra": {"a": [1]}}, now=NOW)
    unverified = tokens.read(token, PROFILE, NOW)
    assert (unverified.algorithm, unverified.kid) == ("RS256", "rsa")
    claims = tokens.verify(unverified, [make_key("RSA").verification_key()])
    assert claims.values["extra"] == {"a": [1]}
    assert claims.header == {"alg": "RS256", "kid": "rsa", "typ": "JWT"}
    assert claims.token_hash == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def fingerprint(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    key = make_key("RSA")
    token = sign({"alg": "RS256", "kid": "rsa"} | (header or {}), claims, "RS256", key.private_key)
    return tokens.verify(tokens.read(token, PROFILE, NOW), [key.verification_key()]).fingerprint


def test_the_fingerprint_is_of_what_the_claims_say() -> None:
    claims = {**ISSUER.claims(NOW), "extra": {"a": [1, 2], "b": "é"}}
    turned = dict(reversed(claims.items())) | {"extra": {"b": "é", "a": [1, 2]}}
    assert fingerprint(claims) == fingerprint(turned) == fingerprint(claims, {"typ": "JWT", "x": 1})
    others = ({"extra": {"a": [2, 1], "b": "é"}}, {"jti": "other"}, {"exp": SECOND + 299}, {"extra": None}, {"new": 1})
    assert len({fingerprint(claims | other) for other in others} | {fingerprint(claims)}) == len(others) + 1


def test_only_verify_makes_claims() -> None:
    with pytest.raises(TypeError, match=r"^only assay\.rules\.tokens\.verify makes Claims$"):
        tokens.Claims(read({}), object())


def test_an_unverified_token_does_not_show_itself() -> None:
    unverified = read({"sub": "somebody"})
    assert "somebody" not in f"{unverified!r} {unverified}"


# ---------------------------------------------------------------- header


@pytest.mark.parametrize("algorithm", ["RS384", "ES256", "rs256", "none"])
def test_an_algorithm_that_the_profile_does_not_list_is_refused(algorithm: str) -> None:
    only = msgspec.structs.replace(PROFILE, algorithms=("RS256",))
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        read({}, only, header={"alg": algorithm})
    assert raised.value.detail == f"the profile does not allow the algorithm '{algorithm}'"


def test_a_profile_without_algorithms_takes_no_token() -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken):
        read({}, msgspec.structs.replace(PROFILE, algorithms=()))


@pytest.mark.parametrize(
    "typ", [ABSENT, "JWT", "jwt", "at+jwt", "AT+JWT", "id_token+jwt", "application/at+jwt", "Application/JWT"]
)
def test_these_types_of_token_are_taken(typ: object) -> None:
    assert read({}, header={"typ": typ}).algorithm == "RS256"


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", "", " JWT", "application/application/jwt", "text/jwt"]
)
def test_other_types_of_token_are_refused(typ: str) -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken, match="not valid for this profile") as raised:
        read({}, header={"typ": typ})
    assert "another kind of token" in raised.value.detail


@pytest.mark.parametrize("payload", [b"[]", b'"x"', b"1", b"null", b'{"a":1,"a":1}', b"{}x", b"not json", b"\xff"])
def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    token = sign({"alg": "RS256"}, payload, "RS256", make_key("RSA").private_key)
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        tokens.read(token, PROFILE, NOW)
    assert raised.value.detail.startswith("the payload ")


def test_padding_is_tolerated_for_a_profile_with_a_load_balancer_alone() -> None:
    token = ISSUER.mint({"pad": "x"}, now=NOW, alg="ES256")
    header, body, made = token.split(".")
    signed = ".".join(part + "=" * (-len(part) % 4) for part in (header, body))
    assert "=" in signed
    key = make_key("P-256")
    whole = f"{signed}.{made}=="
    with pytest.raises(errors.InvalidTrustedAuthToken):
        tokens.read(whole, PROFILE, NOW)
    balanced = msgspec.structs.replace(PROFILE, key_sources=(AlbSource(signer="arn:aws:x", region="eu-west-1"),))
    unverified = tokens.read(whole, balanced, NOW)
    with pytest.raises(errors.InvalidTrustedAuthToken, match="not valid"):  # the text with padding was not signed
        tokens.verify(unverified, [key.verification_key()])
    resigned = f"{signed}.{encode(signature('ES256', key.private_key, signed.encode()))}=="
    assert tokens.verify(tokens.read(resigned, balanced, NOW), [key.verification_key()]).values["pad"] == "x"


def test_a_shared_secret_verifies_where_the_profile_lists_its_algorithm() -> None:
    secret = admission.shared_secret(b"s" * 32)
    token = sign({"alg": "HS256"}, ISSUER.claims(NOW), "HS256", b"s" * 32)
    with pytest.raises(errors.InvalidTrustedAuthToken):
        tokens.read(token, PROFILE, NOW)
    opted = msgspec.structs.replace(PROFILE, algorithms=("HS256",))
    assert tokens.verify(tokens.read(token, opted, NOW), [secret]).values["iss"] == ISSUER.url
    with pytest.raises(errors.InvalidTrustedAuthToken):
        tokens.verify(tokens.read(token, opted, NOW), [admission.shared_secret(b"t" * 32)])


# ---------------------------------------------------------------- issuer and audience


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(ABSENT, id="absent"),
        pytest.param(None, id="null"),
        pytest.param(["https://issuer.example/a"], id="list that holds it"),
        pytest.param({"https://issuer.example/a": 1}, id="object"),
        pytest.param("https://issuer.example/a/", id="slash"),
        pytest.param("https://issuer.example/", id="prefix"),
        pytest.param("https://issuer.example/ab", id="longer"),
        pytest.param("https://Issuer.example/a", id="case"),
        pytest.param("http://issuer.example/a", id="scheme"),
        pytest.param(" https://issuer.example/a", id="space"),
        pytest.param("https://issuer\u2024example/a", id="look-alike dot"),
        pytest.param("", id="empty"),
    ],
)
def test_another_issuer_is_refused(issuer: object) -> None:
    with pytest.raises(errors.JwtInvalidIssuer) as raised:
        read({"iss": issuer})
    assert raised.value.detail.startswith("iss must be 'https://issuer.example/a', but ")


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE, "third"]])
def test_an_audience_that_contains_ours_is_taken(audience: object) -> None:
    assert read({"aud": audience}).unverified_claims["aud"] == audience


@pytest.mark.parametrize(
    "audience",
    [
        pytest.param(ABSENT, id="absent"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param("other", id="another"),
        pytest.param("assay", id="prefix"),
        pytest.param("assay-tests-2", id="longer"),
        pytest.param("ASSAY-TESTS", id="case"),
        pytest.param([], id="empty list"),
        pytest.param(["other"], id="list of others"),
        pytest.param([AUDIENCE, None], id="list with null"),
        pytest.param([1, AUDIENCE], id="list with a number"),
        pytest.param([[AUDIENCE]], id="nested list"),
        pytest.param({AUDIENCE: AUDIENCE}, id="object"),
        pytest.param([{"aud": AUDIENCE}], id="list of objects"),
        pytest.param(True, id="boolean"),
    ],
)
def test_another_audience_is_refused(audience: object) -> None:
    with pytest.raises(errors.JwtInvalidAudience) as raised:
        read({"aud": audience})
    assert raised.value.detail.startswith("aud must contain 'assay-tests', but ")


# ---------------------------------------------------------------- times

TIMES_TAKEN = {
    "exp just within the leeway": (PROFILE, {"exp": SECOND - LEEWAY + 1}),
    "exp a fraction of a second ahead": (STRICT, {"exp": NOW + 0.001}),
    "nbf and iat at the end of the leeway": (PROFILE, {"nbf": NOW + LEEWAY, "iat": NOW + LEEWAY}),
    "nbf now": (STRICT, {"nbf": NOW, "iat": NOW}),
    "nbf at the beginning of time": (PROFILE, {"nbf": 0}),
    "floats": (PROFILE, {"exp": NOW + 10.5, "iat": NOW - 0.5, "nbf": NOW - 0.5}),
    "no iat": (PROFILE, {"iat": ABSENT}),
    "longest life after iat": (PROFILE, {"iat": SECOND - DAY, "exp": SECOND + 365 * DAY}),
    "longest life after now": (PROFILE, {"iat": ABSENT, "exp": NOW + 366 * DAY}),
}

TIMES_REFUSED = {
    "no exp": (PROFILE, {"exp": ABSENT}, "exp is missing"),
    "expired": (PROFILE, {"exp": SECOND - 3600}, "expired"),
    "expired just beyond the leeway": (PROFILE, {"exp": NOW - LEEWAY}, "expired"),
    "exp equal to now": (STRICT, {"exp": NOW}, "expired"),
    "negative exp": (PROFILE, {"exp": -1}, "expired"),
    "exp zero": (PROFILE, {"exp": 0}, "expired"),
    "exp in milliseconds": (PROFILE, {"exp": SECOND * 1000}, "lives longer"),
    "nbf beyond the leeway": (PROFILE, {"nbf": NOW + LEEWAY + 0.01}, "not yet valid: nbf"),
    "nbf ahead": (STRICT, {"nbf": SECOND + 1}, "not yet valid: nbf"),
    "iat beyond the leeway": (PROFILE, {"iat": SECOND + LEEWAY + 1}, "not yet valid: iat"),
    "life too long after iat": (PROFILE, {"iat": SECOND - DAY, "exp": SECOND + 365 * DAY + 1}, "lives longer"),
    "life too long after now": (PROFILE, {"iat": ABSENT, "exp": NOW + 366 * DAY + 1}, "lives longer"),
    "fifty years": (PROFILE, {"exp": SECOND + 50 * 365 * DAY}, "lives longer"),
    "negative iat": (PROFILE, {"iat": -1}, "lives longer"),
    "number of 60 digits": (PROFILE, {"exp": 10**60}, "exp is out of range"),
    "number of 60 digits below zero": (PROFILE, {"iat": -(10**60)}, "iat is out of range"),
    "nbf of 60 digits below zero": (PROFILE, {"nbf": -(10**60)}, "nbf is out of range"),
    "huge float": (PROFILE, {"exp": 1e300}, "exp is out of range"),
    "one second beyond whole numbers": (PROFILE, {"exp": 2**53 + 2}, "exp is out of range"),
}

WRONG_TYPES: list[object] = ["1800000300", True, False, None, [1_800_000_300], {"exp": 1_800_000_300}, ""]


@pytest.mark.parametrize(("profile", "claims"), TIMES_TAKEN.values(), ids=TIMES_TAKEN.keys())
def test_times_within_their_bounds_are_taken(profile: Profile, claims: dict[str, Any]) -> None:
    assert read(claims, profile).algorithm == "RS256"


@pytest.mark.parametrize(("profile", "claims", "reason"), TIMES_REFUSED.values(), ids=TIMES_REFUSED.keys())
def test_times_beyond_their_bounds_are_refused(profile: Profile, claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(errors.JwtInvalidClaims) as raised:
        read(claims, profile)
    assert reason in raised.value.detail


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", WRONG_TYPES, ids=repr)
def test_times_that_are_no_numbers_are_refused(name: str, value: object) -> None:
    with pytest.raises(errors.JwtInvalidClaims) as raised:
        read({name: value})
    assert raised.value.detail.startswith(f"{name} must be a number, but it is ")


@pytest.mark.parametrize("name", ["sub", "jti"])
@pytest.mark.parametrize("value", [1, 1.5, True, None, ["a"], {"a": 1}], ids=repr)
def test_identifiers_that_are_no_strings_are_refused(name: str, value: object) -> None:
    with pytest.raises(errors.JwtInvalidClaims) as raised:
        read({name: value})
    assert raised.value.detail.startswith(f"{name} must be a string, but it is ")


def test_identifiers_may_be_absent() -> None:
    assert "sub" not in read({"sub": ABSENT, "jti": ABSENT}).unverified_claims


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"iss": "https://other"}, "iss must be 'https://issuer.example/a', but it is 'https://other'"),
        ({"iss": ABSENT}, "iss must be 'https://issuer.example/a', but there is none"),
        ({"aud": ["a", "b"]}, "aud must contain 'assay-tests', but it is ['a', 'b']"),
        ({"aud": ABSENT}, "aud must contain 'assay-tests', but there is none"),
        ({"exp": ABSENT}, "exp is missing"),
        ({"nbf": "soon"}, "nbf must be a number, but it is 'soon'"),
        ({"sub": 7}, "sub must be a string, but it is 7"),
    ],
    ids=["issuer", "no issuer", "audience", "no audience", "no end", "time", "subject"],
)
def test_the_detail_tells_what_was_expected_and_what_came(claims: dict[str, Any], detail: str) -> None:
    with pytest.raises(errors.Error) as raised:
        read(claims)
    assert raised.value.detail == detail


def test_the_detail_of_another_type_names_it() -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        read({}, header={"typ": "logout+jwt"})
    assert raised.value.detail == (
        "the header's typ is 'logout+jwt', another kind of token than none or 'JWT' or 'at+jwt' or 'id_token+jwt'"
    )


def test_a_hostile_value_is_cut_and_escaped_in_the_detail() -> None:
    with pytest.raises(errors.JwtInvalidIssuer) as raised:
        read({"iss": "line\nline" + "x" * 5000})
    assert "\n" not in raised.value.detail
    assert len(raised.value.detail) < 300


# ---------------------------------------------------------------- signature


def test_no_fitting_key_is_said_to_be_missing() -> None:
    unverified = read({})
    for keys in ([], [make_key("P-256").verification_key()], [make_key("RSA", alg="RS512").verification_key()]):
        with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
            tokens.verify(unverified, keys)
        assert raised.value.detail == "the profile has no key for kid 'rsa' and algorithm RS256"


def test_a_wrong_signature_is_refused_without_showing_it() -> None:
    token = ISSUER.mint(key=make_key("RSA", "stranger"), now=NOW)
    with pytest.raises(errors.InvalidTrustedAuthToken) as raised:
        tokens.verify(tokens.read(token, PROFILE, NOW), [make_key("RSA").verification_key()])
    assert raised.value.detail == "the signature is wrong (keys tried: 1)"


def test_five_fitting_keys_are_tried_and_no_sixth() -> None:
    right, wrong, unfit = (
        make_key(*which).verification_key() for which in (("RSA",), ("RSA", "stranger"), ("Ed25519",))
    )
    unverified = read({}, header={"kid": ABSENT})
    assert tokens.verify(unverified, [unfit] * 5 + [wrong] * 4 + [right]).values["iss"] == ISSUER.url
    with pytest.raises(errors.InvalidTrustedAuthToken, match="not valid") as raised:
        tokens.verify(unverified, [wrong] * 5 + [right])
    assert raised.value.detail == "the signature is wrong (keys tried: 5)"


def test_headers_that_offer_keys_are_named() -> None:
    header = {"jwk": {}, "x5c": [], "jku": "https://x.example", "x5t": "t"}
    assert tokens.ignored_key_headers(read({}, header=header).header) == ("jwk", "jku", "x5c")
