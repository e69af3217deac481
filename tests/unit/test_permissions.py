from __future__ import annotations

from typing import get_args

import pytest

from assay.model import Vertical
from assay.rules import permissions
from assay.rules.permissions import Permission, Policy, Role
from tests import records

POLICY = Policy(
    roles=(
        Role("reader", "", (Permission("documents", ("read",)),)),
        Role("editor", "", (Permission("documents", ("read", "write")),)),
        Role("owner", "", (Permission("documents", ("*",)),)),
        Role("star", "", (Permission("*", ("*",)),)),
    )
)


@pytest.mark.parametrize(
    ("roles", "resource", "action", "granting"),
    [
        (["reader"], "documents", "read", ("reader",)),
        (["reader"], "documents", "write", ()),
        (["owner", "reader", "editor"], "documents", "read", ("reader", "editor", "owner")),
        (["owner"], "documents", "anything", ("owner",)),
        (["owner"], "Documents", "read", ()),
        (["star"], "documents", "read", ()),
        (["nobody"], "documents", "read", ()),
        ([], "documents", "read", ()),
        (["reader"], "documents", "*", ()),
    ],
    ids=[
        "granted",
        "other action",
        "all that grant, in the order of the policy",
        "star permits every action",
        "names are compared whole",
        "no star for resources",
        "unknown role",
        "no role",
        "asking for star",
    ],
)
def test_roles_grant_what_the_policy_says(
    roles: list[str], resource: str, action: str, granting: tuple[str, ...]
) -> None:
    assert permissions.granting_roles(POLICY, roles, resource, action) == granting


def test_roles_from_a_token_count_only_in_sessions_with_a_factor_of_its_profile() -> None:
    organization = records.organization("project-test-1")
    member = records.member(organization, roles=("a",), token_roles={"vercel_jwt": ("b", "a"), "other": ("c",)})
    policy = Policy(tuple(Role(role_id, "", ()) for role_id in ("stytch_member", "a", "b", "c")))
    assert permissions.session_roles("b2b", member, (), policy) == ("stytch_member", "a")
    assert permissions.session_roles("b2b", member, (records.factor(),), policy) == ("stytch_member", "a", "b")
    assert permissions.all_roles("b2b", member) == ("stytch_member", "a", "b", "c")


def test_a_default_role_that_the_policy_does_not_have_counts_for_nothing() -> None:
    assert permissions.session_roles("consumer", records.user("project-test-1"), (), Policy(())) == ()


def test_a_user_has_the_default_role_of_consumer_projects() -> None:
    policy = permissions.DEFAULT_POLICY["consumer"]
    assert permissions.session_roles("consumer", records.user("project-test-1"), (), policy) == ("stytch_user",)


@pytest.mark.parametrize("vertical", get_args(Vertical))
def test_the_default_policy_knows_every_resource_it_grants(vertical: Vertical) -> None:
    policy = permissions.DEFAULT_POLICY[vertical]
    known = {resource.resource_id for resource in policy.resources}
    assert {permission.resource_id for role in policy.roles for permission in role.permissions} <= known
    assert permissions.DEFAULT_ROLE[vertical] in policy.role_ids()


def test_a_plain_member_may_manage_itself_and_nobody_else() -> None:
    policy = permissions.DEFAULT_POLICY["b2b"]
    assert permissions.granting_roles(policy, ["stytch_member"], "stytch.self", "update.info.name")
    assert not permissions.granting_roles(policy, ["stytch_member"], "stytch.member", "update.info.name")
    assert permissions.granting_roles(policy, ["stytch_admin"], "stytch.member", "update.info.name")
