from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors, ids
from assay import store as stores
from assay.model import Member, Organization
from assay.stories import members, organizations
from assay.stories.context import Call, Context
from assay.stories.member_changes import MemberUpdate
from assay.stories.members import MemberCreate, MemberDangerousGet, MemberGet
from tests import records
from tests.calls import Clock
from tests.stories.people import actions, by_email, change, get, new, organize, ref


async def test_a_new_member_is_active_and_can_be_read_in_every_way(
    ctx: Context, call: Call, acme: Organization
) -> None:
    request = MemberCreate(
        organization_id="acme",
        email_address="Ada@Acme.Example",
        name="Ada",
        external_id="sub|ada",
        roles=["stytch_admin", "stytch_admin"],
        mfa_phone_number="+12025550162",
        mfa_enrolled=True,
        is_breakglass=True,
        trusted_metadata={"plan": "gold", "gone": None},
        untrusted_metadata={"theme": "dark"},
    )
    view = await members.create(ctx, call, request)
    made = view.member
    assert made.member_id.startswith("member-test-")
    assert made == Member(
        environment_id=acme.environment_id,
        organization_id=acme.organization_id,
        member_id=made.member_id,
        email="ada@acme.example",
        name="Ada",
        external_id="sub|ada",
        roles=("stytch_admin",),
        is_breakglass=True,
        mfa_enrolled=True,
        mfa_phone_number="+12025550162",
        trusted_metadata={"plan": "gold"},
        untrusted_metadata={"theme": "dark"},
        created_at=records.NOW,
        updated_at=records.NOW,
    )
    assert view.organization == acme
    assert await get(ctx, call, acme, made.member_id) == made
    assert await get(ctx, call, acme, "sub|ada") == made
    assert await by_email(ctx, call, acme, "ADA@acme.example") == made
    assert await members.dangerously_get(ctx, call, MemberDangerousGet(member_id=made.member_id)) == view


async def test_a_member_can_be_created_as_pending(ctx: Context, call: Call, acme: Organization) -> None:
    assert (await new(ctx, call, acme, "a@b.example", create_member_as_pending=True)).status == "pending"
    assert (await new(ctx, call, acme, "c@b.example", create_member_as_pending=False)).status == "active"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"email_address": "nobody"}, errors.InvalidEmail),
        ({"name": "a\x00b"}, errors.BadRequest),
        ({"external_id": "a/b"}, errors.InvalidExternalId),
        ({"external_id": ids.new("member", "test")}, errors.InvalidExternalId),
        ({"mfa_phone_number": "2025550162"}, errors.InvalidPhoneNumber),
        ({"roles": ["emperor"]}, errors.InvalidRole),
        ({"roles": ["stytch_user"]}, errors.InvalidRole),
        ({"roles": ["stytch_admin", "stytch_member"]}, errors.CannotAssignDefaultRole),
        ({"trusted_metadata": {"a": "x" * 4096}}, errors.MetadataTooLarge),
        ({"untrusted_metadata": {str(number): 1 for number in range(21)}}, errors.MetadataTooManyKeys),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.__name__,
)
async def test_a_wrong_field_is_refused_and_nothing_is_changed(
    ctx: Context, call: Call, acme: Organization, ada: Member, fields: dict[str, Any], error: type[errors.Error]
) -> None:
    with pytest.raises(error):
        await members.create(
            ctx, call, MemberCreate(**{"organization_id": "acme", "email_address": "new@acme.example"} | fields)
        )
    with pytest.raises(error):
        await change(ctx, call, ada, **fields)
    assert await get(ctx, call, acme, ada.member_id) == ada
    assert await actions(ctx, call) == [("member.created", None)]


async def test_address_and_external_id_are_unique_within_an_organization_only(
    ctx: Context, call: Call, acme: Organization, other: Organization, ada: Member
) -> None:
    with pytest.raises(errors.DuplicateMemberEmail):
        await new(ctx, call, acme, "ADA@acme.example")
    with pytest.raises(errors.DuplicateMemberExternalId):
        await new(ctx, call, acme, "b@acme.example", external_id="sub|ada")
    bob = await new(ctx, call, acme, "bob@acme.example")
    with pytest.raises(errors.DuplicateMemberEmail):
        await change(ctx, call, bob, email_address="ada@acme.example")
    with pytest.raises(errors.DuplicateMemberExternalId):
        await change(ctx, call, bob, external_id="sub|ada")
    twin = await new(ctx, call, other, "ada@acme.example", external_id="sub|ada")
    assert await get(ctx, call, other, "sub|ada") == twin
    assert await get(ctx, call, acme, "sub|ada") == ada


