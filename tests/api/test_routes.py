"""Which paths and methods there are, and what all the others get."""

from __future__ import annotations

import msgspec
import pytest
from starlette.routing import Match

from assay import errors
from assay.api.application import Application
from assay.api.server import ROUTES
from tests.api.asgi import ask, credentials
from tests.world import World

CALLS = {
    "POST /v1/b2b/sessions/attest",
    "POST /v1/b2b/sessions/authenticate",
    "GET /v1/b2b/sessions",
    "POST /v1/b2b/sessions/revoke",
    "POST /v1/b2b/sessions/exchange",
    "POST /v1/b2b/organizations",
    "GET /v1/b2b/organizations/{organization_id}",
    "PUT /v1/b2b/organizations/{organization_id}",
    "DELETE /v1/b2b/organizations/{organization_id}",
    "POST /v1/b2b/organizations/search",
    "DELETE /v1/b2b/organizations/{organization_id}/external_id",
    "GET /v1/b2b/organizations/{organization_id}/metrics",
    "POST /v1/b2b/organizations/{organization_id}/members",
    "GET /v1/b2b/organizations/{organization_id}/member",
    "GET /v1/b2b/organizations/members/dangerously_get/{member_id}",
    "PUT /v1/b2b/organizations/{organization_id}/members/{member_id}",
    "DELETE /v1/b2b/organizations/{organization_id}/members/{member_id}",
    "PUT /v1/b2b/organizations/{organization_id}/members/{member_id}/reactivate",
    "POST /v1/b2b/organizations/members/search",
    "DELETE /v1/b2b/organizations/{organization_id}/members/{member_id}/external_id",
    "GET /v1/b2b/rbac/policy",
    "GET /v1/b2b/rbac/organizations/{organization_id}",
    "GET /v1/debug/whoami",
    "POST /v1/sessions/attest",
    "POST /v1/sessions/authenticate",
    "GET /v1/sessions",
    "POST /v1/sessions/revoke",
    "POST /v1/users",
    "GET /v1/users/{user_id}",
    "POST /v1/users/search",
    "PUT /v1/users/{user_id}",
    "DELETE /v1/users/{user_id}",
    "DELETE /v1/users/{user_id}/external_id",
    "GET /v1/rbac/policy",
    "GET /v1/trusted_token_profiles/{profile_id}/keys",
    "GET /v1/trusted_token_profiles/{profile_id}/notices",
    "POST /v1/b2b/trusted_auth_tokens/explain",
    "GET /v1/b2b/trusted_auth_tokens/attempts",
    "POST /v1/trusted_auth_tokens/explain",
    "GET /v1/trusted_auth_tokens/attempts",
    "GET /v1/events",
}


def test_the_table_has_every_call_of_the_contract_and_our_own_and_no_other() -> None:
    assert {f"{row.method} {row.path}" for row in ROUTES} == CALLS


@pytest.mark.parametrize(
    ("path", "tenant"), [("/b2b/v1/sessions/attest", "b2b"), ("/consumer/v1/sessions/attest", "consumer")]
)
async def test_attest_answers_at_its_other_path_too(world: World, path: str, tenant: str) -> None:
    body = world.attest_body() if tenant == "b2b" else world.consumer_attest_body()
    async with world.client(getattr(world, tenant)) as client:
        assert (await client.post(path, json=body)).json()["session_token"]


MISSING = {
    "unknown": "/nope",
    "root": "/",
    "hosted only": "/v1/b2b/magic_links/email/login_or_signup",
    "trailing slash": "/v1/b2b/sessions/attest/",
    "doubled slash": "//v1/b2b/sessions/attest",
    "other case": "/v1/B2B/sessions/attest",
    "encoded separator": "/v1%2Fb2b/sessions/attest",
    "too many segments": "/v1/b2b/organizations/a/b/c",
}


@pytest.mark.parametrize("path", MISSING.values(), ids=MISSING)
async def test_a_path_that_is_none_is_named_in_a_json_answer(world: World, path: str) -> None:
    answer = await ask(world.app, "POST", path)
    assert (answer.status, answer.body["error_type"]) == (404, "route_not_found")
    assert f"POST {path}" in answer.body["error_message"]
    assert answer.headers["content-type"] == "application/json"


