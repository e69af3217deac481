"""How attests went lately, counted; and the attempts for people who look at them."""

from __future__ import annotations

from typing import Any

import pytest

from assay.store import RecordAttempt
from assay.stories import attempt_series
from assay.stories.attempt_series import Percentiles
from tests import records
from tests.world import NOW, PROFILE_ID, World


async def record(world: World, number: int = 1, **members: Any) -> None:
    """So many attempts, now unless told."""
    attempt = records.attempt(world.b2b.project_id, **({"created_at": NOW, "profile_id": PROFILE_ID} | members))
    for _ in range(number):
        await world.context.store.write(RecordAttempt(attempt=attempt))


async def lately(world: World, period: attempt_series.Period = "hour") -> attempt_series.Series:
    return await attempt_series.lately(world.context, world.b2b.project_id, period)


async def test_the_slice_under_way_is_the_last_one(world: World) -> None:
    await record(world, 2)
    await record(world, created_at=NOW - 60)
    assert (await lately(world)).per_slice()[-3:] == [0, 1, 2]


@pytest.mark.parametrize(("period", "seconds"), [("hour", 3_600), ("day", 86_400)], ids=["hour", "day"])
async def test_a_period_ends_where_it_should(world: World, period: attempt_series.Period, seconds: int) -> None:
    series = await lately(world, period)
    assert series.slices * series.slice_seconds == seconds
    await record(world, created_at=series.since)
    await record(world, created_at=series.since - 1)
    assert (await lately(world, period)).per_slice()[0] == 1
    assert (await lately(world, period)).total() == 1


async def test_an_attempt_in_the_future_is_of_no_slice(world: World) -> None:
    await record(world, created_at=NOW + 600)
    assert (await lately(world)).total() == 0


async def test_profiles_come_busiest_first(world: World) -> None:
    await record(world, 1, profile_id="rare")
    await record(world, 3, profile_id="busy")
    await record(world, 2, profile_id="usual")
    series = await lately(world)
    assert series.profile_ids() == ["busy", "usual", "rare"]
    assert sum(series.per_slice(profile_id="usual")) == 2


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        ([], None),
        ([7], Percentiles(7, 7, 7)),
        ([1, 2], Percentiles(1, 2, 2)),
        (list(range(1, 101)), Percentiles(50, 95, 99)),
        ([None, 3], Percentiles(3, 3, 3)),
    ],
    ids=["none", "one", "two", "a hundred", "not measured"],
)
async def test_percentiles_are_by_nearest_rank(
    world: World, took: list[int | None], expected: Percentiles | None
) -> None:
    for milliseconds in took:
        await record(world, milliseconds=milliseconds)
    assert (await lately(world)).percentiles() == expected


async def test_only_the_newest_attempts_are_counted_and_it_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_series, "MOST_ATTEMPTS", 3)
    await record(world, 2)
    assert not (await lately(world)).is_cut
    await record(world, 2)
    series = await lately(world)
    assert (series.total(), series.is_cut) == (3, True)


async def test_keys_that_are_not_fetched_have_no_age(world: World) -> None:
    assert await attempt_series.key_ages(world.context, world.b2b.project_id, []) == []
