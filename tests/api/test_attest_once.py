"""Tokens that work once, over HTTP: what the sender learns, and how a lost answer is given again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from assay.store import ReplaceProfile
from assay.stories import projects
from tests.calls import OPERATOR
from tests.world import PROFILE_ID, Tenant, World

ATTEST = "/v1/b2b/sessions/attest"
ALIAS = "/b2b/v1/sessions/attest"
AUTHENTICATE = "/v1/b2b/sessions/authenticate"


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    await change(world, world.b2b, replay="token_id")
    async with world.client(world.b2b) as opened:
        yield opened


async def change(world: World, tenant: Tenant, **fields: Any) -> None:
    profile = await world.context.store.profile(tenant.project_id, PROFILE_ID)
    assert profile is not None
    await world.context.store.write(ReplaceProfile(profile=msgspec.structs.replace(profile, **fields)))


async def authenticates(client: httpx.AsyncClient, session_token: str) -> bool:
    answer = await client.post(AUTHENTICATE, json={"session_token": session_token})
    return answer.status_code == 200


def public(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """What is the same in two answers that say the same."""
    body = answer.json()
    body.pop("request_id")
    return answer.status_code, body


async def test_a_token_used_before_is_refused_as_any_bad_token(world: World, client: httpx.AsyncClient) -> None:
    body = world.attest_body()
    assert (await client.post(ATTEST, json=body)).status_code == 200
    world.clock.turn(11)
    again = await client.post(ATTEST, json=body)
    signed, _, signature = world.token().rpartition(".")
    forged = await client.post(ATTEST, json=body | {"token": f"{signed}.{signature[::-1]}"})
    assert public(again) == public(forged)
    status, members = public(again)
    assert (status, members["error_type"]) == (400, "invalid_trusted_auth_token")
    [_, second, _] = reversed(await world.context.store.attempts(world.b2b.project_id, 9))
    assert second.reason.startswith("the token was used before")
    assert second.request_id == again.json()["request_id"]


async def test_a_request_repeated_on_either_route_gets_the_same_session(
    world: World, client: httpx.AsyncClient
) -> None:
    body = world.attest_body(session_duration_minutes=30)
    lost = (await client.post(ATTEST, json=body)).json()
    answered = await client.post(ALIAS, json=body)
    assert answered.status_code == 200
    assert answered.json()["member_session"]["member_session_id"] == lost["member_session"]["member_session_id"]
    assert answered.json()["request_id"] != lost["request_id"]
    assert not await authenticates(client, lost["session_token"])
    assert await authenticates(client, answered.json()["session_token"])


@pytest.mark.parametrize("change_of_body", [{"session_duration_minutes": 31}, {"telemetry_id": "t"}])
async def test_another_request_with_the_token_is_refused(
    world: World, client: httpx.AsyncClient, change_of_body: dict[str, Any]
) -> None:
    body = world.attest_body(session_duration_minutes=30)
    first = (await client.post(ATTEST, json=body)).json()
    refused = await client.post(ATTEST, json=body | change_of_body)
    assert (refused.status_code, refused.json()["error_type"]) == (400, "invalid_trusted_auth_token")
    assert await authenticates(client, first["session_token"])


async def test_another_secret_of_the_same_project_is_another_caller(world: World, client: httpx.AsyncClient) -> None:
    body = world.attest_body()
    first = (await client.post(ATTEST, json=body)).json()
    _, other = await projects.create_secret(world.context, world.b2b.project_id, by=OPERATOR)
    async with world.client() as stranger:
        refused = await stranger.post(ATTEST, json=body, auth=(world.b2b.project_id, other))
    assert (refused.status_code, refused.json()["error_type"]) == (400, "invalid_trusted_auth_token")
    assert await authenticates(client, first["session_token"])


async def test_a_consumer_attest_without_session_is_answered_again(world: World) -> None:
    await change(world, world.consumer, replay="fingerprint")
    body = world.consumer_attest_body()
    del body["session_duration_minutes"]
    async with world.client(world.consumer) as client:
        answers = [(await client.post("/v1/sessions/attest", json=body)).json() for _ in range(2)]
        world.clock.turn(11)
        refused = await client.post("/v1/sessions/attest", json=body)
    assert answers[0]["user_id"] == answers[1]["user_id"]
    assert {one["session_token"] for one in answers} == {""}
    assert refused.json()["error_type"] == "invalid_trusted_auth_token"


async def test_a_disabled_profile_answers_as_one_that_is_not_there(world: World, client: httpx.AsyncClient) -> None:
    await change(world, world.b2b, enabled=False)
    disabled = await client.post(ATTEST, json=world.attest_body())
    unknown = await client.post(ATTEST, json=world.attest_body(profile_id="nothing"))
    assert public(disabled) == public(unknown)
    assert disabled.status_code == 404


async def test_a_rotated_token_opens_nothing_over_http(world: World, client: httpx.AsyncClient) -> None:
    await change(world, world.b2b, rotate_session_token=True)
    first = (await client.post(ATTEST, json=world.attest_body())).json()
    second = (await client.post(ATTEST, json=world.attest_body(session_token=first["session_token"]))).json()
    assert second["member_session"]["member_session_id"] == first["member_session"]["member_session_id"]
    for shown in ({"session_token": first["session_token"]}, {"session_jwt": first["session_jwt"]}):
        answer = await client.post(AUTHENTICATE, json=shown)
        assert (answer.status_code, answer.json()["error_type"]) == (404, "session_not_found")
    assert await authenticates(client, second["session_token"])
