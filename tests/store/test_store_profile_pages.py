"""What lists of profiles need: some profiles at a time, and what became of the last day's attempts."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from msgspec.structs import replace

from assay.model import AttemptCount
from assay.store import CreateProfile, RecordAttempt, Store
from assay.store.statements import STATEMENTS
from tests import records
from tests.records import NOW
from tests.store.conftest import ON_SQLITE, Tenant

HOUR = NOW // 3600 * 3600


async def test_attempts_are_counted_by_profile_outcome_and_hour(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    attempts = [
        records.attempt(tenant.id, profile_id="idp", outcome="granted", created_at=HOUR),
        records.attempt(tenant.id, profile_id="idp", outcome="granted", created_at=HOUR + 3599),
        records.attempt(tenant.id, profile_id="idp", outcome="refused", created_at=HOUR + 3600),
        records.attempt(tenant.id, profile_id="idp", outcome="refused", created_at=HOUR - 1),
        records.attempt(tenant.id, profile_id="not asked for", outcome="refused", created_at=HOUR),
        records.attempt(neighbour.id, profile_id="idp", outcome="granted", created_at=HOUR),
    ]
    for attempt in attempts:
        await store.write(RecordAttempt(attempt=attempt))
    counted = await store.attempt_counts(tenant.id, ("idp", "other"), HOUR)
    assert sorted(counted, key=lambda each: each.hour) == [
        AttemptCount(profile_id="idp", outcome="granted", hour=HOUR, attempts=2),
        AttemptCount(profile_id="idp", outcome="refused", hour=HOUR + 3600, attempts=1),
    ]
    assert await store.attempt_counts(tenant.id, (), HOUR) == []


@ON_SQLITE
async def test_attempts_are_counted_in_an_index_alone(store: Store, tenant: Tenant, path: str) -> None:
    """Attempts are many and long; counting those of a day must not read them."""
    del store, tenant
    values = {"environment_id": "e", "profile_ids": '["idp"]', "since": 0}
    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute("explain query plan " + STATEMENTS["attempt_counts"], values).fetchall()
    looked = [step[3] for step in steps if "attempts" in step[3]]
    assert looked == ["SEARCH attempts USING COVERING INDEX attempts_time (environment_id=? AND created_at>?)"]


async def test_profiles_come_some_at_a_time_oldest_first(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    made = [
        replace(records.profile(tenant.id, profile_id=profile_id), created_at=NOW + age)
        for profile_id, age in (("c", 1), ("b", 2), ("a", 2), ("d", 3))
    ]
    await store.write(CreateProfile(profile=records.profile(neighbour.id, profile_id="z")))
    for profile in made:
        await store.write(CreateProfile(profile=profile))
    first = await store.profile_page(tenant.id, "", (NOW, tenant.profile.profile_id), 3)
    assert [each.profile_id for each in first] == ["c", "a", "b"]
    rest = await store.profile_page(tenant.id, "", (first[-1].created_at, first[-1].profile_id), 3)
    assert [each.profile_id for each in rest] == ["d"]
    assert [each.profile_id for each in await store.profile_page(neighbour.id, "", (0, ""), 9)][-1] == "z"


async def test_a_page_of_profiles_has_them_whole(store: Store, tenant: Tenant) -> None:
    assert await store.profile_page(tenant.id, "", (0, ""), 9) == await store.profiles(tenant.id)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param("WORK", ["p1"], id="name in any case"),
        pytest.param("p1", ["p1"], id="id"),
        pytest.param("Login.Example", ["p1"], id="issuer"),
        pytest.param("%", [], id="no pattern of its own"),
        pytest.param("nobody", [], id="nothing"),
    ],
)
async def test_profiles_are_found_by_words(store: Store, tenant: Tenant, words: str, found: list[str]) -> None:
    profile = records.profile(tenant.id, profile_id="p1", name="Our Workforce", issuer="https://login.example")
    await store.write(CreateProfile(profile=profile))
    assert [each.profile_id for each in await store.profile_page(tenant.id, words, (0, ""), 9)] == found
