from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay import errors
from assay import store as stores
from assay.model import Member, Organization
from assay.stories import members
from assay.stories.context import Call, Context
from assay.stories.members import MemberDangerousGet, MemberRef
from tests import records
from tests.calls import Clock
from tests.stories.people import actions, by_email, change, get, new, ref

# ---------------------------------------------------------------- addresses


async def test_a_changed_address_is_unverified_and_the_old_one_is_retired(
    ctx: Context, call: Call, acme: Organization
) -> None:
    ada = records.member(acme, email="ada@acme.example", email_verified=True)
    await ctx.store.write(stores.CreateMember(member=ada))
    after = await change(ctx, call, ada, email_address="Countess@acme.example")
    assert (after.email, after.email_verified) == ("countess@acme.example", False)
    assert [item.email_address for item in after.retired_emails] == ["ada@acme.example"]
    assert after.retired_emails[0].email_id.startswith("email-test-")
    with pytest.raises(errors.DuplicateMemberEmail):
        await new(ctx, call, acme, "ada@acme.example")
    with pytest.raises(errors.MemberNotFound):
        await by_email(ctx, call, acme, "ada@acme.example")


async def test_a_member_may_come_back_to_an_address_it_left(ctx: Context, call: Call, ada: Member) -> None:
    await change(ctx, call, ada, email_address="countess@acme.example")
    after = await change(ctx, call, ada, email_address="ada@acme.example")
    assert after.email == "ada@acme.example"
    assert [item.email_address for item in after.retired_emails] == ["countess@acme.example"]


async def test_an_unlinked_address_is_free(ctx: Context, call: Call, acme: Organization, ada: Member) -> None:
    after = await change(ctx, call, ada, email_address="countess@acme.example", unlink_email=True)
    assert after.retired_emails == ()
    assert (await new(ctx, call, acme, "ada@acme.example")).email == "ada@acme.example"


async def test_a_member_without_address_can_get_one(ctx: Context, call: Call, acme: Organization) -> None:
    workload = records.member(acme, email=None, external_id="repo:acme/app")
    await ctx.store.write(stores.CreateMember(member=workload))
    after = await change(ctx, call, workload, email_address="bot@acme.example")
    assert (after.email, after.retired_emails) == ("bot@acme.example", ())


# ---------------------------------------------------------------- delete and reactivate


async def test_a_deleted_member_is_not_found_and_frees_address_and_external_id(
    ctx: Context, call: Call, acme: Organization, ada: Member, clock: Clock
) -> None:
    clock.turn(60)
    await change(ctx, call, ada, email_address="countess@acme.example")
    assert await members.delete(ctx, call, ref(ada, "sub|ada")) == ada.member_id
    for refused in (
        get(ctx, call, acme, ada.member_id),
        get(ctx, call, acme, "sub|ada"),
        by_email(ctx, call, acme, "countess@acme.example"),
        members.dangerously_get(ctx, call, MemberDangerousGet(member_id=ada.member_id)),
        change(ctx, call, ada, name="Ghost"),
        members.delete(ctx, call, ref(ada)),
        members.drop_external_id(ctx, call, ref(ada)),
    ):
        with pytest.raises(errors.MemberNotFound):
            await refused
    await new(ctx, call, acme, "ada@acme.example", external_id="sub|ada")
    await new(ctx, call, acme, "countess@acme.example")
    request = MemberDangerousGet(member_id=ada.member_id, include_deleted=True)
    kept = (await members.dangerously_get(ctx, call, request)).member
    assert (kept.status, kept.updated_at) == ("deleted", records.NOW + 60)
    assert ("member.deleted", ["status"]) in await actions(ctx, call)


async def test_deleting_a_member_ends_its_sessions_for_good(
    ctx: Context, call: Call, acme: Organization, ada: Member
) -> None:
    started = records.session(ada)
    await ctx.store.write(records.start(started, call.caller.secret))
    environment_id = acme.environment_id
    assert await ctx.store.sessions_of(environment_id, "member", ada.member_id, records.NOW)
    await members.delete(ctx, call, ref(ada))
    assert await ctx.store.sessions_of(environment_id, "member", ada.member_id, records.NOW) == []
    await members.reactivate(ctx, call, ref(ada))
    assert await ctx.store.sessions_of(environment_id, "member", ada.member_id, records.NOW) == []


async def test_a_reactivated_member_is_active_and_holds_what_it_held(
    ctx: Context, call: Call, acme: Organization, ada: Member
) -> None:
    await members.delete(ctx, call, ref(ada))
    after = (await members.reactivate(ctx, call, ref(ada))).member
    assert after == msgspec.structs.replace(ada, revision=3)
    assert await get(ctx, call, acme, "sub|ada") == after
    with pytest.raises(errors.DuplicateMemberEmail):
        await new(ctx, call, acme, "ada@acme.example")


async def test_only_deleted_members_are_reactivated_and_only_by_their_own_id(
    ctx: Context, call: Call, other: Organization, ada: Member
) -> None:
    with pytest.raises(errors.NoDeletedMemberFound):
        await members.reactivate(ctx, call, ref(ada))
    await members.delete(ctx, call, ref(ada))
    for reference in ("sub|ada", "never-existed"):
        with pytest.raises(errors.NoDeletedMemberFound):
            await members.reactivate(ctx, call, ref(ada, reference))
    with pytest.raises(errors.NoDeletedMemberFound):
        await members.reactivate(ctx, call, MemberRef(organization_id=other.organization_id, member_id=ada.member_id))


@pytest.mark.parametrize(
    ("taken", "error"),
    [
        ({"email": "ada@acme.example"}, errors.ReactivationEmailTaken),
        ({"email": "b@acme.example", "external_id": "sub|ada"}, errors.DuplicateMemberExternalId),
    ],
    ids=["address", "external id"],
)
async def test_a_member_whose_names_were_taken_stays_deleted(
    ctx: Context, call: Call, acme: Organization, ada: Member, taken: dict[str, Any], error: type[errors.Error]
) -> None:
    await members.delete(ctx, call, ref(ada))
    await new(ctx, call, acme, **taken)
    with pytest.raises(error):
        await members.reactivate(ctx, call, ref(ada))
    request = MemberDangerousGet(member_id=ada.member_id, include_deleted=True)
    assert (await members.dangerously_get(ctx, call, request)).member.status == "deleted"
