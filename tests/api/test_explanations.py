"""Explanations, attempts and notices over the wire, to callers of a project and to operators."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.world import PROFILE_ID, Tenant, World

B2B, CONSUMER = "/v1/b2b/trusted_auth_tokens", "/v1/trusted_auth_tokens"


async def post(world: World, caller: Tenant | None, path: str, body: dict[str, Any]) -> httpx.Response:
    async with world.client(caller) as client:
        return await client.post(path, json=body)


async def get(world: World, caller: Tenant | None, path: str, **asked: str) -> httpx.Response:
    async with world.client(caller) as client:
        return await client.get(path, params=asked)


async def managed(world: World) -> str:
    """Where operators find the B2B project's environment."""
    environment = world.b2b.caller.environment
    [slug] = [each.slug for each in await world.context.store.projects() if each.project_id == environment.project_id]
    return f"/pwa/v3/projects/{slug}/environments/{environment.slug}"


# ---------------------------------------------------------------- explain


async def test_a_granted_explanation_has_every_member(world: World) -> None:
    answer = await post(world, world.b2b, f"{B2B}/explain", world.attest_body())
    assert answer.status_code == 200
    told = answer.json()
    assert told["verdict"] == "granted"
    assert (told["error_type"], told["error_message"], told["reason"], told["remedy"]) == (None, None, None, None)
    assert told["signature_verified"] is True
    assert told["unverified_header"]["alg"] == "RS256"
    assert told["unverified_claims"]["iss"] == world.issuer.url
    assert told["attributes"]["email"] == told["unverified_claims"]["email"]
    assert told["organization"] == {
        "organization_id": world.acme.organization_id,
        "name": "Acme",
        "reason": "named by the request",
    }
    assert told["member"]["member_id"] is None
    assert told["user"] is None
    assert told["session"]["action"] == "start"
    assert told["session"]["expires_at"].endswith("Z")
    assert {each["outcome"] for each in told["steps"]} == {"passed"}
    assert list(told["steps"][0]) == ["step", "outcome", "expected", "came", "reason"]


async def test_a_refused_explanation_is_200_too(world: World) -> None:
    answer = await post(
        world, world.b2b, f"{B2B}/explain", world.attest_body(token=world.token(iss="https://x.example"))
    )
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status_code"], told["verdict"], told["error_type"]) == (200, "refused", "jwt_invalid_issuer")
    assert told["reason"].startswith("iss must be")
    assert told["remedy"]
    outcomes = [each["outcome"] for each in told["steps"]]
    assert outcomes.count("failed") == 1
    assert set(outcomes[outcomes.index("failed") + 1 :]) == {"not_reached"}
    assert (told["member"], told["session"], told["attributes"]) == (None, None, None)


async def test_a_consumer_project_explains_its_users(world: World) -> None:
    told = (await post(world, world.consumer, f"{CONSUMER}/explain", world.consumer_attest_body())).json()
    assert told["verdict"] == "granted"
    assert (told["organization"], told["member"], told["user"]["user_id"]) == (None, None, None)


async def test_the_other_name_of_the_profile_is_taken(world: World) -> None:
    body = world.attest_body()
    body["token_profile_id"] = body.pop("profile_id")
    assert (await post(world, world.b2b, f"{B2B}/explain", body)).json()["verdict"] == "granted"


async def test_an_operator_explains_what_a_caller_would_be_told(world: World) -> None:
    operator = await world.operator()
    body = world.attest_body()
    async with world.client(operator) as client:
        told = (await client.post(f"{await managed(world)}/trusted_auth_tokens/explain", json=body)).json()
    theirs = (await post(world, world.b2b, f"{B2B}/explain", body)).json()
    assert told | {"request_id": ""} == theirs | {"request_id": ""}


async def test_neither_signature_nor_token_is_in_answer_or_log(world: World) -> None:
    inner = world.token()
    for claims in ({}, {"act": {"token": inner}}, {"aud": inner}):
        token = world.token(**claims)
        answer = await post(world, world.b2b, f"{B2B}/explain", world.attest_body(token=token))
        for secret in (token, inner):
            assert secret.rpartition(".")[2] not in answer.text
            assert secret.rpartition(".")[2].encode() not in world.log_bytes()


async def test_nobody_explains_without_credentials(world: World) -> None:
    for path in (B2B, f"{await managed(world)}/trusted_auth_tokens"):
        assert (await post(world, None, f"{path}/explain", world.attest_body())).status_code == 401
        assert (await get(world, None, f"{path}/attempts")).status_code == 401


async def test_the_other_kind_of_project_is_sent_away(world: World) -> None:
    answer = await post(world, world.consumer, f"{B2B}/explain", world.attest_body())
    assert answer.json()["error_type"] == "invalid_b2b_endpoint"
    answer = await get(world, world.b2b, f"{CONSUMER}/attempts")
    assert answer.json()["error_type"] == "invalid_consumer_endpoint"


