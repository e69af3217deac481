"""How the attests of an environment went lately: how many, by outcome and profile, and how long they took."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from assay.keys.health import KeySetHealth
from assay.model import Outcome
from assay.store import AttemptPoint
from assay.stories.context import Context

Period = Literal["hour", "day"]

MOST_ATTEMPTS = 20_000
"""So many of the newest attempts are counted: what is drawn on a page must not keep the store busy for long."""
MOST_PROFILES = 12
"""So many profiles are asked how old their keys are."""

_LENGTHS: dict[Period, tuple[int, int]] = {"hour": (60, 60), "day": (96, 900)}
"""Period → slices, and seconds of each."""


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds that half, 95 % and 99 % of the attests stayed within."""

    p50: int
    p95: int
    p99: int


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The attests since ``since`` (seconds), counted in ``slices`` of ``slice_seconds``.

    ``is_cut`` says that there were more than are counted: the oldest ones are left out.
    """

    since: int
    slices: int
    slice_seconds: int
    points: list[AttemptPoint]
    is_cut: bool

    def total(self, outcome: Outcome | None = None) -> int:
        """How many attests, or how many with this outcome."""
        return sum(point.count for point in self.points if outcome in {None, point.outcome})

    def per_slice(self, *, outcome: Outcome | None = None, profile_id: str | None = None) -> list[int]:
        """How many in each slice, oldest first."""
        counts = [0] * self.slices
        for point in self.points:
            if outcome in {None, point.outcome} and profile_id in {None, point.profile_id}:
                counts[point.slice] += point.count
        return counts

    def profile_ids(self) -> list[str]:
        """The profiles that were asked for, busiest first."""
        counts: Counter[str] = Counter()
        for point in self.points:
            counts[point.profile_id] += point.count
        return [profile_id for profile_id, _ in counts.most_common()]

    def percentiles(self, first: int = 0, slices: int | None = None) -> Percentiles | None:
        """How long the attests of these slices took; None when there were none."""
        after = self.slices if slices is None else first + slices
        took: Counter[int] = Counter()
        for point in self.points:
            if first <= point.slice < after and point.milliseconds is not None:
                took[point.milliseconds] += point.count
        return _percentiles(took)


class ProfileAge(msgspec.Struct, frozen=True, kw_only=True):
    """A profile whose keys are fetched, and the key set of it that is longest not renewed."""

    profile_id: str
    name: str
    key_set: KeySetHealth
    stale_limit_seconds: int


async def lately(ctx: Context, environment_id: str, period: Period) -> Series:
    """The attests of the last hour or day."""
    slices, seconds = _LENGTHS[period]
    # The slice that is under way is the last one.
    since = (int(ctx.clock()) // seconds + 1 - slices) * seconds
    points = await ctx.store.attempt_series(environment_id, since, seconds, MOST_ATTEMPTS)
    # A clock that was set back leaves attempts in the future: they are of no slice.
    return Series(
        since=since,
        slices=slices,
        slice_seconds=seconds,
        points=[point for point in points if point.slice < slices],
        is_cut=sum(point.count for point in points) >= MOST_ATTEMPTS,
    )


async def profile_names(ctx: Context, environment_id: str) -> dict[str, str]:
    """The name of each profile by its id, sorted by name."""
    found = await ctx.store.profiles(environment_id)
    return {each.profile_id: each.name for each in sorted(found, key=lambda each: each.name.casefold())}


async def key_ages(ctx: Context, environment_id: str, busiest: list[str]) -> list[ProfileAge]:
    """How old the fetched keys of at most twelve profiles are, the ``busiest`` first. Nothing is fetched."""
    rank = {profile_id: place for place, profile_id in enumerate(busiest)}
    found = await ctx.store.profiles(environment_id)
    found.sort(key=lambda each: rank.get(each.profile_id, len(rank)))
    ages = []
    for profile in found[:MOST_PROFILES]:
        fetched = [each for each in await ctx.keys.health(profile) if each.url is not None]
        if fetched:
            oldest = max(fetched, key=lambda each: (each.age_seconds is None, each.age_seconds or 0))
            age = ProfileAge(
                profile_id=profile.profile_id,
                name=profile.name,
                key_set=oldest,
                stale_limit_seconds=profile.keys_stale_limit,
            )
            ages.append(age)
    return ages


def _percentiles(took: Counter[int]) -> Percentiles | None:
    if not took:
        return None
    return Percentiles(_within(took, 50), _within(took, 95), _within(took, 99))


def _within(took: Counter[int], percent: int) -> int:
    """The least time that so many percent stayed within (nearest rank)."""
    left = -(-took.total() * percent // 100)
    for milliseconds in sorted(took):
        left -= took[milliseconds]
        if left <= 0:
            return milliseconds
    return max(took)
