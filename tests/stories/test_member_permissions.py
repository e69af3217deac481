from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Member, Organization
from assay.stories import member_changes, members
from assay.stories.context import Call, Context
from assay.stories.member_changes import MemberUpdate
from assay.stories.searches import MemberSearchRequest
from tests import records
from tests.calls import acting
from tests.stories.people import change, get, new, ref

SELF_FIELDS: dict[str, Any] = {
    "name": "Me",
    "untrusted_metadata": {"theme": "dark"},
    "mfa_phone_number": "+12025550162",
    "mfa_enrolled": True,
    "default_mfa_method": "totp",
}
ADMIN_FIELDS: dict[str, Any] = {
    "roles": ["stytch_admin"],
    "is_breakglass": True,
    "external_id": "sub|chosen",
}


@pytest.mark.parametrize("field", SELF_FIELDS)
async def test_a_plain_member_may_change_this_of_itself_and_of_nobody_else(
    ctx: Context, call: Call, acme: Organization, ada: Member, field: str
) -> None:
    bob = await new(ctx, call, acme, "bob@acme.example")
    await change(ctx, acting(call, ada), ada, **{field: SELF_FIELDS[field]})
    with pytest.raises(errors.SessionAuthorizationError):
        await change(ctx, acting(call, bob), ada, **{field: SELF_FIELDS[field]})


@pytest.mark.parametrize("field", ADMIN_FIELDS)
async def test_a_plain_member_may_not_change_this_even_of_itself_but_an_admin_may(
    ctx: Context, call: Call, acme: Organization, ada: Member, field: str
) -> None:
    with pytest.raises(errors.SessionAuthorizationError):
        await change(ctx, acting(call, ada), ada, name="Me", **{field: ADMIN_FIELDS[field]})
    assert await get(ctx, call, acme, ada.member_id) == ada
    bob = await new(ctx, call, acme, "bob@acme.example")
    await change(ctx, acting(call, bob, "stytch_admin"), ada, **{field: ADMIN_FIELDS[field]})


async def test_nobody_changes_the_own_address_but_an_admin_those_of_others(
    ctx: Context, call: Call, acme: Organization, ada: Member
) -> None:
    bob = await new(ctx, call, acme, "bob@acme.example")
    with pytest.raises(errors.MemberCannotUpdateOwnEmail):
        await change(ctx, acting(call, ada, "stytch_admin"), ada, email_address="x@acme.example")
    with pytest.raises(errors.SessionAuthorizationError):
        await change(ctx, acting(call, bob), ada, email_address="x@acme.example")
    after = await change(ctx, acting(call, bob, "stytch_admin"), ada, email_address="x@acme.example")
    assert after.email == "x@acme.example"


async def test_trusted_metadata_is_closed_to_members(ctx: Context, call: Call, acme: Organization, ada: Member) -> None:
    admin = acting(call, ada, "stytch_admin")
    with pytest.raises(errors.CannotUpdateTrustedMetadata):
        await change(ctx, admin, ada, trusted_metadata={"plan": "gold"})
    with pytest.raises(errors.CannotUpdateTrustedMetadata):
        await new(ctx, admin, acme, "b@acme.example", trusted_metadata={"plan": "gold"})


async def test_a_plain_member_may_delete_itself_only(ctx: Context, call: Call, acme: Organization, ada: Member) -> None:
    bob = await new(ctx, call, acme, "bob@acme.example")
    with pytest.raises(errors.SessionAuthorizationError):
        await members.delete(ctx, acting(call, bob), ref(ada))
    assert await members.delete(ctx, acting(call, ada), ref(ada)) == ada.member_id


@pytest.mark.parametrize("what", ["create", "create with a role", "reactivate", "search", "drop", "look by update"])
async def test_what_only_an_admin_may_do(ctx: Context, call: Call, acme: Organization, ada: Member, what: str) -> None:
    bob = await new(ctx, call, acme, "bob@acme.example")
    gone = await new(ctx, call, acme, "gone@acme.example")
    await members.delete(ctx, call, ref(gone))

    async def act(actor: Call) -> object:
        match what:
            case "create":
                return await new(ctx, actor, acme, "new@acme.example")
            case "create with a role":
                return await new(ctx, actor, acme, "new@acme.example", roles=["stytch_admin"], is_breakglass=True)
            case "reactivate":
                return await members.reactivate(ctx, actor, ref(gone))
            case "search":
                return await members.search(ctx, actor, MemberSearchRequest(organization_ids=["acme"]))
            case "drop":
                return await members.drop_external_id(ctx, actor, ref(ada))
            case _:
                return await change(ctx, actor, ada)

    with pytest.raises(errors.SessionAuthorizationError):
        await act(acting(call, bob))
    assert await act(acting(call, bob, "stytch_admin"))


async def test_an_admin_of_another_organization_is_refused_before_anything_is_looked_for(
    ctx: Context, call: Call, other: Organization, acme: Organization, ada: Member
) -> None:
    admin = acting(call, records.member(other), "stytch_admin")
    absent = msgspec.structs.replace(ada, member_id="never-existed")
    for refused in (
        change(ctx, admin, ada, name="Mine"),
        change(ctx, admin, absent, name="Mine"),
        new(ctx, admin, acme, "b@acme.example"),
        members.delete(ctx, admin, ref(ada)),
        members.delete(ctx, admin, ref(absent)),
        members.reactivate(ctx, admin, ref(ada)),
        members.drop_external_id(ctx, admin, ref(ada)),
        members.search(ctx, admin, MemberSearchRequest(organization_ids=["other", "acme"])),
    ):
        with pytest.raises(errors.SessionAuthorizationTenancyError):
            await refused


def test_every_field_of_an_update_has_an_action_or_is_closed_to_members() -> None:
    without = {"organization_id", "member_id", "trusted_metadata", "unlink_email"}
    assert set(MemberUpdate.__struct_fields__) - without == member_changes.ACTIONS.keys()
