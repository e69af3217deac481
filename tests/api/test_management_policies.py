"""Policies and templates over the wire: what clients in other languages send, and every member they read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.model import Environment
from assay.rules.permissions import DEFAULT_POLICY
from tests.world import Tenant, World

READ: dict[str, Any] = {"resource_id": "documents", "actions": ["read"]}
DOCUMENTS: dict[str, Any] = {"resource_id": "documents", "available_actions": ["read"]}


async def call(world: World, tenant: Tenant, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """A call of the management API about the tenant's environment."""
    environment: Environment = tenant.caller.environment
    [project] = [each for each in await world.context.store.projects() if each.project_id == environment.project_id]
    url = f"/pwa/v3/projects/{project.slug}/environments/{environment.slug}/{path}"
    operator = await world.operator()
    async with world.client() as client:
        auth = (operator.workspace_key_id, operator.secret)
        answer = await client.request(method, url, content=json.dumps(body) if body is not None else None, auth=auth)
    return answer.status_code, answer.json()


async def test_a_policy_has_every_member_that_clients_read(world: World) -> None:
    status, answer = await call(world, world.b2b, "GET", "rbac_policy")
    assert (status, answer["status_code"]) == (200, 200)
    assert answer["request_id"]
    policy = answer["policy"]
    assert {name: policy[name] for name in policy if name.startswith("custom")} == {
        "custom_roles": [],
        "custom_resources": [],
        "custom_scopes": [],
    }
    itself = {"permissions": [{"resource_id": "stytch.self", "actions": ["*"]}]}
    assert policy["stytch_member"] == itself
    assert "stytch_user" not in policy
    resources = DEFAULT_POLICY["b2b"].resources
    assert policy["stytch_resources"] == [
        {"resource_id": each.resource_id, "description": each.description, "available_actions": list(each.actions)}
        for each in resources
    ]
    _, answer = await call(world, world.consumer, "GET", "rbac_policy")
    assert answer["policy"]["stytch_user"] == itself
    assert not {"stytch_member", "stytch_admin"} & answer["policy"].keys()


@pytest.mark.parametrize(
    "nothing",
    [{}, {"description": ""}, {"description": None}],
    ids=["left out", "empty", "null"],
)
async def test_what_is_empty_may_be_left_out_or_null_and_reads_as_empty(world: World, nothing: dict[str, Any]) -> None:
    body = {
        "stytch_member": {},
        "stytch_admin": {"permissions": None},
        "stytch_user": None,
        "stytch_resources": [{"resource_id": "stytch.mine", "available_actions": ["ignored"]}],
        "custom_roles": [{"role_id": "reader", "permissions": [READ], **nothing}],
        "custom_resources": [DOCUMENTS | nothing],
        "custom_scopes": None,
    }
    status, answer = await call(world, world.b2b, "PUT", "rbac_policy", body)
    assert status == 200, answer
    policy = answer["policy"]
    assert policy["stytch_member"] == policy["stytch_admin"] == {"permissions": []}
    assert policy["custom_roles"] == [{"role_id": "reader", "description": "", "permissions": [READ]}]
    assert policy["custom_resources"] == [DOCUMENTS | {"description": ""}]
    assert policy["custom_scopes"] == []
    assert "stytch.mine" not in json.dumps(policy)
    assert (await call(world, world.b2b, "GET", "rbac_policy"))[1]["policy"] == policy


async def test_the_server_api_shows_the_policy_in_force(world: World) -> None:
    await call(
        world,
        world.b2b,
        "PUT",
        "rbac_policy",
        {"stytch_member": {"permissions": [READ]}, "custom_resources": [DOCUMENTS]},
    )
    async with world.client(world.b2b) as client:
        policy = (await client.get("/v1/b2b/rbac/policy")).json()["policy"]
    member = next(role for role in policy["roles"] if role["role_id"] == "stytch_member")
    assert member["permissions"] == [{"resource_id": "stytch.self", "actions": ["*"]}, READ]
    assert policy["resources"][-1] == {"resource_id": "documents", "description": "", "actions": ["read"]}
    assert policy["scopes"] == []


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        ({"custom_roles": [{"permissions": [READ]}]}, "empty_rbac_role_id"),
        ({"custom_resources": [{"resource_id": "documents"}]}, "rbac_resource_missing_actions"),
        ({"custom_roles": [{"role_id": "reader", "permissions": [{}]}]}, "invalid_permission_resource"),
        ({"custom_resources": [DOCUMENTS], "custom_roles": [{"role_id": "a"}]}, "rbac_role_missing_permissions"),
        ({"stytch_user": {}}, "invalid_role_for_vertical"),
        ({"custom_roles": {}}, "bad_request"),
        ({"custom_roles": [None]}, "bad_request"),
        ({"custom_resources": [DOCUMENTS | {"available_actions": "read"}]}, "bad_request"),
    ],
)
async def test_faults_are_400_with_a_type_of_their_own(world: World, body: dict[str, Any], error_type: str) -> None:
    status, answer = await call(world, world.b2b, "PUT", "rbac_policy", body)
    assert (status, answer["error_type"]) == (400, error_type)
    assert answer["error_message"]


async def test_templates_are_listed_set_read_byte_for_byte_and_deleted(world: World) -> None:
    unset = {"template_content": "{}", "custom_audience": ""}
    status, answer = await call(world, world.b2b, "GET", "jwt_templates")
    assert (status, answer["jwt_templates"]) == (
        200,
        [unset | {"jwt_template_type": kind} for kind in ("SESSION", "M2M")],
    )
    mine = {"template_content": '{"bid":\n\t{{member.trusted_metadata.billing_id}}}\r\n', "custom_audience": "é "}
    status, answer = await call(world, world.b2b, "PUT", "jwt_templates/SESSION", mine)
    assert (status, answer["jwt_template"]) == (200, mine | {"jwt_template_type": "SESSION"})
    assert (await call(world, world.b2b, "GET", "jwt_templates/SESSION"))[1]["jwt_template"] == answer["jwt_template"]
    assert (await call(world, world.b2b, "GET", "jwt_templates/M2M"))[1]["jwt_template"]["template_content"] == "{}"
    status, answer = await call(world, world.b2b, "DELETE", "jwt_templates/SESSION")
    assert (status, sorted(answer)) == (200, ["request_id", "status_code"])
    found = await call(world, world.b2b, "GET", "jwt_templates/SESSION")
    assert found[1]["jwt_template"] == unset | {"jwt_template_type": "SESSION"}


async def test_a_template_needs_its_text_and_may_do_without_an_audience(world: World) -> None:
    status, answer = await call(world, world.b2b, "PUT", "jwt_templates/SESSION", {"custom_audience": "a"})
    assert (status, answer["error_type"]) == (400, "bad_request")
    for audience in ({}, {"custom_audience": None}):
        status, answer = await call(
            world, world.b2b, "PUT", "jwt_templates/SESSION", {"template_content": "{}"} | audience
        )
        assert (status, answer["jwt_template"]["custom_audience"]) == (200, "")
    for method, body in (("GET", None), ("PUT", {"template_content": "{}"}), ("DELETE", None)):
        status, answer = await call(world, world.b2b, method, "jwt_templates/session", body)
        assert (status, answer["error_type"]) == (400, "bad_request")
