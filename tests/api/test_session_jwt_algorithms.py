"""Session JWTs of every algorithm: chosen through the management API, verified by whoever reads the JWKS."""

from __future__ import annotations

import base64
import json
from typing import Any, get_args

import httpx
import joserfc.jwk
import joserfc.jws
import jwt
import pytest

from assay.model import SessionJwtAlgorithm
from assay.rules import jws
from assay.stories import key_sources, profiles, projects
from tests.calls import OPERATOR
from tests.world import World

ALGORITHMS = get_args(SessionJwtAlgorithm)
SESSIONS = "/v1/b2b/sessions"
DAY = 86_400


async def choose(world: World, algorithm: str) -> dict[str, Any]:
    """Set the algorithm of the B2B project's environment; the environment as the answer shows it."""
    path = await path_of(world)
    async with world.client(await world.operator()) as client:
        answer = await client.patch(path, json={"session_jwt_algorithm": algorithm})
        assert answer.status_code == 200, answer.text
        read = await client.get(path)
    assert read.json()["environment"] == answer.json()["environment"]
    found: dict[str, Any] = answer.json()["environment"]
    return found


async def path_of(world: World) -> str:
    for listing in await projects.list_projects(world.context):
        for each in listing.environments:
            if each.environment_id == world.b2b.project_id:
                return f"/pwa/v3/projects/{listing.project.slug}/environments/{each.slug}"
    raise AssertionError("there is no such environment")


async def post(world: World, what: str, body: dict[str, Any]) -> httpx.Response:
    async with world.client(world.b2b) as client:
        return await client.post(f"{SESSIONS}/{what}", json=body)


async def login(world: World) -> dict[str, Any]:
    answer = await post(world, "attest", world.attest_body())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def jwks(world: World) -> dict[str, dict[str, Any]]:
    async with world.client() as client:
        answer = await client.get(f"{SESSIONS}/jwks/{world.b2b.project_id}")
    return {key["kid"]: key for key in answer.json()["keys"]}


def header_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.get_unverified_header(token)
    return found


async def verify(world: World, token: str, algorithm: str) -> None:
    """With two libraries that know nothing of Assay, by the published key alone."""
    assert header_of(token)["alg"] == algorithm
    key = (await jwks(world))[header_of(token)["kid"]]
    assert key["alg"] == algorithm
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    jwt.decode(token, jwt.PyJWK(key), algorithms=[algorithm], audience=world.b2b.project_id, options=options)
    imported: Any = joserfc.jwk.import_key({name: value for name, value in key.items() if name != "x5tS256"})
    joserfc.jws.deserialize_compact(token, imported, algorithms=[algorithm])


async def authenticated(world: World, **by: str) -> dict[str, Any]:
    answer = await post(world, "authenticate", by)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_whoever_has_the_jwks_verifies_the_session_jwts_of_the_chosen_algorithm(
    world: World, algorithm: str
) -> None:
    assert (await choose(world, algorithm))["session_jwt_algorithm"] == algorithm
    session = await login(world)
    await verify(world, session["session_jwt"], algorithm)
    again = await authenticated(world, session_jwt=session["session_jwt"])
    assert again["session_token"] == session["session_token"]


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_jwts_of_all_algorithms_so_far_go_on_verifying_until_thirty_days_later(world: World) -> None:
    tokens: dict[str, str] = {}
    for algorithm in ALGORITHMS:
        await choose(world, algorithm)
        tokens[algorithm] = (await login(world))["session_jwt"]
        await verify(world, tokens[algorithm], algorithm)
        world.clock.turn(1)
    for algorithm, token in tokens.items():
        await verify(world, token, algorithm)
        assert header_of((await authenticated(world, session_jwt=token))["session_jwt"])["alg"] == ALGORITHMS[-1]
    kinds = sorted((key["kty"], key.get("crv", ""), key["alg"]) for key in (await jwks(world)).values())
    assert kinds == [("EC", "P-256", "ES256")] * 2 + [("OKP", "Ed25519", "EdDSA")] * 2 + [("RSA", "", "RS256")] * 2
    world.clock.turn(30 * DAY)
    assert {key["alg"] for key in (await jwks(world)).values()} == {ALGORITHMS[-1]}
    refused = await post(world, "authenticate", {"session_jwt": tokens[ALGORITHMS[0]]})
    assert refused.json()["error_type"] == "unable_to_parse_session_jwt"


