"""When an authenticate hands out a session JWT of a moment ago, and when it must sign another one."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Organization
from assay.rules.permissions import Permission, Policy, Resource, Role
from assay.store import ConfigureEnvironment, Store
from assay.stories import environments, jwt_templates, organizations, projects, sessions
from assay.stories.environments import EnvironmentUpdate
from assay.stories.exchange import ExchangeRequest, exchange
from assay.stories.granted import Granted
from assay.stories.jwt_templates import JwtTemplateSet
from assay.stories.sessions import RevokeRequest
from tests.calls import OPERATOR, Clock
from tests.stories.attesting import World, make_world

MAPPING = {"email": "email", "external_member_id": "sub", "role_ids": "roles", "token_id": "jti"}
WHERE: dict[str, Any] = {"project_slug": "project-b2b", "environment_slug": "test"}


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "b2b")
    await made.add_profile(attribute_mapping=MAPPING)
    return made


@pytest.fixture
async def acme(world: World) -> Organization:
    return await world.add_organization(slug="acme")


@pytest.fixture
async def login(world: World, acme: Organization) -> Granted:
    return await world.attest(organization_id=acme.slug, session_duration_minutes=60)


async def again(world: World, login: Granted, **request: Any) -> str:
    """The JWT of another authenticate, by a caller as the store knows it now."""
    secret = world.call.caller.secret
    caller = await world.ctx.store.caller(world.environment_id, secret.secret_hash)
    assert caller is not None
    world.call = msgspec.structs.replace(world.call, caller=caller)
    return (await world.authenticate(**({"session_token": login.session_token} | request))).session_jwt


def claims_of(jwt: str) -> dict[str, Any]:
    payload = jwt.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def counted(world: World) -> tuple[float, float]:
    """How many JWTs were signed, and how many handed out again."""
    read = world.ctx.meter.registry.get_sample_value
    return (
        read("assay_session_jwts_signed_total") or 0,
        read("assay_session_jwts_reused_total") or 0,
    )


# ---------------------------------------------------------------- reused


async def test_the_first_authenticate_already_hands_out_the_jwt_of_the_attest(
    world: World, login: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counted(world)
    monkeypatch.setattr(world.ctx.signer, "sign", None)
    monkeypatch.setattr(world.ctx.token_seal, "seal", None)
    assert await again(world, login) == login.session_jwt
    assert counted(world) == (before[0], before[1] + 1)


async def test_by_its_jwt_a_session_gets_the_same_one(world: World, login: Granted) -> None:
    assert await again(world, login, session_token=None, session_jwt=login.session_jwt) == login.session_jwt


async def test_the_session_in_the_answer_is_as_it_is_now(world: World, login: Granted, clock: Clock) -> None:
    clock.turn(20)
    found = await world.authenticate(session_token=login.session_token)
    assert found.session_jwt == login.session_jwt
    assert found.details is not None
    assert found.details.session.last_accessed_at == int(clock())


@pytest.mark.parametrize(("seconds", "same"), [(29, True), (30, False), (-1, False)])
async def test_it_is_the_same_one_for_thirty_seconds(
    world: World, login: Granted, clock: Clock, seconds: int, same: bool
) -> None:
    clock.turn(seconds)
    found = await again(world, login)
    assert (found == login.session_jwt) is same
    assert claims_of(found)["iat"] <= clock()
    assert claims_of(found)["exp"] - clock() >= 270
    if not same:
        assert claims_of(found)["iat"] == int(clock())
        assert await again(world, login) == found


async def test_claims_that_change_nothing_leave_it_as_it_is(world: World, login: Granted) -> None:
    first = await again(world, login, session_custom_claims={"plan": "pro"})
    assert first != login.session_jwt
    assert await again(world, login, session_custom_claims={"plan": "pro"}) == first


async def test_an_attest_always_signs(world: World, acme: Organization) -> None:
    before = counted(world)
    token = world.token()
    for _ in range(2):
        granted = await world.attest(token=token, organization_id=acme.slug, session_duration_minutes=60)
        await world.attest(token=token, organization_id=acme.slug, session_token=granted.session_token)
    assert counted(world) == (before[0] + 4, before[1])


# ---------------------------------------------------------------- not reused


async def test_with_a_rotated_key_the_new_one_signs(world: World, login: Granted) -> None:
    await projects.rotate_keys(world.ctx, world.environment_id, by=OPERATOR)
    assert await again(world, login) != login.session_jwt


async def test_with_another_algorithm_the_new_key_signs(world: World, login: Granted) -> None:
    wanted = EnvironmentUpdate(**WHERE, session_jwt_algorithm="ES256")
    await environments.update(world.ctx, OPERATOR, wanted)
    header = (await again(world, login)).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "ES256"


@pytest.mark.parametrize(
    ("first", "then"),
    [({"n": 1}, {"n": 2}), ({"n": 1}, {"n": True}), ({"n": 1}, {"n": 1.0}), ({"n": 1}, {"n": None}), ({}, {"n": 0})],
)
async def test_changed_custom_claims_are_in_the_jwt(
    world: World, login: Granted, first: dict[str, Any], then: dict[str, Any]
) -> None:
    before = await again(world, login, session_custom_claims=first)
    found = await again(world, login, session_custom_claims=then)
    assert found != before
    assert (claims_of(found).get("n"), type(claims_of(found).get("n"))) == (then["n"], type(then["n"]))


async def test_an_extended_end_is_in_the_jwt(world: World, login: Granted) -> None:
    found = await again(world, login, session_duration_minutes=600)
    session = "https://stytch.com/session"
    assert claims_of(found)[session]["expires_at"] > claims_of(login.session_jwt)[session]["expires_at"]


async def test_a_new_factor_is_in_the_jwt(world: World, acme: Organization, login: Granted) -> None:
    await world.attest({"jti": "another"}, organization_id=acme.slug, session_token=login.session_token)
    found = await again(world, login)
    assert len(claims_of(found)["https://stytch.com/session"]["authentication_factors"]) == 2


async def test_a_new_policy_and_a_new_role_are_in_the_jwt(world: World, acme: Organization) -> None:
    def roles_of(jwt: str) -> list[str]:
        roles: list[str] = claims_of(jwt)["https://stytch.com/session"]["roles"]
        return roles

    async def set_roles(*role_ids: str) -> None:
        read = (Permission("documents", ("read",)),)
        policy = Policy(tuple(Role(name, "", read) for name in role_ids), (Resource("documents", "", ("read",)),))
        await world.ctx.store.write(ConfigureEnvironment(environment=world.call.environment, policy=policy))

    await set_roles("editor", "viewer")
    await again(world, await world.attest(organization_id=acme.slug))  # for the policy to be known to the next call
    login = await world.attest({"roles": ["editor"]}, organization_id=acme.slug)
    assert roles_of(await again(world, login)) == ["stytch_member", "editor"]
    await world.attest({"roles": ["viewer"]}, organization_id=acme.slug)
    assert roles_of(await again(world, login)) == ["stytch_member", "viewer"]
    await set_roles("editor")
    assert roles_of(await again(world, login)) == ["stytch_member"]


async def test_a_new_template_and_a_new_slug_are_in_the_jwt(world: World, acme: Organization, login: Granted) -> None:
    template = JwtTemplateSet(
        **WHERE, jwt_template_type="SESSION", template_content='{"a": "b"}', custom_audience="https://api"
    )
    await jwt_templates.set_template(world.ctx, OPERATOR, template)
    found = claims_of(await again(world, login))
    assert (found["a"], found["aud"][1]) == ("b", "https://api")
    change = organizations.OrganizationUpdate(organization_id=acme.organization_id, organization_slug="engines")
    await organizations.update(world.ctx, world.call, change)
    assert claims_of(await again(world, login))["https://stytch.com/organization"]["slug"] == "engines"


async def test_a_new_session_token_is_in_the_jwt_and_the_old_one_opens_nothing(
    world: World, acme: Organization, login: Granted
) -> None:
    await world.add_profile(profile_id="rotating", rotate_session_token=True, attribute_mapping=MAPPING)
    with_another = await world.attest(
        {"jti": "more"}, profile_id="rotating", organization_id=acme.slug, session_token=login.session_token
    )
    assert await again(world, with_another) == with_another.session_jwt
    assert with_another.session_jwt != login.session_jwt
    for by in ({"session_token": login.session_token}, {"session_jwt": login.session_jwt}):
        with pytest.raises(errors.SessionNotFound):
            await world.authenticate(**by)


async def test_a_revoked_session_gets_none(world: World, login: Granted) -> None:
    await again(world, login)
    await sessions.revoke(world.ctx, world.call, RevokeRequest(session_token=login.session_token))
    with pytest.raises(errors.SessionNotFound):
        await again(world, login)


async def test_an_exchange_signs_for_the_session_that_it_makes(world: World, acme: Organization) -> None:
    login = await world.attest({"email_verified": True}, organization_id=acme.slug)
    other = await world.add_organization(slug="other")
    await world.add_member(other, email="ada@example.com")
    before = counted(world)
    request = ExchangeRequest(organization_id=other.slug, session_token=login.session_token)
    exchanged = await exchange(world.ctx, world.call, request)
    assert counted(world) == (before[0] + 1, before[1])
    assert await again(world, exchanged) == exchanged.session_jwt
    assert await again(world, login) == login.session_jwt
