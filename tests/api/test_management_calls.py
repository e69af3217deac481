"""The management API's frame: who may call, what a request is made of, and how it refuses."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from assay.api import management, server
from assay.stories import workspace_keys
from tests.api.asgi import ask, basic, chunks
from tests.calls import OPERATOR
from tests.world import World

PROJECTS = "/pwa/v3/projects"

MALFORMED = {
    "no header": [],
    "bearer": [(b"authorization", b"Bearer abc")],
    "not base64": [(b"authorization", b"Basic !!!!")],
    "empty secret": [basic("workspace-key-prod-x", "")],
    "sent twice": [basic("workspace-key-prod-x", "a"), basic("workspace-key-prod-x", "a")],
}


def named(row: Any) -> str:
    return f"{row.method} {row.path}"


def without_id(answer: httpx.Response) -> dict[str, Any]:
    """The answer, but for the id that no two answers share."""
    found: dict[str, Any] = answer.json() | {"request_id": ""}
    return found


# ---------------------------------------------------------------- credentials


@pytest.mark.parametrize("row", management.ROUTES, ids=named)
async def test_every_call_asks_for_credentials_before_it_reads_anything(world: World, row: Any) -> None:
    answer = await ask(world.app, row.method, row.path, query=b"a=1&a=2")
    assert (answer.status, answer.body["error_type"]) == (401, "unauthorized_credentials")
    assert "workspace key" in answer.body["error_message"]
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED)
async def test_missing_or_malformed_credentials_are_refused(world: World, headers: list[tuple[bytes, bytes]]) -> None:
    answer = await ask(world.app, "POST", PROJECTS, headers=headers)
    assert (answer.status, answer.body["error_type"]) == (401, "unauthorized_credentials")


async def test_known_unknown_and_revoked_keys_are_refused_alike(world: World) -> None:
    operator, revoked = await world.operator(), await world.operator()
    await workspace_keys.revoke(world.context, revoked.workspace_key_id, by=OPERATOR)
    shown = [
        basic(operator.workspace_key_id, "secret-prod-wrong"),
        basic("workspace-key-prod-unknown", operator.secret),
        basic(*revoked.auth),
        basic(operator.workspace_key_id, revoked.secret),
    ]
    answers = [await ask(world.app, "GET", PROJECTS, headers=[each]) for each in shown]
    assert [each.status for each in answers] == [401] * len(shown)
    assert all(each.headers == answers[0].headers for each in answers)
    assert all(each.body | {"request_id": ""} == answers[0].body | {"request_id": ""} for each in answers)
    assert (await ask(world.app, "GET", PROJECTS, headers=[basic(*operator.auth)])).status == 200


@pytest.mark.parametrize("row", management.ROUTES, ids=named)
async def test_a_project_secret_opens_no_call_of_the_management_api(world: World, row: Any) -> None:
    answer = await ask(world.app, row.method, row.path, headers=[basic(*world.b2b.auth)])
    assert (answer.status, answer.body["error_type"]) == (401, "unauthorized_credentials")


@pytest.mark.parametrize("row", server.ROUTES, ids=named)
async def test_a_workspace_key_opens_no_call_of_the_server_api(world: World, row: Any) -> None:
    operator = await world.operator()
    answer = await ask(world.app, row.method, row.path, headers=[basic(*operator.auth)])
    assert (answer.status, answer.body["error_type"]) == (401, "unauthorized_credentials")


async def test_a_member_session_has_no_meaning_here_and_is_refused_before_the_body(world: World) -> None:
    headers = [basic(*(await world.operator()).auth), (b"x-stytch-member-session", b"anything")]
    answer = await ask(world.app, "POST", PROJECTS, headers=headers)
    assert (answer.status, answer.body["error_type"]) == (400, "member_session_header_not_supported")


# ---------------------------------------------------------------- requests


async def sent(world: World, method: str, path: str, body: bytes, query: bytes = b"") -> dict[str, Any]:
    operator = await world.operator()
    answer = await ask(world.app, method, path, headers=[basic(*operator.auth)], receive=chunks(body), query=query)
    return answer.body


async def test_the_path_wins_over_the_query_and_the_query_over_the_body(world: World) -> None:
    await sent(world, "POST", PROJECTS, b'{"name": "A", "vertical": "B2B", "project_slug": "a"}')
    body = json.dumps({"name": "from the body", "project_slug": "nobody"}).encode()
    answer = await sent(world, "PATCH", f"{PROJECTS}/a", body, b"name=from+the+query&project_slug=nobody")
    assert (answer["project"]["project_slug"], answer["project"]["name"]) == ("a", "from the query")
    assert (await sent(world, "PATCH", f"{PROJECTS}/a", body))["project"]["name"] == "from the body"


async def test_query_arguments_are_text_and_members_of_a_body_are_not(world: World) -> None:
    await sent(world, "POST", PROJECTS, b'{"name": "A", "vertical": "B2B", "project_slug": "a"}')
    await sent(world, "POST", f"{PROJECTS}/a/environments", b'{"name": "L", "type": "LIVE", "environment_slug": "l"}')
    path = f"{PROJECTS}/a/environments/l"
    asked = await sent(world, "PATCH", path, b"", b"user_lock_threshold=7&user_impersonation_enabled=true")
    assert asked["environment"]["user_lock_threshold"] == 7
    assert asked["environment"]["user_impersonation_enabled"] is True
    refused = await sent(world, "PATCH", path, b'{"user_lock_threshold": "7"}')
    assert (refused["error_type"], "user_lock_threshold" in refused["error_message"]) == ("bad_request", True)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"unknown": 1}', b'{"name": null}'])
async def test_an_empty_patch_changes_nothing(world: World, body: bytes) -> None:
    await sent(world, "POST", PROJECTS, b'{"name": "A", "vertical": "B2B", "project_slug": "a"}')
    assert (await sent(world, "PATCH", f"{PROJECTS}/a", body))["project"]["name"] == "A"


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_delete_takes_an_empty_body_and_an_empty_object(world: World, body: bytes) -> None:
    await sent(world, "POST", PROJECTS, b'{"name": "A", "vertical": "B2B", "project_slug": "a"}')
    assert set(await sent(world, "DELETE", f"{PROJECTS}/a", body)) == {"request_id", "status_code"}


BAD_BODIES = {
    "not JSON": b"{",
    "a list": b"[]",
    "repeated member": b'{"name": "A", "name": "B", "vertical": "B2B"}',
    "missing name": b'{"vertical": "B2B"}',
    "missing vertical": b'{"name": "A"}',
    "vertical in small letters": b'{"name": "A", "vertical": "b2b"}',
    "name is a number": b'{"name": 1, "vertical": "B2B"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_bad_body_is_refused_by_name_and_makes_nothing(world: World, body: bytes) -> None:
    before = await world.context.store.projects()
    answer = await sent(world, "POST", PROJECTS, body)
    assert (answer["status_code"], answer["error_type"]) == (400, "bad_request")
    assert await world.context.store.projects() == before


async def test_a_body_beyond_the_limit_is_refused(world: World) -> None:
    assert (await sent(world, "POST", PROJECTS, b" " * (1024 * 1024 + 1)))["error_type"] == "request_too_large"


# ---------------------------------------------------------------- answers


async def test_what_is_no_call_is_refused_in_json(world: World) -> None:
    missing = await ask(world.app, "GET", "/pwa/v3/nothing")
    assert (missing.status, missing.body["error_type"]) == (404, "route_not_found")
    method = await ask(world.app, "PUT", PROJECTS)
    assert (method.status, method.headers["allow"]) == (405, "GET, POST")


async def test_an_answer_says_who_asked_in_the_audit_record_and_nothing_secret_in_the_log(world: World) -> None:
    operator = await world.operator()
    async with world.client(operator) as client:
        made = (await client.post(PROJECTS, json={"name": "A", "vertical": "B2B", "project_slug": "a"})).json()
        path = f"{PROJECTS}/a/environments"
        await client.post(path, json={"name": "Live", "type": "LIVE", "environment_slug": "live"})
        secret = (await client.post(f"{path}/live/secrets")).json()["secret"]["secret"]
    events = await world.context.store.events(None, 10)
    created = next(each for each in events if each.action == "project.created" and each.details.get("slug") == "a")
    assert (created.actor, created.request_id) == (operator.workspace_key_id, made["request_id"])
    written = world.log_bytes().decode() + repr(events)
    assert secret not in written
    assert operator.secret not in written


async def test_times_are_rfc_3339_in_utc(world: World) -> None:
    async with world.client(await world.operator()) as client:
        made = await client.post(PROJECTS, json={"name": "A", "vertical": "CONSUMER"})
    assert made.json()["project"]["created_at"] == "2026-05-28T20:26:40Z"


# ---------------------------------------------------------------- foreign and unknown ids


async def prepared(client: httpx.AsyncClient, slug: str) -> dict[str, str]:
    """A project with a LIVE environment; a secret and a public token of it."""
    await client.post(PROJECTS, json={"name": slug, "vertical": "B2B", "project_slug": slug})
    path = f"{PROJECTS}/{slug}/environments"
    await client.post(path, json={"name": "Live", "type": "LIVE", "environment_slug": f"live-{slug}"})
    secret = (await client.post(f"{path}/live-{slug}/secrets")).json()["secret"]["secret_id"]
    token = (await client.post(f"{path}/live-{slug}/public_tokens")).json()["public_token"]["public_token"]
    return {"path": f"{path}/live-{slug}", "secret": secret, "token": token}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_ids_of_another_environment_are_answered_as_unknown_ones(world: World, method: str) -> None:
    async with world.client(await world.operator()) as client:
        own, foreign = await prepared(client, "own"), await prepared(client, "foreign")
        for part, kind, unknown in (
            ("secrets", "secret", "secret-id-live-0"),
            ("public_tokens", "token", "public-token-live-0"),
        ):
            answers = [
                await client.request(method, f"{own['path']}/{part}/{each}") for each in (foreign[kind], unknown)
            ]
            assert [each.status_code for each in answers] == [404, 404]
            assert without_id(answers[0]) == without_id(answers[1])
        answers = [
            await client.request(method, f"{PROJECTS}/own/environments/{each}") for each in ("live-foreign", "unknown")
        ]
        assert [each.json()["error_type"] for each in answers] == ["environment_not_found"] * 2
        assert without_id(answers[0]) == without_id(answers[1])
        for kind, part in (("secret", "secrets"), ("token", "public_tokens")):
            assert (await client.get(f"{foreign['path']}/{part}/{foreign[kind]}")).status_code == 200


# Members that a call does not know are ignored, so one body is enough for every call.
ENOUGH: dict[str, Any] = {
    "name": "A",
    "type": "LIVE",
    "issuer": "https://idp.example",
    "audience": "acme",
    "public_key": "pem",
    "url": "https://app.example",
    "valid_types": [{"type": "LOGIN", "is_default": True}],
    "template_content": "{}",
    "custom_audience": "",
    "profile_id": "idp",
    "token": "token",
}


@pytest.mark.parametrize("row", [row for row in management.ROUTES if "{project_slug}" in row.path], ids=named)
async def test_every_call_about_a_project_that_is_none_says_so(world: World, row: Any) -> None:
    path = row.path.replace("{jwt_template_type}", "SESSION").replace("{", "").replace("}", "")
    given: dict[str, Any] = {"params": {"url": ENOUGH["url"]}} if row.method == "GET" else {"json": ENOUGH}
    async with world.client(await world.operator()) as client:
        answer = await client.request(row.method, path, **given)
    assert (answer.status_code, answer.json()["error_type"]) == (404, "project_not_found"), answer.text