async def test_a_rotation_keeps_the_algorithm(world: World) -> None:
    await login(world)
    await choose(world, "ES256")
    await projects.rotate_keys(world.context, world.b2b.project_id, by=OPERATOR)
    keys = await projects.list_keys(world.context, world.b2b.project_id)
    assert sorted((key.algorithm, key.state) for key in keys) == [
        ("ES256", "active"),
        ("ES256", "next"),
        ("ES256", "retired"),
        ("RS256", "retired"),
        ("RS256", "retired"),
    ]
    assert header_of((await login(world))["session_jwt"])["alg"] == "ES256"


async def test_the_same_algorithm_again_changes_nothing(world: World) -> None:
    await login(world)
    before = await projects.list_keys(world.context, world.b2b.project_id)
    await choose(world, "RS256")
    assert await projects.list_keys(world.context, world.b2b.project_id) == before


async def test_other_settings_leave_the_keys_alone(world: World) -> None:
    await choose(world, "ES256")
    before = await projects.list_keys(world.context, world.b2b.project_id)
    async with world.client(await world.operator()) as client:
        answer = await client.patch(await path_of(world), json={"user_lock_ttl": 60})
    assert answer.json()["environment"]["session_jwt_algorithm"] == "ES256"
    assert await projects.list_keys(world.context, world.b2b.project_id) == before


async def test_a_change_is_in_the_audit_record(world: World) -> None:
    await choose(world, "EdDSA")
    events = await world.context.store.events(world.b2b.project_id, 10)
    told = {each.action: each.details for each in events}
    assert told["environment.updated"]["changed"] == ["session_jwt_algorithm"]
    assert told["signing_keys.rotated"]["algorithm"] == "EdDSA"
    kids = {each.state: each.kid for each in await projects.list_keys(world.context, world.b2b.project_id)}
    assert told["signing_keys.rotated"]["active"] == kids["active"]


async def test_a_new_environment_has_the_algorithm_that_it_is_made_with(world: World) -> None:
    async with world.client(await world.operator()) as client:
        project = (await client.post("/pwa/v3/projects", json={"name": "New", "vertical": "B2B"})).json()["project"]
        body = {"name": "Live", "type": "LIVE", "session_jwt_algorithm": "ES256"}
        made = await client.post(f"/pwa/v3/projects/{project['project_slug']}/environments", json=body)
    environment = made.json()["environment"]
    assert environment["session_jwt_algorithm"] == "ES256"
    keys = await projects.jwks(world.context, environment["project_id"])
    assert [key["alg"] for key in keys] == ["ES256", "ES256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_another_environment_trusts_them_by_a_project_source(world: World, algorithm: str) -> None:
    await choose(world, algorithm)
    request = profiles.ProfileCreate(
        profile_id="other",
        name="Other",
        issuer=f"stytch.com/{world.b2b.project_id}",
        audience=world.b2b.project_id,
        key_sources=key_sources.read([{"kind": "project", "project_id": world.b2b.project_id}]),
        attribute_mapping={"email": "email", "email_verified": "email_verified", "token_id": "sub"},
        can_jit_provision=True,
    )
    here = world.consumer.project_id
    await profiles.create_profile(world.context, here, request, by=OPERATOR, allow_problems=False)
    claims = {"email": "ada@example.com", "email_verified": True}
    answer = await post(world, "attest", world.attest_body(session_custom_claims=claims))
    token = answer.json()["session_jwt"]
    body = {"profile_id": "other", "token": token, "session_duration_minutes": 60}
    async with world.client(world.consumer) as client:
        granted = await client.post("/v1/sessions/attest", json=body)
        assert granted.status_code == 200, granted.text
        refused = await client.post("/v1/sessions/attest", json=body | {"token": renamed(token, "PS256")})
    assert refused.json()["error_type"] == "invalid_trusted_auth_token"


def renamed(token: str, algorithm: str) -> str:
    """The token with another algorithm in its header."""
    header, rest = token.split(".", 1)
    changed = json.loads(base64.urlsafe_b64decode(header + "==")) | {"alg": algorithm}
    return f"{base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip('=')}.{rest}"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "HS256", "none"])
async def test_a_header_that_names_another_algorithm_than_its_key_is_refused(world: World, algorithm: str) -> None:
    token = renamed((await login(world))["session_jwt"], algorithm)
    assert jws.parse(token).header["alg"] == algorithm
    answer = await post(world, "authenticate", {"session_jwt": token})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "unable_to_parse_session_jwt")
