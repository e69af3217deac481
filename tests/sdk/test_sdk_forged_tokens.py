"""Forged tokens over the wire: each is refused, in words that tell a forger nothing, and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.issuer import ABSENT, Issuer, encode, make_key, sign
from tests.sdk.clients import INVALID, Sdk, Service, person, refused

Claims = dict[str, Any]


class Forgery(NamedTuple):
    """A token made out of somebody's claims, and the refusal that it gets."""

    token: Callable[[Service, Claims], str]
    error_type: str = INVALID


def _good(service: Service, claims: Claims) -> Claims:
    return service.issuer.claims() | claims


def _header(service: Service, alg: str) -> dict[str, str]:
    return {"alg": alg, "kid": service.issuer.keys[0].kid, "typ": "JWT"}


def _another_key(service: Service, claims: Claims) -> str:
    return service.issuer.mint(claims, key=make_key("RSA", "stranger"))


def _another_profile_s_key(service: Service, claims: Claims) -> str:
    return service.issuer.mint(claims, key=service.partner.keys[0])


def _no_signature(service: Service, claims: Claims) -> str:
    return service.issuer.mint(claims).rpartition(".")[0] + "."


def _alg_none(service: Service, claims: Claims) -> str:
    return f"{encode(_header(service, 'none'))}.{encode(_good(service, claims))}."


def _hs256_with_the_pem(service: Service, claims: Claims) -> str:
    pem = service.issuer.keys[0].pem().encode()
    return sign(_header(service, "HS256"), _good(service, claims), "HS256", pem)


def _altered_claims(service: Service, claims: Claims) -> str:
    """The token of somebody else, with the claims exchanged under the signature."""
    header, _, signature = service.issuer.mint(person()).split(".")
    return f"{header}.{encode(_good(service, claims))}.{signature}"


def _altered_signature(service: Service, claims: Claims) -> str:
    signed, _, signature = service.issuer.mint(claims).rpartition(".")
    octets = bytearray(base64.urlsafe_b64decode(signature + "=="))
    octets[0] ^= 1
    return f"{signed}.{encode(bytes(octets))}"


def _key_in_the_header(service: Service, claims: Claims) -> str:
    stranger = make_key("RSA", "stranger")
    return service.issuer.mint(claims, header={"jwk": stranger.jwk(), "kid": stranger.kid}, key=stranger)


def _claims(**changes: Any) -> Callable[[Service, Claims], str]:
    def token(service: Service, claims: Claims) -> str:
        return service.issuer.mint(claims | changes)

    return token


def _shifted(seconds: int, **changes: Any) -> Callable[[Service, Claims], str]:
    def token(service: Service, claims: Claims) -> str:
        return service.issuer.mint(claims | changes, now=time.time() + seconds)

    return token


def _another_issuer(service: Service, claims: Claims) -> str:
    """Signed with the trusted key, in the name of the partner."""
    return Issuer(service.partner.url, service.issuer.keys).mint(claims)


FORGERIES = {
    "another key under the same kid": Forgery(_another_key),
    "another profile's key": Forgery(_another_profile_s_key),
    "a key that the header brings": Forgery(_key_in_the_header),
    "no signature": Forgery(_no_signature),
    "alg none": Forgery(_alg_none),
    "HS256 with the PEM": Forgery(_hs256_with_the_pem),
    "altered claims": Forgery(_altered_claims),
    "altered signature": Forgery(_altered_signature),
    "not a token": Forgery(lambda _service, _claims: "abc.def"),
    "expired": Forgery(_shifted(-3600), "jwt_invalid_claims"),
    "not yet valid": Forgery(_shifted(600), "jwt_invalid_claims"),
    "nbf in the future": Forgery(_claims(nbf=int(time.time()) + 3600), "jwt_invalid_claims"),
    "no expiry": Forgery(_claims(exp=ABSENT), "jwt_invalid_claims"),
    "wrong issuer": Forgery(_another_issuer, "jwt_invalid_issuer"),
    "issuer with a slash more": Forgery(
        lambda service, claims: service.issuer.mint(claims | {"iss": service.issuer.url + "/"}), "jwt_invalid_issuer"
    ),
    "wrong audience": Forgery(_claims(aud="another-service"), "jwt_invalid_audience"),
    "no audience": Forgery(_claims(aud=ABSENT), "jwt_invalid_audience"),
}

_named = pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
_profiles = pytest.mark.parametrize("profile_id", ["open", "static"])


