"""An issuer whose tokens change is noticed: once per change, after it is known what is usual, at no cost otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from assay import errors
from assay.model import Observations
from assay.store import DeleteProfile, Observe, Store, Write
from assay.stories import drift, notices
from assay.stories.drift import KID_SECONDS, LEARNING_TOKENS, MOST_KIDS, MOST_NAMES, MOST_NOTICES
from assay.stories.managed_profiles import ProfileRef
from assay.stories.notices import NoticesRequest
from tests.calls import OPERATOR, Clock
from tests.records import NOW
from tests.stories.attesting import World, make_world

ENVIRONMENT, PROFILE = "project-test-1", "partner"
USUAL = {"iss": "i", "sub": "s"}


class Said:
    """What a verified token says, as far as drift looks at it."""

    def __init__(self, claims: dict[str, Any], header: dict[str, Any]) -> None:
        self.values = claims
        self.header = header


def known(**changes: Any) -> Observations:
    """What is known after the learning."""
    usual: dict[str, Any] = {
        "tokens": LEARNING_TOKENS,
        "claims": {"iss": True, "sub": True, "rare": False},
        "algorithms": ("RS256",),
        "kids": ("k1",),
    }
    return Observations(environment_id=ENVIRONMENT, profile_id=PROFILE, **(usual | changes))


def after(
    before: Observations, claims: dict[str, Any], alg: str = "RS256", kid: str | None = "k1", now: int = NOW
) -> Observations:
    header = {"alg": alg} | ({} if kid is None else {"kid": kid})
    said: Any = Said(claims, header)
    return drift.with_token(before, said, now)


@pytest.mark.parametrize(
    ("token", "notice"),
    [
        ({"claims": USUAL}, []),
        ({"claims": USUAL | {"rare": 1}}, []),
        ({"claims": USUAL, "kid": None}, []),
        ({"claims": USUAL | {"new": 1}}, [("claim_started", "new")]),
        ({"claims": {"iss": "i"}}, [("claim_stopped", "sub")]),
        ({"claims": USUAL, "alg": "ES256"}, [("new_algorithm", "ES256")]),
        ({"claims": USUAL, "kid": "k2"}, [("new_kid", "k2")]),
        (
            {"claims": {"iss": "i", "b": 1, "a": 1}, "alg": "PS256", "kid": "k9"},
            [
                ("claim_started", "a"),
                ("claim_started", "b"),
                ("claim_stopped", "sub"),
                ("new_algorithm", "PS256"),
                ("new_kid", "k9"),
            ],
        ),
    ],
    ids=["usual", "a claim that comes and goes", "no kid", "started", "stopped", "algorithm", "kid", "all at once"],
)
def test_what_is_new_about_a_token_is_noticed(token: dict[str, Any], notice: list[tuple[str, str]]) -> None:
    before = known()
    learned = after(before, **token)
    assert [(each.kind, each.value) for each in learned.notices] == notice
    assert all(each.noticed_at == NOW for each in learned.notices)
    if not notice:
        assert learned == before


def test_what_was_noticed_once_is_usual_from_then_on() -> None:
    token: dict[str, Any] = {"claims": {"iss": "i", "new": 1}, "alg": "ES256", "kid": "k2"}
    once = after(known(), **token)
    assert after(once, **token) == once
    assert after(once, **{**token, "claims": USUAL}) == once


def test_the_first_tokens_teach_and_raise_no_notice() -> None:
    seen = Observations(environment_id=ENVIRONMENT, profile_id=PROFILE)
    for number in range(LEARNING_TOKENS):
        seen = after(seen, USUAL | {f"c{number}": 1}, kid=f"k{number % 3}")
    assert (seen.tokens, seen.notices, seen.kids) == (LEARNING_TOKENS, (), ("k0", "k1", "k2"))
    assert seen.claims["sub"] is True
    assert not any(always for name, always in seen.claims.items() if name not in USUAL)
    assert [each.value for each in after(seen, USUAL | {"late": 1}, kid="k0").notices] == ["late"]


def test_a_claim_of_some_learning_tokens_may_be_missing_later() -> None:
    seen = Observations(environment_id=ENVIRONMENT, profile_id=PROFILE)
    seen = after(after(seen, USUAL | {"sometimes": 1}), USUAL)
    assert (seen.claims["sometimes"], seen.claims["iss"]) == (False, True)


def test_an_issuer_that_names_a_key_per_token_is_noted_once_an_hour() -> None:
    seen = known(kids=tuple(f"k{number}" for number in range(MOST_KIDS)))
    first = after(seen, USUAL, kid="fresh-1")
    assert [each.value for each in first.notices] == ["fresh-1"]
    assert len(first.kids) == MOST_KIDS
    assert after(first, USUAL, kid="fresh-2", now=NOW + KID_SECONDS - 1) == first
    assert [each.value for each in after(first, USUAL, kid="fresh-2", now=NOW + KID_SECONDS).notices][1:] == ["fresh-2"]


def test_what_is_known_is_bounded_whatever_a_token_says() -> None:
    seen = known()
    for start in range(0, 1_000, 250):
        seen = after(seen, USUAL | {f"{number}{'x' * 5_000}": 1 for number in range(start, start + 250)}, kid="k" * 900)
    assert len(seen.claims) == MOST_NAMES
    assert len(seen.notices) == MOST_NOTICES
    assert max(len(text) for text in (*seen.claims, *seen.kids, *(each.value for each in seen.notices))) == 100
    assert after(seen, USUAL | {"one more": 1}) == seen


# ---------------------------------------------------------------- in the attest


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = await make_world(store, clock, "consumer")
    await made.add_profile()
    return made


@pytest.fixture
def writes(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of writes from now on."""
    kinds: list[str] = []
    write = world.ctx.store.write

    async def noted(change: Write) -> None:
        kinds.append(type(change).__name__)
        await write(change)

    monkeypatch.setattr(world.ctx.store, "write", noted)
    return kinds


