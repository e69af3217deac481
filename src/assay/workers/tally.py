"""What several processes counted, as if one had."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_ADDED_UP = frozenset({"counter", "histogram"})

_GAUGES_ADDED_UP = frozenset(
    {
        "assay_store_writes_waiting",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)
"""Of every other gauge, such as a version or the time of the start, the first process that tells it is believed."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One number: the name and labels of its series, and the value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric with all its series. ``kind`` is counter, gauge or histogram."""

    name: str
    kind: str
    meaning: str
    samples: tuple[Sample, ...]


Counts = tuple[Family, ...]
"""All that one process tells at one moment."""


class Tally:
    """What the processes counted that held one place, one after another: no count goes back when one ends."""

    def __init__(self) -> None:
        self._before: Counts = ()
        self._now: Counts = ()

    def tell(self, counts: Counts) -> None:
        """The process of now has counted so much since it began."""
        self._now = counts

    def end(self) -> None:
        """The process of now is gone: what it counted stays, how it was does not."""
        gone = tuple(family for family in self._now if family.kind in _ADDED_UP)
        self._before, self._now = summed([self._before, gone]), ()

    def counts(self) -> Counts:
        """What all of them have counted by now."""
        return summed([self._now, self._before])


def summed(parts: Iterable[Counts]) -> Counts:
    """One answer out of several: counts are added up series by series, and so are gauges where a sum means something.

    Histograms of one name must have the same buckets in all parts.
    """
    found: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in (family for part in parts for family in part):
        first = found.setdefault(family.name, family)
        if first is family or family.kind in _ADDED_UP or family.name in _GAUGES_ADDED_UP:
            series = values.setdefault(family.name, {})
            for sample in family.samples:
                key = sample.name, sample.labels
                series[key] = series.get(key, 0.0) + sample.value
    return tuple(
        Family(family.name, family.kind, family.meaning, tuple(Sample(*key, value) for key, value in series.items()))
        for family, series in zip(found.values(), values.values(), strict=True)
    )
