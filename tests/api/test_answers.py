"""Answers have every member that the official client's own models demand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pydantic
import pytest
from stytch.b2b.models import organizations as b2b_organizations
from stytch.b2b.models import organizations_members as b2b_members
from stytch.b2b.models import rbac as b2b_rbac
from stytch.b2b.models import rbac_organizations as b2b_rbac_organizations
from stytch.b2b.models import sessions as b2b_sessions
from stytch.consumer.models import debug
from stytch.consumer.models import sessions as consumer_sessions
from stytch.consumer.models import users as consumer_users

from assay import errors
from assay.api.wire.answers import STATUSES, refusal
from tests.world import World

ORGANIZATIONS = "/v1/b2b/organizations"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@pytest.fixture
async def b2b(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client(world.b2b) as client:
        yield client


@pytest.fixture
async def consumer(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client(world.consumer) as client:
        yield client


def checked(answer: httpx.Response, model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """The body, which is what the client's model wants and what every answer has to be."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == body["status_code"] == 200
    assert re.fullmatch(r"request-id-test-[0-9a-f-]{36}", body["request_id"])
    assert answer.headers["content-type"] == "application/json"
    model.model_validate(body)
    for name, value in members(body):
        assert name != "error"
        if name.endswith("_at") and value is not None:
            assert TIME.fullmatch(value), name
    return body


def members(value: Any) -> list[tuple[str, Any]]:
    """All members of all objects in a body."""
    if isinstance(value, list):
        return [found for item in value for found in members(item)]
    if not isinstance(value, dict):
        return []
    return list(value.items()) + [found for item in value.values() for found in members(item)]


