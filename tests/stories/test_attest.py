"""Attest, story by story: who it is, what the session holds, and what the records say."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import msgspec
import pytest

from assay import errors, ids
from assay.key_sources import InlineJwksSource, KeySource, ProjectSource
from assay.keys.minting import rsa_jwk
from assay.model import Member, OrganizationSettings, Session, User
from assay.store import DeleteProfile, ReplaceOrganization, ReplaceProfile, RevokeSecret, Store
from assay.stories.attest import AttestRequest, attest
from assay.stories.granted import Granted
from tests import records
from tests.calls import Clock
from tests.issuer import ABSENT
from tests.stories.attesting import World, make_world, other_issuer


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    return await make_world(store, clock, "b2b")


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    return await make_world(store, clock, "consumer")


def session_of(granted: Granted) -> Session:
    assert granted.details is not None
    return granted.details.session


def member_of(granted: Granted) -> Member:
    assert isinstance(granted.person, Member)
    return granted.person


# ---------------------------------------------------------------- the session


async def test_a_token_becomes_a_session_of_an_hour(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    granted = await world.attest({"jti": "t1"}, organization_id=acme.organization_id)
    session = session_of(granted)
    assert session.expires_at - session.started_at == 3600
    assert [(factor.profile_id, factor.token_id) for factor in session.factors] == [("partner", "t1")]
    assert granted.organization == acme
    assert (await world.authenticate(session_token=granted.session_token)).person == granted.person


async def test_the_session_jwt_says_what_the_contract_says(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    granted = await world.attest(
        {"jti": "t1"}, organization_id=acme.slug, session_custom_claims={"plan": {"tier": "pro"}}
    )
    now = int(world.ctx.clock())
    claims = jwt.decode(granted.session_jwt, options={"verify_signature": False})
    assert jwt.get_unverified_header(granted.session_jwt)["typ"] == "JWT"
    assert claims["iss"] == f"stytch.com/{world.environment_id}"
    assert claims["aud"] == [world.environment_id]
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (now, now, now + 300)
    assert claims["sub"] == member_of(granted).member_id
    assert claims["plan"] == {"tier": "pro"}
    assert claims["https://stytch.com/organization"] == {"organization_id": acme.organization_id, "slug": acme.slug}
    about = claims["https://stytch.com/session"]
    assert granted.details is not None
    assert about["id"] == granted.details.session_id
    assert about["roles"] == ["stytch_member"]
    assert about["authentication_factors"][0]["trusted_auth_token_factor"] == {"token_id": "t1"}


async def test_neither_store_nor_records_hold_the_token(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    token = world.token()
    granted = await world.attest(organization_id=acme.slug, token=token)
    kept = repr(
        [
            await world.ctx.store.session(world.environment_id, session_of(granted).number),
            await world.ctx.store.attempts(world.environment_id, 10),
            await world.ctx.store.events(world.environment_id, 10),
        ]
    )
    assert granted.session_token not in kept
    assert token.rsplit(".", 1)[1] not in kept
    assert token not in kept


async def test_a_second_token_becomes_one_more_factor(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    first = await world.attest({"jti": "t1"}, organization_id=acme.slug, session_custom_claims={"a": {"x": 1, "y": 2}})
    second = await world.attest(
        {"jti": "t2"},
        organization_id=acme.slug,
        session_token=first.session_token,
        session_custom_claims={"a": {"x": None, "z": 3}},
    )
    assert second.session_token == first.session_token
    assert [factor.token_id for factor in session_of(second).factors] == ["t1", "t2"]
    assert session_of(second).custom_claims == {"a": {"y": 2, "z": 3}}
    assert session_of(second).expires_at == session_of(first).expires_at
    stored = await world.ctx.store.session(world.environment_id, session_of(first).number)
    assert stored is not None
    assert stored.session == session_of(second)


async def test_the_session_passed_in_may_be_named_by_its_jwt(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    first = await world.attest(organization_id=acme.slug)
    second = await world.attest(organization_id=acme.slug, session_jwt=first.session_jwt, session_duration_minutes=5)
    assert second.session_token == first.session_token
    assert session_of(second).expires_at == int(world.ctx.clock()) + 300


async def test_the_same_token_again_refreshes_its_factor(world: World, clock: Clock) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    first = await world.attest({"jti": "t1"}, organization_id=acme.slug)
    clock.turn(60)
    second = await world.attest({"jti": "t1"}, organization_id=acme.slug, session_token=first.session_token)
    [factor] = session_of(second).factors
    assert factor.last_authenticated_at - factor.created_at == 60


async def test_two_factors_added_at_once_both_stay(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    first = await world.attest({"jti": "t0"}, organization_id=acme.slug)
    await asyncio.gather(
        *(
            world.attest({"jti": f"t{number}"}, organization_id=acme.slug, session_token=first.session_token)
            for number in range(1, 6)
        )
    )
    live = await world.authenticate(session_token=first.session_token)
    assert {factor.token_id for factor in session_of(live).factors} == {f"t{number}" for number in range(6)}


@pytest.mark.parametrize("minutes", [4, 527_041, 0, -5])
async def test_a_duration_out_of_range_is_refused(world: World, minutes: int) -> None:
    await world.add_profile()
    with pytest.raises(errors.InvalidSessionDurationMinutes):
        await world.attest(session_duration_minutes=minutes)


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"sub": "x"}, errors.ReservedClaims),
        ({"https://stytch.com/session": {}}, errors.StytchClaims),
        ({"x": "y" * 4096}, errors.CustomClaimsTooLarge),
    ],
)
async def test_custom_claims_that_cannot_be_are_refused(
    world: World, claims: dict[str, Any], refusal: type[errors.Error]
) -> None:
    await world.add_profile()
    with pytest.raises(refusal):
        await world.attest(session_custom_claims=claims)


async def test_claims_that_outgrow_the_session_are_refused_before_anything_is_written(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    first = await world.attest(organization_id=acme.slug, session_custom_claims={"a": "x" * 3000})
    with pytest.raises(errors.CustomClaimsTooLarge):
        await world.attest(
            organization_id=acme.slug, session_token=first.session_token, session_custom_claims={"b": "x" * 3000}
        )
    assert session_of(await world.authenticate(session_token=first.session_token)).factors == session_of(first).factors


# ---------------------------------------------------------------- who it is


async def test_just_in_time_makes_organization_and_member_once(world: World) -> None:
    await world.add_profile(
        attribute_mapping={
            "email": "email",
            "organization_id": "org",
            "organization_name": "org_name",
            "external_member_id": "sub",
        }
    )
    claims = {"org": "icfg_1", "org_name": "Acme Inc.", "email_verified": True}
    grants = await asyncio.gather(*(world.attest(claims) for _ in range(8)))
    assert len({member_of(granted).member_id for granted in grants}) == 1
    made = grants[0].organization
    assert made is not None
    assert (made.name, made.slug, made.external_id) == ("Acme Inc.", "acme-inc", "icfg_1")
    assert member_of(grants[0]).email_verified
    assert len(await world.events("organization.created")) == 1
    assert len(await world.events("member.created")) == 1
    assert len({granted.session_token for granted in grants}) == 8


async def test_a_taken_slug_gets_a_suffix(world: World) -> None:
    await world.add_profile(attribute_mapping={"email": "email", "organization_id": "org", "external_member_id": "sub"})
    await world.add_organization(slug="acme", name="Acme")
    granted = await world.attest({"org": "Acme"})
    assert granted.organization is not None
    assert granted.organization.slug.startswith("acme-")


async def test_an_organization_is_never_found_by_slug_in_a_token(world: World) -> None:
    await world.add_profile(
        attribute_mapping={"email": "email", "organization_id": "org", "external_member_id": "sub"},
        can_jit_provision=False,
    )
    acme = await world.add_organization(slug="acme", external_id="icfg_1")
    await world.add_member(acme, email="ada@example.com")
    with pytest.raises(errors.InvalidTokenOrganizationIdClaim):
        await world.attest({"org": "acme"})
    assert (await world.attest({"org": "icfg_1"})).organization == acme
    assert (await world.attest({"org": acme.organization_id}, organization_id="acme")).organization == acme


async def test_an_existing_member_is_found_by_mail_and_gets_the_external_id(world: World) -> None:
    await world.add_profile(can_jit_provision=False)
    acme = await world.add_organization()
    ada = await world.add_member(acme, email="ada@example.com", status="invited")
    granted = await world.attest({"email": "Ada@Example.COM", "sub": "u-1"}, organization_id=acme.slug)
    stored = await world.ctx.store.member_by_id(world.environment_id, ada.member_id)
    assert stored == member_of(granted)
    assert (stored.external_id, stored.external_id_issuer, stored.status) == ("u-1", world.issuer.url, "active")


async def test_another_issuer_cannot_take_an_external_id(world: World) -> None:
    intruder = other_issuer()
    await world.add_profile()
    await world.add_profile(intruder, profile_id="other")
    acme = await world.add_organization()
    await world.attest({"sub": "u-1"}, organization_id=acme.slug)
    with pytest.raises(errors.TrustedAuthTokenIdentityConflict):
        await world.attest(
            {"sub": "u-1", "email": "eve@example.com"}, issuer=intruder, profile_id="other", organization_id=acme.slug
        )
    attempt = await world.last_attempt()
    assert (attempt.outcome, attempt.code) == ("refused", "trusted_auth_token_identity_conflict")
    assert "another issuer" in attempt.reason


async def test_the_same_external_id_from_two_issuers_at_once_has_one_winner(world: World) -> None:
    intruder = other_issuer()
    await world.add_profile()
    await world.add_profile(intruder, profile_id="other")
    acme = await world.add_organization()
    outcomes = await asyncio.gather(
        world.attest({"sub": "u-1"}, organization_id=acme.slug),
        world.attest(
            {"sub": "u-1", "email": "eve@example.com"}, issuer=intruder, profile_id="other", organization_id=acme.slug
        ),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Granted", "TrustedAuthTokenIdentityConflict"]


async def test_nobody_is_made_with_just_in_time_off(world: World) -> None:
    await world.add_profile(can_jit_provision=False)
    acme = await world.add_organization()
    with pytest.raises(errors.MemberNotFound):
        await world.attest(organization_id=acme.slug)
    assert await world.ctx.store.member_count(world.environment_id, acme.organization_id) == 0


async def test_a_token_without_mail_logs_in_by_external_id(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    first = await world.attest({"email": ABSENT, "sub": "spiffe://acme/worker"}, organization_id=acme.slug)
    second = await world.attest({"email": ABSENT, "sub": "spiffe://acme/another"}, organization_id=acme.slug)
    again = await world.attest({"email": ABSENT, "sub": "spiffe://acme/worker"}, organization_id=acme.slug)
    assert member_of(first).email is None
    assert member_of(again).member_id == member_of(first).member_id != member_of(second).member_id


async def test_a_deleted_member_counts_as_not_found(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    gone = await world.add_member(acme, email="ada@example.com", status="deleted")
    granted = await world.attest({"email": "ada@example.com"}, organization_id=acme.slug)
    assert member_of(granted).member_id != gone.member_id


async def test_roles_of_a_token_count_where_its_factor_is(world: World) -> None:
    await world.add_profile(attribute_mapping={"email": "email", "external_member_id": "sub", "role_ids": "roles"})
    other = other_issuer()
    await world.add_profile(other, profile_id="other", attribute_mapping={"email": "email"})
    acme = await world.add_organization()
    granted = await world.attest({"roles": ["stytch_admin", "captain"]}, organization_id=acme.slug)
    assert granted.details is not None
    assert granted.details.roles == ("stytch_member", "stytch_admin")
    assert any("captain" in note for note in (await world.last_attempt()).details["notes"])
    plain = await world.attest({}, issuer=other, profile_id="other", organization_id=acme.slug)
    assert plain.details is not None
    assert plain.details.roles == ("stytch_member",)
    await world.attest({"roles": "nothing"}, organization_id=acme.slug)
    demoted = await world.authenticate(session_token=granted.session_token)
    assert demoted.details is not None
    assert demoted.details.roles == ("stytch_member",)


# ---------------------------------------------------------------- the session passed in, and factors due


async def test_somebody_elses_session_is_refused(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    ada = await world.attest({"sub": "u-1"}, organization_id=acme.slug)
    await world.attest({"sub": "u-2", "email": "ben@example.com"}, organization_id=acme.slug)
    for claims in ({"sub": "u-2", "email": "ben@example.com"}, {"sub": "u-3", "email": "new@example.com"}):
        with pytest.raises(errors.MemberSessionMemberIdMismatch):
            await world.attest(claims, organization_id=acme.slug, session_token=ada.session_token)
    assert await world.ctx.store.member_count(world.environment_id, acme.organization_id) == 2


async def test_a_session_that_is_over_is_not_added_to(world: World, clock: Clock) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    ada = await world.attest(organization_id=acme.slug, session_duration_minutes=5)
    clock.turn(300)
    with pytest.raises(errors.SessionNotFound):
        await world.attest(organization_id=acme.slug, session_token=ada.session_token)


async def test_both_ways_to_pass_a_session_are_too_many(world: World) -> None:
    await world.add_profile()
    with pytest.raises(errors.TooManySessionArguments):
        await world.attest(session_token="a" * 44, session_jwt="a.b.c")


async def test_required_multi_factor_takes_a_factor_of_another_profile(world: World) -> None:
    device = other_issuer()
    await world.add_profile()
    await world.add_profile(device, profile_id="device", attribute_mapping={"email": "email"})
    acme = await world.add_organization()
    first = await world.attest({"jti": "t1"}, organization_id=acme.slug)
    await require_mfa(world, acme.organization_id)
    with pytest.raises(errors.InsufficientFactors):
        await world.attest({"jti": "t2"}, organization_id=acme.slug)
    with pytest.raises(errors.InsufficientFactors):
        await world.attest({"jti": "t2"}, organization_id=acme.slug, session_token=first.session_token)
    second = await world.attest(
        {"jti": "d1"},
        issuer=device,
        profile_id="device",
        organization_id=acme.slug,
        session_token=first.session_token,
    )
    assert {factor.profile_id for factor in session_of(second).factors} == {"partner", "device"}


async def test_required_multi_factor_makes_nobody(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization(settings=OrganizationSettings(mfa_policy="REQUIRED_FOR_ALL"))
    with pytest.raises(errors.InsufficientFactors):
        await world.attest(organization_id=acme.slug)
    assert await world.ctx.store.member_count(world.environment_id, acme.organization_id) == 0


async def require_mfa(world: World, organization_id: str) -> None:
    organization = await world.ctx.store.organization(world.environment_id, organization_id, by_slug=False)
    assert organization is not None
    strict = msgspec.structs.replace(organization, settings=OrganizationSettings(mfa_policy="REQUIRED_FOR_ALL"))
    await world.ctx.store.write(ReplaceOrganization(organization=strict))


# ---------------------------------------------------------------- consumers


async def test_a_consumer_attest_without_duration_starts_nothing(shop: World) -> None:
    await shop.add_profile()
    granted = await shop.attest()
    assert isinstance(granted.person, User)
    assert granted.details is None
    assert (granted.session_token, granted.session_jwt) == ("", "")
    assert await shop.ctx.store.sessions_of(shop.environment_id, "user", granted.person.user_id, records.NOW) == []
    assert (await shop.last_attempt()).outcome == "granted"


async def test_a_consumer_attest_with_duration_starts_a_session(shop: World) -> None:
    await shop.add_profile()
    granted = await shop.attest({"jti": "t1"}, session_duration_minutes=30)
    assert session_of(granted).subject_kind == "user"
    added = await shop.attest({"jti": "t2"}, session_token=granted.session_token)
    assert [factor.token_id for factor in session_of(added).factors] == ["t1", "t2"]
    assert (await shop.authenticate(session_jwt=added.session_jwt)).session_token == granted.session_token


async def test_another_users_session_is_refused(shop: World) -> None:
    await shop.add_profile()
    ada = await shop.attest({"sub": "u-1"}, session_duration_minutes=30)
    with pytest.raises(errors.UserIdMismatch):
        await shop.attest({"sub": "u-2", "email": "ben@example.com"}, session_token=ada.session_token)


# ---------------------------------------------------------------- records and races


async def test_every_refusal_leaves_an_attempt_with_its_reason(world: World) -> None:
    await world.add_profile()
    with pytest.raises(errors.JwtInvalidAudience):
        await world.attest({"aud": "somebody-else"})
    attempt = await world.last_attempt()
    assert (attempt.outcome, attempt.code, attempt.profile_id) == ("refused", "jwt_invalid_audience", "partner")
    assert "somebody-else" in attempt.reason
    assert attempt.request_id == f"request-id-test-{world.requests}"
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await world.attest(profile_id="unknown")
    assert (await world.last_attempt()).code == "trusted_token_profile_not_found"


async def test_a_granted_attest_leaves_an_attempt_and_an_event(world: World) -> None:
    await world.add_profile()
    acme = await world.add_organization()
    granted = await world.attest({"jti": "t1"}, organization_id=acme.slug)
    attempt = await world.last_attempt()
    assert granted.details is not None
    assert (attempt.outcome, attempt.session_id) == ("granted", granted.details.session_id)
    assert attempt.token_id == "t1"
    [event] = await world.events("session.started")
    assert event.target == granted.details.session_id


async def test_a_session_of_the_moment_of_a_revoked_secret_is_not_made(world: World) -> None:
    """The secret is revoked after the caller was read: the commit must still see it (decisions D29)."""
    await world.add_profile()
    acme = await world.add_organization()
    secret = world.call.caller.secret
    await world.ctx.store.write(
        RevokeSecret(environment_id=world.environment_id, secret_id=secret.secret_id, revoked_at=records.NOW)
    )
    with pytest.raises(errors.UnauthorizedCredentials):
        await world.attest(organization_id=acme.slug)


@pytest.mark.usefixtures("unexplained")
async def test_a_profile_changed_while_its_keys_are_fetched_judges_again(world: World) -> None:
    profile = await world.add_profile()
    acme = await world.add_organization()

    class Meddling:
        """Changes the profile in the middle of the first attest, as an operator might."""

        async def find(self, kid: str | None, algorithm: str, header: Any) -> Any:
            stricter = msgspec.structs.replace(profile, audience="another-audience")
            await world.ctx.store.write(ReplaceProfile(profile=stricter))
            return await real.of(profile).find(kid, algorithm, header)

    class Sets:
        def of(self, _profile: Any) -> Meddling:
            return Meddling()

        async def close(self) -> None:
            """Nothing runs."""

    real = world.ctx.keys
    ctx = msgspec.structs.replace(world.ctx, keys=Sets())
    request = AttestRequest(profile_id="partner", token=world.token(), organization_id=acme.slug)
    with pytest.raises(errors.JwtInvalidAudience):
        await attest(ctx, world.call, request)


async def test_a_deleted_profile_is_not_found(world: World) -> None:
    await world.add_profile()
    await world.ctx.store.write(DeleteProfile(environment_id=world.environment_id, profile_id="partner"))
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await world.attest()


# ---------------------------------------------------------------- our own session JWTs


async def own_jwt(world: World, audience: str | None = None) -> tuple[str, dict[str, Any]]:
    """A token that our own signer makes for this environment, and the JWK that verifies it."""
    environment = world.call.environment
    [active, *_] = await world.ctx.store.signing_keys(environment.environment_id)
    claims = world.issuer.claims(world.ctx.clock()) | ({"aud": audience} if audience else {})
    token = await world.ctx.signer.sign(environment, active.kid, claims)
    return token, active.public_jwk


async def trusting_our_keys(world: World, *further: KeySource) -> str:
    """A token of ours, and a profile that reaches our published keys by a way of its own."""
    token, jwk = await own_jwt(world)
    inline = InlineJwksSource(jwks={"keys": [jwk]})
    sources: dict[str, Any] = {"public_key_type": "UNSPECIFIED", "pem_files": (), "key_sources": (*further, inline)}
    await world.add_profile(**sources)
    await world.add_organization(slug="acme")
    return token


async def test_our_own_session_jwt_logs_nobody_in(world: World) -> None:
    """Security R15: else a session could make another one, for ever."""
    token = await trusting_our_keys(world)
    with pytest.raises(errors.InvalidTrustedAuthToken):
        await world.attest(token=token, organization_id="acme")
    attempt = await world.last_attempt()
    assert (attempt.outcome, attempt.code) == ("refused", "invalid_trusted_auth_token")
    assert "is a session JWT of" in attempt.reason


async def test_our_own_session_jwt_is_refused_where_only_another_environment_is_trusted(world: World) -> None:
    token = await trusting_our_keys(world, ProjectSource(project_id="project-test-other"))
    with pytest.raises(errors.InvalidTrustedAuthToken):
        await world.attest(token=token, organization_id="acme")


async def test_a_project_source_trusts_the_session_jwts_of_that_environment(world: World) -> None:
    token, _ = await own_jwt(world)
    source = ProjectSource(project_id=world.environment_id)
    await world.add_profile(public_key_type="UNSPECIFIED", pem_files=(), key_sources=(source,))
    await world.add_organization(slug="acme")
    assert (await world.attest(token=token, organization_id="acme")).session_token


async def test_a_kid_of_our_form_that_is_not_ours_is_as_good_as_any(world: World) -> None:
    token, jwk = await own_jwt(world)
    del token
    stranger = ids.new("jwk", "test")
    key = world.issuer.key_for("RS256")
    public_key: Any = key.private_key.public_key()
    inline = InlineJwksSource(jwks={"keys": [rsa_jwk(public_key, stranger), jwk]})
    await world.add_profile(public_key_type="UNSPECIFIED", pem_files=(), key_sources=(inline,))
    await world.add_organization(slug="acme")
    good = world.issuer.mint(now=world.ctx.clock(), header={"kid": stranger})
    assert (await world.attest(token=good, organization_id="acme")).session_token
