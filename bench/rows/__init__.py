"""The rows of the bench, a module for those that are measured together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from bench.bench import Bench
from bench.results import Row
from bench.rows import exchange, size, timing, waits, workers

Measure = Callable[[Collection[str], Bench], Iterator[Row]]


class Group(NamedTuple):
    """Rows that are measured together. No round begins after ``seconds``."""

    names: Sequence[str]
    measure: Measure
    seconds: float


GROUPS = (
    Group(exchange.NAMES, exchange.measure, 420),
    Group(["sessions"], size.stored, 420),
    Group(["p99"], waits.saturated, 240),
    Group(["workers"], workers.measure, 180),
    Group(["memory"], size.memory, 480),
    Group(["flood"], waits.flooded, 240),
    Group(["timing"], timing.measure, 240),
)
"""Configurations on PostgreSQL go here as a group of their own; ``Installation`` takes the URL of the database."""
NAMES = [name for group in GROUPS for name in group.names]


def groups(names: Collection[str]) -> list[Group]:
    """The groups of these rows, with the names left out that are not among them."""
    left = [group._replace(names=[name for name in group.names if name in names]) for group in GROUPS]
    return [group for group in left if group.names]
