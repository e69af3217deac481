"""One record per attest: who was let in or kept out, and why; of the token only what is allowed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.model import Attempt, Member, NumberedAttempt, User
from assay.store import AttemptSearch, RecordAttempt, Store
from assay.stories import attempt_search
from assay.stories.attempt_search import (
    AttemptPage,
    ManagedAttemptsRequest,
    MemberAttemptsRequest,
    UserAttemptsRequest,
    managed_attempts,
    member_attempts,
    user_attempts,
)
from assay.stories.attempts import MAX_KEPT_BYTES, MAX_REASON, MAX_TEXT
from assay.stories.context import Call
from tests import records
from tests.calls import OPERATOR, Clock
from tests.stories.attesting import World, make_world, other_issuer

SIGNATURE = -1


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "b2b")
    await made.add_profile(kept_claims=("plan", "groups", "later"))
    await made.add_organization(slug="acme")
    return made


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "consumer")
    await made.add_profile()
    return made


async def refused(world: World, claims: dict[str, Any] | None = None, **request: Any) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        await world.attest(claims, **({"organization_id": "acme"} | request))
    return caught.value


# ---------------------------------------------------------------- what a record holds


async def test_a_granted_attest_is_recorded_with_whom_and_what(world: World, clock: Clock) -> None:
    claims = {"jti": "t-1", "sub": "ada|1", "plan": "pro", "secret": "s", "groups": ["a"]}
    granted = await world.attest(claims, organization_id="acme")
    assert isinstance(granted.person, Member)
    assert granted.details is not None
    attempt = await world.last_attempt()
    assert (attempt.outcome, attempt.code, attempt.reason) == ("granted", "granted", "")
    assert attempt.request_id == f"request-id-test-{world.requests}"
    assert attempt.profile_id == "partner"
    assert (attempt.subject_id, attempt.organization_id) == (granted.person.member_id, granted.person.organization_id)
    assert attempt.session_id == granted.details.session_id
    assert (attempt.issuer, attempt.subject, attempt.token_id) == (world.issuer.url, "ada|1", "t-1")
    assert (attempt.kid, attempt.algorithm, attempt.verified) == (world.issuer.keys[0].kid, "RS256", True)
    assert attempt.kept_claims == {"plan": "pro", "groups": ["a"]}
    assert attempt.milliseconds is not None
    assert 0 <= attempt.milliseconds < 60_000
    assert attempt.created_at == int(clock())


async def test_the_token_id_of_a_record_is_the_mapped_one(world: World) -> None:
    await world.add_profile(profile_id="mapped", attribute_mapping={"email": "email", "token_id": "tid"})
    await world.attest({"jti": "j", "tid": "mapped-1"}, profile_id="mapped", organization_id="acme")
    assert (await world.last_attempt()).token_id == "mapped-1"
    await refused(world, {"jti": "j", "tid": "mapped-1", "aud": "x"}, profile_id="mapped")
    assert (await world.last_attempt()).token_id == "j"


async def test_what_was_refused_before_the_signature_is_recorded_as_unverified(world: World) -> None:
    refusal = await refused(world, {"aud": "x", "plan": "pro", "sub": "eve"})
    attempt = await world.last_attempt()
    assert (attempt.outcome, attempt.code, attempt.reason) == ("refused", refusal.code, refusal.detail)
    assert (attempt.verified, attempt.kept_claims) == (False, {})
    assert (attempt.issuer, attempt.subject) == (world.issuer.url, "eve")
    assert attempt.details["step"] == "audience"
    assert (attempt.subject_id, attempt.session_id) == (None, None)


async def test_a_wrong_signature_keeps_no_claims(world: World) -> None:
    token = other_issuer().mint({"iss": world.issuer.url, "plan": "pro"}, now=world.ctx.clock())
    await refused(world, token=token)
    attempt = await world.last_attempt()
    assert (attempt.verified, attempt.kept_claims, attempt.details["step"]) == (False, {}, "signature")


async def test_what_was_refused_after_the_signature_keeps_its_claims(world: World) -> None:
    await refused(world, {"plan": "pro"}, organization_id="nowhere")
    attempt = await world.last_attempt()
    assert (attempt.code, attempt.verified) == ("organization_not_found", True)
    assert attempt.kept_claims == {"plan": "pro"}


async def test_an_unknown_profile_is_recorded_and_nothing_of_the_token(world: World) -> None:
    await refused(world, profile_id="x" * 5_000)
    attempt = await world.last_attempt()
    assert attempt.profile_id == "x" * 128
    assert (attempt.issuer, attempt.subject, attempt.kid, attempt.kept_claims) == (None, None, None, {})


async def test_no_part_of_the_signature_is_in_any_record(world: World) -> None:
    inner = world.token()
    tokens = [
        world.token({"plan": inner, "act": {"token": inner}}),
        world.token({"sub": inner}),
        world.token({"iss": inner}),
        world.token({"email": inner}),
        world.token({"jti": inner}),
        world.token() + "x",
        "Bearer " + world.token(),
        world.token({"aud": [inner, {"a": inner}]}),
    ]
    for token in tokens:
        with contextlib.suppress(errors.Error):
            await world.attest(token=token, organization_id="acme")
        told = msgspec.json.encode(await world.last_attempt()).decode()
        for secret in (token.split(".")[SIGNATURE], inner.split(".")[SIGNATURE]):
            assert secret[:40] not in told


# ---------------------------------------------------------------- hostile and huge values


async def test_what_a_token_says_is_cut_to_a_length(world: World) -> None:
    token = world.issuer.mint(
        {"sub": "s" * 4_000, "jti": "j" * 2_000, "iss": "i" * 2_000},
        header={"kid": "k" * 1_000},
        now=world.ctx.clock(),
    )
    await refused(world, token=token)
    attempt = await world.last_attempt()
    for value in (attempt.subject, attempt.token_id, attempt.issuer, attempt.kid):
        assert value is not None
        assert len(value) == MAX_TEXT
    assert len(attempt.reason) <= MAX_REASON


@pytest.mark.parametrize("value", [7, None, ["a"], {"a": 1}, True], ids=repr)
async def test_what_is_not_text_is_not_recorded_as_text(world: World, value: object) -> None:
    await refused(world, {"sub": value, "jti": value, "iss": value})
    attempt = await world.last_attempt()
    assert (attempt.subject, attempt.token_id, attempt.issuer) == (None, None, None)


async def test_kept_claims_are_bounded_and_the_small_ones_stay(world: World) -> None:
    await world.attest({"plan": "p" * 5_000, "groups": ["g"]}, organization_id="acme")
    attempt = await world.last_attempt()
    assert attempt.kept_claims == {"groups": ["g"]}
    await world.attest({"plan": "p" * 900, "groups": "g" * 900, "later": "l" * 900}, organization_id="acme")
    attempt = await world.last_attempt()
    assert len(msgspec.json.encode(attempt.kept_claims)) <= MAX_KEPT_BYTES


async def test_control_characters_are_escaped_in_reasons_and_do_no_harm_elsewhere(world: World) -> None:
    await refused(world, {"sub": "a\x1b[2J\nb", "aud": "x\x07\ny"})
    attempt = await world.last_attempt()
    assert attempt.reason.isprintable()
    assert attempt.subject == "a\x1b[2J\nb"


# ---------------------------------------------------------------- finding them


def ids_of(page: AttemptPage) -> list[str]:
    return [each.attempt.request_id for each in page.attempts]


async def find(world: World, **request: Any) -> AttemptPage:
    return await member_attempts(world.ctx, world.call, MemberAttemptsRequest(**request))


async def test_attempts_come_newest_first_page_by_page(world: World) -> None:
    for _ in range(5):
        await world.attest(organization_id="acme")
    first = await find(world, limit=2)
    second = await find(world, limit=2, cursor=first.next_cursor)
    third = await find(world, limit=2, cursor=second.next_cursor)
    numbers = [f"request-id-test-{number}" for number in (5, 4, 3, 2, 1)]
    assert [*ids_of(first), *ids_of(second), *ids_of(third)] == numbers
    assert third.next_cursor is None


async def test_what_comes_meanwhile_shifts_no_page(world: World) -> None:
    for _ in range(3):
        await world.attest(organization_id="acme")
    first = await find(world, limit=2)
    await world.attest(organization_id="acme")
    assert ids_of(await find(world, limit=2, cursor=first.next_cursor)) == ["request-id-test-1"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"request_id": "request-id-test-2"}, [2]),
        ({"outcome": "granted"}, [1]),
        ({"outcome": "refused"}, [3, 2]),
        ({"error_type": "jwt_invalid_audience"}, [2]),
        ({"profile_id": "nobody"}, [3]),
        ({"subject": "ada"}, [1]),
        ({"token_id": "t2"}, [2]),
        ({"issuer": "https://nobody.example"}, []),
        ({"kid": "nobody"}, []),
        ({"since": "2025-06-15T15:06:41Z"}, [3, 2]),
        ({"until": "2025-06-15T15:06:41Z"}, [1]),
        ({"since": "2025-06-15T15:06:40.5Z", "until": "2025-06-15T15:06:42+00:00"}, [2]),
        ({"outcome": "refused", "error_type": "jwt_invalid_audience", "token_id": "t2"}, [2]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
async def test_attempts_are_found_by_what_is_known(
    world: World, clock: Clock, asked: dict[str, str], found: list[int]
) -> None:
    await world.attest({"sub": "ada", "jti": "t1"}, organization_id="acme")
    clock.turn(1)
    await refused(world, {"aud": "x", "sub": "bob", "jti": "t2"})
    clock.turn(1)
    await refused(world, profile_id="nobody")
    assert ids_of(await find(world, **asked)) == [f"request-id-test-{number}" for number in found]


async def test_attempts_are_found_by_whom_they_let_in(world: World) -> None:
    granted = await world.attest({"sub": "ada"}, organization_id="acme")
    await world.attest({"sub": "bob", "email": "bob@example.com"}, organization_id="acme")
    assert isinstance(granted.person, Member)
    assert ids_of(await find(world, member_id=granted.person.member_id)) == ["request-id-test-1"]
    assert len(ids_of(await find(world, organization_id=granted.person.organization_id))) == 2
    assert ids_of(await find(world, member_id="ada")) == []


async def test_users_attempts_are_found_alike(shop: World) -> None:
    granted = await shop.attest()
    assert isinstance(granted.person, User)
    found = await user_attempts(shop.ctx, shop.call, UserAttemptsRequest(user_id=granted.person.user_id))
    assert ids_of(found) == ["request-id-test-1"]


async def test_operators_find_the_attempts_of_the_environment_they_name(world: World) -> None:
    granted = await world.attest(organization_id="acme")
    where: dict[str, Any] = {"project_slug": "project-b2b", "environment_slug": "test"}
    assert isinstance(granted.person, Member)
    request = ManagedAttemptsRequest(**where, member_id=granted.person.member_id)
    assert ids_of(await managed_attempts(world.ctx, OPERATOR, request)) == ["request-id-test-1"]
    other = ManagedAttemptsRequest(**(where | {"environment_slug": "live"}))
    assert ids_of(await managed_attempts(world.ctx, OPERATOR, other)) == []
    both = ManagedAttemptsRequest(**where, member_id="m", user_id="u")
    with pytest.raises(errors.BadRequest):
        await managed_attempts(world.ctx, OPERATOR, both)
    with pytest.raises(errors.EnvironmentNotFound):
        await managed_attempts(world.ctx, OPERATOR, ManagedAttemptsRequest(**(where | {"environment_slug": "none"})))


async def test_another_tenant_finds_nothing(world: World, elsewhere: Call) -> None:
    await world.attest(organization_id="acme")
    assert ids_of(await member_attempts(world.ctx, elsewhere, MemberAttemptsRequest())) == []


async def test_a_cursor_belongs_to_its_tenant_and_its_search(world: World, elsewhere: Call) -> None:
    for _ in range(2):
        await world.attest(organization_id="acme")
    cursor = (await find(world, limit=1)).next_cursor
    assert cursor is not None
    with pytest.raises(errors.InvalidCursor):
        await member_attempts(world.ctx, elsewhere, MemberAttemptsRequest(limit=1, cursor=cursor))
    with pytest.raises(errors.InvalidCursor):
        await find(world, limit=1, cursor=cursor, outcome="granted")
    with pytest.raises(errors.InvalidCursor):
        await find(world, limit=1, cursor="AAAA" + cursor[4:])
    assert ids_of(await find(world, limit=1000, cursor=cursor)) == ["request-id-test-1"]


@pytest.mark.parametrize("limit", [0, -1, 1001], ids=str)
async def test_a_page_has_1_to_1000_attempts(world: World, limit: int) -> None:
    with pytest.raises(errors.BadRequest, match="limit"):
        await find(world, limit=limit)


@pytest.mark.parametrize("text", ["yesterday", "", "2025-06-15T15:06:41", "1750000000", "x" * 1_000, "\x00"], ids=repr)
async def test_a_time_is_written_as_rfc_3339_does(world: World, text: str) -> None:
    with pytest.raises(errors.BadRequest, match="since: expected a time"):
        await find(world, since=text)


class Enough(Exception):
    """Raised by a pause to end the following."""


async def followed(following: AsyncIterator[list[NumberedAttempt]]) -> list[Attempt]:
    seen: list[Attempt] = []
    with contextlib.suppress(Enough):
        async for page in following:
            seen += [each.attempt for each in page]
    return seen


async def test_those_who_follow_see_each_later_attempt_once(world: World) -> None:
    await world.attest(organization_id="acme")
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1
        if pauses > 3:
            raise Enough
        await world.attest(organization_id="acme")
        await refused(world, {"aud": f"aud-{pauses}"})

    search = AttemptSearch(outcome="refused")
    seen = await followed(attempt_search.follow(world.ctx, world.environment_id, search, 0, pause))
    assert [f"aud-{number}" in each.reason for number, each in enumerate(seen, start=1)] == [True] * 3


async def test_those_who_follow_all_environments_see_them_all(world: World, shop: World) -> None:
    for each in (world, shop):
        await each.ctx.store.write(RecordAttempt(attempt=records.attempt(each.environment_id)))

    async def pause() -> None:
        raise Enough

    seen = await followed(attempt_search.follow(world.ctx, None, AttemptSearch(), 0, pause))
    assert [each.environment_id for each in seen] == [world.environment_id, shop.environment_id]
