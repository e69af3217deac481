"""Plain numbers that go up: what is counted for every request is kept in these, and told only when somebody asks.

They take no lock. Whoever adds to one is the only one who does; others may read it at any time, and see what it was a
moment ago.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate


class Count:
    """How often something happened."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Spread:
    """How many observations lie at or below each of the ``bounds``, which ascend, and what all of them add up to."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> Iterator[tuple[str, float]]:
        """Each bound as Prometheus writes it, with how many lie at or below it; the last is ``+Inf``."""
        names = (*map(str, map(float, self._bounds)), "+Inf")
        return zip(names, accumulate(self._counts), strict=True)