async def test_members_are_only_created_in_organizations_that_exist(
    ctx: Context, call: Call, elsewhere: Call, acme: Organization
) -> None:
    request = MemberCreate(organization_id=acme.organization_id, email_address="a@b.example")
    with pytest.raises(errors.OrganizationNotFound):
        await members.create(ctx, elsewhere, request)
    await organizations.delete(ctx, call, organizations.OrganizationRef(organization_id="acme"))
    with pytest.raises(errors.OrganizationNotFound):
        await members.create(ctx, call, request)


@pytest.mark.parametrize(
    "fields",
    [{}, {"member_id": "m", "email_address": "a@b.example"}, {"member_id": "", "email_address": ""}],
    ids=["neither", "both", "empty"],
)
async def test_a_member_is_read_by_exactly_one_of_id_and_address(
    ctx: Context, call: Call, acme: Organization, fields: dict[str, str]
) -> None:
    with pytest.raises(errors.InvalidMemberGetFields):
        await members.get(ctx, call, MemberGet(organization_id=acme.slug, **fields))


async def test_a_member_is_only_found_in_its_own_organization(
    ctx: Context, call: Call, other: Organization, ada: Member
) -> None:
    for reference in (ada.member_id, "sub|ada"):
        with pytest.raises(errors.MemberNotFound):
            await get(ctx, call, other, reference)
    with pytest.raises(errors.MemberNotFound):
        await by_email(ctx, call, other, "ada@acme.example")
    moved = msgspec.structs.replace(ada, organization_id=other.organization_id)
    for refused in (
        change(ctx, call, moved, name="Mine"),
        members.delete(ctx, call, ref(moved)),
        members.drop_external_id(ctx, call, ref(moved)),
    ):
        with pytest.raises(errors.MemberNotFound):
            await refused


async def test_another_tenant_gets_the_same_answer_as_for_what_never_existed(
    ctx: Context, call: Call, elsewhere: Call, acme: Organization, ada: Member
) -> None:
    with pytest.raises(errors.MemberNotFound) as refusal:
        await members.dangerously_get(ctx, elsewhere, MemberDangerousGet(member_id=ada.member_id, include_deleted=True))
    assert refusal.value.message == errors.MemberNotFound.default_message
    for refused in (
        get(ctx, elsewhere, acme, ada.member_id),
        change(ctx, elsewhere, ada, name="Mine"),
        members.delete(ctx, elsewhere, ref(ada)),
        members.reactivate(ctx, elsewhere, ref(ada)),
        members.drop_external_id(ctx, elsewhere, ref(ada)),
    ):
        with pytest.raises(errors.OrganizationNotFound):
            await refused
    mine = await organize(ctx, elsewhere, "acme")
    with pytest.raises(errors.MemberNotFound):
        await get(ctx, elsewhere, mine, ada.member_id)
    assert await get(ctx, call, acme, ada.member_id) == ada


# ---------------------------------------------------------------- update


async def test_an_update_changes_what_is_given_and_names_it_in_the_audit_record(
    ctx: Context, call: Call, acme: Organization, ada: Member, clock: Clock
) -> None:
    clock.turn(60)
    request = MemberUpdate(
        organization_id="acme",
        member_id="sub|ada",
        name="Countess",
        roles=["stytch_admin"],
        mfa_enrolled=True,
        default_mfa_method="totp",
        is_breakglass=False,
        untrusted_metadata={"a": 1},
    )
    after = (await members.update(ctx, call, request)).member
    assert after == msgspec.structs.replace(
        ada,
        name="Countess",
        roles=("stytch_admin",),
        mfa_enrolled=True,
        default_mfa_method="totp",
        untrusted_metadata={"a": 1},
        updated_at=records.NOW + 60,
        revision=2,
    )
    assert await get(ctx, call, acme, ada.member_id) == after
    changed = ["name", "roles", "mfa_enrolled", "default_mfa_method", "untrusted_metadata"]
    assert await actions(ctx, call) == [("member.created", None), ("member.updated", changed)]


async def test_the_audit_record_holds_no_values(ctx: Context, call: Call, ada: Member) -> None:
    await change(ctx, call, ada, email_address="secret@acme.example", trusted_metadata={"ssn": "078-05-1120"})
    events = await ctx.store.events(call.environment.environment_id, 100)
    assert not any(word in repr(events) for word in ("secret@", "ada@", "078-05", "ssn"))


async def test_roles_are_replaced_and_can_be_emptied(ctx: Context, call: Call, ada: Member) -> None:
    assert (await change(ctx, call, ada, roles=["stytch_admin"])).roles == ("stytch_admin",)
    assert (await change(ctx, call, ada, name="x")).roles == ("stytch_admin",)
    assert (await change(ctx, call, ada, roles=[])).roles == ()


async def test_metadata_merges_and_null_deletes(ctx: Context, call: Call, ada: Member) -> None:
    await change(ctx, call, ada, trusted_metadata={"a": {"x": 1}, "b": 2})
    after = await change(ctx, call, ada, trusted_metadata={"a": {"y": 1}, "b": None, "c": 3})
    assert after.trusted_metadata == {"a": {"y": 1}, "c": 3}


