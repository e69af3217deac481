"""The audit events over the API: whose are seen, page by page, and that nothing secret is among them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.world import Operating, Tenant, World

EVENTS = "/v1/events"


@pytest.fixture
async def operator(world: World) -> Operating:
    return await world.operator()


async def page(client: httpx.AsyncClient, path: str = EVENTS, **arguments: Any) -> dict[str, Any]:
    answer = await client.get(path, params=arguments)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def rename(client: httpx.AsyncClient, *names: str) -> None:
    for name in names:
        await client.put("/v1/b2b/organizations/acme", json={"organization_name": name})


async def managed_path(world: World, tenant: Tenant) -> str:
    """Where operators read the events of the tenant's environment."""
    environment = tenant.caller.environment
    (project,) = [one for one in await world.context.store.projects() if one.project_id == environment.project_id]
    return f"/pwa/v3/projects/{project.slug}/environments/{environment.slug}/events"


async def test_a_backend_sees_the_events_of_its_environment_oldest_first(world: World) -> None:
    async with world.client(world.b2b) as client:
        await rename(client, "A", "B")
        seen = await page(client)
    assert [event["action"] for event in seen["events"]] == [
        "profile.created",
        "organization.created",
        "organization.updated",
        "organization.updated",
    ]
    last = seen["events"][-1]
    assert last.keys() == {"action", "target", "actor", "request_id", "details", "created_at"}
    assert (last["target"], last["details"]) == (world.acme.organization_id, {"fields": ["name"]})
    assert last["actor"] == world.b2b.caller.secret.secret_id
    assert last["request_id"].startswith("request-id-test-")
    assert last["created_at"] == "2026-05-28T20:26:40Z"


async def test_events_of_other_environments_are_not_seen(world: World) -> None:
    async with world.client(world.consumer) as client:
        seen = await page(client)
    assert [event["action"] for event in seen["events"]] == ["profile.created"]


async def test_pages_follow_each_other_without_gap_and_go_on_later(world: World) -> None:
    async with world.client(world.b2b) as client:
        whole = (await page(client))["events"]
        first = await page(client, limit=1)
        second = await page(client, limit=1, cursor=first["results_metadata"]["next_cursor"])
        assert [*first["events"], *second["events"]] == whole
        end = second["results_metadata"]
        assert end["next_cursor"] is None
        nothing = await page(client, cursor=end["end_cursor"])
        assert (nothing["events"], nothing["results_metadata"]) == ([], end)
        await rename(client, "A")
        later = await page(client, cursor=end["end_cursor"])
    assert [event["action"] for event in later["events"]] == ["organization.updated"]


async def test_without_events_there_is_no_cursor(world: World, operator: Operating) -> None:
    path = (await managed_path(world, world.b2b)).replace("/test/", "/production/")
    async with world.client(operator) as client:
        empty = await page(client, path)
    assert (empty["events"], empty["results_metadata"]) == ([], {"next_cursor": None, "end_cursor": None})


async def test_a_cursor_opens_nothing_elsewhere(world: World) -> None:
    async with world.client(world.b2b) as client:
        cursor = (await page(client, limit=1))["results_metadata"]["next_cursor"]
        organizations = await client.post("/v1/b2b/organizations/search", json={"limit": 1, "cursor": cursor})
    async with world.client(world.consumer) as client:
        foreign = await client.get(EVENTS, params={"cursor": cursor})
    for answer in (organizations, foreign):
        assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("cursor", ["", "x", "MTIz", "0" * 60, "é"])
async def test_a_forged_cursor_is_refused(world: World, cursor: str) -> None:
    async with world.client(world.b2b) as client:
        answer = await client.get(EVENTS, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "1.5"])
async def test_a_limit_out_of_range_is_refused(world: World, limit: str) -> None:
    async with world.client(world.b2b) as client:
        answer = await client.get(EVENTS, params={"limit": limit})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "bad_request")
    assert "limit" in answer.json()["error_message"]


async def test_an_operator_sees_the_same_by_the_slugs(world: World, operator: Operating) -> None:
    path = await managed_path(world, world.b2b)
    async with world.client(world.b2b) as client:
        by_backend = await page(client, limit=1)
    async with world.client(operator) as client:
        seen = await page(client, path, limit=1)
        rest = await page(client, path, cursor=seen["results_metadata"]["next_cursor"])
        unknown = await client.get(path.replace("/test/", "/none/"))
    assert seen["events"] == by_backend["events"]
    assert [event["action"] for event in rest["events"]] == ["organization.created"]
    assert (unknown.status_code, unknown.json()["error_type"]) == (404, "environment_not_found")


async def test_a_workspace_key_does_not_open_the_events_of_the_server_api(world: World, operator: Operating) -> None:
    async with world.client(operator) as client:
        assert (await client.get(EVENTS)).status_code == 401
    async with world.client(world.b2b) as client:
        assert (await client.get(await managed_path(world, world.b2b))).status_code == 401


async def test_events_hold_no_tokens_and_no_secrets(world: World, operator: Operating) -> None:
    """Whatever hands out or takes a token or a secret, the events that it writes tell of it by ids alone."""
    hidden = [operator.secret, world.b2b.secret, world.consumer.secret]
    managed = (await managed_path(world, world.b2b)).removesuffix("/events")
    async with world.client(operator) as client:
        hidden.append((await client.post(f"{managed}/secrets", json={})).json()["secret"]["secret"])
    for tenant, path, body in (
        (world.b2b, "/v1/b2b/sessions", world.attest_body(session_duration_minutes=60)),
        (world.consumer, "/v1/sessions", world.consumer_attest_body()),
    ):
        async with world.client(tenant) as client:
            session = (await client.post(f"{path}/attest", json=body)).json()
            shown = {"session_token": session["session_token"], "session_duration_minutes": 5}
            again = (await client.post(f"{path}/authenticate", json=shown)).json()
            await client.post(f"{path}/revoke", json={"session_token": session["session_token"]})
            hidden += [body["token"], session["session_token"], session["session_jwt"], again["session_jwt"]]
    recorded = await world.context.store.events(None, 1_000)
    assert {"secret.created", "session.started", "session.changed", "session.revoked"} <= {
        event.action for event in recorded
    }
    text = str(recorded)
    assert [secret for secret in hidden if secret[-20:] in text] == []
