"""The RBAC policy of an environment: set and read by operators, and in force for everybody else from then on."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.rules import policies
from assay.rules.permissions import DEFAULT_POLICY, Permission, Resource, Role
from assay.stories import access, members, organizations, rbac_policies, users
from assay.stories.access import Nothing
from assay.stories.context import Call, Context, Operator
from assay.stories.environments import EnvironmentRef
from assay.stories.member_changes import MemberUpdate
from assay.stories.rbac_policies import (
    GivenDefaultRole,
    GivenPermission,
    GivenResource,
    GivenRole,
    GivenScope,
    PolicySet,
    PolicyView,
)
from tests.calls import OPERATOR, acting
from tests.stories.people import new, organize

READ = GivenPermission(resource_id="documents", actions=("read",))
DOCUMENTS = GivenResource(resource_id="documents", description="Papers", available_actions=("read", "write"))
EDITOR = GivenRole(role_id="editor", permissions=(GivenPermission(resource_id="documents", actions=("*",)),))


async def set_policy(ctx: Context, call: Call, **parts: Any) -> PolicyView:
    slug = {"b2b": "acme", "consumer": "shop"}[call.environment.vertical]
    request = PolicySet(project_slug=slug, environment_slug="test", **{"custom_resources": (DOCUMENTS,)} | parts)
    return await rbac_policies.set_policy(ctx, Operator(name="op", request_id="request-1"), request)


async def read_again(ctx: Context, call: Call) -> Call:
    """The call as the next request makes it: with the environment as it is now."""
    environment = await ctx.store.environment(call.environment.environment_id)
    assert environment is not None
    return msgspec.structs.replace(call, caller=msgspec.structs.replace(call.caller, environment=environment))


async def test_a_policy_that_nobody_set_is_the_default_one(ctx: Context, call: Call) -> None:
    where = EnvironmentRef(project_slug="acme", environment_slug="test")
    found = await rbac_policies.get_policy(ctx, OPERATOR, where)
    assert found.stytch_resources == DEFAULT_POLICY["b2b"].resources
    assert found.parts == policies.parts_of("b2b", None)
    assert found.parts.stytch_user is None
    assert await access.policy(ctx, call, Nothing()) == DEFAULT_POLICY["b2b"]


async def test_what_is_set_is_read_and_in_force_from_the_next_request_on(ctx: Context, call: Call) -> None:
    scope = GivenScope(scope="documents:read", permissions=(READ,))
    made = await set_policy(
        ctx, call, stytch_member=GivenDefaultRole(permissions=(READ,)), custom_roles=(EDITOR,), custom_scopes=(scope,)
    )
    assert made.parts.stytch_member == (Permission("documents", ("read",)),)
    assert made.parts.custom_roles == (Role("editor", "", (Permission("documents", ("*",)),)),)
    assert made.parts.custom_resources == (Resource("documents", "Papers", ("read", "write")),)
    where = EnvironmentRef(project_slug="acme", environment_slug="test")
    assert await rbac_policies.get_policy(ctx, OPERATOR, where) == made
    live = EnvironmentRef(project_slug="acme", environment_slug="live")
    assert (await rbac_policies.get_policy(ctx, OPERATOR, live)).parts == policies.parts_of("b2b", None)
    policy = await access.policy(ctx, await read_again(ctx, call), Nothing())
    assert policy == policies.effective("b2b", policies.stored("b2b", made.parts))
    assert [role.role_id for role in policy.roles] == ["stytch_member", "stytch_admin", "editor"]


async def test_what_a_later_policy_leaves_out_is_gone_and_default_roles_are_as_usual(ctx: Context, call: Call) -> None:
    await set_policy(ctx, call, stytch_member=GivenDefaultRole(permissions=(READ,)), custom_roles=(EDITOR,))
    found = await set_policy(ctx, call, custom_resources=())
    assert found.parts == policies.parts_of("b2b", None)


async def test_each_change_leaves_an_audit_line_that_names_what_changed(ctx: Context, call: Call) -> None:
    await set_policy(ctx, call, custom_roles=(EDITOR,))
    await set_policy(ctx, call, custom_roles=(EDITOR,))  # changes nothing, and says nothing
    viewer = GivenRole(role_id="viewer", permissions=(READ,))
    await set_policy(ctx, call, custom_roles=(viewer,), stytch_admin=GivenDefaultRole(permissions=(READ,)))
    events = [each for each in await ctx.store.events(call.environment.environment_id, 9) if "rbac" in each.action]
    assert [(each.action, each.actor, each.request_id) for each in events] == [
        ("rbac_policy.updated", "op", "request-1")
    ] * 2
    assert [each.details for each in events] == [
        {"changed": ["role editor", "role stytch_admin", "role viewer"]},
        {"changed": ["resource documents", "role editor"]},
    ]


async def test_a_fault_changes_nothing(ctx: Context, call: Call) -> None:
    await set_policy(ctx, call, custom_roles=(EDITOR,))
    with pytest.raises(errors.InvalidPermissionResource):
        await set_policy(ctx, call, custom_resources=(), custom_roles=(EDITOR,))
    with pytest.raises(errors.InvalidRoleForVertical):
        await set_policy(ctx, call, stytch_user=GivenDefaultRole())
    assert "editor" in (await access.policy(ctx, await read_again(ctx, call), Nothing())).role_ids()


async def test_two_operators_at_once_leave_the_policy_of_one_of_them_whole(ctx: Context, call: Call) -> None:
    roles = [GivenRole(role_id=f"role-{number}", permissions=(READ,)) for number in range(4)]
    await asyncio.gather(*(set_policy(ctx, call, custom_roles=(role,)) for role in roles))
    where = EnvironmentRef(project_slug="acme", environment_slug="test")
    found = (await rbac_policies.get_policy(ctx, OPERATOR, where)).parts
    assert len(found.custom_roles) == 1
    assert found.custom_resources == (Resource("documents", "Papers", ("read", "write")),)


async def test_unknown_places_are_not_found(ctx: Context, call: Call) -> None:
    assert call
    for project, environment, refusal in (
        ("nobody", "test", errors.ProjectNotFound),
        ("acme", "nowhere", errors.EnvironmentNotFound),
    ):
        where = EnvironmentRef(project_slug=project, environment_slug=environment)
        with pytest.raises(refusal):
            await rbac_policies.get_policy(ctx, OPERATOR, where)


# ---------------------------------------------------------------- what a policy permits elsewhere


async def test_roles_of_the_policy_can_be_given_and_others_cannot(ctx: Context, call: Call, consumer: Call) -> None:
    await set_policy(ctx, call, custom_roles=(EDITOR,))
    await set_policy(ctx, consumer, custom_roles=(EDITOR,))
    call, consumer = await read_again(ctx, call), await read_again(ctx, consumer)
    acme = await organize(ctx, call, "acme")
    ada = await new(ctx, call, acme, "ada@acme.example", roles=["editor"])
    assert ada.roles == ("editor",)
    update = MemberUpdate(
        organization_id=acme.organization_id, member_id=ada.member_id, roles=["editor", "stytch_admin"]
    )
    assert (await members.update(ctx, call, update)).member.roles == ("editor", "stytch_admin")
    eve = await users.create(ctx, consumer, users.UserCreate(email="eve@shop.example", roles=["editor"]))
    assert eve.roles == ("editor",)
    rename = users.UserUpdate(user_id=eve.user_id, roles=["viewer"])
    with pytest.raises(errors.InvalidRole):
        await users.update(ctx, consumer, rename)
    with pytest.raises(errors.InvalidRole):
        await new(ctx, call, acme, "bob@acme.example", roles=["viewer"])


async def test_organizations_assign_roles_of_the_policy_by_address(ctx: Context, call: Call) -> None:
    await set_policy(ctx, call, custom_roles=(EDITOR,))
    call = await read_again(ctx, call)
    by_address: Any = [{"domain": "acme.example", "role_id": "editor"}]
    made = await organizations.create(
        ctx,
        call,
        msgspec.convert(
            {"organization_name": "Acme", "rbac_email_implicit_role_assignments": by_address},
            organizations.OrganizationCreate,
        ),
    )
    assert made.settings.rbac_email_implicit_role_assignments == tuple(by_address)
    unknown = {
        "organization_id": made.organization_id,
        "rbac_email_implicit_role_assignments": [{"domain": "acme.example", "role_id": "viewer"}],
    }
    with pytest.raises(errors.InvalidRole):
        await organizations.update(ctx, call, msgspec.convert(unknown, organizations.OrganizationUpdate))


async def test_a_member_session_may_do_what_the_policy_in_force_permits(ctx: Context, call: Call) -> None:
    acme = await organize(ctx, call, "acme")
    ada, bob = [await new(ctx, call, acme, f"{name}@acme.example") for name in ("ada", "bob")]
    inviting = GivenPermission(resource_id="stytch.member", actions=("delete",))
    await set_policy(ctx, call, custom_roles=(GivenRole(role_id="hr", permissions=(inviting,)),))
    policy = await access.policy(ctx, await read_again(ctx, call), Nothing())
    reference = members.MemberRef(organization_id=acme.organization_id, member_id=bob.member_id)
    before = acting(call, ada, "hr")
    with pytest.raises(errors.SessionAuthorizationError):
        await members.delete(ctx, before, reference)
    assert before.actor is not None
    now = msgspec.structs.replace(before, actor=msgspec.structs.replace(before.actor, policy=policy))
    assert await members.delete(ctx, now, reference) == bob.member_id
