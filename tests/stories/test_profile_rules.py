"""What a profile says about its sessions, organizations and people, as attest and exchange keep it (decisions D8)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Member, Session, User, UserName
from assay.store import ReplaceMember, ReplaceProfile, Store
from assay.stories.attest import AttestRequest, attest
from assay.stories.context import Context
from assay.stories.exchange import ExchangeRequest, exchange
from assay.stories.granted import Granted
from assay.stories.sessions import RevokeRequest, revoke
from tests.calls import Clock
from tests.issuer import ABSENT
from tests.records import NOW
from tests.stories.attesting import World, make_world, other_issuer

HOUR = 3600
SCOPED = {"email": "email", "organization_id": "org", "external_member_id": "sub"}


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "b2b")
    await made.add_organization(slug="acme", external_id="icfg_acme")
    return made


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    return await make_world(store, clock, "consumer")


async def log_in(world: World, claims: dict[str, Any] | None = None, **request: Any) -> Granted:
    return await world.attest(claims, **({"organization_id": "acme"} | request))


async def enter(world: World, granted: Granted, organization_id: str, minutes: int | None = None) -> Granted:
    body = ExchangeRequest(
        organization_id=organization_id, session_token=granted.session_token, session_duration_minutes=minutes
    )
    return await exchange(world.ctx, world.call, body)


def session_of(granted: Granted) -> Session:
    assert granted.details is not None
    return granted.details.session


def ends_in(granted: Granted) -> int:
    return session_of(granted).expires_at - NOW


def member_of(granted: Granted) -> Member:
    assert isinstance(granted.person, Member)
    return granted.person


async def change(world: World, profile_id: str = "partner", **fields: Any) -> None:
    profile = await world.ctx.store.profile(world.environment_id, profile_id)
    assert profile is not None
    await world.ctx.store.write(ReplaceProfile(profile=msgspec.structs.replace(profile, **fields)))


async def opens(world: World, **shown: str) -> bool:
    try:
        await world.authenticate(**shown)
    except errors.SessionNotFound:
        return False
    return True


# ---------------------------------------------------------------- session_ends_with_token


async def test_a_session_ends_with_its_token_whatever_is_asked_for(world: World, clock: Clock) -> None:
    await world.add_profile(session_ends_with_token=True)
    usual, longer = await log_in(world), await log_in(world, session_duration_minutes=527_040)
    shorter = await log_in(world, {"exp": NOW + HOUR}, session_duration_minutes=5)
    aged = await log_in(world, {"exp": NOW + HOUR})
    assert [ends_in(one) for one in (usual, longer, shorter, aged)] == [300, 300, 300, HOUR]
    clock.turn(299.9)
    assert await opens(world, session_token=longer.session_token)
    clock.turn(0.1)
    assert not await opens(world, session_token=longer.session_token)


async def test_a_session_ends_when_its_token_is_too_old(world: World) -> None:
    await world.add_profile(session_ends_with_token=True, max_age_seconds=120, require_exp=False)
    assert ends_in(await log_in(world, {"iat": NOW - 20, "exp": ABSENT})) == 100
    assert ends_in(await log_in(world, {"iat": NOW - 20, "exp": NOW + 50})) == 50


@pytest.mark.parametrize(("minutes", "expected"), [(None, 300), (10, 300), (4 * 60, 300)])
async def test_authenticate_never_makes_such_a_session_longer_than_its_token(
    world: World, clock: Clock, minutes: int | None, expected: int
) -> None:
    await world.add_profile(session_ends_with_token=True)
    granted = await log_in(world)
    clock.turn(60)
    again = await world.authenticate(session_token=granted.session_token, session_duration_minutes=minutes)
    assert ends_in(again) == expected
    stored = await world.ctx.store.session(world.environment_id, session_of(granted).number)
    assert stored is not None
    assert stored.session.expires_at - NOW == expected


async def test_authenticate_may_make_it_shorter_and_longer_again_up_to_its_token(world: World) -> None:
    await world.add_profile(session_ends_with_token=True)
    granted = await log_in(world, {"exp": NOW + HOUR})
    shown = {"session_token": granted.session_token}
    assert ends_in(await world.authenticate(**shown, session_duration_minutes=5)) == 300
    assert ends_in(await world.authenticate(**shown, session_duration_minutes=120)) == HOUR


async def two_profiles(world: World, **fields: Any) -> None:
    """One whose tokens do not end sessions, and ``ending`` whose tokens do."""
    await world.add_profile()
    await world.add_profile(profile_id="ending", session_ends_with_token=True, **fields)


@pytest.mark.parametrize(("minutes", "expected"), [(None, 300), (120, 300)])
async def test_a_factor_that_ends_makes_the_session_shorter(world: World, minutes: int | None, expected: int) -> None:
    await two_profiles(world)
    first = await log_in(world, session_duration_minutes=60)
    added = await log_in(
        world, profile_id="ending", session_token=first.session_token, session_duration_minutes=minutes
    )
    assert ends_in(added) == expected
    longer = await world.authenticate(session_token=first.session_token, session_duration_minutes=60)
    assert ends_in(longer) == expected


@pytest.mark.parametrize("profile_id", ["partner", "ending"])
async def test_a_further_factor_never_makes_the_session_longer_by_itself(world: World, profile_id: str) -> None:
    await two_profiles(world)
    first = await log_in(world, profile_id="ending")
    added = await log_in(world, {"exp": NOW + HOUR}, profile_id=profile_id, session_token=first.session_token)
    assert ends_in(added) == 300
    assert ends_in(await world.authenticate(session_token=first.session_token, session_duration_minutes=60)) == 300


async def test_the_same_token_id_in_a_younger_token_lets_the_session_be_longer(world: World, clock: Clock) -> None:
    await world.add_profile(session_ends_with_token=True)
    first = await log_in(world, {"jti": "t1"})
    clock.turn(120)
    again = await log_in(world, {"jti": "t1"}, session_token=first.session_token)
    assert ends_in(again) == 300
    longer = await world.authenticate(session_token=first.session_token, session_duration_minutes=60)
    assert ends_in(longer) == 120 + 300


async def test_an_exchanged_session_ends_with_the_token_too(world: World) -> None:
    await world.add_profile(session_ends_with_token=True)
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    entered = await enter(world, granted, "beta", 120)
    assert ends_in(entered) == 300
    assert ends_in(await world.authenticate(session_token=entered.session_token, session_duration_minutes=60)) == 300


@pytest.mark.parametrize(("expires", "granted"), [(NOW + 1, True), (NOW + 0.5, False), (NOW, False), (NOW - 29, False)])
async def test_a_token_in_its_leeway_starts_no_session_that_would_be_over(
    world: World, expires: float, granted: bool
) -> None:
    await world.add_profile(session_ends_with_token=True)
    await world.add_profile(profile_id="plain")
    claims = {"iat": NOW - 60, "exp": expires}
    assert await log_in(world, claims, profile_id="plain")
    if granted:
        assert ends_in(await log_in(world, claims)) == 1
        return
    with pytest.raises(errors.JwtInvalidClaims):
        await log_in(world, claims)
    assert (await world.last_attempt()).details["step"] == "session"


# ---------------------------------------------------------------- rotate_session_token


async def test_without_rotation_the_session_keeps_its_token(world: World) -> None:
    await world.add_profile()
    first = await log_in(world)
    assert (await log_in(world, session_token=first.session_token)).session_token == first.session_token


@pytest.mark.parametrize("shown", ["session_token", "session_jwt"])
async def test_with_rotation_the_old_token_and_jwt_open_nothing(world: World, shown: str) -> None:
    await world.add_profile(rotate_session_token=True)
    first = await log_in(world, {"jti": "t1"})
    second = await log_in(world, {"jti": "t2"}, **{shown: getattr(first, shown)})
    assert first.details is not None
    assert second.details is not None
    assert second.details.session_id == first.details.session_id
    assert second.session_token != first.session_token
    assert not await opens(world, session_token=first.session_token)
    assert not await opens(world, session_jwt=first.session_jwt)
    for kind in ("session_token", "session_jwt"):
        again = await world.authenticate(**{kind: getattr(second, kind)})
        assert again.session_token == second.session_token
        assert [factor.token_id for factor in session_of(again).factors] == ["t1", "t2"]
    with pytest.raises(errors.SessionNotFound):
        await log_in(world, session_token=first.session_token)


@pytest.mark.parametrize("shown", ["session_token", "session_jwt"])
async def test_the_old_token_revokes_nothing_and_the_new_one_does(world: World, shown: str) -> None:
    await world.add_profile(rotate_session_token=True)
    first = await log_in(world)
    second = await log_in(world, session_token=first.session_token)
    await revoke(world.ctx, world.call, RevokeRequest(**{shown: getattr(first, shown)}))
    assert await opens(world, session_token=second.session_token)
    await revoke(world.ctx, world.call, RevokeRequest(**{shown: getattr(second, shown)}))
    assert not await opens(world, session_token=second.session_token)


async def test_the_id_of_a_session_outlives_its_tokens(world: World) -> None:
    await world.add_profile(rotate_session_token=True)
    first = await log_in(world)
    second = await log_in(world, session_token=first.session_token)
    assert first.details is not None
    await revoke(world.ctx, world.call, RevokeRequest(member_session_id=first.details.session_id))
    assert not await opens(world, session_token=second.session_token)


async def test_of_two_rotations_at_once_the_second_is_refused(world: World) -> None:
    """Its session token is one of before, by the time it is its turn."""
    await world.add_profile(rotate_session_token=True)
    first = await log_in(world)
    outcomes = await asyncio.gather(
        *(log_in(world, session_token=first.session_token) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Granted", "SessionNotFound"]
    [second] = [one for one in outcomes if isinstance(one, Granted)]
    assert await opens(world, session_token=second.session_token)


async def test_users_sessions_rotate_alike(shop: World) -> None:
    await shop.add_profile(rotate_session_token=True)
    first = await shop.attest(session_duration_minutes=30)
    second = await shop.attest(session_token=first.session_token)
    assert [await opens(shop, session_token=one.session_token) for one in (first, second)] == [False, True]


# ---------------------------------------------------------------- enabled


async def test_a_disabled_profile_is_as_unknown_and_its_sessions_live_on(world: World) -> None:
    await world.add_profile()
    granted = await log_in(world)
    await change(world, enabled=False)
    with pytest.raises(errors.TrustedTokenProfileNotFound) as disabled:
        await log_in(world)
    assert (await world.last_attempt()).reason == "the profile is disabled"
    with pytest.raises(errors.TrustedTokenProfileNotFound) as unknown:
        await log_in(world, profile_id="nothing")
    assert (disabled.value.code, disabled.value.message) == (unknown.value.code, unknown.value.message)
    assert await opens(world, session_token=granted.session_token)
    await change(world, enabled=True)
    assert await log_in(world)


async def test_factors_of_a_disabled_profile_carry_nowhere(world: World) -> None:
    await world.add_profile()
    other = other_issuer()
    await world.add_profile(other, profile_id="other", attribute_mapping={"email": "email"})
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    both = await log_in(world, issuer=other, profile_id="other", session_token=granted.session_token)
    await change(world, enabled=False)
    entered = await enter(world, both, "beta")
    assert [factor.profile_id for factor in session_of(entered).factors] == ["other"]
    await change(world, "other", enabled=False)
    with pytest.raises(errors.InsufficientFactorsForSessionExchange):
        await enter(world, both, "beta")


class Meddling:
    """A store that lets an operator change the profile just before the write that starts a session."""

    def __init__(self, world: World, **fields: Any) -> None:
        self._world = world
        self._fields = fields
        self.store = world.ctx.store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, write: Any) -> None:
        fields, self._fields = self._fields, {}
        if fields:
            await change(self._world, **fields)
        await self.store.write(write)


def meddled(world: World, **fields: Any) -> Context:
    store: Any = Meddling(world, **fields)
    return msgspec.structs.replace(world.ctx, store=store)


@pytest.mark.parametrize("minutes", [None, 30])
async def test_a_profile_that_is_disabled_under_way_grants_nothing(shop: World, minutes: int | None) -> None:
    """Also where no session is started: the answer alone tells the caller that somebody is logged in."""
    await shop.add_profile(can_jit_provision=False)
    await shop.add_user(email="ada@example.com", external_id="subject-1")
    ctx = meddled(shop, enabled=False)
    request = AttestRequest(profile_id="partner", token=shop.token(), session_duration_minutes=minutes)
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await attest(ctx, shop.call, request)
    assert (await shop.last_attempt()).outcome == "refused"


async def test_a_profile_that_is_disabled_while_a_factor_is_added_adds_none(world: World) -> None:
    await world.add_profile()
    first = await log_in(world, {"jti": "t1"})
    request = AttestRequest(
        profile_id="partner", token=world.token(), organization_id="acme", session_token=first.session_token
    )
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await attest(meddled(world, enabled=False), world.call, request)
    assert len(session_of(await world.authenticate(session_token=first.session_token)).factors) == 1


@pytest.mark.parametrize("fields", [{"enabled": False}, {"organizations": ("elsewhere",)}])
async def test_a_profile_that_changes_while_its_factor_is_exchanged_carries_nowhere(
    world: World, fields: dict[str, Any]
) -> None:
    await world.add_profile()
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    body = ExchangeRequest(organization_id="beta", session_token=granted.session_token)
    with pytest.raises(errors.InsufficientFactorsForSessionExchange):
        await exchange(meddled(world, **fields), world.call, body)


# ---------------------------------------------------------------- organizations


@pytest.mark.parametrize("listed", ["organization id", "external id"])
async def test_a_profile_is_for_the_organizations_of_its_list(world: World, listed: str) -> None:
    acme = await world.ctx.store.organization(world.environment_id, "icfg_acme", by_slug=False)
    assert acme is not None
    await world.add_organization(slug="beta", external_id="icfg_beta")
    allowed = acme.organization_id if listed == "organization id" else "icfg_acme"
    await world.add_profile(organizations=("elsewhere", allowed), attribute_mapping=SCOPED)
    for claims, request in (({}, "acme"), ({}, acme.organization_id), ({"org": "icfg_acme"}, None)):
        assert (await world.attest(claims, organization_id=request)).organization == acme
    for claims, request in (({}, "beta"), ({"org": "icfg_beta"}, None), ({"org": "icfg_beta"}, "beta")):
        with pytest.raises(errors.InvalidTokenOrganizationIdClaim):
            await world.attest(claims, organization_id=request)
        assert (await world.last_attempt()).reason == "the profile is not for this organization"


async def test_a_slug_in_the_list_names_nobody(world: World) -> None:
    """An organization can change its slug itself."""
    await world.add_profile(organizations=("acme",))
    with pytest.raises(errors.InvalidTokenOrganizationIdClaim):
        await log_in(world)


async def test_an_organization_outside_the_list_is_not_made_just_in_time(world: World) -> None:
    await world.add_profile(organizations=("icfg_acme", "icfg_new"), attribute_mapping=SCOPED)
    with pytest.raises(errors.InvalidTokenOrganizationIdClaim):
        await world.attest({"org": "icfg_other"})
    assert await world.ctx.store.organization(world.environment_id, "icfg_other", by_slug=False) is None
    made = (await world.attest({"org": "icfg_new"})).organization
    assert made is not None
    assert made.external_id == "icfg_new"


async def test_a_factor_is_not_carried_where_its_profile_is_not_for(world: World) -> None:
    await world.add_profile(organizations=("icfg_acme",))
    other = other_issuer()
    await world.add_profile(other, profile_id="other", attribute_mapping={"email": "email"})
    beta = await world.add_organization(slug="beta")
    await world.add_member(beta, email="ada@example.com")
    granted = await log_in(world, {"email_verified": True})
    with pytest.raises(errors.InsufficientFactorsForSessionExchange):
        await enter(world, granted, "beta")
    both = await log_in(world, issuer=other, profile_id="other", session_token=granted.session_token)
    entered = await enter(world, both, "beta")
    assert [factor.profile_id for factor in session_of(entered).factors] == ["other"]


# ---------------------------------------------------------------- trust_email


async def test_an_issuer_that_is_not_trusted_with_mail_neither_links_nor_makes_by_saying_nothing(world: World) -> None:
    await world.add_profile(trust_email=False)
    acme = await world.ctx.store.organization(world.environment_id, "icfg_acme", by_slug=False)
    assert acme is not None
    ada = await world.add_member(acme, email="ada@example.com")
    for email in ("ada@example.com", "new@example.com"):
        for claims in ({}, {"email_verified": False}, {"email_verified": "yes"}, {"email_verified": None}):
            with pytest.raises(errors.TrustedAuthTokenEmailNotVerified):
                await log_in(world, {"email": email, **claims})
    assert await world.ctx.store.member_count(world.environment_id, acme.organization_id) == 1
    assert await world.ctx.store.member_by_id(world.environment_id, ada.member_id) == ada
    linked = await log_in(world, {"email": "ada@example.com", "email_verified": True})
    assert member_of(linked).member_id == ada.member_id


async def test_whom_the_external_id_names_logs_in_without_trusted_mail(world: World) -> None:
    await world.add_profile(trust_email=False)
    acme = await world.ctx.store.organization(world.environment_id, "icfg_acme", by_slug=False)
    assert acme is not None
    ada = await world.add_member(acme, email="ada@example.com", external_id="subject-1")
    eve = await world.add_member(acme, email="eve@example.com")
    granted = await log_in(world, {"email": "eve@example.com"})
    assert member_of(granted).member_id == ada.member_id
    assert await world.ctx.store.member_by_id(world.environment_id, eve.member_id) == eve


# ---------------------------------------------------------------- name and trusted_metadata

TELLING: dict[str, Any] = {
    "email": "email",
    "name": "name",
    "trusted_metadata.plan": "plan",
    "trusted_metadata.team": "/team/id",
    "trusted_metadata.tier": {"from": "tier", "default": "free"},
}


async def test_a_member_made_just_in_time_has_name_and_metadata_of_its_token(world: World) -> None:
    await world.add_profile(attribute_mapping=TELLING)
    claims = {"name": " Ada Lovelace ", "plan": {"seats": [1, 2]}, "team": {"id": 7}}
    ada = member_of(await log_in(world, claims))
    assert ada.name == "Ada Lovelace"
    assert ada.trusted_metadata == {"plan": {"seats": [1, 2]}, "team": 7, "tier": "free"}
    assert await world.ctx.store.member_by_id(world.environment_id, ada.member_id) == ada


async def test_a_user_made_just_in_time_has_name_and_metadata_of_its_token(shop: World) -> None:
    await shop.add_profile(attribute_mapping=TELLING)
    made = (await shop.attest({"name": "Ada King Lovelace", "plan": "pro"})).person
    assert isinstance(made, User)
    assert made.name == UserName(first_name="Ada", last_name="King Lovelace")
    assert made.trusted_metadata == {"plan": "pro", "tier": "free"}
    again = (await shop.attest({"name": "Countess", "plan": "free"})).person
    assert isinstance(again, User)
    assert again.name == made.name
    assert again.trusted_metadata == {"plan": "free", "tier": "free"}


async def test_a_name_is_taken_only_where_there_is_none(world: World) -> None:
    await world.add_profile(attribute_mapping=TELLING)
    for claims, name in (({}, ""), ({"name": "  "}, ""), ({"name": "Ada"}, "Ada"), ({"name": "Eve"}, "Ada")):
        assert (member_of(await log_in(world, claims)).name or "") == name
    assert "name taken from the token" not in (await world.last_attempt()).details.get("notes", [])


async def test_metadata_follows_the_token_at_each_attest(world: World) -> None:
    """What the token has no longer goes; keys that are not mapped stay as they were set."""
    await world.add_profile(attribute_mapping=TELLING)
    ada = member_of(await log_in(world, {"plan": "pro", "team": {"id": 7}, "tier": "gold"}))
    theirs = {**ada.trusted_metadata, "ours": True}
    await world.ctx.store.write(ReplaceMember(member=msgspec.structs.replace(ada, trusted_metadata=theirs)))
    for claims, expected in (
        ({"plan": "pro", "team": {"id": 7}, "tier": "gold"}, {"plan": "pro", "team": 7, "tier": "gold"}),
        ({"plan": "team", "team": {"id": None}}, {"plan": "team", "tier": "free"}),
        ({"plan": None, "team": {"id": 0}}, {"team": 0, "tier": "free"}),
        ({}, {"tier": "free"}),
    ):
        assert member_of(await log_in(world, claims)).trusted_metadata == expected | {"ours": True}
    updates = len(await world.events("member.updated"))
    await log_in(world, {})
    assert len(await world.events("member.updated")) == updates


async def test_metadata_that_does_not_fit_refuses_the_token(world: World) -> None:
    await world.add_profile(attribute_mapping=TELLING)
    with pytest.raises(errors.JwtInvalidClaims):
        await log_in(world, {"plan": "x" * 4096})
    assert (await world.last_attempt()).reason.startswith("the mapped trusted_metadata does not fit")
    ada = member_of(await log_in(world, {"plan": "pro"}))
    full = {f"k{number}": 1 for number in range(18)}
    await world.ctx.store.write(ReplaceMember(member=msgspec.structs.replace(ada, trusted_metadata=full)))
    assert await log_in(world, {"plan": "pro"})
    with pytest.raises(errors.JwtInvalidClaims):
        await log_in(world, {"plan": "pro", "team": {"id": 1}})
    stored = await world.ctx.store.member_by_id(world.environment_id, ada.member_id)
    assert stored is not None
    assert stored.trusted_metadata == full | {"plan": "pro", "tier": "free"}
