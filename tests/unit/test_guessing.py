"""A profile is proposed from what a token looks like, and what cannot be known from it is said."""

from __future__ import annotations

from typing import Any

import pytest

from assay import errors
from assay.model import Vertical
from assay.rules import guessing
from assay.rules.guessing import Guess
from tests.issuer import ABSENT, Issuer, make_key, sign

NOW = 1_780_000_000
ISSUER = Issuer("https://login.acme.example", [make_key("RSA"), make_key("P-256"), make_key("Ed448")])


def token(header: dict[str, Any] | None = None, alg: str = "RS256", **claims: Any) -> str:
    return ISSUER.mint(claims, now=NOW, alg=alg, header=header)


def guess(text: str, vertical: Vertical = "b2b") -> Guess:
    return guessing.guess(guessing.look_at(text), vertical, NOW)


def warned(text: str) -> str:
    return " ".join(guess(text).warnings)


# ---------------------------------------------------------------- members


def test_a_token_of_an_unknown_issuer_gives_its_issuer_audience_algorithm_and_keys() -> None:
    found = guess(token())
    assert (found.preset, found.missing, found.also_fitting, found.keys) == (None, (), (), "discovery")
    assert {name: found.members[name] for name in ("name", "issuer", "audience", "algorithms")} == {
        "name": "login.acme.example",
        "issuer": "https://login.acme.example",
        "audience": "assay-tests",
        "algorithms": ["RS256"],
    }
    assert found.members["max_lifetime_seconds"] == 3600
    assert "typ" not in found.members


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"aud": ["one", "two"]}, {"audience": "one"}, id="first of several"),
        pytest.param({"aud": ABSENT, "azp": "app"}, {"audience": "app", "audience_claim": "azp"}, id="azp"),
        pytest.param({"aud": ABSENT, "client_id": "app"}, {"audience_claim": "client_id"}, id="client_id"),
        pytest.param({"aud": ABSENT}, {"audience": "AUDIENCE", "audience_claim": "none"}, id="none"),
        pytest.param({"aud": [7]}, {"audience_claim": "none"}, id="no string"),
        pytest.param({"iss": ABSENT}, {"issuer": "ISSUER", "issuer_check": "none"}, id="no issuer"),
        pytest.param({"exp": ABSENT}, {"require_exp": False, "max_age_seconds": 300}, id="no end"),
        pytest.param({"exp": NOW + 7201}, {"max_lifetime_seconds": 10_800}, id="life to the next hour"),
    ],
)
def test_members_follow_what_the_token_has(changed: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected.items() <= guess(token(**changed)).members.items()


def test_an_unusual_type_is_named_so_that_the_profile_accepts_it() -> None:
    assert guess(token({"typ": "vendor+jwt"})).members["typ"] == ["vendor+jwt"]


@pytest.mark.parametrize(
    ("alg", "issuer", "keys"),
    [
        ("ES256", "https://a.example", "discovery"),
        ("ES256", "http://a.example", "pem"),
        ("ES256", "acme", "pem"),
        ("HS256", "https://a.example", "hmac"),
    ],
)
def test_where_keys_would_come_from_follows_from_issuer_and_algorithm(alg: str, issuer: str, keys: str) -> None:
    text = sign({"alg": alg}, {"iss": issuer, "aud": "a", "exp": NOW + 60}, alg, _key(alg))
    found = guess(text)
    assert found.keys == keys
    assert ("keys" in found.missing) == (keys != "discovery")


def _key(alg: str) -> object:
    return b"x" * 64 if alg.startswith("HS") else make_key("P-256").private_key


@pytest.mark.parametrize(
    ("claims", "vertical", "expected"),
    [
        pytest.param({}, "b2b", {"email": "email", "external_member_id": "sub"}, id="standard claims"),
        pytest.param({}, "consumer", {"email": "email", "external_user_id": "sub"}, id="of a consumer"),
        pytest.param({"email": ABSENT, "user_email": "a@b.example"}, "b2b", {"email": "user_email"}, id="user_email"),
        pytest.param(
            {"email": ABSENT, "https://acme.example/email": "a@b.example"},
            "b2b",
            {"email": "https://acme.example/email"},
            id="namespaced",
        ),
        pytest.param({"sub": ABSENT, "oid": "o-1"}, "b2b", {"external_member_id": "oid"}, id="oid"),
        pytest.param({"jti": ABSENT, "uti": "u-1"}, "b2b", {"token_id": "uti"}, id="uti"),
        pytest.param(
            {"org_id": 7, "org_name": "Acme"},
            "b2b",
            {"organization_id": "org_id", "organization_name": "org_name"},
            id="organization",
        ),
        pytest.param({"o": {"id": "org_1"}}, "b2b", {"organization_id": "/o/id"}, id="nested organization"),
        pytest.param({"name": "Ada Lovelace"}, "b2b", {"name": "name"}, id="name"),
    ],
)
def test_claims_are_mapped_by_the_names_that_issuers_use(
    claims: dict[str, Any], vertical: Vertical, expected: dict[str, str]
) -> None:
    assert expected.items() <= guess(token(**claims), vertical).members["attribute_mapping"].items()


@pytest.mark.parametrize(
    ("claims", "attribute"),
    [
        pytest.param({"email": "not an address"}, "email", id="an email that is none"),
        pytest.param({"email": ABSENT, "nickname": "a@b.example"}, "email", id="an address under another name"),
        pytest.param({"sub": ""}, "external_member_id", id="an empty subject"),
        pytest.param({"sub": "x" * 256}, "external_member_id", id="a subject that is too long"),
        pytest.param({"org_id": True}, "organization_id", id="a boolean"),
        pytest.param({"user_metadata": {"org": {"id": "o"}}}, "organization_id", id="somewhere inside"),
        pytest.param({"jti": "t-1", "uti": "u-1"}, "token_id", id="beside a jti"),
    ],
)
def test_what_could_be_anybody_s_word_is_not_mapped(claims: dict[str, Any], attribute: str) -> None:
    assert attribute not in guess(token(**claims)).members["attribute_mapping"]


def test_consumers_are_in_no_organization() -> None:
    assert "organization_id" not in guess(token(org_id="o-1"), "consumer").members["attribute_mapping"]


# ---------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(token(exp=NOW - 7200), "expired 2 hours ago", id="expired"),
        pytest.param(token(exp=ABSENT), "no exp", id="no end"),
        pytest.param(token(exp=NOW + 90 * 86_400), "lives for 90 days", id="long life"),
        pytest.param(token(nbf=NOW + 600), "not valid for another 10 minutes", id="not yet"),
        pytest.param(token(aud=ABSENT), "no aud: it does not say whom it is for", id="no audience"),
        pytest.param(token(aud=["one", "two"]), "for 2 audiences", id="several audiences"),
        pytest.param(token(), "does not say whether its address is verified", id="address of unknown standing"),
        pytest.param(token(email=ABSENT, sub=ABSENT), "Nothing in the token looks like a person", id="nobody"),
        pytest.param(token({"typ": "logout+jwt"}), "not made to log anybody in", id="logout token"),
        pytest.param(token({"typ": "application/DPoP+jwt"}), "not made to log anybody in", id="proof of possession"),
        pytest.param(token({"jwk": {}}), "offers a key of its own (jwk), which is never used", id="key in the header"),
        pytest.param(token({"alg": "none"}), "No profile can accept the algorithm 'none'", id="no signature"),
        pytest.param(
            sign({"alg": "HS256"}, {"iss": "a", "aud": "b"}, "HS256", b"x" * 64), "needs the secret", id="shared secret"
        ),
        pytest.param(
            token(iss="https://gitlab.com", sub="1"), "No condition tells yours from theirs", id="shared issuer"
        ),
        pytest.param(token(iss=ABSENT), "issuer_check none needs a condition", id="no issuer"),
    ],
)
def test_what_an_operator_must_know_is_said(text: str, told: str) -> None:
    assert told in warned(text)