@_named
@_profiles
async def test_a_forged_token_starts_no_session_and_makes_nobody(
    b2b: Sdk, organization: Any, member: Any, profile_id: str, forgery: Forgery
) -> None:
    """Neither for a member that exists nor for somebody new, whether keys come by URL or as PEM."""
    somebody_new = person(org_id=organization.organization_id, roles=["stytch_admin"])
    for claims in (somebody_new, somebody_new | {"sub": member.external_id, "email": member.email_address}):
        with refused(forgery.error_type, 400):
            await b2b(
                "sessions.attest",
                profile_id=profile_id,
                token=forgery.token(b2b.service, claims),
                organization_id=organization.organization_id,
            )
    at = {"organization_id": organization.organization_id}
    assert (await b2b("organizations.metrics", **at)).member_count == 1
    assert (await b2b("sessions.get", **at, member_id=member.member_id)).member_sessions == []
    assert (await b2b("organizations.members.get", **at, member_id=member.member_id)).member == member


@_named
async def test_a_forged_token_makes_no_organization(b2b: Sdk, forgery: Forgery) -> None:
    before = (await b2b("organizations.search", limit=1)).results_metadata.total
    with refused(forgery.error_type, 400):
        await b2b(
            "sessions.attest", profile_id="open", token=forgery.token(b2b.service, person(org_id="forged-customer"))
        )
    assert (await b2b("organizations.search", limit=1)).results_metadata.total == before


@_named
async def test_a_forged_token_adds_no_factor(b2b: Sdk, organization: Any, forgery: Forgery) -> None:
    claims = person(org_id=organization.organization_id)
    login = await b2b.login(claims)
    with refused(forgery.error_type, 400):
        await b2b(
            "sessions.attest",
            profile_id="open",
            token=forgery.token(b2b.service, claims),
            session_token=login.session_token,
            session_duration_minutes=600,
        )
    found = await b2b("sessions.authenticate", session_token=login.session_token)
    assert found.member_session.authentication_factors == login.member_session.authentication_factors
    assert found.member_session.expires_at == login.member_session.expires_at


@_named
async def test_a_forged_token_logs_no_user_in(consumer: Sdk, user: Any, forgery: Forgery) -> None:
    before = (await consumer("users.search", limit=1)).results_metadata.total
    for claims in (person(), {"sub": user.external_id, "email": user.emails[0].email}):
        with refused(forgery.error_type, 400):
            await consumer(
                "sessions.attest",
                profile_id="open",
                token=forgery.token(consumer.service, claims),
                session_duration_minutes=60,
            )
    assert (await consumer("users.search", limit=1)).results_metadata.total == before
    assert (await consumer("sessions.get", user_id=user.user_id)).sessions == []


async def test_a_token_of_another_profile_s_issuer_is_refused(b2b: Sdk, organization: Any, member: Any) -> None:
    token = b2b.service.partner.mint({"email": member.email_address})
    at = {"organization_id": organization.organization_id, "token": token}
    assert (await b2b("sessions.attest", profile_id="partner", **at)).member_id == member.member_id
    with refused("jwt_invalid_issuer", 400):
        await b2b("sessions.attest", profile_id="static", **at)


async def test_every_invalid_token_gets_the_same_words(b2b: Sdk) -> None:
    """A forger cannot tell from the answer which of the checks has caught the token."""
    bodies = set()
    for forgery in FORGERIES.values():
        if forgery.error_type != INVALID:
            continue
        with refused(INVALID, 400) as found:
            await b2b("sessions.attest", profile_id="open", token=forgery.token(b2b.service, person(org_id="forged")))
        body = dict(found[0].original_json or {})
        assert body.pop("request_id")
        bodies.add(json.dumps(body, sort_keys=True))
    assert len(bodies) == 1


async def test_neither_tokens_nor_secrets_reach_the_log(b2b: Sdk, organization: Any) -> None:
    token = b2b.service.issuer.mint(person(org_id=organization.organization_id))
    made = await b2b("sessions.attest", profile_id="open", token=token)
    forged = _altered_signature(b2b.service, person(org_id=organization.organization_id))
    with refused(INVALID, 400) as found:
        await b2b("sessions.attest", profile_id="open", token=forged)
    for request_id in (made.request_id, found[0].request_id):
        b2b.service.server.line_with(request_id)
    log = "".join(b2b.service.server.log)
    secrets = (made.session_token, made.session_jwt, b2b.service.b2b.secret, token, forged)
    assert not [part for secret in secrets for part in secret.split(".") if part in log]
