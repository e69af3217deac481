"""The claims of our own session JWT, and who it is taken from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from assay import errors
from assay.model import Environment, SessionView
from assay.rules import session_jwt
from assay.rules.session_ids import session_id
from tests import records
from tests.issuer import encode, make_key, sign

KEY = make_key("RSA", "jwk-test-1", "RS256")
ENVIRONMENT_ID = "project-test-1"
NOW = 1_780_000_000
PUBLIC_URL = "https://assay.example"
CLAIM = {"id": "member-session-test-1", "sealed_token": "sealed"}


def claims(**changes: Any) -> dict[str, Any]:
    usual = {"iss": PUBLIC_URL, "aud": [ENVIRONMENT_ID], "exp": NOW + 300, session_jwt.SESSION_CLAIM: CLAIM}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def token(key: Any = KEY, **changes: Any) -> str:
    return sign({"alg": "RS256", "kid": KEY.kid, "typ": "JWT"}, claims(**changes), "RS256", key.private_key)


def read(text: str, now: float = NOW) -> session_jwt.SessionClaim:
    return session_jwt.read(text, KEY.verification_key(), ENVIRONMENT_ID, PUBLIC_URL, now)


def shown(seconds: int) -> str:
    """A time as it stands in a JWT."""
    text: str = json.loads(msgspec.json.encode(session_jwt.time(seconds)))
    return text


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_are_utc_to_the_second_whatever_the_machines_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    session_jwt.time.cache_clear()
    try:
        assert shown(1_780_000_005) == "2026-05-28T20:26:45Z"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert os.environ.get("TZ") != "Asia/Tokyo"


def test_custom_claims_are_in_the_jwt_where_there_is_no_template() -> None:
    ada = records.member(records.organization(ENVIRONMENT_ID))
    view = SessionView(session=records.session(ada, custom_claims={"plan": "pro"}), member=ada)
    environment = records.new_project().environments[1]
    shape = session_jwt.Shape(("stytch_member",))
    made = session_jwt.claims(view, environment, shape, public_url="", sealed_token="sealed", now=NOW)
    assert made["plan"] == "pro"


def test_a_jwt_of_ours_names_its_session() -> None:
    assert read(token()) == session_jwt.SessionClaim(id="member-session-test-1", sealed_token="sealed")


def test_the_claims_are_those_of_the_contract() -> None:
    """Word for word: official clients fail on a missing or misspelled one."""
    acme = records.organization(ENVIRONMENT_ID, slug="acme")
    ada = records.member(acme)
    factor = records.factor(token_id="t-1", last_authenticated_at=NOW - 5)
    session = records.session(
        ada,
        factors=(factor,),
        custom_claims={"plan": "pro", "iss": "never"},
        started_at=NOW - 60,
        last_accessed_at=NOW - 5,
        expires_at=NOW + 3600,
    )
    environment = records.new_project().environments[1]
    view = SessionView(session=session, member=ada, organization=acme)
    shape = session_jwt.Shape(("stytch_member", "editor"), {"plan": "free", "exp": 0, "tier": {"a": 1}}, "https://api")
    made = session_jwt.claims(view, environment, shape, public_url="", sealed_token="sealed", now=NOW)
    written = json.loads(msgspec.json.encode(made))
    assert written == {
        "plan": "pro",
        "tier": {"a": 1},
        "iss": f"stytch.com/{environment.environment_id}",
        "aud": [environment.environment_id, "https://api"],
        "sub": ada.member_id,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
        "https://stytch.com/session": {
            "id": session_id(session),
            "started_at": shown(NOW - 60),
            "last_accessed_at": shown(NOW - 5),
            "expires_at": shown(NOW + 3600),
            "attributes": {"ip_address": "", "user_agent": ""},
            "authentication_factors": [
                {
                    "type": "trusted_auth_token",
                    "delivery_method": "trusted_token_exchange",
                    "last_authenticated_at": shown(NOW - 5),
                    "trusted_auth_token_factor": {"token_id": "t-1"},
                }
            ],
            "roles": ["stytch_member", "editor"],
            "sealed_token": "sealed",
        },
        "https://stytch.com/organization": {"organization_id": acme.organization_id, "slug": "acme"},
    }


def test_the_issuer_is_the_public_url_or_the_project() -> None:
    assert session_jwt.issuer_of(ENVIRONMENT_ID, PUBLIC_URL) == PUBLIC_URL
    assert session_jwt.issuer_of(ENVIRONMENT_ID, "") == "stytch.com/project-test-1"


@pytest.mark.parametrize(
    ("now", "iss", "taken"),
    [
        (NOW + 10_000, PUBLIC_URL, True),
        (NOW + 299.9, "stytch.com/project-test-1", True),
        (NOW + 300, "stytch.com/project-test-1", False),
    ],
    ids=["ours and expired", "an older issuer's in its life", "an older issuer's after it"],
)
def test_an_expired_jwt_is_taken_from_the_present_issuer_only(now: float, iss: str, taken: bool) -> None:
    if taken:
        assert read(token(iss=iss), now).id == CLAIM["id"]
    else:
        with pytest.raises(errors.UnableToParseSessionJwt):
            read(token(iss=iss), now)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["project-test-2"]},
        {"aud": ENVIRONMENT_ID},
        {"aud": None},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {session_jwt.SESSION_CLAIM: None},
        {session_jwt.SESSION_CLAIM: {"id": "member-session-test-1"}},
    ],
    ids=["other audience", "audience as text", "no audience", "no issuer", "no end", "end as text", "no claim", "half"],
)
def test_what_we_did_not_write_is_not_ours(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.UnableToParseSessionJwt):
        read(token(**changes))


def test_without_the_key_or_with_another_nothing_is_ours() -> None:
    with pytest.raises(errors.UnableToParseSessionJwt):
        session_jwt.read(token(), None, ENVIRONMENT_ID, PUBLIC_URL, NOW)
    with pytest.raises(errors.UnableToParseSessionJwt):
        read(token(make_key("RSA", "another")))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RS256"},
        {"alg": "PS256", "kid": "jwk-test-1"},
        {"alg": "HS256", "kid": "jwk-test-1"},
        {"alg": "none", "kid": "jwk-test-1"},
    ],
    ids=["no kid", "another padding", "a MAC", "none"],
)
def test_the_header_names_our_algorithm_and_a_key(header: dict[str, Any]) -> None:
    with pytest.raises(errors.UnableToParseSessionJwt):
        session_jwt.kid_of(f"{encode(header)}.{encode(claims())}.{encode(b'signature')}")


def test_the_kid_of_a_jwt_of_ours_is_read() -> None:
    assert session_jwt.kid_of(token()) == "jwk-test-1"


@pytest.mark.parametrize(
    ("named", "signed_by"),
    [("ES256", "RS256"), ("RS256", "ES256"), ("EdDSA", "RS256"), ("PS256", "RS256"), ("RS512", "RS256")],
)
def test_the_key_says_how_its_signatures_are_checked_and_the_header_must_agree(named: str, signed_by: str) -> None:
    """Even a signature that our own key made is refused under another name (RFC 8725 §3.1)."""
    key = make_key("RSA" if signed_by == "RS256" else "P-256", "jwk-test-1", signed_by)
    text = sign({"alg": named, "kid": key.kid, "typ": "JWT"}, claims(), signed_by, key.private_key)
    with pytest.raises(errors.UnableToParseSessionJwt):
        session_jwt.read(text, key.verification_key(), ENVIRONMENT_ID, PUBLIC_URL, NOW)


@pytest.mark.parametrize(("kind", "algorithm"), [("RSA", "RS256"), ("P-256", "ES256"), ("Ed25519", "EdDSA")])
def test_a_jwt_of_ours_of_each_algorithm_names_its_session(kind: str, algorithm: str) -> None:
    key = make_key(kind, "jwk-test-1", algorithm)
    text = sign({"alg": algorithm, "kid": key.kid, "typ": "JWT"}, claims(), algorithm, key.private_key)
    assert session_jwt.kid_of(text) == "jwk-test-1"
    assert session_jwt.read(text, key.verification_key(), ENVIRONMENT_ID, PUBLIC_URL, NOW).id == CLAIM["id"]


# ---------------------------------------------------------------- when one may stand for another


class Said(msgspec.Struct, frozen=True):
    """All that goes into a session JWT."""

    view: SessionView
    environment: Environment
    shape: session_jwt.Shape
    public_url: str = PUBLIC_URL
    kid: str = "jwk-test-1"
    token: str = "token"

    def contents(self) -> bytes:
        given = {"public_url": self.public_url, "kid": self.kid, "token": self.token}
        return session_jwt.contents(self.view, self.environment, self.shape, **given)


def said() -> Said:
    acme = records.organization(ENVIRONMENT_ID, slug="acme")
    ada = records.member(acme)
    session = records.session(ada, factors=(records.factor(token_id="t-1"),), custom_claims={"plan": 1, "a": {"b": []}})
    shape = session_jwt.Shape(("stytch_member",), {"tier": 1}, "https://api")
    return Said(
        SessionView(session=session, member=ada, organization=acme), records.new_project().environments[1], shape
    )


def of_session(**changes: Any) -> Callable[[Said], Said]:
    def change(one: Said) -> Said:
        return replace(one, view=replace(one.view, session=replace(one.view.session, **changes)))

    return change


def of_organization(**changes: Any) -> Callable[[Said], Said]:
    def change(one: Said) -> Said:
        assert one.view.organization is not None
        return replace(one, view=replace(one.view, organization=replace(one.view.organization, **changes)))

    return change


def of_shape(**changes: Any) -> Callable[[Said], Said]:
    return lambda one: replace(one, shape=replace(one.shape, **changes))


DIFFERENT: dict[str, Callable[[Said], Said]] = {
    "key": lambda one: replace(one, kid="jwk-test-2"),
    "issuer": lambda one: replace(one, public_url=""),
    "environment": lambda one: replace(one, environment=replace(one.environment, environment_id="project-test-2")),
    "session token": lambda one: replace(one, token="another"),
    "session number": of_session(number=5),
    "tail of the session's id": of_session(id_tail=5),
    "person": of_session(subject_id="member-test-2"),
    "start": of_session(started_at=5),
    "end": of_session(expires_at=5),
    "factor": of_session(factors=(records.factor(token_id="t-2"),)),
    "one factor more": of_session(factors=(records.factor(token_id="t-1"), records.factor(token_id="t-2"))),
    "factor proved again": of_session(factors=(records.factor(token_id="t-1", last_authenticated_at=5),)),
    "custom claim": of_session(custom_claims={"plan": 2, "a": {"b": []}}),
    "custom claim that Python calls equal": of_session(custom_claims={"plan": True, "a": {"b": []}}),
    "custom claim as a float": of_session(custom_claims={"plan": 1.0, "a": {"b": []}}),
    "no custom claims": of_session(custom_claims={}),
    "role": of_shape(roles=("stytch_member", "editor")),
    "no role": of_shape(roles=()),
    "claim of the template": of_shape(claims={"tier": True}),
    "audience": of_shape(custom_audience=""),
    "organization": of_organization(organization_id="organization-test-2"),
    "slug": of_organization(slug="engines"),
    "no organization": lambda one: replace(one, view=replace(one.view, organization=None)),
}


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT)
def test_what_says_something_else_has_other_contents(change: Callable[[Said], Said]) -> None:
    before = said()
    assert change(before).contents() != before.contents()


SAME: dict[str, Callable[[Said], Said]] = {
    "last access": of_session(last_accessed_at=5),
    "revision": of_session(revision=5),
    "what a JWT does not tell of the organization": of_organization(name="Acme", revision=5),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_a_jwt_does_not_tell_leaves_the_contents_as_they_are(change: Callable[[Said], Said]) -> None:
    before = said()
    assert change(before).contents() == before.contents()