async def test_an_update_that_changes_nothing_writes_nothing(
    ctx: Context, call: Call, ada: Member, clock: Clock
) -> None:
    clock.turn(60)
    same = await change(ctx, call, ada, name="Ada", email_address="ADA@acme.example", roles=[], external_id="sub|ada")
    assert same == ada
    assert await actions(ctx, call) == [("member.created", None)]


async def test_concurrent_updates_all_survive(ctx: Context, call: Call, acme: Organization, ada: Member) -> None:
    await asyncio.gather(
        *(change(ctx, call, ada, trusted_metadata={str(number): number}) for number in range(10)),
        change(ctx, call, ada, name="Countess"),
        change(ctx, call, ada, email_address="countess@acme.example"),
    )
    after = await get(ctx, call, acme, ada.member_id)
    assert after.trusted_metadata == {str(number): number for number in range(10)}
    assert (after.name, after.email, after.revision) == ("Countess", "countess@acme.example", 13)


async def test_an_external_id_given_by_a_caller_matches_tokens_of_any_issuer(
    ctx: Context, call: Call, acme: Organization
) -> None:
    attached = records.member(acme, external_id="sub|1", external_id_issuer="https://issuer.example")
    await ctx.store.write(stores.CreateMember(member=attached))
    after = await change(ctx, call, attached, external_id="sub|1")
    assert (after.external_id, after.external_id_issuer) == ("sub|1", None)


async def test_a_changed_or_dropped_external_id_resolves_nothing_and_is_free(
    ctx: Context, call: Call, acme: Organization, ada: Member
) -> None:
    await change(ctx, call, ada, external_id="sub|new")
    with pytest.raises(errors.MemberNotFound):
        await get(ctx, call, acme, "sub|ada")
    after = (await members.drop_external_id(ctx, call, ref(ada, "sub|new"))).member
    assert (after.member_id, after.external_id) == (ada.member_id, None)
    with pytest.raises(errors.MemberNotFound):
        await get(ctx, call, acme, "sub|new")
    assert (await new(ctx, call, acme, "b@acme.example", external_id="sub|new")).external_id == "sub|new"


async def test_dropping_forgets_the_issuer_that_attached_the_external_id(
    ctx: Context, call: Call, acme: Organization
) -> None:
    attached = records.member(acme, external_id="spiffe://a/b", external_id_issuer="https://issuer.example")
    await ctx.store.write(stores.CreateMember(member=attached))
    after = (await members.drop_external_id(ctx, call, ref(attached, "spiffe://a/b"))).member
    assert (after.external_id, after.external_id_issuer) == (None, None)


async def test_a_phone_number_is_set_once(ctx: Context, call: Call, ada: Member) -> None:
    assert (await change(ctx, call, ada, mfa_phone_number="+12025550162")).mfa_phone_number == "+12025550162"
    assert (await change(ctx, call, ada, mfa_phone_number="+12025550162")).mfa_phone_number == "+12025550162"
    with pytest.raises(errors.DuplicateMemberPhoneNumber):
        await change(ctx, call, ada, mfa_phone_number="+12025550163")


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "'; drop table members;--", "../..", "100%_\\'\""])
async def test_hostile_names_are_kept_as_text(
    ctx: Context, call: Call, acme: Organization, ada: Member, text: str
) -> None:
    made = await new(ctx, call, acme, "b@acme.example", name=text, untrusted_metadata={text: text})
    assert await get(ctx, call, acme, made.member_id) == made
    assert (made.name, made.untrusted_metadata) == (text, {text: text})
    with pytest.raises(errors.MemberNotFound):
        await get(ctx, call, acme, text)
    assert await get(ctx, call, acme, ada.member_id) == ada


@pytest.mark.parametrize("address", ["o'hara@acme.example", "%@acme.example", "a_a@acme.example", 'a";--@acme.example'])
async def test_hostile_addresses_name_only_themselves(
    ctx: Context, call: Call, acme: Organization, ada: Member, address: str
) -> None:
    with pytest.raises(errors.MemberNotFound):
        await by_email(ctx, call, acme, address)
    made = await new(ctx, call, acme, address)
    assert await by_email(ctx, call, acme, address) == made
    assert made != ada


@pytest.mark.parametrize("reference", ["\x00", "%", "_", "' or 1=1;--", "member-test-%", "sub|ada\x00", "sub_ada"])
async def test_hostile_references_find_nothing(
    ctx: Context, call: Call, acme: Organization, ada: Member, reference: str
) -> None:
    for refused in (
        get(ctx, call, acme, reference),
        members.delete(ctx, call, ref(ada, reference)),
        members.dangerously_get(ctx, call, MemberDangerousGet(member_id=reference, include_deleted=True)),
    ):
        with pytest.raises(errors.MemberNotFound):
            await refused
    assert await get(ctx, call, acme, ada.member_id) == ada
