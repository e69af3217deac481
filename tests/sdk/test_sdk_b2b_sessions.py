"""B2B sessions through the official Python client: authenticate, get, revoke, exchange, and local verification."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from stytch.b2b.models.organizations_members import UpdateRequestOptions
from stytch.b2b.models.sessions import AuthorizationCheck, RevokeRequestOptions
from stytch.shared.method_options import Authorization
from stytch.shared.rbac_local import RBACPermissionError, TenancyError

from tests.issuer import make_key, sign
from tests.sdk.clients import Sdk, jwt_of_ten_minutes_ago, person, refused, unique

Named = Callable[[Any], dict[str, Any]]


@pytest.fixture
async def login(b2b: Sdk, organization: Any) -> Any:
    """Somebody new in the organization, logged in for an hour."""
    return await b2b.login(person(org_id=organization.organization_id))


def check(login: Any, action: str, resource: str = "stytch.self", **other: Any) -> AuthorizationCheck:
    organization_id = other.get("organization_id", login.organization.organization_id)
    return AuthorizationCheck(organization_id=organization_id, resource_id=resource, action=action)


async def test_a_session_token_authenticates_and_brings_a_fresh_jwt(b2b: Sdk, login: Any) -> None:
    found = await b2b("sessions.authenticate", session_token=login.session_token)
    assert found.member_session.member_session_id == login.member_session.member_session_id
    assert found.member_session.expires_at == login.member_session.expires_at
    assert found.member_session.last_accessed_at >= login.member_session.last_accessed_at
    assert found.session_token == login.session_token
    assert found.member.member_id == login.member_id
    assert found.organization == login.organization
    assert found.verdict is None


async def test_a_session_jwt_authenticates_and_brings_the_session_token(b2b: Sdk, login: Any) -> None:
    found = await b2b("sessions.authenticate", session_jwt=login.session_jwt)
    assert found.session_token == login.session_token
    assert found.member_session.member_session_id == login.member_session.member_session_id
    again = await b2b("sessions.authenticate", session_jwt=found.session_jwt)
    assert again.session_token == login.session_token


async def test_a_duration_moves_the_end_of_the_session_to_that_many_minutes_from_now(b2b: Sdk, login: Any) -> None:
    found = await b2b("sessions.authenticate", session_token=login.session_token, session_duration_minutes=600)
    session = found.member_session
    assert session.expires_at - session.last_accessed_at == timedelta(minutes=600)
    kept = await b2b("sessions.authenticate", session_token=login.session_token)
    assert kept.member_session.expires_at == session.expires_at


async def test_custom_claims_merge_into_objects_and_null_deletes(b2b: Sdk, organization: Any) -> None:
    first = {"plan": {"tier": "pro", "seats": 3, "add": {"a": 1}}, "beta": True}
    login = await b2b.login(person(org_id=organization.organization_id), session_custom_claims=first)
    assert login.member_session.custom_claims == first
    change = {"plan": {"seats": None, "add": {"b": [2]}}, "beta": None, "note": "é"}
    found = await b2b("sessions.authenticate", session_token=login.session_token, session_custom_claims=change)
    merged = {"plan": {"tier": "pro", "add": {"a": 1, "b": [2]}}, "note": "é"}
    assert found.member_session.custom_claims == merged
    local = await b2b("sessions.authenticate_jwt_local", session_jwt=found.session_jwt)
    assert local.custom_claims == merged


async def test_an_authorization_check_that_passes_names_the_roles_that_grant(b2b: Sdk, organization: Any) -> None:
    admin = await b2b.login(person(org_id=organization.organization_id, roles=["stytch_admin"]))
    own = await b2b(
        "sessions.authenticate", session_token=admin.session_token, authorization_check=check(admin, "update.info.name")
    )
    assert own.verdict.authorized
    assert sorted(own.verdict.granting_roles) == ["stytch_admin", "stytch_member"]
    others = await b2b(
        "sessions.authenticate",
        session_token=admin.session_token,
        authorization_check=check(admin, "delete", "stytch.member"),
    )
    assert others.verdict.granting_roles == ["stytch_admin"]


async def test_an_authorization_check_that_fails_is_refused(b2b: Sdk, login: Any) -> None:
    with refused("session_authorization_error", 403):
        await b2b(
            "sessions.authenticate",
            session_token=login.session_token,
            authorization_check=check(login, "delete", "stytch.member"),
        )
    elsewhere = await b2b("organizations.create", organization_name="Elsewhere", organization_slug=unique("elsewhere"))
    tenancy = check(login, "update.info.name", organization_id=elsewhere.organization.organization_id)
    with refused("session_authorization_tenancy_error", 403):
        await b2b("sessions.authenticate", session_token=login.session_token, authorization_check=tenancy)


@pytest.mark.parametrize("named", ["organization_id", "organization_slug", "organization_external_id"])
async def test_get_lists_the_live_sessions_of_a_member(b2b: Sdk, organization: Any, member: Any, named: str) -> None:
    claims = person(sub=member.external_id, email=member.email_address, org_id=organization.organization_id)
    kept, ended = await b2b.login(claims), await b2b.login(claims)
    assert kept.member_id == ended.member_id == member.member_id
    await b2b("sessions.revoke", session_token=ended.session_token)
    for member_id in (member.member_id, member.external_id):
        found = await b2b("sessions.get", organization_id=getattr(organization, named), member_id=member_id)
        assert [session.member_session_id for session in found.member_sessions] == [
            kept.member_session.member_session_id
        ]
    assert found.member_sessions[0].organization_slug == organization.organization_slug


REVOKES: dict[str, Named] = {
    "id": lambda login: {"member_session_id": login.member_session.member_session_id},
    "token": lambda login: {"session_token": login.session_token},
    "jwt": lambda login: {"session_jwt": login.session_jwt},
    "member": lambda login: {"member_id": login.member_id},
}


@pytest.mark.parametrize("named", REVOKES.values(), ids=REVOKES)
async def test_revoke_ends_the_session_at_once(b2b: Sdk, login: Any, named: Named) -> None:
    assert (await b2b("sessions.revoke", **named(login))).status_code == 200
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_token=login.session_token)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_jwt=login.session_jwt)
    assert (await b2b("sessions.revoke", **named(login))).status_code == 200


async def test_revoking_one_session_leaves_the_member_s_others(b2b: Sdk, organization: Any) -> None:
    claims = person(org_id=organization.organization_id)
    one, other = await b2b.login(claims), await b2b.login(claims)
    await b2b("sessions.revoke", session_token=one.session_token)
    assert (await b2b("sessions.authenticate", session_token=other.session_token)).status_code == 200
    await b2b("sessions.revoke", member_id=one.member_id)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_token=other.session_token)


@pytest.mark.parametrize("header", ["session_token", "session_jwt"])
async def test_a_member_session_header_revokes_only_what_that_member_may(
    b2b: Sdk, organization: Any, header: str
) -> None:
    mine, theirs = [await b2b.login(person(org_id=organization.organization_id)) for _ in range(2)]
    options = RevokeRequestOptions(authorization=Authorization(**{header: getattr(mine, header)}))
    with refused("session_authorization_error", 403):
        await b2b("sessions.revoke", session_token=theirs.session_token, method_options=options)
    assert (await b2b("sessions.authenticate", session_token=theirs.session_token)).status_code == 200
    await b2b("sessions.revoke", session_token=mine.session_token, method_options=options)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_token=mine.session_token)


async def test_a_member_session_header_of_an_ended_session_is_refused(b2b: Sdk, login: Any) -> None:
    await b2b("sessions.revoke", session_token=login.session_token)
    options = UpdateRequestOptions(authorization=Authorization(session_token=login.session_token))
    with refused("session_not_found", 404):
        await b2b(
            "organizations.members.update",
            organization_id=login.organization.organization_id,
            member_id=login.member_id,
            name="Nobody",
            method_options=options,
        )


async def test_exchange_makes_a_session_in_another_organization_and_leaves_the_old_one(b2b: Sdk, login: Any) -> None:
    slug = unique("target")
    target = (await b2b("organizations.create", organization_name="Target", organization_slug=slug)).organization
    invited = await b2b(
        "organizations.members.create",
        organization_id=target.organization_id,
        email_address=login.member.email_address,
        create_member_as_pending=True,
    )
    made = await b2b(
        "sessions.exchange",
        organization_id=slug,
        session_token=login.session_token,
        session_duration_minutes=30,
        session_custom_claims={"entered": slug},
    )
    assert (made.member_authenticated, made.intermediate_session_token) == (True, "")
    assert made.member_id == invited.member_id
    assert made.member.status == "active"
    assert made.organization.organization_id == made.member_session.organization_id == target.organization_id
    assert made.member_session.custom_claims == {"entered": slug}
    carried, held = made.member_session.authentication_factors, login.member_session.authentication_factors
    assert [factor.trusted_auth_token_factor for factor in carried] == [
        factor.trusted_auth_token_factor for factor in held
    ]
    assert made.member_session.expires_at - made.member_session.started_at == timedelta(minutes=30)
    by_jwt = await b2b("sessions.exchange", organization_id=slug, session_jwt=login.session_jwt)
    assert by_jwt.member_session.member_session_id != made.member_session.member_session_id
    assert (await b2b("sessions.authenticate", session_token=login.session_token)).status_code == 200


async def test_exchange_goes_only_where_the_verified_address_is_a_member(b2b: Sdk, organization: Any) -> None:
    target = unique("target")
    await b2b("organizations.create", organization_name="Target", organization_slug=target)
    login = await b2b.login(person(org_id=organization.organization_id))
    with refused("member_not_found", 404):
        await b2b("sessions.exchange", organization_id=target, session_token=login.session_token)
    silent = person(org_id=organization.organization_id)
    del silent["email_verified"]
    unverified = await b2b.login(silent)
    await b2b("organizations.members.create", organization_id=target, email_address=silent["email"])
    with refused("member_has_no_active_verified_email", 400):
        await b2b("sessions.exchange", organization_id=target, session_token=unverified.session_token)


async def test_jwks_hold_every_field_that_the_model_demands(b2b: Sdk, login: Any) -> None:
    found = await b2b("sessions.get_jwks", project_id=b2b.service.b2b.project_id)
    kids = [key.kid for key in found.keys]
    assert jwt.get_unverified_header(login.session_jwt)["kid"] in kids
    assert len(kids) >= 2, "the next key is published before it signs"
    for key in found.keys:
        assert (key.kty, key.use, key.alg, key.key_ops) == ("RSA", "sig", "RS256", ["verify"])
        assert key.n
        assert key.e
        assert key.x5tS256


async def test_the_client_verifies_a_session_jwt_without_asking_the_server(b2b: Sdk, login: Any) -> None:
    """After a revoke only the server refuses: what still says yes did not ask it."""
    await b2b("sessions.revoke", session_token=login.session_token)
    found = await b2b("sessions.authenticate_jwt", session_jwt=login.session_jwt)
    local, remote = found.member_session, login.member_session
    assert found.session_jwt == login.session_jwt
    assert local.custom_claims == {}
    assert local.organization_slug == remote.organization_slug
    assert local.roles == remote.roles == ["stytch_member"]
    for field in ("member_session_id", "member_id", "organization_id", "started_at", "last_accessed_at", "expires_at"):
        assert getattr(local, field) == getattr(remote, field), field
    assert [factor.trusted_auth_token_factor for factor in local.authentication_factors] == [
        factor.trusted_auth_token_factor for factor in remote.authentication_factors
    ]


async def test_the_client_checks_permissions_locally_by_the_policy_of_the_server(b2b: Sdk, login: Any) -> None:
    passed = await b2b(
        "sessions.authenticate_jwt", session_jwt=login.session_jwt, authorization_check=check(login, "delete")
    )
    assert passed.member_session.member_id == login.member_id
    with pytest.raises(RBACPermissionError):
        await b2b(
            "sessions.authenticate_jwt",
            session_jwt=login.session_jwt,
            authorization_check=check(login, "delete", "stytch.member"),
        )
    with pytest.raises(TenancyError):
        await b2b(
            "sessions.authenticate_jwt",
            session_jwt=login.session_jwt,
            authorization_check=check(login, "delete", organization_id="organization-test-other"),
        )


async def test_a_jwt_that_is_too_old_for_the_client_is_judged_by_the_server(b2b: Sdk, login: Any) -> None:
    found = await b2b("sessions.authenticate_jwt", session_jwt=login.session_jwt, max_token_age_seconds=0)
    assert found.member_session.member_session_id == login.member_session.member_session_id
    assert found.request_id.startswith("request-id-test-")
    await b2b("sessions.revoke", session_token=login.session_token)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate_jwt", session_jwt=login.session_jwt, max_token_age_seconds=0)


async def test_an_expired_jwt_is_renewed_while_its_session_lives(b2b: Sdk, login: Any) -> None:
    expired = await jwt_of_ten_minutes_ago(b2b.service, "/v1/b2b/sessions/authenticate", login.session_token)
    assert await b2b("sessions.authenticate_jwt_local", session_jwt=expired) is None
    found = await b2b("sessions.authenticate_jwt", session_jwt=expired)
    assert found.session_jwt != expired
    assert await b2b("sessions.authenticate_jwt_local", session_jwt=found.session_jwt) is not None
    await b2b("sessions.revoke", session_jwt=expired)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate_jwt", session_jwt=expired)


async def test_a_jwt_signed_by_a_stranger_under_our_kid_is_refused_locally_and_by_the_server(
    b2b: Sdk, login: Any
) -> None:
    header = jwt.get_unverified_header(login.session_jwt)
    claims = jwt.decode(login.session_jwt, options={"verify_signature": False})
    forged = sign(header, claims, "RS256", make_key("RSA", "stranger").private_key)
    assert await b2b("sessions.authenticate_jwt_local", session_jwt=forged) is None
    with refused("unable_to_parse_session_jwt", 400):
        await b2b("sessions.authenticate_jwt", session_jwt=forged)
    strange = sign({**header, "kid": "jwk-test-unknown"}, claims, "RS256", make_key("RSA", "stranger").private_key)
    with pytest.raises(jwt.PyJWKClientError):
        await b2b("sessions.authenticate_jwt", session_jwt=strange)
    with refused("unable_to_parse_session_jwt", 400):
        await b2b("sessions.authenticate", session_jwt=strange)
