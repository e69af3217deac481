"""Another environment of this server: its session JWT, and a person who goes there and comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from assay.model import Vertical
from assay.stories import presets, profiles
from tests.calls import OPERATOR
from tests.dialects.dialect import ABSENT, NOW, OTHER_PROJECT, Dialect, Wrong
from tests.dialects.harness import checks_of
from tests.world import Tenant, World, open_world

SESSION = "https://stytch.com/session"
SESSION_ID = "member-session-test-8f6d0a7e-55a1-8c3e-9b1f-0a2b3c4d5e6f"
STRANGERS_PROJECT = "project-test-00000000-0000-4000-8000-000000000001"

DIALECT = Dialect(
    preset="assay_environment",
    settings={"project_id": OTHER_PROJECT},
    claims={
        "iss": f"stytch.com/{OTHER_PROJECT}",
        "aud": [OTHER_PROJECT],
        "sub": "member-test-01890a5d-ac96-774b-bcce-b302099a8057",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
        SESSION: {
            "id": SESSION_ID,
            "started_at": "2026-11-01T12:00:00Z",
            "last_accessed_at": "2026-11-01T12:01:00Z",
            "expires_at": "2026-11-01T13:00:00Z",
            "attributes": {"ip_address": "", "user_agent": ""},
            "authentication_factors": [
                {
                    "type": "trusted_auth_token",
                    "delivery_method": "trusted_token_exchange",
                    "last_authenticated_at": "2026-11-01T12:00:00Z",
                    "trusted_auth_token_factor": {"token_id": "token-1"},
                }
            ],
            "roles": ["stytch_member"],
            "sealed_token": "c2VhbGVk",
        },
        "https://stytch.com/organization": {
            "organization_id": "organization-test-01890a5d-ac96-774b-bcce-b302099a8058",
            "slug": "engines",
        },
        "email": "ada@example.com",
        "email_verified": True,
        "name": "Ada Lovelace",
    },
    expected={
        "external_id": None,
        "email": "ada@example.com",
        "email_verified": "verified",
        "name": "Ada Lovelace",
        "token_id": SESSION_ID,
    },
    wrong={
        "no claims of your backend": Wrong(
            claims={"email": ABSENT, "email_verified": ABSENT},
            step="mapping",
            why="sub is an id of this server, and no external id; your backend or the JWT template names the person.",
        ),
        "an address that is not verified there": Wrong(
            claims={"email_verified": False},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="Somebody may have written another person's address into the record there.",
        ),
        "an address of which nothing is said": Wrong(
            claims={"email_verified": ABSENT},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="Your backend must say that the address is verified there.",
        ),
        "another environment": Wrong(
            claims={"iss": f"stytch.com/{STRANGERS_PROJECT}", "aud": [STRANGERS_PROJECT]},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The profile trusts one environment.",
        ),
        "a session JWT of a while ago": Wrong(
            claims={"iat": NOW - 300, "nbf": NOW - 300, "exp": NOW},
            step="times",
            why="It lives for five minutes, and one server has one clock.",
        ),
        "no session": Wrong(claims={SESSION: ABSENT}, step="conditions", why="Only session JWTs speak of a person."),
        "a key of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The key is none of that environment's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)


async def test_a_person_goes_from_a_consumer_project_to_a_b2b_project_and_back(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        shop, team = world.consumer, world.b2b
        await trust(world, team, shop)
        await trust(world, shop, team)
        user = await attest(world, shop, "idp", world.token(email_verified=True))
        member = await attest(
            world, team, "other", await fresh(world, shop, user), organization_id=world.acme.organization_id
        )
        again = await attest(world, shop, "other", await fresh(world, team, member))
    assert member["member"]["email_address"] == "ada@example.com"
    assert member["member"]["email_address_verified"] is True
    assert again["user_id"] == user["user_id"]
    assert again["session"]["session_id"] != user["session"]["session_id"]


async def test_two_session_jwts_of_one_session_there_are_one_factor_here(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        shop, team = world.consumer, world.b2b
        await trust(world, team, shop)
        user = await attest(world, shop, "idp", world.token(email_verified=True))
        organization = {"organization_id": world.acme.organization_id}
        member = await attest(world, team, "other", await fresh(world, shop, user), **organization)
        world.clock.turn(30)
        token = await fresh(world, shop, user)
        same = await attest(world, team, "other", token, session_token=member["session_token"], **organization)
    assert len(same["member_session"]["authentication_factors"]) == 1


async def trust(world: World, here: Tenant, there: Tenant) -> None:
    """The profile ``other`` of one project, which the preset makes for sessions of the other."""
    request = presets.profile_of("assay_environment", {"project_id": there.project_id}, _vertical(world, here))
    request = msgspec.structs.replace(request, profile_id="other", can_jit_provision=True)
    await profiles.create_profile(world.context, here.project_id, request, by=OPERATOR, allow_problems=False)


def _vertical(world: World, tenant: Tenant) -> Vertical:
    return "b2b" if tenant is world.b2b else "consumer"


async def attest(world: World, tenant: Tenant, profile_id: str, token: str, **more: Any) -> dict[str, Any]:
    body = {"profile_id": profile_id, "token": token, "session_duration_minutes": 60, **more}
    return await _call(world, tenant, "attest", body)


async def fresh(world: World, tenant: Tenant, login: dict[str, Any]) -> str:
    """A new session JWT of a session, with the claims that a backend sets from the record it got."""
    if tenant is world.b2b:
        member = login["member"]
        who = {"email": member["email_address"], "email_verified": member["email_address_verified"]}
    else:
        email = login["user"]["emails"][0]
        who = {"email": email["email"], "email_verified": email["verified"]}
    body = {"session_token": login["session_token"], "session_custom_claims": who}
    token: str = (await _call(world, tenant, "authenticate", body))["session_jwt"]
    return token


async def _call(world: World, tenant: Tenant, what: str, body: dict[str, Any]) -> dict[str, Any]:
    path = "/v1/b2b/sessions/" if tenant is world.b2b else "/v1/sessions/"
    async with world.client(tenant) as client:
        answer = await client.post(path + what, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
