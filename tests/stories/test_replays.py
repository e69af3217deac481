"""Tokens that work once (decisions D8): who is refused, and whose lost answer is given again."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Attempt, Session, User
from assay.store import (
    CreateSecret,
    DeleteProfile,
    Forget,
    ReplaceMember,
    ReplaceProfile,
    RevokeSession,
    RevokeSessionsOf,
    Store,
)
from assay.stories.attest import AttestRequest, attest
from assay.stories.granted import Granted
from assay.stories.sessions import RevokeRequest, revoke
from tests import records
from tests.calls import Clock
from tests.issuer import ABSENT, Issuer, encode, make_key, sign
from tests.records import NOW
from tests.stories.attesting import World, make_world

# The curve order of P-256: (r, order - s) is a signature wherever (r, s) is one.
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "b2b")
    await made.add_organization(slug="acme")
    return made


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    return await make_world(store, clock, "consumer")


def session_of(granted: Granted) -> Session:
    assert granted.details is not None
    return granted.details.session


async def once(world: World, token: str, **request: Any) -> Granted:
    return await world.attest(token=token, **({"organization_id": "acme"} | request))


async def refused(attesting: Awaitable[Granted], because: str = "the token was used before") -> None:
    """The refusal is the one of any bad token; only its detail tells why."""
    with pytest.raises(errors.InvalidTrustedAuthToken) as caught:
        await attesting
    assert caught.value.message == errors.InvalidTrustedAuthToken(detail="").message
    assert (caught.value.detail or "").startswith(because)


async def opens(world: World, token: str) -> bool:
    try:
        await world.authenticate(session_token=token)
    except errors.SessionNotFound:
        return False
    return True


async def change(world: World, profile_id: str = "partner", **fields: Any) -> None:
    profile = await world.ctx.store.profile(world.environment_id, profile_id)
    assert profile is not None
    await world.ctx.store.write(ReplaceProfile(profile=msgspec.structs.replace(profile, **fields)))


# ---------------------------------------------------------------- what counts as the same token


async def test_without_replay_protection_a_token_works_again(world: World, clock: Clock) -> None:
    await world.add_profile()
    token = world.token()
    first = await once(world, token)
    clock.turn(11)
    second = await once(world, token, session_duration_minutes=5)
    assert session_of(first).number != session_of(second).number


@pytest.mark.parametrize("replay", ["token_id", "fingerprint"])
async def test_a_token_works_once(world: World, clock: Clock, replay: str) -> None:
    await world.add_profile(replay=replay)
    token = world.token()
    await once(world, token)
    clock.turn(11)
    await refused(once(world, token))
    await once(world, world.token())


async def test_by_token_id_another_token_with_the_same_id_is_refused(world: World, clock: Clock) -> None:
    await world.add_profile(replay="token_id")
    await once(world, world.token({"jti": "t1"}))
    clock.turn(11)
    await refused(once(world, world.token({"jti": "t1", "nonce": "another"})))
    await once(world, world.token({"jti": "t2"}))


async def test_by_fingerprint_another_token_with_the_same_id_works(world: World, clock: Clock) -> None:
    await world.add_profile(replay="fingerprint")
    await once(world, world.token({"jti": "t1"}))
    clock.turn(1)
    await once(world, world.token({"jti": "t1"}))


async def test_by_fingerprint_a_token_needs_no_id(world: World, clock: Clock) -> None:
    await world.add_profile(replay="fingerprint", attribute_mapping={"email": "email"})
    token = world.token({"jti": ABSENT})
    await once(world, token)
    clock.turn(11)
    await refused(once(world, token))


def with_the_other_signature(issuer: Issuer, claims: dict[str, Any]) -> tuple[str, str]:
    """Whoever holds an ECDSA token can make its twin without any key (security A63)."""
    token = issuer.mint(claims, now=NOW, alg="ES256")
    signed, _, signature = token.rpartition(".")
    raw = _decoded(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    twin = r.to_bytes(32, "big") + (P256_ORDER - s).to_bytes(32, "big")
    return token, f"{signed}.{encode(twin)}"


def with_the_claims_in_another_order(issuer: Issuer, claims: dict[str, Any]) -> tuple[str, str]:
    """An issuer that says the same again, under another kid and in another order."""
    token = issuer.mint(claims, now=NOW, alg="ES256")
    said = json.loads(_decoded(token.split(".")[1]))
    key = issuer.key_for("ES256")
    turned = dict(sorted(said.items(), reverse=True))
    return token, sign({"alg": "ES256", "kid": "renamed"}, turned, "ES256", key.private_key)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("respell", [with_the_other_signature, with_the_claims_in_another_order])
@pytest.mark.parametrize("replay", ["token_id", "fingerprint"])
async def test_another_spelling_of_a_token_is_the_same_token(
    world: World, respell: Callable[[Issuer, dict[str, Any]], tuple[str, str]], replay: str
) -> None:
    issuer = Issuer(keys=[make_key("P-256")])
    await world.add_profile(replay=replay, pem_files=(records.pem_file(issuer.keys[0].pem()),))
    token, twin = respell(issuer, {"jti": "t1"})
    await once(world, token)
    await refused(once(world, twin))


async def test_marks_are_of_one_profile(world: World) -> None:
    await world.add_profile(replay="token_id")
    await world.add_profile(replay="token_id", profile_id="second")
    token = world.token()
    await once(world, token)
    await once(world, token, profile_id="second")


async def test_a_refused_attest_uses_no_token_up(world: World) -> None:
    await world.add_profile(replay="token_id", can_jit_provision=False)
    token = world.token()
    with pytest.raises(errors.MemberNotFound):
        await once(world, token)
    await change(world, can_jit_provision=True)
    await once(world, token, session_duration_minutes=5)


async def test_the_mark_holds_neither_the_token_id_nor_the_request(world: World) -> None:
    """A token id may be an address; the request holds the token."""
    await world.add_profile(replay="token_id")
    token = world.token({"jti": "ada@example.com"})
    granted = await once(world, token)
    digest = hashlib.sha256(b"ada@example.com").hexdigest()
    mark = await world.ctx.store.replay_mark(world.environment_id, "partner", f"token_id {digest}")
    assert mark is not None
    assert mark.session_number == session_of(granted).number
    assert mark.secret_id == world.call.caller.secret.secret_id
    assert "ada@example" not in repr(mark)
    assert len(mark.request_hash) == 32


# ---------------------------------------------------------------- switching, forgetting


async def test_what_was_used_before_protection_was_switched_on_works_once_more(world: World, clock: Clock) -> None:
    await world.add_profile()
    token = world.token()
    await once(world, token)
    await change(world, replay="token_id")
    await once(world, token)
    clock.turn(11)
    await refused(once(world, token))


async def test_protection_that_is_switched_off_and_on_remembers(world: World, clock: Clock) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    await once(world, token)
    await change(world, replay="off")
    clock.turn(11)
    await once(world, token)
    await change(world, replay="token_id")
    await refused(once(world, token))


LAST_MOMENTS: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {
    "exp and the leeway": ({}, {}, 329.9),
    "exp without leeway": ({"leeway_seconds": 0}, {}, 299.9),
    "exp with a fraction of a second": ({}, {"exp": NOW + 300.9}, 330.8),
    "the greatest age": ({"max_age_seconds": 60}, {}, 90.0),
    "the greatest age without exp": ({"max_age_seconds": 60}, {"exp": ABSENT}, 90.0),
    "the greatest age without leeway": ({"max_age_seconds": 60, "leeway_seconds": 0}, {"exp": ABSENT}, 60.0),
}


@pytest.mark.parametrize("case", LAST_MOMENTS)
async def test_a_mark_lives_as_long_as_its_token(world: World, clock: Clock, case: str) -> None:
    """To its last moment the token is refused as used, then for its age; and soon the mark is forgotten."""
    fields, claims, last = LAST_MOMENTS[case]
    await world.add_profile(replay="token_id", require_exp=claims.get("exp") is not ABSENT, **fields)
    token = world.token(claims)
    await once(world, token)
    clock.turn(last)
    await forget(world)
    await refused(once(world, token))
    clock.turn(0.2)
    with pytest.raises(errors.JwtInvalidClaims):
        await once(world, token)
    clock.turn(1)
    await forget(world)
    assert await _marks(world, token) == 0


async def forget(world: World) -> None:
    await world.ctx.store.write(Forget(attempts_before=0, now=int(world.ctx.clock()), limit=10))


async def _marks(world: World, token: str) -> int:
    jti = json.loads(_decoded(token.split(".")[1]))["jti"]
    mark = f"token_id {hashlib.sha256(jti.encode()).hexdigest()}"
    return int(await world.ctx.store.replay_mark(world.environment_id, "partner", mark) is not None)


async def test_a_deleted_profile_takes_its_marks_along(world: World) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    await once(world, token)
    await world.ctx.store.write(DeleteProfile(environment_id=world.environment_id, profile_id="partner"))
    assert await _marks(world, token) == 0


# ---------------------------------------------------------------- who may ask again, and who may not


async def test_the_same_request_within_ten_seconds_gets_the_same_session_and_a_fresh_token(
    world: World, clock: Clock
) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    lost = await once(world, token)
    clock.turn(10.9)
    answered = await once(world, token)
    assert session_of(answered).number == session_of(lost).number
    assert answered.details is not None
    assert lost.details is not None
    assert answered.details.session_id == lost.details.session_id
    assert answered.person == lost.person
    assert not await opens(world, lost.session_token)
    with pytest.raises(errors.SessionNotFound):
        await world.authenticate(session_jwt=lost.session_jwt)
    assert await opens(world, answered.session_token)
    assert (await world.authenticate(session_jwt=answered.session_jwt)).session_token == answered.session_token
    attempts = await world.ctx.store.attempts(world.environment_id, 9)
    assert [one.outcome for one in attempts] == ["granted", "granted"]
    assert attempts[0].details["notes"] == ["the request was repeated"]
    assert attempts[0].session_id == attempts[1].session_id
    assert len(await world.events("session.answered_again")) == 1
    assert len(await world.events("session.started")) == 1


async def test_a_request_may_be_repeated_more_than_once_but_not_for_longer(world: World, clock: Clock) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    tokens = [(await once(world, token)).session_token]
    for _ in range(3):
        clock.turn(3)
        tokens.append((await once(world, token)).session_token)
    assert [await opens(world, one) for one in tokens] == [False, False, False, True]
    clock.turn(3)
    await refused(once(world, token))
    assert await opens(world, tokens[-1])


async def test_after_eleven_seconds_the_same_request_is_refused(world: World, clock: Clock) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    first = await once(world, token)
    clock.turn(11)
    await refused(once(world, token))
    assert await opens(world, first.session_token)
    attempt = await world.last_attempt()
    assert (attempt.outcome, attempt.code) == ("refused", "invalid_trusted_auth_token")
    assert attempt.details["step"] == "replay"
    assert (attempt.verified, attempt.subject) == (True, "subject-1")


OTHER_BODIES: dict[str, dict[str, Any]] = {
    "another duration": {"session_duration_minutes": 30},
    "custom claims": {"session_custom_claims": {"a": 1}},
    "the organization named in another way": {"organization_id": None},
    "a telemetry id": {"telemetry_id": "x"},
}


@pytest.mark.parametrize("case", OTHER_BODIES)
async def test_the_same_caller_with_another_body_is_refused(world: World, case: str) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    first = await once(world, token)
    members = OTHER_BODIES[case]
    if "organization_id" in members:
        members = {"organization_id": session_of(first).organization_id}
    await refused(once(world, token, **members))
    assert await opens(world, first.session_token)


async def test_another_caller_with_the_same_request_is_refused(world: World) -> None:
    """Another secret of the same environment is somebody else: it may have found the token in a log."""
    await world.add_profile(replay="token_id")
    token = world.token()
    first = await once(world, token)
    secret = records.secret(world.environment_id)
    await world.ctx.store.write(CreateSecret(secret=secret))
    caller = msgspec.structs.replace(world.call.caller, secret=secret)
    stranger = msgspec.structs.replace(world.call, caller=caller)
    request = AttestRequest(profile_id="partner", token=token, organization_id="acme")
    await refused(attest(world.ctx, stranger, request))
    assert await opens(world, first.session_token)


async def test_a_revoked_session_is_not_given_again(world: World) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    first = await once(world, token)
    await revoke(world.ctx, world.call, RevokeRequest(session_token=first.session_token))
    await refused(once(world, token), "the token was used before, and its session has ended")


async def test_a_session_that_is_revoked_just_then_is_not_given_again(world: World) -> None:
    """The revoke comes between the reading and the write of the repeated request."""
    await world.add_profile(replay="token_id")
    token = world.token()
    number = session_of(await once(world, token)).number
    revoking = RevokeSession(environment_id=world.environment_id, number=number, revoked_at=NOW)
    outcomes = await asyncio.gather(
        once(world, token), world.ctx.store.write(revoking), once(world, token), return_exceptions=True
    )
    view = await world.ctx.store.session(world.environment_id, number)
    assert view is not None
    assert view.session.revoked_at == NOW
    tokens = [one.session_token for one in outcomes if isinstance(one, Granted)]
    assert not any([await opens(world, one) for one in tokens])
    await refused(once(world, token))


async def test_the_session_of_a_member_that_was_deleted_is_not_given_again(world: World) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    session = session_of(await once(world, token))
    member = await world.ctx.store.member_by_id(world.environment_id, session.subject_id)
    assert member is not None
    await world.ctx.store.write(ReplaceMember(member=msgspec.structs.replace(member, status="deleted")))
    await refused(once(world, token), "the token was used before, and its session has ended")
    assert await world.ctx.store.member_count(world.environment_id, member.organization_id) == 0


async def test_a_profile_disabled_meanwhile_answers_nothing_again(world: World) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    await once(world, token)
    await change(world, enabled=False)
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await once(world, token)


# ---------------------------------------------------------------- sessions passed in


async def started(world: World) -> Granted:
    await world.add_profile(profile_id="plain", replay="off")
    return await world.attest({"jti": "t0"}, profile_id="plain", organization_id="acme")


@pytest.mark.parametrize("shown", ["session_token", "session_jwt"])
async def test_a_good_token_that_the_repeated_request_shows_is_kept(world: World, clock: Clock, shown: str) -> None:
    """The caller has it already, so nothing was lost with the answer."""
    first = await started(world)
    await world.add_profile(replay="token_id")
    passed_in = {shown: getattr(first, shown)}
    token = world.token({"jti": "t1"})
    lost = await once(world, token, **passed_in)
    clock.turn(2)
    answered = await once(world, token, **passed_in)
    assert answered.session_token == lost.session_token == first.session_token
    assert [factor.token_id for factor in session_of(answered).factors] == ["t0", "t1"]
    assert await opens(world, first.session_token)


@pytest.mark.parametrize("shown", ["session_token", "session_jwt"])
async def test_where_tokens_rotate_the_repeated_request_gets_another_one(world: World, shown: str) -> None:
    first = await started(world)
    await world.add_profile(replay="token_id", rotate_session_token=True)
    passed_in = {shown: getattr(first, shown)}
    token = world.token({"jti": "t1"})
    lost = await once(world, token, **passed_in)
    answered = await once(world, token, **passed_in)
    three = [first.session_token, lost.session_token, answered.session_token]
    assert len(set(three)) == 3
    assert [await opens(world, one) for one in three] == [False, False, True]
    assert session_of(answered).number == session_of(first).number
    assert [factor.token_id for factor in session_of(answered).factors] == ["t0", "t1"]


# ---------------------------------------------------------------- consumers


async def test_a_consumer_attest_without_session_is_answered_again(shop: World, clock: Clock) -> None:
    await shop.add_profile(replay="token_id")
    token = shop.token()
    lost, answered = [await shop.attest(token=token) for _ in range(2)]
    assert isinstance(answered.person, User)
    assert answered.person == lost.person
    assert (answered.details, answered.session_token, answered.session_jwt) == (None, "", "")
    await refused(shop.attest(token=token, session_duration_minutes=30))
    clock.turn(11)
    await refused(shop.attest(token=token))


async def test_a_consumer_session_is_answered_again(shop: World) -> None:
    await shop.add_profile(replay="fingerprint")
    token = shop.token()
    lost, answered = [await shop.attest(token=token, session_duration_minutes=30) for _ in range(2)]
    assert session_of(lost).number == session_of(answered).number
    assert [await opens(shop, one.session_token) for one in (lost, answered)] == [False, True]


async def test_a_consumer_whose_sessions_all_ended_is_refused(shop: World) -> None:
    await shop.add_profile(replay="token_id")
    token = shop.token()
    lost = await shop.attest(token=token, session_duration_minutes=30)
    ending = RevokeSessionsOf(
        environment_id=shop.environment_id,
        subject_kind="user",
        subject_id=session_of(lost).subject_id,
        revoked_at=NOW,
    )
    await shop.ctx.store.write(ending)
    await refused(shop.attest(token=token, session_duration_minutes=30))


# ---------------------------------------------------------------- races


async def test_two_identical_requests_at_once_get_one_session(world: World) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    grants = await asyncio.gather(*(once(world, token) for _ in range(4)))
    assert len({session_of(granted).number for granted in grants}) == 1
    assert len({granted.session_token for granted in grants}) == 4
    assert [await opens(world, granted.session_token) for granted in grants].count(True) == 1
    assert len(await world.events("session.started")) == 1
    assert len(await world.events("member.created")) == 1


async def test_of_different_requests_at_once_one_wins(world: World) -> None:
    await world.add_profile(replay="token_id")
    token = world.token()
    outcomes = await asyncio.gather(
        *(once(world, token, session_duration_minutes=minutes) for minutes in (5, 6, 7, 8)), return_exceptions=True
    )
    won = [one for one in outcomes if isinstance(one, Granted)]
    assert [type(one) for one in outcomes].count(errors.InvalidTrustedAuthToken) == 3
    [granted] = won
    assert await opens(world, granted.session_token)
    sessions = await world.ctx.store.sessions_of(
        world.environment_id, "member", session_of(granted).subject_id, int(world.ctx.clock())
    )
    assert [one.number for one in sessions] == [session_of(granted).number]


async def test_of_two_sessions_that_a_token_is_added_to_at_once_one_gets_it(world: World) -> None:
    first, second = await started(world), await world.attest(profile_id="plain", organization_id="acme")
    await world.add_profile(replay="token_id")
    token = world.token({"jti": "t1"})
    outcomes = await asyncio.gather(
        *(once(world, token, session_token=one.session_token) for one in (first, second)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Granted", "InvalidTrustedAuthToken"]
    held = [session_of(await world.authenticate(session_token=one.session_token)) for one in (first, second)]
    assert sorted(len(session.factors) for session in held) == [1, 2]


async def test_the_organization_and_member_made_for_a_token_are_made_once(world: World) -> None:
    mapping = {"email": "email", "organization_id": "org", "external_member_id": "sub"}
    await world.add_profile(replay="token_id", attribute_mapping=mapping)
    token = world.token({"org": "icfg_1"})
    grants = await asyncio.gather(*(world.attest(token=token) for _ in range(4)))
    assert len({session_of(granted).number for granted in grants}) == 1
    assert len(await world.events("organization.created")) == 1
    assert len(await world.events("member.created")) == 1


async def test_every_try_leaves_its_record(world: World, clock: Clock) -> None:
    await world.add_profile(replay="token_id")
    token = world.token({"jti": "t1"})
    await once(world, token)
    await once(world, token)
    clock.turn(11)
    await refused(once(world, token))
    attempts: list[Attempt] = await world.ctx.store.attempts(world.environment_id, 9)
    assert [(one.outcome, one.token_id) for one in attempts] == [
        ("refused", "t1"),
        ("granted", "t1"),
        ("granted", "t1"),
    ]
    assert attempts[0].session_id is None
