from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors, ids
from assay import store as stores
from assay.model import Organization, OrganizationSettings
from assay.stories import members, organizations
from assay.stories.changes import TRIES
from assay.stories.context import Call, Context
from assay.stories.organization_settings import EmailRole
from assay.stories.organizations import OrganizationCreate, OrganizationRef, OrganizationUpdate
from tests import records
from tests.calls import Clock, acting

HOSTILE_NAMES = ["%", "_", "\\", "'", '"', "'; drop table organizations;--", "../..", "100%_\\'\"", "{{7*7}}", "*"]


async def new(ctx: Context, call: Call, name: str = "Acme", **fields: Any) -> Organization:
    return await organizations.create(ctx, call, OrganizationCreate(organization_name=name, **fields))


async def change(ctx: Context, call: Call, reference: str, **fields: Any) -> Organization:
    return await organizations.update(ctx, call, OrganizationUpdate(organization_id=reference, **fields))


async def get(ctx: Context, call: Call, reference: str) -> Organization:
    return await organizations.get(ctx, call, OrganizationRef(organization_id=reference))


async def actions(ctx: Context, call: Call) -> list[tuple[str, str, Any]]:
    """What the audit record says, oldest first."""
    events = await ctx.store.events(call.environment.environment_id, 100)
    return [(event.action, event.target, event.details.get("fields")) for event in reversed(events)]


async def test_a_new_organization_can_be_read_by_id_external_id_and_slug(ctx: Context, call: Call) -> None:
    made = await new(ctx, call, organization_slug="acme", organization_external_id="customer-7")
    assert made.organization_id.startswith("organization-test-")
    for reference in (made.organization_id, "customer-7", "acme"):
        assert await get(ctx, call, reference) == made
    assert await actions(ctx, call) == [("organization.created", made.organization_id, None)]


async def test_an_organization_without_a_slug_gets_one_from_its_name(ctx: Context, call: Call) -> None:
    first, second = await new(ctx, call, "Crème Brûlée"), await new(ctx, call, "Crème Brûlée")
    assert first.slug == "creme-brulee"
    assert second.slug.startswith("creme-brulee-")


async def test_two_made_at_once_from_one_name_both_get_a_slug(ctx: Context, call: Call) -> None:
    made = await asyncio.gather(*(new(ctx, call, "Acme") for _ in range(8)))
    assert len({organization.slug for organization in made}) == 8


async def test_an_organization_that_says_nothing_about_authentication_lets_members_be_invited(
    ctx: Context, call: Call
) -> None:
    assert (await new(ctx, call)).settings == OrganizationSettings(email_invites="ALL_ALLOWED")
    assert (await new(ctx, call, mfa_policy="REQUIRED_FOR_ALL")).settings.email_invites == "ALL_ALLOWED"
    assert (await new(ctx, call, auth_methods="RESTRICTED")).settings.email_invites == "NOT_ALLOWED"
    assert (await new(ctx, call, email_invites="RESTRICTED")).settings.email_invites == "RESTRICTED"


