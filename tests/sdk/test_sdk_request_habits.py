"""Requests as the clients of other languages write them (contract §10.2), by hand over real HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.sdk.clients import Service, person, unique


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """What every client sends along: credentials and a JSON content type, with GET and DELETE too."""
    headers = {"Content-Type": "application/json"}
    with httpx.Client(base_url=service.server.url, auth=service.b2b, headers=headers) as client:
        yield client


@pytest.fixture
def made(http: httpx.Client) -> dict[str, Any]:
    """A member with an external id full of characters that a path must encode."""
    name = unique("habit")
    organization = _ok(
        http.post(
            "/v1/b2b/organizations",
            json={"organization_name": name, "organization_slug": name, "organization_external_id": f"ext|{name}"},
        )
    )["organization"]
    member: dict[str, Any] = _ok(
        http.post(
            f"/v1/b2b/organizations/{organization['organization_id']}/members",
            json={"email_address": f"{name}+tag@example.com", "external_id": f"ext|{name}.a_b-c"},
        )
    )["member"]
    return member | {"organization": organization}


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert body["status_code"] == 200
    return body


def test_an_empty_post_body_is_an_empty_object(http: httpx.Client) -> None:
    for body in (b"", b"{}"):
        assert "organizations" in _ok(http.post("/v1/b2b/organizations/search", content=body))
    refusal = http.post("/v1/b2b/sessions/authenticate", content=b"")
    assert (refusal.status_code, refusal.json()["error_type"]) == (400, "no_session_arguments")


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["empty", "an empty object"])
def test_a_delete_may_have_a_body_or_none(http: httpx.Client, made: dict[str, Any], body: bytes) -> None:
    path = f"/v1/b2b/organizations/{made['organization_id']}/members/{made['member_id']}"
    assert _ok(http.request("DELETE", f"{path}/external_id", content=body))["member"]["external_id"] is None
    assert _ok(http.request("DELETE", path, content=body))["member_id"] == made["member_id"]


def test_a_put_may_have_an_empty_body(http: httpx.Client, made: dict[str, Any]) -> None:
    path = f"/v1/b2b/organizations/{made['organization_id']}"
    assert _ok(http.put(path, content=b""))["organization"] == made["organization"]


def test_ids_that_stand_in_the_path_are_ignored_in_query_and_body(http: httpx.Client, made: dict[str, Any]) -> None:
    path = f"/v1/b2b/organizations/{made['organization_id']}"
    repeated = {"organization_id": made["organization_id"], "member_id": made["member_id"]}
    assert _ok(http.get(f"{path}/member", params=repeated))["member_id"] == made["member_id"]
    contradicting = repeated | {"organization_id": "organization-test-other"}
    assert _ok(http.get(f"{path}/member", params=contradicting))["member_id"] == made["member_id"]
    other = {"organization_id": "organization-test-other", "member_id": "member-test-other", "name": "Path wins"}
    changed = _ok(http.put(f"{path}/members/{made['member_id']}", json=other))["member"]
    assert (changed["member_id"], changed["name"]) == (made["member_id"], "Path wins")


def test_numbers_and_unknown_arguments_in_a_query_do_no_harm(http: httpx.Client, made: dict[str, Any]) -> None:
    params = {"organization_id": made["organization_id"], "member_id": made["member_id"], "limit": "1.0", "cursor": ""}
    assert _ok(http.get("/v1/b2b/sessions", params=params))["member_sessions"] == []
    assert _ok(http.get("/v1/b2b/rbac/policy", params={"page": "1.0"}))["policy"]["roles"]


@pytest.mark.parametrize("yes", ["true", "True", "TRUE", "1"])
def test_booleans_in_a_query_may_be_capitalised(http: httpx.Client, made: dict[str, Any], yes: str) -> None:
    http.delete(f"/v1/b2b/organizations/{made['organization_id']}/members/{made['member_id']}")
    path = f"/v1/b2b/organizations/members/dangerously_get/{made['member_id']}"
    assert _ok(http.get(path, params={"include_deleted": yes}))["member"]["status"] == "deleted"
    for no in ("false", "False", "0"):
        assert http.get(path, params={"include_deleted": no}).status_code == 404


def test_a_boolean_that_is_none_is_refused_by_name(http: httpx.Client, made: dict[str, Any]) -> None:
    path = f"/v1/b2b/organizations/members/dangerously_get/{made['member_id']}"
    answer = http.get(path, params={"include_deleted": "perhaps"})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "bad_request")
    assert "include_deleted" in answer.json()["error_message"]


def test_ids_in_a_path_are_decoded_one_by_one(http: httpx.Client, made: dict[str, Any]) -> None:
    """Some clients encode every character, some none; an encoded slash does not part a segment."""
    organization_id, external_id = made["organization"]["organization_external_id"], made["external_id"]
    fully = "".join(f"%{octet:02X}" for octet in external_id.encode())
    for written in (quote(external_id, safe=""), fully, fully.lower()):
        path = f"/v1/b2b/organizations/{quote(organization_id, safe='')}/members/{written}"
        assert _ok(http.put(path, json={}))["member_id"] == made["member_id"]
    for foreign in ("a%2Fb", "%2E%2E", "a%252Fb", "x%27%20OR%201=1", "%25", "%C3%A9"):
        answer = http.put(f"/v1/b2b/organizations/{organization_id}/members/{foreign}", json={})
        assert (answer.status_code, answer.json()["error_type"]) == (404, "member_not_found"), foreign


def test_an_external_id_with_a_slash_can_be_addressed(http: httpx.Client, service: Service) -> None:
    """Tokens may attach what the API would not take (SPIFFE and GitHub subjects); a path then carries it encoded."""
    subject = f"spiffe://example.org/{unique('workload')}"
    claims = person(sub=subject, org_id=unique("fleet"))
    login = _ok(http.post("/v1/b2b/sessions/attest", json={"profile_id": "open", "token": service.issuer.mint(claims)}))
    path = f"/v1/b2b/organizations/{login['organization']['organization_id']}/members/{quote(subject, safe='')}"
    assert _ok(http.put(path, json={"name": "Worker"}))["member_id"] == login["member_id"]


@pytest.mark.parametrize("path", ["/b2b/v1/sessions/attest", "/v1/b2b/sessions/attest"])
@pytest.mark.parametrize("field", ["token_profile_id", "profile_id"])
def test_attest_answers_to_both_spellings(http: httpx.Client, service: Service, path: str, field: str) -> None:
    token = service.issuer.mint(person(org_id=unique("blog")))
    body = {field: "open", "token": token, "session_custom_claims": None, "unknown": {"ignored": True}}
    assert _ok(http.post(path, json=body))["member_session"]["custom_claims"] == {}


@pytest.mark.parametrize("path", ["/consumer/v1/sessions/attest", "/v1/sessions/attest"])
def test_consumer_attest_answers_to_both_spellings(http: httpx.Client, service: Service, path: str) -> None:
    body = {"token_profile_id": "open", "token": service.issuer.mint(person())}
    assert _ok(http.post(path, json=body, auth=service.consumer))["session"] is None


def test_one_connection_serves_many_calls_and_survives_refusals(http: httpx.Client) -> None:
    network = [
        http.get("/v1/debug/whoami").extensions["network_stream"],
        http.post("/v1/b2b/sessions/authenticate", content=b'{"session_token": 1}').extensions["network_stream"],
        http.get("/v1/b2b/nothing/here").extensions["network_stream"],
        http.get("/v1/debug/whoami").extensions["network_stream"],
    ]
    assert len({stream.get_extra_info("client_addr") for stream in network}) == 1


def test_the_jwks_are_public_and_say_how_long_they_keep(service: Service) -> None:
    for path, project in (("/v1/b2b/sessions/jwks", service.b2b), ("/v1/sessions/jwks", service.consumer)):
        answer = httpx.get(f"{service.server.url}{path}/{project.project_id}")
        keys = _ok(answer)["keys"]
        assert answer.headers["cache-control"] == "public, max-age=900"
        for key in keys:
            assert key.keys() == {"kty", "use", "key_ops", "alg", "kid", "x5c", "x5tS256", "n", "e"}
            assert len(base64.urlsafe_b64decode(key["n"] + "==")) == 256
            assert key["x5c"]


NOT_HTTP_BASIC = {
    "none": {},
    "bearer": {"Authorization": "Bearer abc"},
    "no colon": {"Authorization": "Basic " + base64.b64encode(b"project-test-x").decode()},
    "not base64": {"Authorization": "Basic %%%"},
}


@pytest.mark.parametrize("headers", NOT_HTTP_BASIC.values(), ids=NOT_HTTP_BASIC)
def test_missing_credentials_are_refused_before_the_body_is_read(service: Service, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{service.server.url}/v1/b2b/sessions/attest", content=b"{ not JSON", headers=headers)
    assert (answer.status_code, answer.json()["error_type"]) == (401, "unauthorized_credentials")
    assert answer.headers["content-type"] == "application/json"
    assert "error" not in answer.json(), "clients would take it for an OAuth error"


def test_a_wrong_type_is_refused_with_the_field_and_what_was_expected(http: httpx.Client) -> None:
    body = {"profile_id": "open", "token": "x", "session_duration_minutes": "sixty"}
    answer = http.post("/v1/b2b/sessions/attest", json=body)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "bad_request")
    assert "session_duration_minutes" in answer.json()["error_message"]
    assert "whole number" in answer.json()["error_message"]
    repeated = http.post("/v1/b2b/sessions/attest", content=b'{"profile_id": "a", "profile_id": "b", "token": "x"}')
    assert (repeated.status_code, repeated.json()["error_type"]) == (400, "bad_request")
    assert json.loads(repeated.content)["request_id"].startswith("request-id-test-")