# ---------------------------------------------------------------- attempts


async def attest(world: World, **members: Any) -> dict[str, Any]:
    body = world.attest_body(**members)
    told: dict[str, Any] = (await post(world, world.b2b, "/v1/b2b/sessions/attest", body)).json()
    return told


async def test_an_attempt_is_answered_with_every_member(world: World) -> None:
    granted = await attest(world)
    told = (await get(world, world.b2b, f"{B2B}/attempts")).json()
    [attempt] = told["attempts"]
    assert attempt == {
        "request_id": granted["request_id"],
        "created_at": "2026-05-28T20:26:40Z",
        "profile_id": PROFILE_ID,
        "outcome": "granted",
        "error_type": None,
        "reason": "",
        "verified": True,
        "issuer": world.issuer.url,
        "subject": attempt["subject"],
        "token_id": granted["member_session"]["authentication_factors"][0]["trusted_auth_token_factor"]["token_id"],
        "kid": world.issuer.keys[0].kid,
        "algorithm": "RS256",
        "kept_claims": {},
        "organization_id": world.acme.organization_id,
        "member_id": granted["member_id"],
        "user_id": None,
        "session_id": granted["member_session"]["member_session_id"],
        "milliseconds": attempt["milliseconds"],
        "details": attempt["details"],
    }
    assert told["results_metadata"] == {"next_cursor": None}


async def test_a_refused_attempt_tells_the_reason_that_the_caller_did_not_get(world: World) -> None:
    refused = await attest(world, token="x.y.z")
    [attempt] = (await get(world, world.b2b, f"{B2B}/attempts", request_id=refused["request_id"])).json()["attempts"]
    assert attempt["error_type"] == refused["error_type"]
    assert attempt["reason"]
    assert attempt["reason"] not in str(refused)
    assert (attempt["member_id"], attempt["user_id"], attempt["session_id"]) == (None, None, None)


async def test_attempts_are_paged_by_a_cursor(world: World) -> None:
    made = [(await attest(world))["request_id"] for _ in range(3)]
    first = (await get(world, world.b2b, f"{B2B}/attempts", limit="2")).json()
    cursor = first["results_metadata"]["next_cursor"]
    second = (await get(world, world.b2b, f"{B2B}/attempts", limit="2", cursor=cursor)).json()
    assert [each["request_id"] for each in first["attempts"] + second["attempts"]] == made[::-1]
    other = await get(world, world.b2b, f"{B2B}/attempts", limit="2", cursor=cursor, outcome="refused")
    assert other.status_code == 400


async def test_attempts_of_users_name_users(world: World) -> None:
    granted = (await post(world, world.consumer, "/v1/sessions/attest", world.consumer_attest_body())).json()
    told = (await get(world, world.consumer, f"{CONSUMER}/attempts", user_id=granted["user_id"])).json()
    assert [(each["user_id"], each["member_id"]) for each in told["attempts"]] == [(granted["user_id"], None)]


async def test_an_operator_reads_the_attempts_of_an_environment(world: World) -> None:
    granted = await attest(world)
    async with world.client(await world.operator()) as client:
        path = f"{await managed(world)}/trusted_auth_tokens/attempts"
        told = (await client.get(path, params={"member_id": granted["member_id"]})).json()
        nobody = (await client.get(path, params={"member_id": "nobody"})).json()
    assert [each["request_id"] for each in told["attempts"]] == [granted["request_id"]]
    assert nobody["attempts"] == []


@pytest.mark.parametrize(
    "asked",
    [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"outcome": "perhaps"}, {"since": "x"}, {"cursor": "x"}],
    ids=str,
)
async def test_what_is_asked_wrongly_is_refused(world: World, asked: dict[str, str]) -> None:
    assert (await get(world, world.b2b, f"{B2B}/attempts", **asked)).status_code == 400


# ---------------------------------------------------------------- notices


async def test_notices_of_a_profile_are_answered(world: World) -> None:
    for number in range(21):
        await attest(world, token=world.token(**({"late": 1} if number == 20 else {})))
    told = (await get(world, world.b2b, f"/v1/trusted_token_profiles/{PROFILE_ID}/notices")).json()
    assert told["tokens_learned"] == 20
    assert told["notices"] == [{"kind": "claim_started", "value": "late", "noticed_at": "2026-05-28T20:26:40Z"}]
    async with world.client(await world.operator()) as client:
        path = f"{await managed(world)}/trusted_token_profiles/{PROFILE_ID}/notices"
        assert (await client.get(path)).json()["notices"] == told["notices"]
    missing = await get(world, world.b2b, "/v1/trusted_token_profiles/nobody/notices")
    assert missing.status_code == 404
