"""The server and the official Python client decide alike, whatever the policy and whoever asks (contract §7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stytch.b2b.models.rbac import Policy as B2BPolicy
from stytch.b2b.models.sessions import AuthorizationCheck as B2BCheck
from stytch.consumer.models.rbac import Policy as ConsumerPolicy
from stytch.consumer.models.sessions import AuthorizationCheck as ConsumerCheck
from stytch.shared import rbac_local

from assay.api.wire import access
from assay.model import Vertical
from assay.rules.permissions import (
    DEFAULT_POLICY,
    Permission,
    Policy,
    Role,
    granting_roles,
    permitted_actions,
    session_roles,
)
from tests import records

# Few names, so that what is asked for is often what is there; with what could be taken for a pattern among them.
WORDS = st.sampled_from(["read", "write", "read.all", "*", "", "Read"])
RESOURCES = st.sampled_from(["documents", "stytch.self", "*", "documents.*", ""])
ROLES = st.sampled_from(["stytch_member", "stytch_user", "editor", "Editor", "reader", "gone", "*"])
PERMISSIONS = st.builds(Permission, RESOURCES, st.lists(WORDS, max_size=3).map(tuple))
POLICIES = st.lists(st.builds(Role, ROLES, st.just(""), st.lists(PERMISSIONS, max_size=3).map(tuple)), max_size=5).map(
    lambda roles: Policy(tuple(roles))
)


def clients_policy(policy: Policy, vertical: Vertical) -> Any:
    """The policy as the client reads it off the wire."""
    kind = B2BPolicy if vertical == "b2b" else ConsumerPolicy
    return kind.model_validate(msgspec.to_builtins(access.policy(policy, "request-id-test-1").policy))


def client_permits(vertical: Vertical, policy: Policy, roles: list[str], resource_id: str, action: str) -> bool:
    read = clients_policy(policy, vertical)
    try:
        if vertical == "b2b":
            b2b = B2BCheck(organization_id="o", resource_id=resource_id, action=action)
            rbac_local.perform_authorization_check(read, roles, "o", b2b)
        else:
            check = ConsumerCheck(resource_id=resource_id, action=action)
            rbac_local.perform_consumer_authorization_check(read, roles, check)
    except (rbac_local.RBACPermissionError, rbac_local.RBACConsumerPermissionError):
        return False
    return True


@pytest.mark.parametrize("vertical", ["b2b", "consumer"])
@given(policy=POLICIES, roles=st.lists(ROLES, max_size=4), resource_id=RESOURCES, action=WORDS)
def test_the_client_permits_what_the_server_permits(
    vertical: Vertical, policy: Policy, roles: list[str], resource_id: str, action: str
) -> None:
    granting = granting_roles(policy, roles, resource_id, action)
    assert bool(granting) == client_permits(vertical, policy, roles, resource_id, action)
    # Each role that is named as granting does so alone, and no other one does.
    for role in set(roles):
        assert (role in granting) == client_permits(vertical, policy, [role], resource_id, action)


@given(
    policy=POLICIES,
    explicit=st.lists(ROLES, max_size=3).map(tuple),
    of_token=st.lists(ROLES, max_size=3).map(tuple),
    resource_id=RESOURCES,
    action=WORDS,
)
def test_roles_explicit_by_default_and_from_tokens_count_alike_in_client_and_server(
    policy: Policy, explicit: tuple[str, ...], of_token: tuple[str, ...], resource_id: str, action: str
) -> None:
    """What the client sees are the roles in the session JWT; the server decides by the same."""
    member = records.member(
        records.organization("project-test-1"), roles=explicit, token_roles={"vercel_jwt": of_token, "other": ("gone",)}
    )
    with_factor = session_roles("b2b", member, (records.factor(),), policy)
    without = session_roles("b2b", member, (), policy)
    for roles, held in ((with_factor, {*explicit, *of_token}), (without, set(explicit))):
        assert set(roles) == {"stytch_member", *held} & policy.role_ids()
        permitted = client_permits("b2b", policy, list(roles), resource_id, action)
        # Roles that the policy lacks were left out, and it makes no difference to either.
        assert permitted == bool(granting_roles(policy, {"stytch_member", *held}, resource_id, action))


@pytest.mark.parametrize("roles", [["stytch_member"], ["stytch_admin"], ["stytch_admin", "stytch_member"], []])
def test_the_actions_that_roles_permit_on_a_resource_are_those_that_the_client_permits(roles: list[str]) -> None:
    policy = DEFAULT_POLICY["b2b"]
    for resource in policy.resources:
        permitted = [
            action for action in resource.actions if client_permits("b2b", policy, roles, resource.resource_id, action)
        ]
        assert permitted_actions(policy, roles, resource.resource_id) == tuple(permitted)
    assert permitted_actions(policy, roles, "no.such.resource") is None
