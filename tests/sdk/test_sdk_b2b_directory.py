"""Organizations, members and permissions of a B2B project through the official Python client."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from stytch.b2b.models.organizations import UpdateRequestOptions as OrganizationOptions
from stytch.b2b.models.organizations_members import SearchRequestOptions, UpdateRequestOptions
from stytch.shared.method_options import Authorization

from tests.sdk.clients import Sdk, person, refused, unique

NAMES = ["organization_id", "organization_slug", "organization_external_id"]
MEMBER_NAMES = ["member_id", "external_id"]


def search(**filters: Any) -> dict[str, Any]:
    return {
        "operator": "AND",
        "operands": [{"filter_name": name, "filter_value": value} for name, value in filters.items()],
    }


async def test_an_organization_is_created_with_defaults(b2b: Sdk) -> None:
    name = unique("Defaults Ltd")
    made = (await b2b("organizations.create", organization_name=name)).organization
    assert made.organization_id.startswith("organization-test-")
    assert made.organization_name == name
    assert made.organization_slug
    assert made.organization_logo_url == ""
    assert made.organization_external_id is None
    assert (made.mfa_policy, made.email_invites, made.email_jit_provisioning) == (
        "OPTIONAL",
        "ALL_ALLOWED",
        "NOT_ALLOWED",
    )
    assert made.trusted_metadata == {}
    assert (made.custom_roles, made.sso_active_connections) == ([], [])
    assert made.created_at == made.updated_at


async def test_an_organization_keeps_every_setting_that_it_is_created_with(b2b: Sdk) -> None:
    settings = {
        "organization_logo_url": "https://example.com/logo.png",
        "sso_jit_provisioning": "RESTRICTED",
        "email_allowed_domains": ["example.com"],
        "email_jit_provisioning": "RESTRICTED",
        "email_invites": "RESTRICTED",
        "auth_methods": "RESTRICTED",
        "allowed_auth_methods": ["sso", "google_oauth"],
        "mfa_policy": "OPTIONAL",
        "mfa_methods": "RESTRICTED",
        "allowed_mfa_methods": ["totp"],
        "oauth_tenant_jit_provisioning": "RESTRICTED",
        "allowed_oauth_tenants": {"slack": ["T1"]},
        "claimed_email_domains": ["claimed.example"],
        "first_party_connected_apps_allowed_type": "RESTRICTED",
        "allowed_first_party_connected_apps": ["app-1"],
        "third_party_connected_apps_allowed_type": "NOT_ALLOWED",
        "trusted_metadata": {"plan": {"tier": "pro"}},
    }
    made = (await b2b("organizations.create", organization_name=unique("Full"), **settings)).organization
    found = (await b2b("organizations.get", organization_id=made.organization_id)).organization
    assert found == made
    for name, value in settings.items():
        assert getattr(found, name) == value, name


@pytest.mark.parametrize("named", NAMES)
async def test_an_organization_answers_to_its_id_its_slug_and_its_external_id(
    b2b: Sdk, organization: Any, named: str
) -> None:
    reference = getattr(organization, named)
    assert (await b2b("organizations.get", organization_id=reference)).organization == organization
    new_name = unique("Renamed")
    updated = await b2b(
        "organizations.update",
        organization_id=reference,
        organization_name=new_name,
        trusted_metadata={"a": {"x": 1}, "b": 2},
    )
    assert updated.organization.organization_name == new_name
    merged = await b2b(
        "organizations.update", organization_id=reference, trusted_metadata={"a": {"y": 1}, "b": None, "c": 3}
    )
    assert merged.organization.trusted_metadata == {"a": {"y": 1}, "c": 3}
    assert merged.organization.organization_slug == organization.organization_slug
    assert (await b2b("organizations.metrics", organization_id=reference)).member_count == 0
    policy = await b2b("rbac.organizations.get_org_policy", organization_id=reference)
    assert policy.org_policy.roles == []
    deleted = await b2b("organizations.delete", organization_id=reference)
    assert deleted.organization_id == organization.organization_id
    with refused("organization_not_found", 404):
        await b2b("organizations.get", organization_id=organization.organization_id)


async def test_a_dropped_or_changed_external_id_names_nothing_any_more(b2b: Sdk, organization: Any) -> None:
    first = organization.organization_external_id
    second = f"other|{first}"
    changed = await b2b("organizations.update", organization_id=first, organization_external_id=second)
    assert changed.organization.organization_external_id == second
    with refused("organization_not_found", 404):
        await b2b("organizations.get", organization_id=first)
    dropped = await b2b("organizations.delete_external_id", organization_id=second)
    assert dropped.organization.organization_id == organization.organization_id
    assert dropped.organization.organization_external_id is None
    with refused("organization_not_found", 404):
        await b2b("organizations.get", organization_id=second)


async def test_deleting_an_organization_ends_the_sessions_of_its_members(b2b: Sdk, organization: Any) -> None:
    login = await b2b.login(person(org_id=organization.organization_id))
    await b2b("organizations.delete", organization_id=organization.organization_id)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_token=login.session_token)
    with refused("member_not_found", 404):
        await b2b("organizations.members.dangerously_get", member_id=login.member_id)


async def test_organizations_are_found_page_by_page(b2b: Sdk) -> None:
    marker = unique("paged")
    made = {
        (
            await b2b("organizations.create", organization_name=marker, organization_slug=f"{marker}-{number}")
        ).organization.organization_id
        for number in range(5)
    }
    query = search(organization_slug_fuzzy=marker + "-")
    cursor, found = None, []
    for page in (2, 2, 1):
        answer = await b2b("organizations.search", cursor=cursor, limit=2, query=query)
        assert len(answer.organizations) == page
        assert answer.results_metadata.total == 5
        found += [organization.organization_id for organization in answer.organizations]
        cursor = answer.results_metadata.next_cursor
    assert cursor is None
    assert set(found) == made
    by_id = await b2b("organizations.search", query=search(organization_ids=found[:2]))
    assert {organization.organization_id for organization in by_id.organizations} == set(found[:2])


async def test_a_member_is_created_with_defaults(b2b: Sdk, organization: Any) -> None:
    address = f"{unique('Mixed.Case')}@Example.com"
    made = await b2b(
        "organizations.members.create", organization_id=organization.organization_id, email_address=address
    )
    member = made.member
    assert made.member_id == member.member_id
    assert made.organization == organization
    assert member.email_address == address.lower()
    assert (member.status, member.name, member.external_id) == ("active", "", None)
    assert (member.email_address_verified, member.is_breakglass, member.mfa_enrolled, member.is_locked) == (False,) * 4
    assert [role.role_id for role in member.roles] == ["stytch_member"]
    assert (member.trusted_metadata, member.untrusted_metadata) == ({}, {})


async def test_a_member_keeps_what_it_is_created_with_and_what_it_is_changed_to(b2b: Sdk, organization: Any) -> None:
    name = unique("full")
    made = await b2b(
        "organizations.members.create",
        organization_id=organization.organization_id,
        email_address=f"{name}@example.com",
        name="Ada Lovelace",
        trusted_metadata={"a": {"x": 1}, "b": 1},
        untrusted_metadata={"theme": "dark"},
        create_member_as_pending=True,
        is_breakglass=True,
        mfa_phone_number="+12025550162",
        mfa_enrolled=True,
        roles=["stytch_admin"],
        external_id=f"ext|{name}",
    )
    member = made.member
    assert (member.status, member.name, member.is_admin, member.is_breakglass) == (
        "pending",
        "Ada Lovelace",
        True,
        True,
    )
    assert (member.mfa_enrolled, member.mfa_phone_number) == (True, "+12025550162")
    changed = await b2b(
        "organizations.members.update",
        organization_id=organization.organization_id,
        member_id=member.external_id,
        name="Ada King",
        trusted_metadata={"a": {"y": 2}, "b": None},
        is_breakglass=False,
        mfa_enrolled=False,
        roles=[],
        email_address=f"new-{name}@example.com",
        default_mfa_method="totp",
    )
    after = changed.member
    assert (after.name, after.is_admin, after.is_breakglass, after.mfa_enrolled) == ("Ada King", False, False, False)
    assert after.trusted_metadata == {"a": {"y": 2}}
    assert after.untrusted_metadata == {"theme": "dark"}
    assert after.default_mfa_method == "totp"
    assert after.email_address == f"new-{name}@example.com"
    assert [retired.email_address for retired in after.retired_email_addresses] == [f"{name}@example.com"]


@pytest.mark.parametrize("named", MEMBER_NAMES)
@pytest.mark.parametrize("organization_named", NAMES)
async def test_a_member_answers_to_its_id_and_its_external_id(
    b2b: Sdk, organization: Any, member: Any, organization_named: str, named: str
) -> None:
    at = {"organization_id": getattr(organization, organization_named), "member_id": getattr(member, named)}
    assert (await b2b("organizations.members.get", **at)).member == member
    updated = await b2b("organizations.members.update", **at, name="Grace")
    assert updated.member.name == "Grace"
    dropped = await b2b("organizations.members.delete_external_id", **at)
    assert dropped.member.external_id is None
    with refused("member_not_found", 404):
        await b2b("organizations.members.get", **at | {"member_id": member.external_id})
    restored = await b2b(
        "organizations.members.update", **at | {"member_id": member.member_id}, external_id=member.external_id
    )
    assert restored.member.external_id == member.external_id
    assert (await b2b("organizations.members.delete", **at)).member_id == member.member_id
    with refused("member_not_found", 404):
        await b2b("organizations.members.get", **at)


async def test_a_member_is_found_by_address_whatever_its_case(b2b: Sdk, organization: Any, member: Any) -> None:
    found = await b2b(
        "organizations.members.get",
        organization_id=organization.organization_id,
        email_address=member.email_address.upper(),
    )
    assert found.member == member
    with refused("member_not_found", 404):
        await b2b(
            "organizations.members.get", organization_id=organization.organization_id, email_address="no@example.com"
        )


async def test_a_deleted_member_is_gone_and_can_come_back(b2b: Sdk, organization: Any) -> None:
    claims = person(org_id=organization.organization_id)
    login = await b2b.login(claims)
    at = {"organization_id": organization.organization_id, "member_id": login.member_id}
    await b2b("organizations.members.delete", **at)
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_token=login.session_token)
    with refused("member_not_found", 404):
        await b2b("organizations.members.dangerously_get", member_id=login.member_id)
    back = await b2b("organizations.members.reactivate", **at)
    assert (back.member.status, back.member.email_address) == ("active", claims["email"])
    with refused("session_not_found", 404):
        await b2b("sessions.authenticate", session_token=login.session_token)
    assert (await b2b.login(claims)).member_id == login.member_id
    with refused("no_deleted_member_found_for_reactivation", 404):
        await b2b("organizations.members.reactivate", **at)


async def test_dangerously_get_shows_deleted_members_when_asked_to(b2b: Sdk, organization: Any, member: Any) -> None:
    found = await b2b("organizations.members.dangerously_get", member_id=member.member_id)
    assert (found.member, found.organization) == (member, organization)
    await b2b("organizations.members.delete", organization_id=organization.organization_id, member_id=member.member_id)
    if b2b.way == "async":
        with pytest.raises(TypeError):  # aiohttp takes no booleans in a query: the async client cannot ask
            await b2b("organizations.members.dangerously_get", member_id=member.member_id, include_deleted=True)
        return
    gone = await b2b("organizations.members.dangerously_get", member_id=member.member_id, include_deleted=True)
    assert gone.member.status == "deleted"


async def test_members_are_found_by_filters_and_page_by_page(b2b: Sdk, organization: Any) -> None:
    marker = unique("found")
    made = []
    for number in range(3):
        answer = await b2b(
            "organizations.members.create",
            organization_id=organization.organization_id,
            email_address=f"{marker}-{number}@example.com",
            external_id=f"{marker}|{number}",
            create_member_as_pending=number == 2,
        )
        made.append(answer.member)
    within = {"organization_ids": [organization.organization_external_id]}
    first = await b2b("organizations.members.search", **within, limit=2)
    assert (len(first.members), first.results_metadata.total) == (2, 3)
    assert first.organizations == {organization.organization_id: organization}
    last = await b2b("organizations.members.search", **within, limit=2, cursor=first.results_metadata.next_cursor)
    assert {member.member_id for member in first.members + last.members} == {member.member_id for member in made}
    assert last.results_metadata.next_cursor is None
    for filters, expected in (
        ({"member_emails": [made[0].email_address.upper()]}, made[:1]),
        ({"member_ids": [made[1].external_id]}, made[1:2]),
        ({"member_email_fuzzy": f"{marker}-"}, made),
        ({"statuses": ["pending"]}, made[2:]),
        ({"statuses": ["active"], "member_email_fuzzy": "-1@"}, made[1:2]),
        ({"member_email_fuzzy": "%_%"}, []),
    ):
        found = await b2b("organizations.members.search", **within, query=search(**filters))
        assert sorted(member.member_id for member in found.members) == sorted(item.member_id for item in expected)


async def test_a_member_session_header_runs_a_call_with_the_member_s_permissions(b2b: Sdk, organization: Any) -> None:
    plain = await b2b.login(person(org_id=organization.organization_id))
    admin = await b2b.login(person(org_id=organization.organization_id, roles=["stytch_admin"]))
    as_plain = Authorization(session_token=plain.session_token)
    as_admin = Authorization(session_jwt=admin.session_jwt)
    at = {"organization_id": organization.organization_id}
    own = await b2b(
        "organizations.members.update",
        **at,
        member_id=plain.member_id,
        name="Myself",
        method_options=UpdateRequestOptions(authorization=as_plain),
    )
    assert own.member.name == "Myself"
    with refused("session_authorization_error", 403):
        await b2b(
            "organizations.members.update",
            **at,
            member_id=plain.member_id,
            roles=["stytch_admin"],
            method_options=UpdateRequestOptions(authorization=as_plain),
        )
    with refused("session_authorization_error", 403):
        await b2b(
            "organizations.members.search",
            organization_ids=[organization.organization_id],
            method_options=SearchRequestOptions(authorization=as_plain),
        )
    with refused("session_authorization_error", 403):
        await b2b(
            "organizations.update",
            **at,
            organization_name="Taken over",
            method_options=OrganizationOptions(authorization=as_plain),
        )
    with refused("cannot_update_trusted_metadata", 401):
        await b2b(
            "organizations.members.update",
            **at,
            member_id=plain.member_id,
            trusted_metadata={"plan": "free"},
            method_options=UpdateRequestOptions(authorization=as_admin),
        )
    allowed = await b2b(
        "organizations.members.search",
        organization_ids=[organization.organization_id],
        method_options=SearchRequestOptions(authorization=as_admin),
    )
    assert len(allowed.members) == 2
    renamed = await b2b(
        "organizations.update",
        **at,
        organization_name="Ours",
        method_options=OrganizationOptions(authorization=as_admin),
    )
    assert renamed.organization.organization_name == "Ours"


async def test_an_administrator_reaches_no_other_organization(b2b: Sdk, organization: Any, member: Any) -> None:
    admin = await b2b.login(person(org_id=unique("elsewhere"), roles=["stytch_admin"]))
    options = UpdateRequestOptions(authorization=Authorization(session_token=admin.session_token))
    with refused("session_authorization_tenancy_error", 403):
        await b2b(
            "organizations.members.update",
            organization_id=organization.organization_id,
            member_id=member.member_id,
            name="Somebody",
            method_options=options,
        )


async def test_the_policy_has_the_default_roles_and_resources(b2b: Sdk) -> None:
    policy = (await b2b("rbac.policy")).policy
    assert [role.role_id for role in policy.roles] == ["stytch_member", "stytch_admin"]
    assert {resource.resource_id for resource in policy.resources} >= {"stytch.organization", "stytch.member"}
    assert policy.scopes == []


async def test_whoami_names_the_project(b2b: Sdk) -> None:
    found = await b2b("debug.whoami")
    assert found.project_id == b2b.service.b2b.project_id
    assert found.name.startswith("SDK b2b")


async def test_an_unknown_policy_organization_is_not_found(b2b: Sdk) -> None:
    with refused("organization_not_found", 404):
        await b2b("rbac.organizations.get_org_policy", organization_id=f"organization-test-{uuid.uuid4()}")
