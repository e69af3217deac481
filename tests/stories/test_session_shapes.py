"""What an environment's policy and JWT template make of its sessions: roles, claims, audience."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import JwtTemplate, JwtTemplateType, Member, Organization, User
from assay.rules.permissions import Permission, Policy, Resource, Role
from assay.store import ConfigureEnvironment, ReplaceMember, Store
from assay.stories import jwt_templates, sessions
from assay.stories.context import Operator
from assay.stories.environments import EnvironmentRef
from assay.stories.exchange import ExchangeRequest, exchange
from assay.stories.granted import Granted
from assay.stories.jwt_templates import JwtTemplateRef, JwtTemplateSet
from assay.stories.sessions import AuthorizationCheck
from tests.calls import OPERATOR, Clock
from tests.stories.attesting import World, make_world

READ = Permission("documents", ("read",))
POLICY = Policy(
    (Role("editor", "", (READ,)), Role("viewer", "", (READ,))), (Resource("documents", "", ("read", "write")),)
)
MAPPING = {"email": "email", "external_member_id": "sub", "role_ids": "roles", "token_id": "jti"}


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "b2b")
    await made.add_profile(attribute_mapping=MAPPING)
    return made


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "consumer")
    await made.add_profile()
    return made


@pytest.fixture
async def acme(world: World) -> Organization:
    return await world.add_organization(slug="acme", trusted_metadata={"plan": "gold"})


def where(world: World) -> dict[str, Any]:
    return {"project_slug": f"project-{world.call.environment.vertical}", "environment_slug": "test"}


async def refreshed(world: World) -> None:
    """Let the calls of this world be made with the environment as it is now."""
    environment = await world.ctx.store.environment(world.environment_id)
    assert environment is not None
    caller = msgspec.structs.replace(world.call.caller, environment=environment)
    world.call = msgspec.structs.replace(world.call, caller=caller)


async def set_policy(world: World, policy: Policy) -> None:
    await world.ctx.store.write(ConfigureEnvironment(environment=world.call.environment, policy=policy))
    await refreshed(world)


async def set_template(world: World, content: str, audience: str = "") -> None:
    request = JwtTemplateSet(
        **where(world), jwt_template_type="SESSION", template_content=content, custom_audience=audience
    )
    await jwt_templates.set_template(world.ctx, OPERATOR, request)
    await refreshed(world)


def claims_of(granted: Granted) -> dict[str, Any]:
    payload = granted.session_jwt.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def custom(granted: Granted) -> dict[str, Any]:
    """The claims of the JWT that are not its own."""
    own = {"iss", "aud", "sub", "iat", "nbf", "exp", "https://stytch.com/session", "https://stytch.com/organization"}
    return {name: value for name, value in claims_of(granted).items() if name not in own}


def roles_of(granted: Granted) -> tuple[str, ...]:
    assert granted.details is not None
    assert tuple(claims_of(granted)["https://stytch.com/session"]["roles"]) == granted.details.roles
    return granted.details.roles


# ---------------------------------------------------------------- roles


async def test_custom_roles_of_a_token_count_and_unknown_ones_are_said_in_the_attempt(
    world: World, acme: Organization
) -> None:
    await set_policy(world, POLICY)
    granted = await world.attest({"roles": ["editor", "captain"]}, organization_id=acme.slug)
    assert roles_of(granted) == ("stytch_member", "editor")
    assert "unknown roles left out: 'captain'" in (await world.last_attempt()).details["notes"]
    check = AuthorizationCheck(organization_id=acme.organization_id, resource_id="documents", action="read")
    found = await world.authenticate(session_token=granted.session_token, authorization_check=check)
    assert found.granting_roles == ("editor",)
    check = msgspec.structs.replace(check, action="write")
    with pytest.raises(errors.SessionAuthorizationError):
        await world.authenticate(session_token=granted.session_token, authorization_check=check)


async def test_all_roles_that_permit_it_are_named_wherever_they_come_from(world: World, acme: Organization) -> None:
    await set_policy(world, POLICY)
    await world.add_member(acme, external_id="ada", external_id_issuer=None, email=None, roles=("viewer",))
    granted = await world.attest({"sub": "ada", "roles": ["editor"]}, organization_id=acme.slug)
    check = AuthorizationCheck(organization_id=acme.slug, resource_id="documents", action="read")
    found = await world.authenticate(session_jwt=granted.session_jwt, authorization_check=check)
    assert found.granting_roles == ("editor", "viewer")


async def test_a_role_that_leaves_the_policy_counts_for_nothing_and_comes_back_with_it(
    world: World, acme: Organization
) -> None:
    await set_policy(world, POLICY)
    granted = await world.attest({"roles": ["editor"]}, organization_id=acme.slug)
    await set_policy(world, Policy(()))
    without = await world.authenticate(session_token=granted.session_token)
    assert roles_of(without) == ("stytch_member",)
    assert isinstance(without.person, Member)
    assert without.person.token_roles == {"partner": ("editor",)}
    request = sessions.MemberSessionsRequest(organization_id=acme.slug, member_id=without.person.member_id)
    listed = await sessions.member_sessions(world.ctx, world.call, request)
    assert [each.roles for each in listed] == [("stytch_member",)]
    check = AuthorizationCheck(organization_id=acme.slug, resource_id="documents", action="read")
    with pytest.raises(errors.SessionAuthorizationError):
        await world.authenticate(session_token=granted.session_token, authorization_check=check)
    await set_policy(world, POLICY)
    assert roles_of(await world.authenticate(session_token=granted.session_token)) == ("stytch_member", "editor")


async def test_a_default_role_permits_what_the_policy_says_of_it(shop: World) -> None:
    await set_policy(shop, Policy((Role("stytch_user", "", (READ,)),), POLICY.resources))
    granted = await shop.attest(session_duration_minutes=30)
    check = AuthorizationCheck(resource_id="documents", action="read")
    found = await shop.authenticate(session_token=granted.session_token, authorization_check=check)
    assert found.granting_roles == ("stytch_user",)


async def test_an_actor_has_the_policy_in_force(world: World, acme: Organization) -> None:
    await set_policy(world, POLICY)
    granted = await world.attest({"roles": ["editor", "captain"]}, organization_id=acme.slug)
    actor = await sessions.actor_of(world.ctx, world.call, granted.session_token, None)
    assert actor.session_roles == ("stytch_member", "editor")
    assert actor.policy.role_ids() == {"stytch_member", "stytch_admin", "editor", "viewer"}


# ---------------------------------------------------------------- templates


async def test_the_template_adds_claims_to_the_jwt_and_not_to_the_session(world: World, acme: Organization) -> None:
    await set_policy(world, POLICY)
    await set_template(
        world,
        '{"plan": {{ organization.trusted_metadata.plan }}, "who": "{{ member.email_address }}",'
        ' "roles": {{ member.rbac.roles }}, "documents": {{ member.rbac.documents.actions }}}',
    )
    granted = await world.attest(
        {"email": "ada@acme.example", "roles": ["editor"]}, organization_id=acme.slug, session_custom_claims={"n": 1}
    )
    assert custom(granted) == {
        "plan": "gold",
        "who": "ada@acme.example",
        "roles": ["stytch_member", "editor"],
        "documents": ["read"],
        "n": 1,
    }
    assert granted.details is not None
    assert granted.details.session.custom_claims == {"n": 1}


async def test_claims_of_the_session_win_over_those_of_the_template(world: World, acme: Organization) -> None:
    await set_template(world, '{"plan": {{ organization.trusted_metadata.plan }}, "deep": {"a": 1, "b": 2}}')
    granted = await world.attest(
        organization_id=acme.slug, session_custom_claims={"plan": "own", "deep": {"b": 3, "c": 4}}
    )
    assert custom(granted) == {"plan": "own", "deep": {"a": 1, "b": 3, "c": 4}}


async def test_a_change_of_metadata_or_template_shows_in_the_next_jwt(world: World, acme: Organization) -> None:
    await set_template(world, '{"level": {{ member.trusted_metadata.level }}}')
    granted = await world.attest(organization_id=acme.slug)
    assert custom(granted) == {}
    assert isinstance(granted.person, Member)
    await world.ctx.store.write(
        ReplaceMember(member=msgspec.structs.replace(granted.person, trusted_metadata={"level": 9}))
    )
    found = await world.authenticate(session_token=granted.session_token)
    assert custom(found) == {"level": 9}
    await set_template(world, '{"l": "{{ member.trusted_metadata.level }}"}')
    assert custom(await world.authenticate(session_jwt=found.session_jwt)) == {"l": "9"}


async def test_another_audience_stands_beside_the_project_and_opens_nothing_else(
    world: World, acme: Organization
) -> None:
    await set_template(world, "{}", "https://api.example")
    granted = await world.attest(organization_id=acme.slug)
    assert claims_of(granted)["aud"] == [world.environment_id, "https://api.example"]
    assert await world.authenticate(session_jwt=granted.session_jwt)
    await set_template(world, "{}", world.environment_id)
    assert claims_of(await world.authenticate(session_jwt=granted.session_jwt))["aud"] == [world.environment_id]


async def test_consumers_have_templates_too(shop: World) -> None:
    await set_template(shop, '{"id": {{ user.user_id }}, "mail": {{ user.email }}}')
    granted = await shop.attest({"email": "eve@shop.example"}, session_duration_minutes=30)
    assert isinstance(granted.person, User)
    assert custom(granted) == {"id": granted.person.user_id, "mail": "eve@shop.example"}
    assert (await shop.attest({"email": "eve@shop.example"})).session_jwt == ""


async def test_an_exchanged_session_and_an_added_factor_are_shaped_for_the_target(
    world: World, acme: Organization
) -> None:
    await set_template(world, '{"slug": {{ organization.organization_slug }}}')
    other = await world.add_organization(slug="other")
    ada = {"email": "ada@acme.example", "email_verified": True, "sub": "ada"}
    await world.attest(ada, organization_id="other")
    granted = await world.attest(ada, organization_id=acme.slug)
    assert custom(granted) == {"slug": "acme"}
    again = await world.attest(ada, organization_id=acme.slug, session_token=granted.session_token)
    assert custom(again) == {"slug": "acme"}
    request = ExchangeRequest(organization_id=other.organization_id, session_token=granted.session_token)
    assert custom(await exchange(world.ctx, world.call, request)) == {"slug": "other"}


async def ask(world: World, way: str, claims: dict[str, Any], token: str) -> Granted:
    """A new session, or another JWT of the one that ``token`` opens."""
    if way == "start":
        return await world.attest(claims, organization_id="acme")
    if way == "add a factor":
        return await world.attest(claims, organization_id="acme", session_token=token)
    if way == "authenticate":
        return await world.authenticate(session_token=token, session_duration_minutes=500)
    return await exchange(world.ctx, world.call, ExchangeRequest(organization_id="other", session_token=token))


@pytest.mark.parametrize("way", ["start", "add a factor", "authenticate", "exchange"])
async def test_claims_that_are_too_large_refuse_the_session_before_it_is_written_and_say_so(
    world: World, acme: Organization, way: str
) -> None:
    ada = {"email": "ada@acme.example", "email_verified": True, "sub": "ada"}
    await world.add_organization(slug="other", trusted_metadata={"x": "y" * 3000})
    await world.attest(ada, organization_id="other")
    granted = await world.attest(ada, organization_id=acme.slug)
    assert isinstance(granted.person, Member)
    large = msgspec.structs.replace(granted.person, trusted_metadata={"x": "y" * 3000})
    if way != "exchange":
        await world.ctx.store.write(ReplaceMember(member=large))
    doubled = '"a": "{{ X.trusted_metadata }}{{ X.trusted_metadata }}"'
    both = doubled.replace("X", "member"), doubled.replace("a", "b", 1).replace("X", "organization")
    await set_template(world, f"{{{', '.join(both)}}}")
    before = await world.ctx.store.sessions_alive(int(world.ctx.clock()))
    with pytest.raises(errors.CustomClaimsTooLarge, match=r"template .* bytes") as caught:
        await ask(world, way, ada, granted.session_token)
    assert await world.ctx.store.sessions_alive(int(world.ctx.clock())) == before
    if way in {"start", "add a factor"}:
        attempt = await world.last_attempt()
        assert (attempt.outcome, attempt.code, attempt.reason) == ("refused", caught.value.code, caught.value.message)
    await set_template(world, "{}")
    found = await world.authenticate(session_token=granted.session_token)
    assert found.details is not None
    assert granted.details is not None
    assert found.details.session.expires_at == granted.details.session.expires_at
    assert len(found.details.session.factors) == 1


# ---------------------------------------------------------------- setting them


async def test_a_template_reads_as_it_was_set_and_unset_ones_as_an_empty_object(world: World) -> None:
    by, place = Operator(name="op", request_id="request-1"), where(world)
    content = ' {"a":\t{{member.trusted_metadata.x}} }\n'
    await set_template(world, content, "https://api.example")
    session = JwtTemplate(template_type="SESSION", template_content=content, custom_audience="https://api.example")
    unset = JwtTemplate(template_type="M2M", template_content="{}", custom_audience="")
    for template_type, expected in (("SESSION", session), ("M2M", unset)):
        reference = JwtTemplateRef(**place, jwt_template_type=template_type)  # type: ignore[arg-type] # from a literal
        assert await jwt_templates.get_template(world.ctx, by, reference) == expected
    assert await jwt_templates.list_templates(world.ctx, by, EnvironmentRef(**place)) == (session, unset)
    live = EnvironmentRef(**place | {"environment_slug": "live"})
    assert (await jwt_templates.list_templates(world.ctx, by, live))[0].template_content == "{}"


async def test_templates_of_one_kind_leave_the_other_alone_and_changes_are_audited(world: World) -> None:
    by = Operator(name="op", request_id="request-1")

    async def set_one(template_type: JwtTemplateType, content: str) -> None:
        request = JwtTemplateSet(**where(world), jwt_template_type=template_type, template_content=content)
        await jwt_templates.set_template(world.ctx, by, request)

    await set_one("SESSION", '{"a": 1}')
    await set_one("M2M", '{"b": {{ client.trusted_metadata.x }}}')
    await set_one("SESSION", '{"a": 1}')  # changes nothing, and says nothing
    await set_one("SESSION", '{"a": 2}')
    gone = JwtTemplateRef(**where(world), jwt_template_type="SESSION")
    await jwt_templates.delete_template(world.ctx, by, gone)
    await jwt_templates.delete_template(world.ctx, by, gone)
    found = await jwt_templates.list_templates(world.ctx, by, EnvironmentRef(**where(world)))
    assert [each.template_content for each in found] == ["{}", '{"b": {{ client.trusted_metadata.x }}}']
    events = [each for each in await world.ctx.store.events(world.environment_id, 9) if "jwt_template" in each.action]
    assert [(each.action, each.target, each.actor) for each in events] == [
        ("jwt_template.deleted", "SESSION", "op"),
        ("jwt_template.updated", "SESSION", "op"),
        ("jwt_template.updated", "M2M", "op"),
        ("jwt_template.updated", "SESSION", "op"),
    ]


@pytest.mark.parametrize(
    ("content", "audience", "refusal"),
    [
        ('{"a": {{ user.user_id }}}', "", errors.InvalidJwtTemplate),
        ('{"exp": 1}', "", errors.ReservedClaims),
        ('{"https://stytch.com/session": 1}', "", errors.StytchClaims),
        ("{}", "a\nb", errors.BadRequest),
        ("{}", "a" * 2049, errors.BadRequest),
    ],
)
async def test_a_faulty_template_is_not_stored(
    world: World, content: str, audience: str, refusal: type[errors.Error]
) -> None:
    await set_template(world, '{"a": 1}')
    with pytest.raises(refusal):
        await set_template(world, content, audience)
    found = await jwt_templates.list_templates(world.ctx, OPERATOR, EnvironmentRef(**where(world)))
    assert found[0].template_content == '{"a": 1}'
