"""The rows of the bench, a module for those that are measured together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from bench.bench import Bench
from bench.results import Row
from bench.rows import exchange, on_postgres, postgres_size, size, timing, waits, workers

Measure = Callable[[Collection[str], Bench], Iterator[Row]]


class Group(NamedTuple):
    """Rows that are measured together. No round begins after ``seconds``."""

    names: Sequence[str]
    measure: Measure
    seconds: float


GROUPS = (
    Group(exchange.NAMES, exchange.measure, 420),
    Group(["sessions"], size.stored, 900),
    Group(["p99"], waits.saturated, 240),
    Group(["workers"], workers.measure, 180),
    Group(["memory"], size.memory, 1200),
    Group(["flood"], waits.flooded, 240),
    Group(["timing"], timing.measure, 240),
    Group(["pg-attest"], on_postgres.attest, 300),
    Group(["pg-workers"], on_postgres.workers, 240),
    Group(["pg-size"], postgres_size.measure, 1200),
)
NAMES = [name for group in GROUPS for name in group.names]


def groups(names: Collection[str]) -> list[Group]:
    """The groups of these rows, with the names left out that are not among them."""
    left = [group._replace(names=[name for name in group.names if name in names]) for group in GROUPS]
    return [group for group in left if group.names]
