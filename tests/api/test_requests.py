"""What a request may hold: bodies, query strings and ids in paths (decisions D17)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from assay.api.bodies import LIMIT
from tests.api.asgi import ask, chunks, credentials, gone
from tests.world import World

ATTEST = "/v1/b2b/sessions/attest"
AUTHENTICATE = "/v1/b2b/sessions/authenticate"
CREATE = "/v1/b2b/organizations"


async def post(world: World, path: str, body: bytes, method: str = "POST") -> httpx.Response:
    async with world.client(world.b2b) as client:
        return await client.request(method, path, content=body)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error_type"], body["error_message"]


UNREADABLE = {
    "not JSON": (b"{", "not JSON"),
    "two values": (b"{} {}", "not JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "a list": (b"[]", "JSON object"),
    "a string": (b'"x"', "JSON object"),
    "null": (b"null", "JSON object"),
    "repeated": (b'{"a": 1, "a": 1}', "repeats a member"),
    "repeated by escape": (b'{"a": 1, "\\u0061": 2}', "repeats a member"),
    "repeated within": (b'{"a": [{"b": {"c": 1, "c": 2}}]}', "repeats a member"),
    "not a number": (b'{"a": NaN}', "not finite"),
    "too large a number": (b'{"a": 1e400}', "out of range"),
    "half a surrogate pair": (b'{"a": "\\ud800"}', "surrogate"),
    "NUL": (b'{"a": "\\u0000"}', "NUL"),
    "nested": (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "deep"),
}


@pytest.mark.parametrize(("body", "reason"), UNREADABLE.values(), ids=UNREADABLE)
async def test_a_body_that_two_readers_could_read_differently_is_refused(
    world: World, body: bytes, reason: str
) -> None:
    status, code, message = refusal(await post(world, AUTHENTICATE, body))
    assert (status, code) == (400, "bad_request")
    assert reason in message


GOOD = {"profile_id": "idp", "token": "t"}
WRONG_TYPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "text for a number": (
        ATTEST,
        GOOD | {"session_duration_minutes": "60"},
        "session_duration_minutes: expected a whole number, got a string.",
    ),
    "a fraction": (
        ATTEST,
        GOOD | {"session_duration_minutes": 60.5},
        "session_duration_minutes: expected a whole number, got a number.",
    ),
    "true for a number": (
        ATTEST,
        GOOD | {"session_duration_minutes": True},
        "session_duration_minutes: expected a whole number, got true or false.",
    ),
    "a number for text": (ATTEST, GOOD | {"token": 7}, "token: expected a string, got a whole number."),
    "a list for an object": (
        ATTEST,
        GOOD | {"session_custom_claims": []},
        "session_custom_claims: expected an object, got a list.",
    ),
    "missing": (ATTEST, {"token": "t"}, "profile_id: this field is required."),
    "null where required": (ATTEST, GOOD | {"profile_id": None}, "profile_id: this field is required."),
    "missing within": (
        AUTHENTICATE,
        {"authorization_check": {"resource_id": "r"}},
        "authorization_check.action: this field is required.",
    ),
    "wrong within": (
        AUTHENTICATE,
        {"authorization_check": {"resource_id": "r", "action": 1}},
        "authorization_check.action: expected a string, got a whole number.",
    ),
    "wrong in a list": (
        f"{CREATE}/members/search",
        {"organization_ids": ["a", {}]},
        "organization_ids[1]: expected a string, got an object.",
    ),
    "not one of the values": (
        f"{CREATE}/search",
        {"query": {"operator": "XOR"}},
        "query.operator: expected one of AND, OR.",
    ),
}


@pytest.mark.parametrize(("path", "body", "message"), WRONG_TYPES.values(), ids=WRONG_TYPES)
async def test_a_wrong_type_names_the_field_and_what_was_expected(
    world: World, path: str, body: dict[str, Any], message: str
) -> None:
    answer = await post(world, path, json.dumps(body).encode())
    assert refusal(answer) == (400, "bad_request", message)


async def test_a_refusal_never_repeats_the_value_that_came(world: World) -> None:
    body = {"query": {"operator": "secret-value - at `$.limit`"}}
    _, _, message = refusal(await post(world, f"{CREATE}/search", json.dumps(body).encode()))
    assert "secret-value" not in message


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", f"{CREATE}/search", 200),
        ("PUT", f"{CREATE}/acme", 200),
        ("DELETE", f"{CREATE}/acme/external_id", 200),
        ("POST", "/v1/b2b/sessions/revoke", 400),
    ],
)
async def test_an_empty_body_is_an_empty_object(world: World, method: str, path: str, expected: int) -> None:
    empty, braces = await post(world, path, b"", method), await post(world, path, b"{}", method)
    assert empty.status_code == braces.status_code == expected
    assert empty.json().keys() == braces.json().keys()


async def test_null_means_not_given_and_unknown_members_mean_nothing(world: World) -> None:
    body = world.attest_body(session_token=None, session_duration_minutes=None, telemetry_id=None, unheard_of={"a": 1})
    async with world.client(world.b2b) as client:
        assert (await client.post(ATTEST, json=body)).status_code == 200


@pytest.mark.parametrize(("path", "tenant"), [(ATTEST, "b2b"), ("/v1/sessions/attest", "consumer")])
async def test_the_profile_may_be_named_by_either_name_of_the_field(world: World, path: str, tenant: str) -> None:
    body = world.attest_body() if tenant == "b2b" else world.consumer_attest_body()
    named = body.pop("profile_id")
    async with world.client(getattr(world, tenant)) as client:
        alias = await client.post(path, json=body | {"token_profile_id": named})
        both = await client.post(path, json=body | {"token_profile_id": named, "profile_id": named})
        different = await client.post(path, json=body | {"token_profile_id": "x", "profile_id": named})
    assert (alias.status_code, both.status_code) == (200, 200)
    assert different.json()["error_type"] == "bad_request"
    assert "token_profile_id and profile_id" in different.json()["error_message"]


# ---------------------------------------------------------------- size


async def test_a_body_announced_as_too_long_is_refused_unread(world: World) -> None:
    headers = [credentials(world.b2b), (b"content-length", str(LIMIT + 1).encode())]
    answer = await ask(world.app, "POST", ATTEST, headers=headers)
    assert (answer.status, answer.body["error_type"]) == (413, "request_too_large")


async def test_a_body_that_grows_too_long_is_refused_as_soon_as_it_does(world: World) -> None:
    parts = chunks(b" " * LIMIT, b" ", b"never asked for", b"nor this")
    answer = await ask(world.app, "POST", ATTEST, headers=[credentials(world.b2b)], receive=parts)
    assert (answer.status, answer.body["error_type"]) == (413, "request_too_large")
    assert (await parts())["body"] == b"never asked for"


async def test_a_body_of_exactly_the_limit_is_read(world: World) -> None:
    whole = b"{}" + b" " * (LIMIT - 2)
    headers = [credentials(world.b2b), (b"content-length", str(LIMIT).encode())]
    parts = chunks(whole[:1000], whole[1000:])
    answer = await ask(world.app, "POST", f"{CREATE}/search", headers=headers, receive=parts)
    assert answer.status == 200


async def test_nobody_is_answered_when_the_caller_has_hung_up(world: World) -> None:
    answer = await ask(world.app, "POST", ATTEST, headers=[credentials(world.b2b)], receive=gone)
    assert answer.status == 0
    assert world.log_lines()[-1]["code"] == "client_closed_request"


# ---------------------------------------------------------------- paths and queries


async def test_the_id_in_the_path_wins_over_body_and_query(world: World) -> None:
    async with world.client(world.b2b) as client:
        await client.post(CREATE, json={"organization_name": "Other", "organization_slug": "other"})
        body = {"organization_id": "other", "organization_name": "Changed"}
        updated = await client.put(f"{CREATE}/acme", json=body)
        shown = await client.get(f"{CREATE}/acme", params={"organization_id": "other"})
    assert updated.json()["organization"]["organization_slug"] == "acme"
    assert shown.json()["organization"]["organization_name"] == "Changed"


async def test_an_encoded_id_stays_one_segment(world: World) -> None:
    async with world.client(world.b2b) as client:
        await client.put(f"{CREATE}/acme", json={"organization_external_id": "a|b"})
        found = await client.get(f"{CREATE}/a%7Cb")
        slash = await client.get(f"{CREATE}/a%2Fb")
        plus = await client.get(f"{CREATE}/a%2Bb/metrics")
    assert found.json()["organization"]["organization_external_id"] == "a|b"
    assert slash.json()["error_type"] == plus.json()["error_type"] == "organization_not_found"


@pytest.mark.parametrize("segment", ["%FF", "a%00b", "%C3%28"], ids=["not UTF-8", "NUL", "cut short"])
async def test_an_id_that_is_no_text_is_refused_by_name(world: World, segment: str) -> None:
    answer = await ask(world.app, "GET", f"{CREATE}/{segment}", headers=[credentials(world.b2b)])
    assert (answer.status, answer.body["error_type"]) == (400, "bad_request")
    assert answer.body["error_message"].startswith("organization_id: ")


@pytest.mark.parametrize("text", ["True", "true", "1"])
async def test_booleans_of_a_query_are_read_as_the_clients_write_them(world: World, text: str) -> None:
    async with world.client(world.b2b) as client:
        member_id = (await client.post(ATTEST, json=world.attest_body())).json()["member_id"]
        await client.delete(f"{CREATE}/acme/members/{member_id}")
        path = f"{CREATE}/members/dangerously_get/{member_id}"
        assert (await client.get(path)).status_code == 404
        assert (await client.get(path, params={"include_deleted": "False"})).status_code == 404
        shown = await client.get(path, params={"include_deleted": text})
    assert shown.json()["member"]["status"] == "deleted"


QUERIES = {
    "repeated": (b"organization_id=a&member_id=b&organization_id=a", "repeats an argument"),
    "not UTF-8": (b"organization_id=%FF&member_id=b", "not UTF-8"),
    "NUL": (b"organization_id=a%00&member_id=b", "NUL"),
    "too many": (b"&".join(b"a%d=1" % number for number in range(101)), "too many"),
    "missing": (b"organization_id=a", "member_id: this field is required."),
}


@pytest.mark.parametrize(("query", "reason"), QUERIES.values(), ids=QUERIES)
async def test_a_query_that_cannot_be_read_one_way_is_refused(world: World, query: bytes, reason: str) -> None:
    answer = await ask(world.app, "GET", "/v1/b2b/sessions", headers=[credentials(world.b2b)], query=query)
    assert (answer.status, answer.body["error_type"]) == (400, "bad_request")
    assert reason in answer.body["error_message"]


async def test_text_of_a_query_stays_text(world: World) -> None:
    """An external id may look like a number or like null."""
    async with world.client(world.b2b) as client:
        for external_id in ("null", "12", "true"):
            body = {"email_address": f"{external_id}@example.com", "external_id": external_id}
            await client.post(f"{CREATE}/acme/members", json=body)
            shown = await client.get(f"{CREATE}/acme/member", params={"member_id": external_id})
            assert shown.json()["member"]["external_id"] == external_id


@pytest.mark.parametrize(
    "hostile", ["' OR 1=1 --", "%", "_", "*", "../../etc/passwd", '"', "\\", "a;b", "{organization_id}"]
)
async def test_statement_and_pattern_characters_name_nobody(world: World, hostile: str) -> None:
    async with world.client(world.b2b) as client:
        shown = await client.get(f"{CREATE}/{quote(hostile, safe='')}")
    assert (shown.status_code, shown.json()["error_type"]) == (404, "organization_not_found")