async def test_every_setting_is_stored_and_read_back(ctx: Context, call: Call) -> None:
    given: dict[str, Any] = {
        "organization_logo_url": "https://acme.example/logo.png",
        "sso_default_connection_id": "saml-connection-test-1",
        "sso_jit_provisioning": "RESTRICTED",
        "sso_jit_provisioning_allowed_connections": ["saml-connection-test-1"],
        "email_allowed_domains": ["Acme.Example"],
        "email_jit_provisioning": "RESTRICTED",
        "email_invites": "RESTRICTED",
        "auth_methods": "RESTRICTED",
        "allowed_auth_methods": ["sso", "magic_link"],
        "mfa_policy": "REQUIRED_FOR_ALL",
        "mfa_methods": "RESTRICTED",
        "allowed_mfa_methods": ["totp"],
        "rbac_email_implicit_role_assignments": [{"domain": "Acme.Example", "role_id": "stytch_admin"}],
        "oauth_tenant_jit_provisioning": "RESTRICTED",
        "allowed_oauth_tenants": {"slack": ["T1"]},
        "claimed_email_domains": ["acme.example"],
        "first_party_connected_apps_allowed_type": "RESTRICTED",
        "allowed_first_party_connected_apps": ["connected-app-test-1"],
        "third_party_connected_apps_allowed_type": "NOT_ALLOWED",
        "allowed_third_party_connected_apps": ["connected-app-test-2"],
    }
    assert given.keys() == set(OrganizationSettings.__struct_fields__)
    request = msgspec.convert({"organization_name": "Acme", **given}, OrganizationCreate)
    made = await organizations.create(ctx, call, request)
    read = await get(ctx, call, made.organization_id)
    given["email_allowed_domains"] = ["acme.example"]
    given["rbac_email_implicit_role_assignments"] = [{"domain": "acme.example", "role_id": "stytch_admin"}]
    assert msgspec.json.decode(msgspec.json.encode(read.settings)) == given


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mfa_policy", "SOMETIMES"),
        ("email_invites", True),
        ("allowed_auth_methods", ["carrier_pigeon"]),
        ("allowed_mfa_methods", "totp"),
        ("rbac_email_implicit_role_assignments", [{"domain": "acme.example"}]),
        ("allowed_oauth_tenants", {"myspace": []}),
        ("trusted_metadata", []),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({"organization_name": "Acme", field: value}, OrganizationCreate)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"organization_name": ""}, errors.InvalidOrganizationName),
        ({"organization_name": "a\x00b"}, errors.InvalidOrganizationName),
        ({"organization_slug": "a"}, errors.InvalidOrganizationSlug),
        ({"organization_slug": "a/b"}, errors.InvalidOrganizationSlug),
        ({"organization_external_id": "a b"}, errors.InvalidExternalId),
        ({"organization_external_id": ids.new("organization", "test")}, errors.ExternalOrganizationIdSame),
        ({"trusted_metadata": {str(number): 1 for number in range(21)}}, errors.MetadataTooManyKeys),
        ({"organization_logo_url": "a\x00b"}, errors.BadRequest),
        ({"email_allowed_domains": ["x" * 100 + ".example"] * 1000}, errors.BadRequest),
        (
            {"rbac_email_implicit_role_assignments": [EmailRole(domain="a.example", role_id="emperor")]},
            errors.InvalidRole,
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_wrong_field_is_refused_and_nothing_is_made(
    ctx: Context, call: Call, fields: dict[str, Any], error: type[errors.Error]
) -> None:
    kept = await new(ctx, call, "Kept")
    with pytest.raises(error):
        await organizations.create(ctx, call, OrganizationCreate(**{"organization_name": "Acme"} | fields))
    with pytest.raises(error):
        await change(ctx, call, kept.organization_id, **fields)
    assert await get(ctx, call, kept.organization_id) == kept
    assert [action for action, *_ in await actions(ctx, call)] == ["organization.created"]


async def test_slug_and_external_id_are_unique_in_the_environment_only(
    ctx: Context, call: Call, elsewhere: Call
) -> None:
    await new(ctx, call, organization_slug="acme", organization_external_id="customer-7")
    other = await new(ctx, call, "Other", organization_slug="other")
    with pytest.raises(errors.OrganizationSlugAlreadyUsed):
        await new(ctx, call, organization_slug="acme")
    with pytest.raises(errors.OrganizationSlugAlreadyUsed):
        await change(ctx, call, "other", organization_slug="acme")
    with pytest.raises(errors.OrganizationExternalIdAlreadyUsed):
        await new(ctx, call, organization_external_id="customer-7")
    with pytest.raises(errors.OrganizationExternalIdAlreadyUsed):
        await change(ctx, call, "other", organization_external_id="customer-7")
    assert await get(ctx, call, "other") == other
    assert (await new(ctx, elsewhere, organization_slug="acme", organization_external_id="customer-7")).slug == "acme"


async def test_an_update_changes_what_is_given_and_names_it_in_the_audit_record(
    ctx: Context, call: Call, clock: Clock
) -> None:
    made = await new(ctx, call, trusted_metadata={"a": {"x": 1}, "b": 2}, auth_methods="RESTRICTED")
    clock.turn(60)
    after = await change(
        ctx, call, made.slug, organization_name="Umbrella", mfa_policy="REQUIRED_FOR_ALL",
        trusted_metadata={"a": {"y": 2}, "b": None},
    )  # fmt: skip
    assert after == msgspec.structs.replace(
        made,
        name="Umbrella",
        settings=msgspec.structs.replace(made.settings, mfa_policy="REQUIRED_FOR_ALL"),
        trusted_metadata={"a": {"y": 2}},
        updated_at=made.updated_at + 60,
        revision=2,
    )
    assert await get(ctx, call, made.organization_id) == after
    assert (await actions(ctx, call))[1:] == [
        ("organization.updated", made.organization_id, ["name", "trusted_metadata", "mfa_policy"])
    ]


async def test_an_update_that_changes_nothing_writes_nothing(ctx: Context, call: Call, clock: Clock) -> None:
    made = await new(ctx, call)
    clock.turn(60)
    assert await change(ctx, call, made.organization_id) == made
    assert await change(ctx, call, made.organization_id, organization_name=made.name, email_invites=None) == made
    assert len(await actions(ctx, call)) == 1


async def test_concurrent_updates_all_survive(ctx: Context, call: Call) -> None:
    made = await new(ctx, call)
    await asyncio.gather(
        *(change(ctx, call, made.organization_id, trusted_metadata={str(number): number}) for number in range(16)),
        change(ctx, call, made.organization_id, organization_name="Umbrella"),
    )
    after = await get(ctx, call, made.organization_id)
    assert after.trusted_metadata == {str(number): number for number in range(16)}
    assert (after.name, after.revision) == ("Umbrella", 18)


async def test_an_update_gives_up_when_others_change_the_record_without_end(
    ctx: Context, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await new(ctx, call)
    tries = []

    async def always_stale(write: stores.Write) -> None:
        tries.append(write)
        raise stores.Stale

    monkeypatch.setattr(ctx.store, "write", always_stale)
    with pytest.raises(errors.StoreUnavailable):
        await change(ctx, call, made.organization_id, organization_name="Umbrella")
    assert len(tries) == TRIES


async def test_a_dropped_external_id_resolves_nothing_and_is_free(ctx: Context, call: Call) -> None:
    made = await new(ctx, call, organization_external_id="customer-7")
    after = await organizations.drop_external_id(ctx, call, OrganizationRef(organization_id="customer-7"))
    assert (after.organization_id, after.external_id) == (made.organization_id, None)
    with pytest.raises(errors.OrganizationNotFound):
        await get(ctx, call, "customer-7")
    assert (await new(ctx, call, organization_external_id="customer-7")).external_id == "customer-7"
    await organizations.drop_external_id(ctx, call, OrganizationRef(organization_id=made.organization_id))


async def test_a_changed_external_id_and_slug_resolve_and_the_old_ones_do_not(ctx: Context, call: Call) -> None:
    await new(ctx, call, organization_slug="old", organization_external_id="old-id")
    after = await change(ctx, call, "old", organization_slug="new", organization_external_id="new-id")
    assert await get(ctx, call, "new") == await get(ctx, call, "new-id") == after
    for reference in ("old", "old-id"):
        with pytest.raises(errors.OrganizationNotFound):
            await get(ctx, call, reference)


async def test_deleting_an_organization_takes_its_members_and_frees_its_names(ctx: Context, call: Call) -> None:
    made = await new(ctx, call, organization_slug="acme", organization_external_id="customer-7")
    view = await members.create(ctx, call, members.MemberCreate(organization_id="acme", email_address="a@b.example"))
    assert await organizations.delete(ctx, call, OrganizationRef(organization_id="acme")) == made.organization_id
    with pytest.raises(errors.OrganizationNotFound):
        await get(ctx, call, made.organization_id)
    with pytest.raises(errors.OrganizationNotFound):
        await organizations.delete(ctx, call, OrganizationRef(organization_id=made.organization_id))
    with pytest.raises(errors.MemberNotFound):
        await members.dangerously_get(
            ctx, call, members.MemberDangerousGet(member_id=view.member.member_id, include_deleted=True)
        )
    await new(ctx, call, organization_slug="acme", organization_external_id="customer-7")
    assert ("organization.deleted", made.organization_id, None) in await actions(ctx, call)


async def test_metrics_count_members_that_are_not_deleted(ctx: Context, call: Call) -> None:
    made = await new(ctx, call)
    for number in range(3):
        request = members.MemberCreate(organization_id=made.slug, email_address=f"{number}@b.example")
        view = await members.create(ctx, call, request)
    reference = members.MemberRef(organization_id=made.slug, member_id=view.member.member_id)
    await members.delete(ctx, call, reference)
    assert await organizations.metrics(ctx, call, OrganizationRef(organization_id=made.slug)) == 2


async def test_another_tenant_gets_the_same_answer_as_for_what_never_existed(
    ctx: Context, call: Call, elsewhere: Call
) -> None:
    made = await new(ctx, call, organization_slug="acme", organization_external_id="customer-7")
    for reference in (made.organization_id, "customer-7", "acme", "never-existed"):
        ref = OrganizationRef(organization_id=reference)
        for story in (organizations.get, organizations.delete, organizations.metrics, organizations.drop_external_id):
            with pytest.raises(errors.OrganizationNotFound) as refusal:
                await story(ctx, elsewhere, ref)
            assert refusal.value.message == errors.OrganizationNotFound.default_message
        with pytest.raises(errors.OrganizationNotFound):
            await change(ctx, elsewhere, reference, organization_name="Mine")
    assert await get(ctx, call, "acme") == made


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_hostile_names_are_kept_as_text_and_find_nothing_else(ctx: Context, call: Call, name: str) -> None:
    plain = await new(ctx, call, "Plain")
    made = await new(ctx, call, name)
    assert (await get(ctx, call, made.organization_id)).name == name
    with pytest.raises(errors.OrganizationNotFound):
        await get(ctx, call, name)
    assert (await change(ctx, call, made.organization_id, organization_name=name + "!")).name == name + "!"
    assert await get(ctx, call, plain.organization_id) == plain


@pytest.mark.parametrize("reference", ["", "\x00", "%", "_", "' or 1=1;--", "organization-test-%", "plain\x00"])
async def test_hostile_references_find_nothing(ctx: Context, call: Call, reference: str) -> None:
    await new(ctx, call, "Plain")
    with pytest.raises(errors.OrganizationNotFound):
        await get(ctx, call, reference)
    with pytest.raises(errors.OrganizationNotFound):
        await organizations.delete(ctx, call, OrganizationRef(organization_id=reference))


# ---------------------------------------------------------------- with a member session (decisions D19)


async def test_a_plain_member_can_neither_change_nor_delete_its_organization(ctx: Context, call: Call) -> None:
    made = await new(ctx, call, organization_external_id="customer-7")
    plain = acting(call, records.member(made))
    ref = OrganizationRef(organization_id=made.slug)
    for refused in (
        change(ctx, plain, made.slug, organization_name="Mine"),
        change(ctx, plain, made.slug),
        organizations.delete(ctx, plain, ref),
        organizations.drop_external_id(ctx, plain, ref),
    ):
        with pytest.raises(errors.SessionAuthorizationError):
            await refused
    assert await get(ctx, call, made.slug) == made


async def test_an_admin_may_change_what_has_an_action_and_the_audit_record_names_the_admin(
    ctx: Context, call: Call
) -> None:
    made = await new(ctx, call)
    admin = acting(call, records.member(made), "stytch_admin")
    assert (await change(ctx, admin, made.slug, organization_name="Ours", mfa_policy="OPTIONAL")).name == "Ours"
    assert admin.actor is not None
    newest = (await ctx.store.events(call.environment.environment_id, 1))[0]
    assert newest.actor == admin.actor.member.member_id
    await organizations.drop_external_id(ctx, admin, OrganizationRef(organization_id=made.slug))
    await organizations.delete(ctx, admin, OrganizationRef(organization_id=made.slug))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"trusted_metadata": {"plan": "gold"}}, errors.CannotUpdateTrustedMetadata),
        ({"organization_external_id": "customer-8"}, errors.SessionAuthorizationError),
        ({"claimed_email_domains": ["victim.example"]}, errors.SessionAuthorizationError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_decides_about_other_customers_is_closed_to_members(
    ctx: Context, call: Call, fields: dict[str, Any], error: type[errors.Error]
) -> None:
    made = await new(ctx, call)
    admin = acting(call, records.member(made), "stytch_admin")
    with pytest.raises(error):
        await change(ctx, admin, made.slug, organization_name="Ours", **fields)
    assert await get(ctx, call, made.slug) == made


async def test_an_admin_of_another_organization_is_refused(ctx: Context, call: Call) -> None:
    made, other = await new(ctx, call), await new(ctx, call, "Other")
    admin = acting(call, records.member(other), "stytch_admin")
    for refused in (
        change(ctx, admin, made.slug, organization_name="Ours"),
        change(ctx, admin, made.slug),
        organizations.delete(ctx, admin, OrganizationRef(organization_id=made.slug)),
        organizations.drop_external_id(ctx, admin, OrganizationRef(organization_id=made.slug)),
    ):
        with pytest.raises(errors.SessionAuthorizationTenancyError):
            await refused


def test_every_field_of_an_update_has_an_action_or_is_closed_to_members() -> None:
    closed = {
        "organization_id",
        "trusted_metadata",
        "organization_external_id",
        "claimed_email_domains",
        "first_party_connected_apps_allowed_type",
        "allowed_first_party_connected_apps",
        "third_party_connected_apps_allowed_type",
        "allowed_third_party_connected_apps",
    }
    assert set(OrganizationUpdate.__struct_fields__) - closed == organizations.ACTIONS.keys()