async def test_a_long_path_is_named_in_part_and_without_control_characters(world: World) -> None:
    answer = await ask(world.app, "GET", "/\r\n\x1b[31m" + "x" * 10_000)
    message = answer.body["error_message"]
    assert len(message) < 300
    assert message.isprintable()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/b2b/sessions/attest", "POST"),
        ("DELETE", "/consumer/v1/sessions/attest", "POST"),
        ("PATCH", "/v1/b2b/organizations/acme", "DELETE, GET, PUT"),
        ("POST", "/v1/b2b/sessions/jwks/x", "GET"),
        ("OPTIONS", "/healthz", "GET"),
    ],
)
async def test_another_method_is_refused_with_those_that_are_allowed(
    world: World, method: str, path: str, allowed: str
) -> None:
    answer = await ask(world.app, method, path)
    assert (answer.status, answer.body["error_type"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
    assert method in answer.body["error_message"]


def test_a_path_that_is_looked_up_leads_where_its_row_does(world: World) -> None:
    """The table decides, in its order; looking a path up is only the short way to its first row that matches."""
    fixed, router = world.app._fixed, world.app._router
    assert ("POST", b"/v1/b2b/sessions/attest") in fixed
    for (method, path), endpoint in fixed.items():
        scope = {"type": "http", "method": method, "path": path.decode(), "root_path": ""}
        first = next(row for row in router.routes if row.matches(scope)[0] is Match.FULL)
        assert getattr(first, "app", None) is endpoint


async def test_fixed_segments_stand_before_ids(world: World) -> None:
    async with world.client(world.b2b) as client:
        found = await client.post("/v1/b2b/organizations/search")
        members = await client.post("/v1/b2b/organizations/members/search", json={"organization_ids": ["acme"]})
        shown = await client.get("/v1/b2b/organizations/members/dangerously_get/nobody")
    assert "organizations" in found.json()
    assert "members" in members.json()
    assert shown.json()["error_type"] == "member_not_found"


async def test_an_id_may_be_spelled_like_a_fixed_segment(world: World) -> None:
    async with world.client(world.b2b) as client:
        await client.put("/v1/b2b/organizations/acme", json={"organization_external_id": "search"})
        shown = await client.get("/v1/b2b/organizations/search")
    assert shown.json()["organization"]["organization_slug"] == "acme"


# ---------------------------------------------------------------- without credentials


@pytest.mark.parametrize("path", ["/v1/b2b/sessions/jwks/{}", "/v1/sessions/jwks/{}"])
async def test_keys_are_public_and_may_be_kept_for_15_minutes(world: World, path: str) -> None:
    answer = await ask(world.app, "GET", path.format(world.b2b.project_id))
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=900"
    needed = {"kty", "use", "key_ops", "alg", "kid", "x5c", "x5tS256", "n", "e"}
    assert answer.body["keys"]
    for key in answer.body["keys"]:
        assert key.keys() == needed
        assert (key["kty"], key["use"], key["key_ops"], key["alg"]) == ("RSA", "sig", ["verify"], "RS256")


async def test_there_are_no_keys_of_a_project_that_is_none(world: World) -> None:
    answer = await ask(world.app, "GET", "/v1/b2b/sessions/jwks/project-test-unknown")
    assert (answer.status, answer.body["error_type"]) == (404, "project_not_found")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_credentials(world: World, path: str) -> None:
    answer = await ask(world.app, "GET", path)
    assert (answer.status, answer.body["status"]) == (200, "ok")


async def test_answers_are_not_kept_on_the_way(world: World) -> None:
    answer = await ask(world.app, "GET", "/v1/debug/whoami", headers=[credentials(world.b2b)])
    assert answer.headers["cache-control"] == "no-store"


# ---------------------------------------------------------------- when the world is broken


class AwayStore:
    """A store that cannot be reached."""

    keeps_records = False

    async def ping(self) -> None:
        raise errors.StoreUnavailable(detail="disk I/O error")

    async def caller(self, *_wanted: object) -> None:
        raise errors.StoreUnavailable(detail="disk I/O error")


@pytest.mark.parametrize("path", ["/readyz", "/v1/debug/whoami"])
async def test_without_its_store_the_server_asks_to_come_back_later(world: World, path: str) -> None:
    app = Application(msgspec.structs.replace(world.context, store=AwayStore()))
    answer = await ask(app, "GET", path, headers=[credentials(world.b2b)])
    assert (answer.status, answer.body["error_type"]) == (503, "server_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert (await ask(app, "GET", "/healthz")).status == 200
    assert "disk" not in str(answer.body)
    refused = world.log_lines()[-2]
    assert (refused["level"], refused["detail"]) == ("info", "disk I/O error")