async def test_b2b_session_calls(world: World, b2b: httpx.AsyncClient) -> None:
    sent = world.attest_body(session_custom_claims={"plan": {"seats": 3}})
    login = checked(await b2b.post("/v1/b2b/sessions/attest", json=sent), b2b_sessions.AttestResponse)
    session = login["member_session"]
    assert session["organization_slug"] == "acme"
    assert session["custom_claims"] == {"plan": {"seats": 3}}
    factor = session["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("trusted_auth_token", "trusted_token_exchange")
    assert factor["trusted_auth_token_factor"].keys() == {"token_id"}
    assert session["roles"] == ["stytch_member"]
    assert login["member"]["roles"] == [
        {"role_id": "stytch_member", "sources": [{"type": "direct_assignment", "details": {}}]}
    ]
    check = {"organization_id": "acme", "resource_id": "stytch.self", "action": "delete"}
    body = {"session_token": login["session_token"], "authorization_check": check}
    again = checked(await b2b.post("/v1/b2b/sessions/authenticate", json=body), b2b_sessions.AuthenticateResponse)
    assert again["verdict"] == {"authorized": True, "granting_roles": ["stytch_member"]}
    assert again["session_token"] == login["session_token"]
    query = {"organization_id": "acme", "member_id": login["member_id"]}
    listed = checked(await b2b.get("/v1/b2b/sessions", params=query), b2b_sessions.GetResponse)
    assert [found["member_session_id"] for found in listed["member_sessions"]] == [session["member_session_id"]]
    revoke = {"member_session_id": session["member_session_id"]}
    checked(await b2b.post("/v1/b2b/sessions/revoke", json=revoke), b2b_sessions.RevokeResponse)


async def test_an_exchange_logs_in(world: World, b2b: httpx.AsyncClient) -> None:
    await b2b.post(ORGANIZATIONS, json={"organization_name": "Other", "organization_slug": "other"})
    await b2b.post(f"{ORGANIZATIONS}/other/members", json={"email_address": "ada@example.com"})
    token = world.token(email_verified=True)
    login = (await b2b.post("/v1/b2b/sessions/attest", json=world.attest_body(token=token))).json()
    body = {"organization_id": "other", "session_token": login["session_token"]}
    moved = checked(await b2b.post("/v1/b2b/sessions/exchange", json=body), b2b_sessions.ExchangeResponse)
    assert moved["member_authenticated"] is True
    assert moved["intermediate_session_token"] == ""
    assert moved["organization"]["organization_slug"] == "other"


async def test_keys(world: World, b2b: httpx.AsyncClient) -> None:
    path = f"/v1/b2b/sessions/jwks/{world.b2b.project_id}"
    checked(await b2b.get(path), b2b_sessions.GetJWKSResponse)


async def test_organization_calls(b2b: httpx.AsyncClient) -> None:
    body = {"organization_name": "Globex", "organization_external_id": "g-1", "trusted_metadata": {"a": None, "b": 1}}
    made = checked(await b2b.post(ORGANIZATIONS, json=body), b2b_organizations.CreateResponse)["organization"]
    assert made["trusted_metadata"] == {"b": 1}
    path = f"{ORGANIZATIONS}/{made['organization_id']}"
    shown = checked(await b2b.get(path), b2b_organizations.GetResponse)
    assert shown["organization"] == made
    change = {"mfa_policy": "REQUIRED_FOR_ALL", "email_allowed_domains": ["globex.example"]}
    changed = checked(await b2b.put(path, json=change), b2b_organizations.UpdateResponse)["organization"]
    assert (changed["mfa_policy"], changed["email_allowed_domains"]) == ("REQUIRED_FOR_ALL", ["globex.example"])
    dropped = checked(await b2b.delete(f"{path}/external_id"), b2b_organizations.DeleteExternalIdResponse)
    assert dropped["organization"]["organization_external_id"] is None
    assert checked(await b2b.get(f"{path}/metrics"), b2b_organizations.MetricsResponse)["member_count"] == 0
    found = checked(await b2b.post(f"{ORGANIZATIONS}/search", json={"limit": 1}), b2b_organizations.SearchResponse)
    assert found["results_metadata"]["total"] == 2
    following = {"limit": 1, "cursor": found["results_metadata"]["next_cursor"]}
    last = checked(await b2b.post(f"{ORGANIZATIONS}/search", json=following), b2b_organizations.SearchResponse)
    assert last["results_metadata"]["next_cursor"] is None
    gone = checked(await b2b.delete(path), b2b_organizations.DeleteResponse)
    assert gone["organization_id"] == made["organization_id"]


async def test_member_calls(world: World, b2b: httpx.AsyncClient) -> None:
    people = f"{ORGANIZATIONS}/acme/members"
    body = {"email_address": "Grace@Example.com", "external_id": "g-1", "roles": ["stytch_admin"]}
    made = checked(await b2b.post(people, json=body), b2b_members.CreateResponse)
    assert made["member"]["is_admin"] is True
    assert made["organization"]["organization_id"] == world.acme.organization_id
    member_id = made["member_id"]
    query = {"email_address": "grace@example.com"}
    checked(await b2b.get(f"{ORGANIZATIONS}/acme/member", params=query), b2b_members.GetResponse)
    checked(await b2b.get(f"{ORGANIZATIONS}/members/dangerously_get/{member_id}"), b2b_members.GetResponse)
    update = {"name": "Grace", "roles": []}
    changed = checked(await b2b.put(f"{people}/g-1", json=update), b2b_members.UpdateResponse)["member"]
    assert (changed["name"], changed["is_admin"]) == ("Grace", False)
    dropped = checked(await b2b.delete(f"{people}/{member_id}/external_id"), b2b_members.DeleteExternalIdResponse)
    assert dropped["member"]["external_id"] is None
    search = {"organization_ids": ["acme"]}
    found = checked(await b2b.post(f"{ORGANIZATIONS}/members/search", json=search), b2b_members.SearchResponse)
    assert found["organizations"].keys() == {world.acme.organization_id}
    assert checked(await b2b.delete(f"{people}/{member_id}"), b2b_members.DeleteResponse)["member_id"] == member_id
    back = checked(await b2b.put(f"{people}/{member_id}/reactivate"), b2b_members.ReactivateResponse)
    assert back["member"]["member_id"] == member_id


async def test_consumer_session_calls(world: World, consumer: httpx.AsyncClient) -> None:
    sent = world.consumer_attest_body()
    login = checked(await consumer.post("/v1/sessions/attest", json=sent), consumer_sessions.AttestResponse)
    assert login["session"]["attributes"] == {"ip_address": "", "user_agent": ""}
    body = {"session_jwt": login["session_jwt"]}
    again = checked(await consumer.post("/v1/sessions/authenticate", json=body), consumer_sessions.AuthenticateResponse)
    assert again["session_token"] == login["session_token"]
    assert again["verdict"] is None
    query = {"user_id": login["user_id"]}
    listed = checked(await consumer.get("/v1/sessions", params=query), consumer_sessions.GetResponse)
    assert len(listed["sessions"]) == 1
    revoke = {"session_id": login["session"]["session_id"]}
    checked(await consumer.post("/v1/sessions/revoke", json=revoke), consumer_sessions.RevokeResponse)


async def test_a_consumer_attest_without_a_duration_starts_no_session(
    world: World, consumer: httpx.AsyncClient
) -> None:
    sent = world.consumer_attest_body(session_duration_minutes=None)
    login = checked(await consumer.post("/v1/sessions/attest", json=sent), consumer_sessions.AttestResponse)
    assert (login["session"], login["session_token"], login["session_jwt"]) == (None, "", "")


async def test_user_calls(consumer: httpx.AsyncClient) -> None:
    body = {"email": "ada@example.com", "phone_number": "+4912345678", "name": {"first_name": "Ada"}}
    made = checked(await consumer.post("/v1/users", json=body), consumer_users.CreateResponse)
    assert made["email_id"] == made["user"]["emails"][0]["email_id"]
    assert made["phone_id"] == made["user"]["phone_numbers"][0]["phone_id"]
    path = f"/v1/users/{made['user_id']}"
    shown = checked(await consumer.get(path), consumer_users.GetResponse)
    assert {name: shown[name] for name in made["user"]} == made["user"]
    change = {"external_id": "u-1", "untrusted_metadata": {"a": 1}}
    changed = checked(await consumer.put(path, json=change), consumer_users.UpdateResponse)
    assert changed["user"]["external_id"] == "u-1"
    dropped = checked(await consumer.delete("/v1/users/u-1/external_id"), consumer_users.DeleteExternalIdResponse)
    assert dropped["user"]["external_id"] is None
    found = checked(await consumer.post("/v1/users/search"), consumer_users.SearchResponse)
    assert [user["user_id"] for user in found["results"]] == [made["user_id"]]
    assert checked(await consumer.delete(path), consumer_users.DeleteResponse)["user_id"] == made["user_id"]


async def test_a_user_without_phone_has_an_empty_phone_id(consumer: httpx.AsyncClient) -> None:
    made = checked(await consumer.post("/v1/users", json={"email": "a@example.com"}), consumer_users.CreateResponse)
    assert (made["phone_id"], made["user"]["phone_numbers"]) == ("", [])


async def test_policies_and_whoami(b2b: httpx.AsyncClient, consumer: httpx.AsyncClient) -> None:
    policy = checked(await b2b.get("/v1/b2b/rbac/policy"), b2b_rbac.PolicyResponse)["policy"]
    assert [role["role_id"] for role in policy["roles"]] == ["stytch_member", "stytch_admin"]
    own = checked(await b2b.get("/v1/b2b/rbac/organizations/acme"), b2b_rbac_organizations.GetOrgPolicyResponse)
    assert own["org_policy"] == {"roles": []}
    policy = checked(await consumer.get("/v1/rbac/policy"), b2b_rbac.PolicyResponse)["policy"]
    assert [role["role_id"] for role in policy["roles"]] == ["stytch_user"]
    checked(await consumer.get("/v1/debug/whoami"), debug.WhoamiResponse)


async def test_an_unknown_organization_has_no_policy(b2b: httpx.AsyncClient) -> None:
    answer = await b2b.get("/v1/b2b/rbac/organizations/nobody")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "organization_not_found")


# ---------------------------------------------------------------- refusals


def test_each_kind_of_error_has_the_status_of_the_contract() -> None:
    assert STATUSES == {
        "invalid": 400,
        "conflict": 400,
        "unauthenticated": 401,
        "forbidden": 403,
        "not found": 404,
        "method": 405,
        "too large": 413,
        "too many": 429,
        "unavailable": 503,
    }


@pytest.mark.parametrize("error", errors.all_errors(), ids=lambda error: error.code)
def test_every_error_has_a_status_and_five_members(error: type[errors.Error]) -> None:
    made = refusal(error(detail="only for the log"), "request-id-test-1")
    assert made.status_code == STATUSES[error.kind]
    assert made.status_code < 500 or made.status_code == 503
    assert made.error_message
    assert made.error_url == f"/docs/errors#{error.code}"
    assert made.__struct_fields__ == ("status_code", "request_id", "error_type", "error_message", "error_url")
    assert "only for the log" not in repr(made)
