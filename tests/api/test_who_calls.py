"""Who may call: credentials, verticals and member sessions, all judged before the body is read."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from assay.api.server import ROUTES
from assay.stories import members, organizations, projects, users
from tests.api.asgi import ask, basic, chunks, credentials
from tests.calls import OPERATOR
from tests.world import World

ATTEST = "/v1/b2b/sessions/attest"

MALFORMED = {
    "no header": [],
    "another scheme": [(b"authorization", b"Bearer abc")],
    "scheme alone": [(b"authorization", b"Basic")],
    "not base64": [(b"authorization", b"Basic !!!!")],
    "base64url letters": [(b"authorization", b"Basic " + b"_-_-")],
    "no colon": [(b"authorization", b"Basic YWJj")],
    "not UTF-8": [(b"authorization", b"Basic /zr/")],
    "empty user": [basic("", "secret-test-x")],
    "empty password": [basic("project-test-x", "")],
    "sent twice": [basic("project-test-x", "a"), basic("project-test-x", "a")],
}


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED)
async def test_missing_or_malformed_credentials_are_refused_without_reading_the_body(
    world: World, headers: list[tuple[bytes, bytes]]
) -> None:
    answer = await ask(world.app, "POST", ATTEST, headers=headers)
    assert (answer.status, answer.body["error_type"]) == (401, "unauthorized_credentials")


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{row.method} {row.path}")
async def test_every_call_asks_for_credentials_first(world: World, row: Any) -> None:
    answer = await ask(world.app, row.method, row.path)
    assert (answer.status, answer.body["error_type"]) == (401, "unauthorized_credentials")
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_known_and_unknown_projects_are_refused_alike(world: World) -> None:
    known = await ask(world.app, "POST", ATTEST, headers=[basic(world.b2b.project_id, "secret-test-wrong")])
    stranger = await ask(world.app, "POST", ATTEST, headers=[basic("project-test-unknown", "secret-test-wrong")])
    malformed = await ask(world.app, "POST", ATTEST)
    for other in (stranger, malformed):
        assert other.status == known.status == 401
        assert other.headers == known.headers
        assert other.body | {"request_id": ""} == known.body | {"request_id": ""}


async def test_the_secret_of_another_project_opens_nothing(world: World) -> None:
    answer = await ask(world.app, "POST", ATTEST, headers=[basic(world.b2b.project_id, world.consumer.secret)])
    assert answer.status == 401


async def test_right_credentials_count_only_when_they_are_sent_once_and_well_formed(world: World) -> None:
    name, value = credentials(world.b2b)
    for headers in ([(name, value), (name, value)], [(name, value[:-4] + b"!" + value[-4:])]):
        assert (await ask(world.app, "GET", "/v1/debug/whoami", headers=headers)).status == 401
    assert (await ask(world.app, "GET", "/v1/debug/whoami", headers=[(name, b"bAsIc  " + value[6:])])).status == 200


async def test_a_revoked_secret_opens_nothing_from_then_on(world: World) -> None:
    await projects.revoke_secret(world.context, world.b2b.project_id, world.b2b.caller.secret.secret_id, by=OPERATOR)
    assert (await ask(world.app, "GET", "/v1/debug/whoami", headers=[credentials(world.b2b)])).status == 401


@pytest.mark.parametrize(
    ("project_id", "kind"), [("project-live-x", "live"), ("project-test-x", "test"), ("x", "test")]
)
async def test_the_request_id_says_test_or_live_by_the_project_id_alone(
    world: World, project_id: str, kind: str
) -> None:
    answer = await ask(world.app, "GET", "/v1/debug/whoami", headers=[basic(project_id, "wrong")])
    assert answer.body["request_id"].startswith(f"request-id-{kind}-")


async def test_a_consumer_call_with_b2b_credentials_is_refused_before_the_body(world: World) -> None:
    answer = await ask(world.app, "POST", "/v1/sessions/attest", headers=[credentials(world.b2b)])
    assert (answer.status, answer.body["error_type"]) == (400, "invalid_consumer_endpoint")


async def test_a_b2b_call_with_consumer_credentials_is_refused_before_the_body(world: World) -> None:
    answer = await ask(world.app, "POST", ATTEST, headers=[credentials(world.consumer)])
    assert (answer.status, answer.body["error_type"]) == (400, "invalid_b2b_endpoint")


async def test_whoami_answers_projects_of_both_kinds(world: World) -> None:
    for tenant in (world.b2b, world.consumer):
        async with world.client(tenant) as client:
            answer = (await client.get("/v1/debug/whoami")).json()
        assert (answer["project_id"], answer["name"]) == (tenant.project_id, tenant.caller.environment.name)


# ---------------------------------------------------------------- member sessions


@pytest.mark.parametrize("header", ["X-Stytch-Member-Session", "X-Stytch-Member-SessionJWT"])
async def test_a_member_session_is_refused_where_it_has_no_meaning(world: World, header: str) -> None:
    headers = [credentials(world.b2b), (header.lower().encode(), b"anything")]
    answer = await ask(world.app, "POST", ATTEST, headers=headers)
    assert (answer.status, answer.body["error_type"]) == (400, "member_session_header_not_supported")


async def test_both_member_session_headers_at_once_are_refused(world: World) -> None:
    headers = [
        credentials(world.b2b),
        (b"x-stytch-member-session", b"a"),
        (b"x-stytch-member-sessionjwt", b"b"),
    ]
    answer = await ask(world.app, "POST", "/v1/b2b/sessions/revoke", headers=headers)
    assert (answer.status, answer.body["error_type"]) == (400, "too_many_session_arguments")


@pytest.mark.parametrize("value", [b"", b"short", b"\xff\xfe"], ids=["empty", "malformed", "not text"])
async def test_a_member_session_that_is_none_is_refused_not_ignored(world: World, value: bytes) -> None:
    headers = [credentials(world.b2b), (b"x-stytch-member-session", value)]
    answer = await ask(world.app, "DELETE", "/v1/b2b/organizations/acme", headers=headers)
    assert answer.status == 400
    async with world.client(world.b2b) as client:
        assert (await client.get("/v1/b2b/organizations/acme")).status_code == 200


@pytest.mark.parametrize(
    ("header", "member"),
    [("X-Stytch-Member-Session", "session_token"), ("X-Stytch-Member-SessionJWT", "session_jwt")],
)
async def test_a_call_with_a_member_session_may_do_what_the_member_may(world: World, header: str, member: str) -> None:
    async with world.client(world.b2b) as client:
        login = (await client.post(ATTEST, json=world.attest_body())).json()
        headers = {header: login[member]}
        refused = await client.delete("/v1/b2b/organizations/acme", headers=headers)
        assert (refused.status_code, refused.json()["error_type"]) == (403, "session_authorization_error")
        path = f"/v1/b2b/organizations/acme/members/{login['member_id']}"
        granted = await client.put(path, json={"name": "Ada"}, headers=headers)
        assert (granted.status_code, granted.json()["member"]["name"]) == (200, "Ada")


@pytest.mark.parametrize("module", [members, organizations, users], ids=lambda module: module.__name__)
def test_the_table_takes_member_sessions_where_the_stories_do(module: ModuleType) -> None:
    rows = {row.story.__name__: row.member_session for row in ROUTES if row.story.__module__ == module.__name__}
    assert {name for name, taken in rows.items() if taken} == module.WITH_ACTOR


# ---------------------------------------------------------------- order (decisions D16)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "bad_request"),
        (b'{"token": "t"}', "bad_request"),
        (b'{"profile_id": "no", "token": "t", "session_duration_minutes": 1}', "invalid_session_duration_minutes"),
        (
            b'{"profile_id": "no", "token": "t", "session_custom_claims": {"iss": 1}}',
            "reserved_claims_in_custom_claims",
        ),
        (b'{"profile_id": "no", "token": "t", "session_token": "a", "session_jwt": "b"}', "too_many_session_arguments"),
        (b'{"profile_id": "no", "token": "t", "session_token": "a"}', "trusted_token_profile_not_found"),
        (b'{"profile_id": "idp", "token": "t", "session_token": "a"}', "invalid_trusted_auth_token"),
    ],
    ids=["body", "missing field", "duration", "claims", "session arguments", "profile", "token"],
)
async def test_an_attest_is_checked_in_one_order(world: World, body: bytes, expected: str) -> None:
    answer = await ask(world.app, "POST", ATTEST, headers=[credentials(world.b2b)], receive=chunks(body))
    assert answer.body["error_type"] == expected


async def test_a_session_passed_in_is_judged_after_the_token(world: World) -> None:
    body = json.dumps(world.attest_body(session_token="a")).encode()
    answer = await ask(world.app, "POST", ATTEST, headers=[credentials(world.b2b)], receive=chunks(body))
    assert answer.body["error_type"] == "invalid_session_token"
