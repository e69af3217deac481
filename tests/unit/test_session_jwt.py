"""The claims of our own session JWT, and who it is taken from."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from assay import errors
from assay.model import SessionView
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


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_are_utc_to_the_second_whatever_the_machines_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert session_jwt.timestamp(1_780_000_005) == "2026-05-28T20:26:45Z"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert os.environ.get("TZ") != "Asia/Tokyo"


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
    written = session_jwt.claims(view, environment, shape, public_url="", sealed_token="sealed", now=NOW)
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
            "started_at": session_jwt.timestamp(NOW - 60),
            "last_accessed_at": session_jwt.timestamp(NOW - 5),
            "expires_at": session_jwt.timestamp(NOW + 3600),
            "attributes": {"ip_address": "", "user_agent": ""},
            "authentication_factors": [
                {
                    "type": "trusted_auth_token",
                    "delivery_method": "trusted_token_exchange",
                    "last_authenticated_at": session_jwt.timestamp(NOW - 5),
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
