"""Authenticate, list, revoke and exchange."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Member, OrganizationSettings
from assay.store import DeleteProfile, ReplaceMember, RevokeSecret, Store
from assay.stories import sessions
from assay.stories.context import Actor
from assay.stories.exchange import ExchangeRequest, exchange
from assay.stories.granted import Granted, SessionDetails
from assay.stories.sessions import AuthorizationCheck, MemberSessionsRequest, RevokeRequest, UserSessionsRequest
from tests import records
from tests.calls import Clock
from tests.issuer import make_key, sign
from tests.stories.attesting import World, make_world, other_issuer


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "b2b")
    await made.add_profile()
    await made.add_organization(slug="acme", external_id="acme|1")
    return made


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "consumer")
    await made.add_profile()
    return made


async def log_in(world: World, claims: dict[str, Any] | None = None, **request: Any) -> Granted:
    return await world.attest(claims, **({"organization_id": "acme"} | request))


async def revoke(world: World, actor: Actor | None = None, **request: Any) -> None:
    await sessions.revoke(world.ctx, msgspec.structs.replace(world.call, actor=actor), RevokeRequest(**request))


def details_of(granted: Granted) -> SessionDetails:
    assert granted.details is not None
    return granted.details


def member_of(granted: Granted) -> Member:
    assert isinstance(granted.person, Member)
    return granted.person


# ---------------------------------------------------------------- authenticate


async def test_a_mere_authenticate_moves_only_the_last_access(world: World, clock: Clock) -> None:
    before = details_of(await log_in(world)).session
    granted = await log_in(world)
    clock.turn(90)
    after = details_of(await world.authenticate(session_token=granted.session_token)).session
    started = details_of(granted).session
    assert after.last_accessed_at == started.last_accessed_at + 90
    assert msgspec.structs.replace(after, last_accessed_at=0) == msgspec.structs.replace(started, last_accessed_at=0)
    assert before.number != after.number
    await world.ctx.last_access.keep(world.ctx.store.write)
    stored = await world.ctx.store.session(world.environment_id, after.number)
    assert stored is not None
    assert stored.session == after


async def test_an_expired_jwt_still_opens_its_live_session(world: World, clock: Clock) -> None:
    granted = await log_in(world)
    clock.turn(3000)
    again = await world.authenticate(session_jwt=granted.session_jwt)
    assert again.session_token == granted.session_token
    assert again.session_jwt != granted.session_jwt


async def test_a_duration_moves_the_end_and_claims_merge(world: World, clock: Clock) -> None:
    granted = await log_in(world, session_custom_claims={"a": {"x": 1}})
    clock.turn(100)
    again = await world.authenticate(
        session_token=granted.session_token, session_duration_minutes=120, session_custom_claims={"a": {"y": 2}}
    )
    assert details_of(again).session.expires_at == int(clock.now) + 7200
    assert details_of(again).session.custom_claims == {"a": {"x": 1, "y": 2}}
    [event] = await world.events("session.changed")
    assert event.details == {"changed": ["duration", "claims"]}


async def test_claims_of_many_at_once_all_stay(world: World) -> None:
    granted = await log_in(world)
    await asyncio.gather(
        *(
            world.authenticate(session_token=granted.session_token, session_custom_claims={f"k{number}": number})
            for number in range(8)
        )
    )
    last = await world.authenticate(session_token=granted.session_token)
    assert details_of(last).session.custom_claims == {f"k{number}": number for number in range(8)}


@pytest.mark.parametrize(("turned", "alive"), [(299.9, True), (300, False)])
async def test_a_session_ends_to_the_second(world: World, clock: Clock, turned: float, alive: bool) -> None:
    granted = await log_in(world, session_duration_minutes=5)
    clock.turn(turned)
    if alive:
        assert await world.authenticate(session_token=granted.session_token)
    else:
        with pytest.raises(errors.SessionNotFound):
            await world.authenticate(session_token=granted.session_token)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({}, errors.NoSessionArguments),
        ({"session_token": ""}, errors.NoSessionArguments),
        ({"session_token": "a" * 44, "session_jwt": "a.b.c"}, errors.TooManySessionArguments),
        ({"session_token": "short"}, errors.InvalidSessionToken),
        ({"session_token": "A" * 44}, errors.SessionNotFound),
        ({"session_jwt": "a.b.c"}, errors.UnableToParseSessionJwt),
        ({"session_token": "A" * 44, "session_duration_minutes": 1}, errors.InvalidSessionDurationMinutes),
    ],
)
async def test_what_opens_nothing_is_refused(
    world: World, request_: dict[str, Any], refusal: type[errors.Error]
) -> None:
    with pytest.raises(refusal):
        await world.authenticate(**request_)


async def test_a_token_with_one_other_character_opens_nothing(world: World) -> None:
    token = (await log_in(world)).session_token
    other = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    with pytest.raises(errors.SessionNotFound):
        await world.authenticate(session_token=other)


async def test_another_environments_token_and_jwt_open_nothing_here(world: World, shop: World) -> None:
    foreign = await shop.attest(session_duration_minutes=30)
    with pytest.raises(errors.SessionNotFound):
        await world.authenticate(session_token=foreign.session_token)
    with pytest.raises(errors.UnableToParseSessionJwt):
        await world.authenticate(session_jwt=foreign.session_jwt)


async def test_a_jwt_signed_by_somebody_else_is_not_ours(world: World) -> None:
    granted = await log_in(world)
    header, payload, _ = granted.session_jwt.split(".")
    forged = sign(_decode(header), _decode(payload), "RS256", make_key("RSA").private_key)
    with pytest.raises(errors.UnableToParseSessionJwt):
        await world.authenticate(session_jwt=forged)


async def test_our_own_session_jwt_is_no_trusted_token_by_itself(world: World) -> None:
    granted = await log_in(world)
    with pytest.raises(errors.Error):
        await world.attest(token=granted.session_jwt, organization_id="acme")


async def test_a_jwt_of_an_older_issuer_lives_its_five_minutes(world: World, clock: Clock) -> None:
    granted = await log_in(world)
    moved = msgspec.structs.replace(
        world.ctx, settings=msgspec.structs.replace(world.ctx.settings, public_url="https://assay.example")
    )
    world.ctx = moved
    renewed = await world.authenticate(session_jwt=granted.session_jwt)
    clock.turn(300)
    with pytest.raises(errors.UnableToParseSessionJwt):
        await world.authenticate(session_jwt=granted.session_jwt)
    assert (await world.authenticate(session_jwt=renewed.session_jwt)).session_token == granted.session_token


async def test_a_deleted_member_has_no_session(world: World) -> None:
    granted = await log_in(world)
    gone = msgspec.structs.replace(member_of(granted), status="deleted")
    await world.ctx.store.write(ReplaceMember(member=gone))
    with pytest.raises(errors.SessionNotFound):
        await world.authenticate(session_token=granted.session_token)


async def test_a_revoked_secret_no_longer_changes_sessions(world: World) -> None:
    granted = await log_in(world)
    secret = world.call.caller.secret
    await world.ctx.store.write(
        RevokeSecret(environment_id=world.environment_id, secret_id=secret.secret_id, revoked_at=records.NOW)
    )
    with pytest.raises(errors.UnauthorizedCredentials):
        await world.authenticate(session_token=granted.session_token, session_duration_minutes=60)


# ---------------------------------------------------------------- authorization


async def test_an_authorization_check_names_the_granting_roles(world: World) -> None:
    granted = await log_in(world)
    assert granted.organization is not None
    for organization_id in (granted.organization.organization_id, "acme", "acme|1"):
        check = AuthorizationCheck(organization_id=organization_id, resource_id="stytch.self", action="delete")
        answer = await world.authenticate(session_token=granted.session_token, authorization_check=check)
        assert answer.granting_roles == ("stytch_member",)


@pytest.mark.parametrize(
    ("check", "refusal"),
    [
        (
            {"organization_id": "acme", "resource_id": "stytch.member", "action": "create"},
            errors.SessionAuthorizationError,
        ),
        (
            {"organization_id": "beta", "resource_id": "stytch.self", "action": "delete"},
            errors.SessionAuthorizationTenancyError,
        ),
        ({"resource_id": "stytch.self", "action": "delete"}, errors.BadRequest),
    ],
)
async def test_a_failed_check_refuses_and_changes_nothing(
    world: World, check: dict[str, Any], refusal: type[errors.Error], clock: Clock
) -> None:
    granted = await log_in(world)
    clock.turn(60)
    with pytest.raises(refusal):
        await world.authenticate(
            session_token=granted.session_token,
            session_duration_minutes=600,
            authorization_check=AuthorizationCheck(**check),
        )
    stored = await world.ctx.store.session(world.environment_id, details_of(granted).session.number)
    assert stored is not None
    assert stored.session == details_of(granted).session


async def test_consumers_are_checked_alike(shop: World) -> None:
    granted = await shop.attest(session_duration_minutes=30)
    allowed = AuthorizationCheck(resource_id="stytch.self", action="delete")
    answer = await shop.authenticate(session_token=granted.session_token, authorization_check=allowed)
    assert answer.granting_roles == ("stytch_user",)
    refused = AuthorizationCheck(resource_id="documents", action="read")
    with pytest.raises(errors.ConsumerSessionAuthorizationError):
        await shop.authenticate(session_token=granted.session_token, authorization_check=refused)


# ---------------------------------------------------------------- list and revoke


async def test_live_sessions_are_listed(world: World, clock: Clock) -> None:
    first = await log_in(world, session_duration_minutes=5)
    clock.turn(1)
    second = await log_in(world)
    request = MemberSessionsRequest(organization_id="acme", member_id="subject-1")
    listed = await sessions.member_sessions(world.ctx, world.call, request)
    assert [found.session_id for found in listed] == [details_of(first).session_id, details_of(second).session_id]
    clock.turn(299)
    [left] = await sessions.member_sessions(world.ctx, world.call, request)
    assert left.session_id == details_of(second).session_id


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({"organization_id": "acme", "member_id": "nobody"}, errors.MemberNotFound),
        ({"organization_id": "nothing", "member_id": "subject-1"}, errors.OrganizationNotFound),
    ],
)
async def test_sessions_of_nobody_are_not_found(
    world: World, request_: dict[str, str], refusal: type[errors.Error]
) -> None:
    with pytest.raises(refusal):
        await sessions.member_sessions(world.ctx, world.call, MemberSessionsRequest(**request_))


async def test_sessions_of_a_user_are_listed_by_external_id(shop: World) -> None:
    granted = await shop.attest({"sub": "u-1"}, session_duration_minutes=30)
    [found] = await sessions.user_sessions(shop.ctx, shop.call, UserSessionsRequest(user_id="u-1"))
    assert found.session_id == details_of(granted).session_id
    with pytest.raises(errors.UserNotFound):
        await sessions.user_sessions(shop.ctx, shop.call, UserSessionsRequest(user_id="u-2"))


@pytest.mark.parametrize("by", ["session_token", "session_jwt", "member_session_id", "member_id", "external_id"])
async def test_a_revoked_session_opens_nothing(world: World, by: str) -> None:
    granted, other = await log_in(world), await log_in(world, {"sub": "u-2", "email": "ben@example.com"})
    name = {
        "session_token": granted.session_token,
        "session_jwt": granted.session_jwt,
        "member_session_id": details_of(granted).session_id,
        "member_id": member_of(granted).member_id,
        "external_id": "subject-1",
    }[by]
    await revoke(world, None, **{"member_id" if by == "external_id" else by: name})
    for opener in ({"session_token": granted.session_token}, {"session_jwt": granted.session_jwt}):
        with pytest.raises(errors.SessionNotFound):
            await world.authenticate(**opener)
    with pytest.raises(errors.SessionNotFound):
        await log_in(world, session_token=granted.session_token)
    assert await world.authenticate(session_token=other.session_token)
    assert len(await world.events("session.revoked") + await world.events("member.sessions_revoked")) == 1


async def test_an_external_id_of_two_organizations_names_nobody_in_particular(world: World) -> None:
    await world.add_organization(slug="beta")
    granted = await log_in(world)
    await log_in(world, organization_id="beta")
    with pytest.raises(errors.BadRequest):
        await revoke(world, member_id="subject-1")
    assert await world.authenticate(session_token=granted.session_token)


async def test_a_consumer_session_is_revoked_by_its_id(shop: World) -> None:
    granted = await shop.attest(session_duration_minutes=30)
    await revoke(shop, session_id=details_of(granted).session_id)
    with pytest.raises(errors.SessionNotFound):
        await shop.authenticate(session_token=granted.session_token)


async def test_revoking_what_is_over_changes_nothing(world: World, clock: Clock) -> None:
    granted = await log_in(world, session_duration_minutes=5)
    clock.turn(300)
    await revoke(world, session_token=granted.session_token)
    await revoke(world, session_token="A" * 44)
    await revoke(world, session_token=granted.session_token)
    assert await world.events("session.revoked") == []


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({}, errors.NoSessionRevokeArguments),
        ({"session_token": "A" * 44, "member_id": "x"}, errors.TooManySessionRevokeArguments),
        ({"session_token": "short"}, errors.InvalidSessionToken),
        ({"member_session_id": "short"}, errors.InvalidSessionId),
        ({"session_jwt": "short"}, errors.UnableToParseSessionJwt),
        ({"member_id": "member-test-unknown"}, errors.MemberNotFound),
    ],
)
async def test_a_revoke_that_names_nothing_is_refused(
    world: World, request_: dict[str, str], refusal: type[errors.Error]
) -> None:
    with pytest.raises(refusal):
        await revoke(world, None, **request_)


async def test_an_id_of_another_tail_revokes_nothing(world: World) -> None:
    """The number in an id can be counted, so the whole id must match."""
    granted = await log_in(world)
    name = details_of(granted).session_id
    await revoke(world, member_session_id=name[:-1] + ("0" if name[-1] != "0" else "1"))
    assert await world.authenticate(session_token=granted.session_token)


async def test_a_revoke_that_was_first_beats_an_authenticate(world: World) -> None:
    granted = await log_in(world)
    outcomes = await asyncio.gather(
        revoke(world, session_token=granted.session_token),
        *(world.authenticate(session_token=granted.session_token, session_duration_minutes=60) for _ in range(4)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, errors.SessionNotFound) for outcome in outcomes[1:])


async def test_members_revoke_their_own_sessions_only(world: World) -> None:
    ada, ben = await log_in(world), await log_in(world, {"sub": "u-2", "email": "ben@example.com"})
    actor = await sessions.actor_of(world.ctx, world.call, ada.session_token, None)
    with pytest.raises(errors.SessionAuthorizationError):
        await revoke(world, actor, session_token=ben.session_token)
    await revoke(world, actor, session_token=ada.session_token)
    with pytest.raises(errors.SessionNotFound):
        await sessions.actor_of(world.ctx, world.call, ada.session_token, None)


# ---------------------------------------------------------------- exchange


async def exchange_into(world: World, granted: Granted, organization_id: str, **request: Any) -> Granted:
    body = ExchangeRequest(organization_id=organization_id, session_token=granted.session_token, **request)
    return await exchange(world.ctx, world.call, body)


async def test_a_member_enters_another_organization_by_its_verified_address(world: World) -> None:
    beta = await world.add_organization(slug="beta")
    twin = await world.add_member(beta, email="ada@example.com", status="invited")
    granted = await log_in(world, {"email_verified": True, "jti": "t1"})
    entered = await exchange_into(world, granted, "beta", session_duration_minutes=10)
    assert member_of(entered).member_id == twin.member_id
    assert member_of(entered).status == "active"
    assert entered.organization == beta
    assert [factor.token_id for factor in details_of(entered).session.factors] == ["t1"]
    assert entered.session_token != granted.session_token
    assert await world.authenticate(session_token=granted.session_token)
    assert await world.authenticate(session_token=entered.session_token)


async def test_a_revoked_secret_enters_nowhere(world: World) -> None:
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    secret = world.call.caller.secret
    await world.ctx.store.write(
        RevokeSecret(environment_id=world.environment_id, secret_id=secret.secret_id, revoked_at=records.NOW)
    )
    with pytest.raises(errors.UnauthorizedCredentials):
        await exchange_into(world, granted, "beta")


async def test_an_unverified_address_enters_nowhere(world: World) -> None:
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    with pytest.raises(errors.MemberHasNoVerifiedEmail):
        await exchange_into(world, await log_in(world), "beta")


@pytest.mark.parametrize(
    ("target", "refusal"), [("beta", errors.MemberNotFound), ("nothing", errors.OrganizationNotFound)]
)
async def test_nobody_enters_where_they_are_not_known(world: World, target: str, refusal: type[errors.Error]) -> None:
    await world.add_organization(slug="beta")
    with pytest.raises(refusal):
        await exchange_into(world, await log_in(world, {"email_verified": True}), target)


async def test_factors_of_a_deleted_profile_carry_nowhere(world: World) -> None:
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    await world.ctx.store.write(DeleteProfile(environment_id=world.environment_id, profile_id="partner"))
    with pytest.raises(errors.InsufficientFactorsForSessionExchange):
        await exchange_into(world, granted, "beta")


async def test_multi_factor_of_the_target_takes_factors_of_two_profiles(world: World) -> None:
    device = other_issuer()
    await world.add_profile(device, profile_id="device", attribute_mapping={"email": "email"})
    beta = await world.add_organization(slug="beta", settings=OrganizationSettings(mfa_policy="REQUIRED_FOR_ALL"))
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    with pytest.raises(errors.InsufficientFactors):
        await exchange_into(world, granted, "beta")
    stronger = await world.attest(
        issuer=device, profile_id="device", organization_id="acme", session_token=granted.session_token
    )
    assert await exchange_into(world, stronger, "beta")


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
