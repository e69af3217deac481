"""B2B attest through the official Python client: who is logged in, who is made, and which factors a session holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.issuer import ABSENT
from tests.sdk.clients import Sdk, person, refused, unique


async def test_attest_starts_a_session_for_a_member_that_exists(b2b: Sdk, organization: Any, member: Any) -> None:
    """The profile ``closed`` provisions nobody, so the member found is the one created before."""
    token = b2b.service.issuer.mint({"email": member.email_address.upper(), "jti": unique("token")})
    made = await b2b(
        "sessions.attest",
        profile_id="closed",
        token=token,
        organization_id=organization.organization_id,
        session_duration_minutes=120,
        telemetry_id="unused",
    )
    session = made.member_session
    assert made.member_id == made.member.member_id == session.member_id == member.member_id
    assert made.organization == organization
    assert session.organization_id == organization.organization_id
    assert session.organization_slug == organization.organization_slug
    assert session.expires_at - session.started_at == timedelta(minutes=120)
    assert session.roles == ["stytch_member"]
    assert session.member_session_id.startswith("member-session-test-")
    assert len(made.session_token) == 44
    assert made.member_device is None


async def test_the_factor_says_that_a_trusted_token_was_exchanged(b2b: Sdk, organization: Any) -> None:
    token_id = unique("token")
    login = await b2b.login(person(org_id=organization.organization_id, jti=token_id))
    (factor,) = login.member_session.authentication_factors
    assert (factor.type, factor.delivery_method) == ("trusted_auth_token", "trusted_token_exchange")
    assert factor.trusted_auth_token_factor.token_id == token_id
    assert factor.created_at == factor.updated_at == factor.last_authenticated_at == login.member_session.started_at


async def test_a_session_lasts_an_hour_unless_a_duration_is_given(b2b: Sdk, organization: Any) -> None:
    session = (await b2b.login(person(org_id=organization.organization_id))).member_session
    assert session.expires_at - session.started_at == timedelta(hours=1)


async def test_a_static_pem_verifies_as_well_as_a_key_document(b2b: Sdk, organization: Any, member: Any) -> None:
    made = await b2b(
        "sessions.attest",
        profile_id="static",
        token=b2b.service.issuer.mint({"email": member.email_address}),
        organization_id=organization.organization_slug,
    )
    assert made.member_id == member.member_id


@pytest.mark.parametrize("verified", [True, False, ABSENT], ids=["verified", "unverified", "silent"])
async def test_a_new_member_is_made_just_in_time(b2b: Sdk, organization: Any, verified: object) -> None:
    claims = person(org_id=organization.organization_external_id, email_verified=verified)
    if verified is False:
        with refused("trusted_auth_token_email_not_verified", 400):
            await b2b.login(claims)
        return
    made = await b2b.login(claims)
    assert (made.member.email_address, made.member.external_id) == (claims["email"], claims["sub"])
    assert (made.member.status, made.member.email_address_verified) == ("active", verified is True)
    again = await b2b.login(claims)
    assert again.member_id == made.member_id
    assert again.member_session.member_session_id != made.member_session.member_session_id
    assert (await b2b("organizations.metrics", organization_id=organization.organization_id)).member_count == 1


async def test_a_new_organization_is_made_just_in_time(b2b: Sdk) -> None:
    external_id = unique("customer")
    made = await b2b.login(person(org_id=external_id, org_name=f"Customer {external_id}"))
    assert made.organization.organization_name == f"Customer {external_id}"
    assert made.organization.organization_external_id == external_id
    other = await b2b.login(person(org_id=external_id))
    assert other.organization.organization_id == made.organization.organization_id
    assert other.member_id != made.member_id
    found = await b2b("organizations.get", organization_id=external_id)
    assert found.organization.organization_id == made.organization.organization_id


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "unverified"])
async def test_the_external_id_finds_the_member_whatever_the_address(
    b2b: Sdk, organization: Any, member: Any, verified: bool
) -> None:
    claims = person(org_id=organization.organization_id, sub=member.external_id, email_verified=verified)
    made = await b2b.login(claims)
    assert made.member_id == member.member_id
    assert made.member.email_address == member.email_address, "another address at the issuer is noted, not copied"


async def test_an_external_id_is_attached_to_the_member_found_by_email(b2b: Sdk, organization: Any) -> None:
    claims = person(org_id=organization.organization_id)
    created = await b2b(
        "organizations.members.create",
        organization_id=organization.organization_id,
        email_address=claims["email"],
        create_member_as_pending=True,
    )
    made = await b2b.login(claims)
    assert made.member_id == created.member_id
    assert (made.member.external_id, made.member.status) == (claims["sub"], "active")
    found = await b2b(
        "organizations.members.get", organization_id=organization.organization_id, member_id=claims["sub"]
    )
    assert found.member_id == created.member_id


async def test_an_external_id_and_an_address_of_two_people_are_refused(
    b2b: Sdk, organization: Any, member: Any
) -> None:
    login = await b2b.login(person(org_id=organization.organization_id))
    torn = {"sub": member.external_id, "email": login.member.email_address, "org_id": organization.organization_id}
    with refused("trusted_auth_token_identity_conflict", 400):
        await b2b.login(torn)
    other = {"sub": unique("sub"), "email": login.member.email_address, "org_id": organization.organization_id}
    with refused("trusted_auth_token_identity_conflict", 400):
        await b2b.login(other)


async def test_roles_of_a_token_count_only_in_sessions_with_a_factor_of_its_profile(
    b2b: Sdk, organization: Any
) -> None:
    claims = person(org_id=organization.organization_id, roles=["stytch_admin", "no-such-role"])
    admin = await b2b.login(claims)
    assert admin.member_session.roles == ["stytch_member", "stytch_admin"]
    assert admin.member.is_admin
    assert {role.role_id: role.sources[0].type for role in admin.member.roles}["stytch_admin"] == "direct_assignment"
    local = await b2b("sessions.authenticate_jwt_local", session_jwt=admin.session_jwt)
    assert local.roles == admin.member_session.roles
    plain = await b2b(
        "sessions.attest",
        profile_id="static",
        token=b2b.service.issuer.mint({"email": claims["email"]}),
        organization_id=organization.organization_id,
    )
    assert plain.member_id == admin.member_id
    assert plain.member_session.roles == ["stytch_member"]


async def test_roles_of_a_token_replace_those_of_the_one_before(b2b: Sdk, organization: Any) -> None:
    claims = person(org_id=organization.organization_id)
    admin = await b2b.login(claims | {"roles": "stytch_admin"})
    assert "stytch_admin" in admin.member_session.roles
    await b2b.login(claims | {"roles": []})
    found = await b2b("sessions.authenticate", session_token=admin.session_token)
    assert found.member_session.roles == ["stytch_member"]
    assert not found.member.is_admin


@pytest.mark.parametrize("passed", ["session_token", "session_jwt"])
async def test_a_second_token_adds_a_factor_to_the_session_passed_in(b2b: Sdk, organization: Any, passed: str) -> None:
    claims = person(org_id=organization.organization_id)
    first = await b2b.login(claims, session_custom_claims={"a": {"x": 1}})
    token = b2b.service.partner.mint({"email": claims["email"], "jti": unique("second")})
    both = await b2b(
        "sessions.attest",
        profile_id="partner",
        token=token,
        organization_id=organization.organization_id,
        session_custom_claims={"a": {"y": 2}},
        **{passed: getattr(first, passed)},
    )
    assert both.session_token == first.session_token
    assert both.member_session.member_session_id == first.member_session.member_session_id
    assert both.member_session.expires_at == first.member_session.expires_at
    assert both.member_session.custom_claims == {"a": {"x": 1, "y": 2}}
    assert len(both.member_session.authentication_factors) == 2
    longer = await b2b.login(claims, session_token=first.session_token, session_duration_minutes=300)
    session = longer.member_session
    assert session.expires_at - session.last_accessed_at == timedelta(minutes=300)
    assert len(session.authentication_factors) == 3


async def test_the_same_token_id_refreshes_its_factor(b2b: Sdk, organization: Any) -> None:
    claims = person(org_id=organization.organization_id, jti=unique("token"))
    first = await b2b.login(claims)
    again = await b2b.login(claims, session_token=first.session_token)
    (before,), (after,) = (login.member_session.authentication_factors for login in (first, again))
    assert after.trusted_auth_token_factor == before.trusted_auth_token_factor
    assert after.created_at == before.created_at
    assert after.last_authenticated_at >= before.last_authenticated_at


async def test_a_token_adds_nothing_to_the_session_of_another_member(b2b: Sdk, organization: Any) -> None:
    mine = await b2b.login(person(org_id=organization.organization_id))
    other = person(org_id=organization.organization_id)
    with refused("member_session_member_id_mismatch", 400):
        await b2b.login(other, session_token=mine.session_token)
    assert (await b2b("organizations.metrics", organization_id=organization.organization_id)).member_count == 1
    await b2b.login(other)
    with refused("member_session_member_id_mismatch", 400):
        await b2b.login(other, session_token=mine.session_token)
    found = await b2b("sessions.authenticate", session_token=mine.session_token)
    assert len(found.member_session.authentication_factors) == 1


async def test_an_organization_that_requires_mfa_wants_a_factor_of_another_profile(b2b: Sdk, organization: Any) -> None:
    claims = person(org_id=organization.organization_id)
    first = await b2b.login(claims)
    await b2b("organizations.update", organization_id=organization.organization_id, mfa_policy="REQUIRED_FOR_ALL")
    with refused("insufficient_factors", 401):
        await b2b.login(claims)
    with refused("insufficient_factors", 401):
        await b2b.login(claims, session_token=first.session_token)
    with refused("insufficient_factors", 401):
        await b2b.login(person(org_id=organization.organization_id))
    assert (await b2b("organizations.metrics", organization_id=organization.organization_id)).member_count == 1
    both = await b2b(
        "sessions.attest",
        profile_id="partner",
        token=b2b.service.partner.mint({"email": claims["email"]}),
        organization_id=organization.organization_id,
        session_token=first.session_token,
    )
    assert len(both.member_session.authentication_factors) == 2
    assert len((await b2b.login(claims, session_token=first.session_token)).member_session.authentication_factors) == 3


async def test_exchange_into_an_organization_that_requires_mfa_wants_two_profiles(b2b: Sdk, organization: Any) -> None:
    """One factor does not enter a target that wants two; two do."""
    claims = person(org_id=organization.organization_id)
    one = await b2b.login(claims)
    slug = unique("strict")
    await b2b("organizations.create", organization_name="Strict", organization_slug=slug, mfa_policy="REQUIRED_FOR_ALL")
    await b2b("organizations.members.create", organization_id=slug, email_address=claims["email"])
    with refused("insufficient_factors", 401):
        await b2b("sessions.exchange", organization_id=slug, session_token=one.session_token)
    await b2b(
        "sessions.attest",
        profile_id="partner",
        token=b2b.service.partner.mint({"email": claims["email"]}),
        organization_id=organization.organization_id,
        session_token=one.session_token,
    )
    entered = await b2b("sessions.exchange", organization_id=slug, session_token=one.session_token)
    assert len(entered.member_session.authentication_factors) == 2
