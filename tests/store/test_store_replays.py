"""Tokens that work once: the mark of a use, who wins it, and when it is forgotten. And what is seen of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from assay.model import DriftNotice, Observations, ReplayMark, Session
from assay.store import (
    Conflict,
    CreateProfile,
    DeleteEnvironment,
    DeleteProfile,
    Forget,
    Observe,
    RecordAttempt,
    ReplaceProfile,
    Stale,
    Store,
    Write,
)
from tests import records
from tests.records import NOW
from tests.store import contents
from tests.store.conftest import Tenant

Using = Callable[[Tenant, Session, ReplayMark], Write]

USES: dict[str, Using] = {
    "starting a session": lambda tenant, _, mark: records.start(
        records.session(tenant.member), tenant.secret, replay=mark
    ),
    "adding a factor": lambda tenant, session, mark: records.update(
        session, tenant.secret, replay=mark, factors=(records.factor("b"),)
    ),
    "an attest without session": lambda tenant, _, mark: RecordAttempt(attempt=records.attempt(tenant.id), replay=mark),
}


@pytest.fixture(params=["one process", "two processes"])
def stores(request: pytest.FixtureRequest, store: Store, second: Store) -> tuple[Store, Store]:
    return (store, store) if request.param == "one process" else (store, second)


async def marked(store: Store, mark: ReplayMark) -> ReplayMark | None:
    return await store.replay_mark(mark.environment_id, mark.profile_id, mark.mark)


# ---------------------------------------------------------------- one use


@pytest.mark.parametrize("use", USES)
async def test_a_use_leaves_its_mark(store: Store, tenant: Tenant, session: Session, use: str) -> None:
    mark = records.replay_mark(tenant.secret, session_number=session.number)
    assert await marked(store, mark) is None
    await store.write(USES[use](tenant, session, mark))
    assert await marked(store, mark) == mark


@pytest.mark.parametrize("use", USES)
async def test_a_live_mark_refuses_a_second_use_as_a_whole(
    store: Store, tenant: Tenant, session: Session, path: str, use: str
) -> None:
    mark = records.replay_mark(tenant.secret)
    await store.write(USES["an attest without session"](tenant, session, mark))
    before = contents.everything(path)
    late = replace(mark, created_at=mark.expires_at - 1, expires_at=NOW + 999, request_hash=b"other")
    with pytest.raises(Conflict) as refused:
        await store.write(USES[use](tenant, session, late))
    assert refused.value.key == "replay_mark"
    assert contents.everything(path) == before


async def test_an_expired_mark_gives_way_to_a_new_one(store: Store, tenant: Tenant, session: Session) -> None:
    mark = records.replay_mark(tenant.secret, session_number=session.number)
    await store.write(USES["adding a factor"](tenant, session, mark))
    later = ReplayMark(
        environment_id=tenant.id,
        profile_id=mark.profile_id,
        mark=mark.mark,
        created_at=mark.expires_at,
        expires_at=mark.expires_at + 60,
        secret_id="secret-test-other",
        request_hash=b"other",
    )
    await store.write(USES["an attest without session"](tenant, session, later))
    assert await marked(store, mark) == later


async def test_marks_are_of_one_profile_of_one_environment(
    store: Store, tenant: Tenant, neighbour: Tenant, session: Session
) -> None:
    other = records.profile(tenant.id, profile_id="other")
    await store.write(CreateProfile(profile=other))
    mark = records.replay_mark(tenant.secret)
    for one in (mark, replace(mark, profile_id="other"), replace(mark, mark="token-2")):
        await store.write(USES["an attest without session"](tenant, session, one))
    theirs = records.replay_mark(neighbour.secret)
    await store.write(RecordAttempt(attempt=records.attempt(neighbour.id), replay=theirs))
    assert await marked(store, theirs) == theirs


@pytest.mark.parametrize("use", USES)
async def test_a_use_that_fails_leaves_no_mark(store: Store, tenant: Tenant, session: Session, use: str) -> None:
    mark = records.replay_mark(tenant.secret)
    stale = records.guard(tenant.secret, secret_id="secret-test-0", profile_id=mark.profile_id, profile_revision=1)
    with pytest.raises(Stale):
        await store.write(replace(USES[use](tenant, session, mark), guard=stale))
    assert await marked(store, mark) is None


async def test_a_mark_of_a_profile_that_is_gone_is_stale(store: Store, tenant: Tenant, session: Session) -> None:
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=tenant.profile.profile_id))
    with pytest.raises(Stale):
        await store.write(USES["an attest without session"](tenant, session, records.replay_mark(tenant.secret)))


@pytest.mark.parametrize("use", USES)
async def test_of_many_that_use_a_token_at_once_one_wins(
    stores: tuple[Store, Store], tenant: Tenant, session: Session, use: str
) -> None:
    marks = [records.replay_mark(tenant.secret, request_hash=str(number).encode()) for number in range(6)]
    writes = [stores[number % 2].write(USES[use](tenant, session, mark)) for number, mark in enumerate(marks)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    lost = [outcome for outcome in outcomes if outcome is not None]
    assert [one.key if isinstance(one, Conflict) else one for one in lost] == ["replay_mark"] * 5
    assert await marked(stores[0], marks[0]) == marks[outcomes.index(None)]


# ---------------------------------------------------------------- forgetting


async def test_expired_marks_are_forgotten_some_at_a_time_oldest_first(
    store: Store, tenant: Tenant, session: Session
) -> None:
    marks = [records.replay_mark(tenant.secret, mark=str(number), expires_at=NOW + number) for number in (3, 1, 4, 2)]
    for mark in marks:
        await store.write(USES["an attest without session"](tenant, session, mark))
    forget = Forget(attempts_before=0, now=NOW + 3, limit=2)
    await store.write(forget)
    assert [await marked(store, mark) is None for mark in marks] == [False, True, False, True]
    await store.write(forget)
    assert [await marked(store, mark) is None for mark in marks] == [True, True, False, True]
    assert len(await store.attempts(tenant.id, 9)) == 4


async def test_marks_and_observations_stay_with_a_changed_profile_and_go_with_a_deleted_one(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    """A change of the profile must not let used tokens through again."""
    for one in (tenant, neighbour):
        attempt, mark = records.attempt(one.id), records.replay_mark(one.secret)
        await store.write(RecordAttempt(attempt=attempt, replay=mark))
        await store.write(Observe(observations=records.observations(one.id)))
    mark, profile = records.replay_mark(tenant.secret), tenant.profile
    await store.write(ReplaceProfile(profile=replace(profile, replay="token_id")))
    assert await marked(store, mark) == mark
    assert await store.observations(tenant.id, profile.profile_id) is not None
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=profile.profile_id))
    assert await marked(store, mark) is None
    assert await store.observations(tenant.id, profile.profile_id) is None
    await store.write(DeleteEnvironment(environment_id=neighbour.id))
    assert await marked(store, records.replay_mark(neighbour.secret)) is None
    assert await store.observations(neighbour.id, profile.profile_id) is None


# ---------------------------------------------------------------- another token of a session


async def test_a_session_gets_another_token_and_the_next_revision(
    store: Store, tenant: Tenant, session: Session
) -> None:
    other = records.session(tenant.member)
    await store.write(records.start(other, tenant.secret))
    await store.write(records.update(session, tenant.secret, token_hash=b"n" * 32))
    view = await store.session(tenant.id, session.number)
    assert view is not None
    assert view.session == replace(session, token_hash=b"n" * 32, revision=2)
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, revision=1, token_hash=b"o" * 32))
    await store.write(records.update(session, tenant.secret))
    view = await store.session(tenant.id, session.number)
    assert view is not None
    assert view.session.token_hash == b"n" * 32
    view = await store.session(tenant.id, other.number)
    assert view is not None
    assert view.session == other


async def test_of_two_new_tokens_for_one_session_one_is_kept(
    stores: tuple[Store, Store], tenant: Tenant, session: Session
) -> None:
    tokens = [b"a" * 32, b"b" * 32]
    writes = [
        stores[number].write(records.update(session, tenant.secret, revision=1, token_hash=token))
        for number, token in enumerate(tokens)
    ]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Stale"]
    view = await stores[1].session(tenant.id, session.number)
    assert view is not None
    assert view.session.token_hash == tokens[outcomes.index(None)]


# ---------------------------------------------------------------- what is seen of tokens

SEEN = {
    "tokens": 20,
    "claims": {"sub": True, "email": False},
    "algorithms": ("RS256", "ES256"),
    "kids": ("k1",),
    "notices": (DriftNotice(kind="new_kid", value="k1", noticed_at=NOW),),
}


async def test_observations_are_read_as_they_were_written(store: Store, tenant: Tenant) -> None:
    profile_id = tenant.profile.profile_id
    assert await store.observations(tenant.id, profile_id) is None
    first = records.observations(tenant.id, **SEEN)
    await store.write(Observe(observations=first))
    assert await store.observations(tenant.id, profile_id) == replace(first, revision=1)
    second = Observations(environment_id=tenant.id, profile_id=profile_id, tokens=21, revision=1)
    await store.write(Observe(observations=second))
    assert await store.observations(tenant.id, profile_id) == replace(second, revision=2)


async def test_of_observations_made_at_once_one_is_kept_and_the_others_are_stale(
    stores: tuple[Store, Store], tenant: Tenant
) -> None:
    for known in (0, 1):
        made = [records.observations(tenant.id, tokens=10 * known + number, revision=known) for number in range(4)]
        writes = [stores[number % 2].write(Observe(observations=one)) for number, one in enumerate(made)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", *["Stale"] * 3]
        found = await stores[1].observations(tenant.id, tenant.profile.profile_id)
        assert found == replace(made[outcomes.index(None)], revision=known + 1)


async def test_what_was_seen_of_a_deleted_profile_is_not_that_of_its_namesake(store: Store, tenant: Tenant) -> None:
    await store.write(Observe(observations=records.observations(tenant.id)))
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=tenant.profile.profile_id))
    await store.write(CreateProfile(profile=tenant.profile))
    with pytest.raises(Stale):
        await store.write(Observe(observations=records.observations(tenant.id, revision=1)))
    assert await store.observations(tenant.id, tenant.profile.profile_id) is None


async def test_nobody_observes_for_a_profile_that_is_gone(store: Store, tenant: Tenant) -> None:
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=tenant.profile.profile_id))
    with pytest.raises(Stale):
        await store.write(Observe(observations=records.observations(tenant.id)))
    assert await store.observations(tenant.id, tenant.profile.profile_id) is None
