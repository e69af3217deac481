"""What was measured, and what follows from it: pure arithmetic on samples, without a clock or a process."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

LITTLE_TOLERANCE = 0.10
"""How far rate times mean latency may be from the number of connections: the rest is the time of the load itself."""

DEALS = 200

Direction = Literal["at least", "at most"]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a load of ``connections`` that each wait for their answer saw. Latencies are in microseconds.

    ``under_way_us`` is how long, on average, each had been waiting at the end, for an answer that is not counted.
    """

    connections: int
    requests: int
    seconds: float
    errors: int
    mean_us: float
    p50_us: float
    p99_us: float
    under_way_us: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration in one round: the load, and the CPU that the server took for it.

    ``floor_us`` is the CPU of a raw verify and a raw sign, probed right before and right after.
    """

    round: int
    load: Load
    cpu_seconds: float
    floor_us: tuple[float, float]
    extra: dict[str, float] = {}

    @property
    def cpu_us(self) -> float:
        """CPU of the server per answer, in microseconds."""
        return self.cpu_seconds / max(self.load.requests, 1) * 1e6

    @property
    def floor(self) -> float:
        """The floor at the time of this sample, in microseconds."""
        return statistics.mean(self.floor_us)

    @property
    def of_floor(self) -> float:
        """Which part of the server's CPU the floor is."""
        return self.floor / self.cpu_us


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number that is published. ``value`` None: it could not be measured, and ``note`` says why."""

    name: str
    title: str
    value: float | None
    unit: str = ""
    wanted: Direction | None = None
    limit: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``reached``, ``missed`` or ``not measured``; empty for a number that nothing is demanded of."""
        if self.value is None:
            return "not measured"
        if self.limit is None:
            return ""
        return "reached" if self._is_within(self.value, self.limit) else "missed"

    def _is_within(self, value: float, limit: float) -> bool:
        return value >= limit if self.wanted == "at least" else value <= limit


def little(load: Load) -> float:
    """Rate times mean latency over the connections: 1.0 by Little's law when all of them were always waiting.

    Requests that are under way at the end are not among the answers, so the time they took so far is left out.
    """
    waited = load.connections * max(load.seconds - load.under_way_us / 1e6, 1e-9)
    return load.requests * load.mean_us / 1e6 / waited


def fault_of(load: Load) -> str | None:
    """Why a load is not quoted, if so: error answers, or Little's law does not hold."""
    if load.requests <= 0:
        return "no answers"
    if load.errors:
        return f"{load.errors} of {load.requests} answers were errors"
    share = little(load)
    if abs(share - 1) > LITTLE_TOLERANCE:
        return f"rate × mean latency is {share:.2f} of the {load.connections} connections"
    return None


def quotable(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose load passes :func:`fault_of`."""
    return [sample for sample in samples if fault_of(sample.load) is None]


def median(values: Sequence[float], rounds: int) -> float | None:
    """The median, or None when no more than half of the rounds gave a value."""
    return statistics.median(values) if 2 * len(values) > rounds else None


def spread(values: Sequence[float]) -> float:
    """Largest minus smallest, over the median; 0 of nothing."""
    return (max(values) - min(values)) / statistics.median(values) if values else 0.0


def paired(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """The samples of the same rounds, both quotable: only those are compared."""
    others = {sample.round: sample for sample in quotable(theirs)}
    return [(sample, others[sample.round]) for sample in quotable(ours) if sample.round in others]


def rate_ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float | None:
    """The median of requests per second over requests per second, round by round."""
    return median([mine.load.rate / other.load.rate for mine, other in paired(ours, theirs)], len(ours))


def cpu_ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float | None:
    """The median of CPU per answer over CPU per answer, round by round."""
    return median([mine.cpu_us / other.cpu_us for mine, other in paired(ours, theirs)], len(ours))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0–1) of all values do not pass: the nearest rank. Raises ValueError of none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def counted_percentile(counts: Mapping[int, int], share: float) -> float:
    """The same of values that are told with how often they came; 0 of none."""
    left = share * sum(counts.values())
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return 0.0


def under_way(counts: Mapping[int, int]) -> float:
    """How long a request had been waiting at a random moment, on average, given the latencies of all; 0 of none.

    Long waits are met more often than short ones: half the mean of the squares over the mean, not half the mean.
    """
    whole = sum(value * count for value, count in counts.items())
    return sum(value * value * count for value, count in counts.items()) / (2 * whole) if whole else 0.0


def difference(first: Sequence[float], second: Sequence[float], chance: random.Random) -> tuple[float, float]:
    """How far the medians of two series lie apart, and how far they would by chance alone, in the unit of the values.

    The latter is what 99 of 100 random ways to deal the same values into two series stay below (a permutation test).
    """
    observed, dealt = abs(statistics.median(first) - statistics.median(second)), [*first, *second]
    by_chance = []
    for _ in range(DEALS):
        chance.shuffle(dealt)
        by_chance.append(abs(statistics.median(dealt[: len(first)]) - statistics.median(dealt[len(first) :])))
    return observed, percentile(by_chance, 0.99)