def test_an_ordinary_token_gives_no_warning() -> None:
    assert warned(token(email_verified=True)) == ""


@pytest.mark.parametrize(
    "text", ["", "abc", "a.b", "{}", "a.b.c.d.e", "not a token", "e30.e30.e30"], ids=lambda text: text or "empty"
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken):
        guessing.look_at(text)


# ---------------------------------------------------------------- presets


def github(**claims: Any) -> str:
    usual = {"iss": "https://token.actions.githubusercontent.com", "repository_owner_id": "77", "repository_id": "8"}
    return token(**(usual | claims))


def test_a_preset_is_filled_with_what_the_token_shows() -> None:
    found = guess(github(aud="https://api.acme.example"))
    assert (found.preset, found.missing) == ("github_actions", ())
    assert found.settings == {"audience": "https://api.acme.example", "owner_id": "77"}
    assert found.members["conditions"] == ['claims.repository_owner_id == "77"']


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://token.actions.githubusercontent.com.evil.example"}, id="issuer that begins so"),
        pytest.param({"iss": "https://TOKEN.actions.githubusercontent.com"}, id="issuer in capitals"),
        pytest.param({"repository_owner_id": 'x" || true || "'}, id="value that would end a CEL string"),
        pytest.param({"repository_owner_id": 77}, id="value of another type"),
    ],
)
def test_a_token_that_the_preset_would_refuse_is_not_its(claims: dict[str, Any]) -> None:
    assert guess(github(**claims)).preset is None


def test_an_algorithm_that_the_issuer_does_not_use_is_not_its() -> None:
    text = ISSUER.mint(
        {"iss": "https://token.actions.githubusercontent.com", "repository_owner_id": "77"}, now=NOW, alg="ES256"
    )
    assert guess(text).preset is None


def test_padding_is_that_of_load_balancers_alone() -> None:
    head, body, signature = github().split(".")
    padded = ".".join(part + "=" * (-len(part) % 4) for part in (head, body, signature))
    assert padded != github()
    assert guess(padded).preset is None
