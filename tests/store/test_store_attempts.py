"""Attempts: found again by whatever is known of them, and forgotten when they are old."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from assay.model import Attempt, NumberedAttempt
from assay.store import (
    AttemptPoint,
    AttemptSearch,
    DeleteProfile,
    Forget,
    RecordAttempt,
    ReplaceProfile,
    RevokeSecret,
    Stale,
    Store,
)
from assay.store.statements import STATEMENTS
from tests import records
from tests.records import NOW
from tests.store.conftest import ON_SQLITE, Tenant

EVERYTHING: dict[str, Any] = {
    "outcome": "granted",
    "code": "granted",
    "reason": "",
    "details": {"notes": ["made just in time"]},
    "subject_id": "member-test-1",
    "organization_id": "organization-test-1",
    "session_id": "session-test-1",
    "issuer": "https://issuer.example",
    "subject": "auth0|7",
    "token_id": "t1",
    "kid": "k1",
    "algorithm": "ES256",
    "verified": True,
    "kept_claims": {"repository": "acme/app", "run": 7, "nothing": None},
    "milliseconds": 12,
}


def numbers(found: list[NumberedAttempt]) -> list[int]:
    return [one.number for one in found]


async def write_down(store: Store, *attempts: Attempt) -> list[int]:
    """Record the attempts; their numbers, in this order."""
    for attempt in attempts:
        await store.write(RecordAttempt(attempt=attempt))
    found = await store.search_attempts(attempts[0].environment_id, AttemptSearch(limit=len(attempts)))
    return numbers(found)[::-1]


async def test_an_attempt_is_read_as_it_was_written(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    full, bare = records.attempt(tenant.id, **EVERYTHING), records.attempt(tenant.id)
    await write_down(store, full, bare)
    assert await store.attempts(tenant.id, 9) == [bare, full]
    found = await store.search_attempts(tenant.id, AttemptSearch())
    assert [one.attempt for one in found] == [bare, full]
    assert await store.search_attempts(neighbour.id, AttemptSearch()) == []


FILTERS: dict[str, Any] = {
    "request_id": "request-id-test-1",
    "profile_id": "partner",
    "outcome": "granted",
    "code": "granted",
    "issuer": "https://issuer.example",
    "subject": "auth0|7",
    "token_id": "t1",
    "kid": "k1",
    "subject_id": "member-test-1",
    "organization_id": "organization-test-1",
}


@pytest.mark.parametrize("name", FILTERS)
async def test_attempts_are_found_by_each_filter(store: Store, tenant: Tenant, name: str) -> None:
    """Others differ from the one that is looked for in that field alone, or have nothing there."""
    wanted = records.attempt(tenant.id, **(EVERYTHING | FILTERS))
    other = replace(wanted, **{name: "refused" if name == "outcome" else f"{FILTERS[name]}x"})
    number, _, _ = await write_down(store, wanted, other, records.attempt(tenant.id, code="x", profile_id="y"))
    found = await store.search_attempts(tenant.id, AttemptSearch(**{name: FILTERS[name]}))
    assert found == [NumberedAttempt(number=number, attempt=wanted)]


async def test_filters_must_all_hold(store: Store, tenant: Tenant) -> None:
    first, second = (
        records.attempt(tenant.id, **(EVERYTHING | FILTERS | {"kid": kid, "token_id": token_id}))
        for kid, token_id in (("k1", "t2"), ("k2", "t1"))
    )
    await write_down(store, first, second)
    assert await store.search_attempts(tenant.id, AttemptSearch(kid="k1", token_id="t1")) == []
    found = await store.search_attempts(tenant.id, AttemptSearch(**(FILTERS | {"kid": "k1", "token_id": "t2"})))
    assert [one.attempt for one in found] == [first]


async def test_attempts_are_found_by_their_time(store: Store, tenant: Tenant) -> None:
    made = [records.attempt(tenant.id, created_at=NOW + second) for second in range(4)]
    await write_down(store, *made)
    found = await store.search_attempts(tenant.id, AttemptSearch(since=NOW + 1, until=NOW + 3))
    assert [one.attempt for one in found] == [made[2], made[1]]


async def test_pages_lead_from_the_newest_to_the_oldest(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    expected = []
    for number in range(5):
        await store.write(RecordAttempt(attempt=records.attempt(neighbour.id)))
        expected += await write_down(store, records.attempt(tenant.id, kid=str(number % 2)))
    seen: list[int] = []
    while page := await store.search_attempts(tenant.id, AttemptSearch(limit=2, before=min(seen, default=None))):
        seen += numbers(page)
    assert seen == expected[::-1]
    odd = await store.search_attempts(tenant.id, AttemptSearch(kid="1", before=expected[3]))
    assert numbers(odd) == [expected[1]]


async def test_pages_lead_on_from_a_number_oldest_first(store: Store, tenant: Tenant) -> None:
    made = [records.attempt(tenant.id, kid=str(number % 2)) for number in range(6)]
    expected = await write_down(store, *made)
    seen = [expected[0]]
    while page := await store.search_attempts(tenant.id, AttemptSearch(limit=2, after=max(seen))):
        seen += numbers(page)
    assert seen == expected
    between = AttemptSearch(after=expected[0], before=expected[5], kid="1")
    assert numbers(await store.search_attempts(tenant.id, between)) == [expected[1], expected[3]]


# ---------------------------------------------------------------- what an attest without session was decided upon


async def test_a_guarded_attempt_is_recorded_while_its_guard_holds(store: Store, tenant: Tenant) -> None:
    profile = tenant.profile
    guard = records.guard(tenant.secret, profile_id=profile.profile_id, profile_revision=profile.revision)
    attempt = records.attempt(tenant.id, profile_id=profile.profile_id)
    event = records.event(tenant.id)
    await store.write(RecordAttempt(attempt=attempt, guard=guard, events=(event,)))
    assert await store.attempts(tenant.id, 9) == [attempt]
    assert await store.events(tenant.id, 9) == [event]


@pytest.mark.parametrize("change", ["the secret is revoked", "the profile is changed", "the profile is deleted"])
async def test_a_guarded_attempt_is_not_recorded_when_its_guard_fails(
    store: Store, tenant: Tenant, change: str
) -> None:
    profile, secret = tenant.profile, tenant.secret
    changes = {
        "the secret is revoked": RevokeSecret(environment_id=tenant.id, secret_id=secret.secret_id, revoked_at=NOW),
        "the profile is changed": ReplaceProfile(profile=replace(profile, enabled=False)),
        "the profile is deleted": DeleteProfile(environment_id=tenant.id, profile_id=profile.profile_id),
    }
    await store.write(changes[change])
    guard = records.guard(secret, profile_id=profile.profile_id, profile_revision=profile.revision)
    attempt = records.attempt(tenant.id, profile_id=profile.profile_id)
    with pytest.raises(Stale):
        await store.write(RecordAttempt(attempt=attempt, guard=guard, events=(records.event(tenant.id),)))
    assert await store.attempts(tenant.id, 9) == []
    assert await store.events(tenant.id, 9) == []


async def test_a_guard_of_another_environment_lets_no_attempt_through(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    profile = tenant.profile
    guard = records.guard(neighbour.secret, profile_id=profile.profile_id, profile_revision=profile.revision)
    with pytest.raises(Stale):
        await store.write(RecordAttempt(attempt=records.attempt(tenant.id), guard=guard))


# ---------------------------------------------------------------- forgetting


async def test_old_attempts_are_forgotten_some_at_a_time(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    ages = [records.attempt(tenant.id, created_at=NOW + second) for second in range(5)]
    await write_down(store, *ages)
    await write_down(store, records.attempt(neighbour.id, created_at=NOW))
    forget = Forget(attempts_before=NOW + 4, now=NOW, limit=3)
    await store.write(forget)
    assert await store.attempts(tenant.id, 9) == [ages[4], ages[3]]
    await store.write(forget)
    assert await store.attempts(tenant.id, 9) == [ages[4]]
    assert await store.attempts(neighbour.id, 9) == []


async def test_an_attempt_that_is_not_old_enough_does_not_keep_the_next_ones(store: Store, tenant: Tenant) -> None:
    """The clock may have been put back."""
    ahead, old = records.attempt(tenant.id, created_at=NOW + 9), records.attempt(tenant.id)
    await write_down(store, ahead, old)
    await store.write(Forget(attempts_before=NOW + 1, now=NOW, limit=3))
    assert await store.attempts(tenant.id, 9) == [ahead]


@ON_SQLITE
async def test_looking_for_the_oldest_attempts_reads_no_others(path: str, store: Store) -> None:
    """Whoever forgets holds up whoever writes, so the step must not grow with what is kept."""
    del store
    with closing(sqlite3.connect(path)) as connection:
        parameters = {"attempts_before": 0, "now": 0, "limit": 1}
        plan = {
            name: " ".join(row[3] for row in connection.execute("explain query plan " + STATEMENTS[name], parameters))
            for name in ("forget_attempts", "forget_replay_marks")
        }
    assert "TEMP B-TREE FOR ORDER BY" not in " ".join(plan.values())
    assert "replay_marks_expiry" in plan["forget_replay_marks"]


async def test_a_series_counts_the_newest_attempts_by_slice_profile_outcome_and_duration(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    usual: dict[str, Any] = {"profile_id": "partner", "outcome": "granted", "milliseconds": 3}
    await write_down(store, records.attempt(neighbour.id, **usual))
    await write_down(
        store,
        records.attempt(tenant.id, **usual, created_at=NOW - 1),
        records.attempt(tenant.id, **usual, created_at=NOW),
        records.attempt(tenant.id, **usual, created_at=NOW + 59),
        records.attempt(tenant.id, **(usual | {"outcome": "refused", "milliseconds": None}), created_at=NOW + 60),
        records.attempt(tenant.id, **(usual | {"profile_id": "other"}), created_at=NOW + 60),
    )
    assert await store.attempt_series(tenant.id, NOW, 60, 10) == [
        AttemptPoint(0, "partner", "granted", 3, 2),
        AttemptPoint(1, "other", "granted", 3, 1),
        AttemptPoint(1, "partner", "refused", None, 1),
    ]
    assert sum(point.count for point in await store.attempt_series(tenant.id, NOW, 60, 2)) == 2