async def learn(world: World) -> None:
    for _ in range(LEARNING_TOKENS):
        await world.attest()


async def seen_of(world: World) -> Observations:
    found = await world.ctx.store.observations(world.environment_id, "partner")
    assert found is not None
    return found


async def test_an_ordinary_token_costs_no_read_and_no_write_after_the_learning(
    world: World, writes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(world)
    await world.attest()
    assert writes.count("Observe") == LEARNING_TOKENS

    async def not_read(*_: object) -> None:
        raise AssertionError("observations are read again")

    monkeypatch.setattr(world.ctx.store, "observations", not_read)
    await world.attest()
    assert writes.count("Observe") == LEARNING_TOKENS


async def test_a_notice_is_an_audit_event_under_the_request(world: World) -> None:
    await learn(world)
    await world.attest({"tenant": "x"})
    [event] = await world.events("profile.drift_noticed")
    assert (event.target, event.details) == ("partner", {"kind": "claim_started", "value": "tenant"})
    assert event.request_id == f"request-id-test-{world.requests}"
    await world.attest({"tenant": "y"})
    assert len(await world.events("profile.drift_noticed")) == 1


async def test_a_token_that_is_refused_teaches_nothing(world: World, writes: list[str]) -> None:
    with pytest.raises(errors.JwtInvalidAudience):
        await world.attest({"aud": "x", "tenant": "x"})
    assert "Observe" not in writes


async def test_what_another_worker_learned_is_learned_once(world: World) -> None:
    await learn(world)
    await world.attest()  # held in memory from here on
    before = await seen_of(world)
    other = drift.with_token(before, Said({**before.claims, "tenant": 1}, {"alg": "RS256"}), NOW)  # type: ignore[arg-type]
    await world.ctx.store.write(Observe(observations=other))
    await world.attest({"tenant": "x"})
    await world.attest({"tenant": "x"})
    assert len((await seen_of(world)).notices) == 1
    assert await world.events("profile.drift_noticed") == []  # the other worker told of it


async def test_a_store_that_cannot_take_it_fails_no_attest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write = world.ctx.store.write

    async def away(change: Write) -> None:
        if isinstance(change, Observe):
            raise errors.StoreUnavailable
        await write(change)

    monkeypatch.setattr(world.ctx.store, "write", away)
    assert (await world.attest()).person is not None


# ---------------------------------------------------------------- shown


async def test_the_notices_of_a_profile_are_shown_newest_first(world: World, clock: Clock) -> None:
    await learn(world)
    await world.attest({"first": 1})
    clock.turn(60)
    await world.attest({"first": 1, "second": 1})
    found = await notices.notices(world.ctx, world.call, NoticesRequest(profile_id="partner"))
    assert [(each.value, each.noticed_at) for each in found.notices] == [("second", NOW + 60), ("first", NOW)]
    assert found.tokens_learned == LEARNING_TOKENS
    where = ProfileRef(project_slug="project-consumer", environment_slug="test", profile_id="partner")
    assert await notices.managed_notices(world.ctx, OPERATOR, where) == found
    assert await notices.profile_notices(world.ctx, world.environment_id, "partner") == found


async def test_a_profile_that_has_seen_nothing_has_no_notices(world: World) -> None:
    found = await notices.notices(world.ctx, world.call, NoticesRequest(profile_id="partner"))
    assert (found.tokens_learned, found.notices) == (0, ())
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await notices.notices(world.ctx, world.call, NoticesRequest(profile_id="nobody"))


async def test_a_profile_made_again_starts_from_nothing(world: World) -> None:
    await learn(world)
    await world.attest()  # held in memory from here on
    await world.ctx.store.write(DeleteProfile(environment_id=world.environment_id, profile_id="partner"))
    await world.add_profile(created_at=NOW + 1)
    await world.attest()
    await world.attest()
    assert (await seen_of(world)).tokens == 2
