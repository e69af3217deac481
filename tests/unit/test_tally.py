"""What several workers counted, told as one."""

from __future__ import annotations

import pytest

from assay.metrics import Counting
from assay.observing.meter import Meter
from assay.workers.tally import Counts, Family, Sample, Tally, summed


def family(kind: str, name: str, **series: float) -> Family:
    """A metric with one label; the names of ``series`` are its values."""
    samples = tuple(Sample(name, (("by", label),), value) for label, value in series.items())
    return Family(name, kind, "A meaning.", samples)


def values(counts: Counts, name: str) -> dict[str, float]:
    [found] = [each for each in counts if each.name == name]
    return {dict(sample.labels)["by"]: sample.value for sample in found.samples}


@pytest.mark.parametrize("kind", ["counter", "histogram"])
def test_counts_are_added_up_series_by_series(kind: str) -> None:
    found = summed([(family(kind, "n", a=1, b=2),), (family(kind, "n", b=40, c=5),)])
    assert values(found, "n") == {"a": 1, "b": 42, "c": 5}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("assay_store_writes_waiting", 7, id="writes that wait add up"),
        pytest.param("process_resident_memory_bytes", 7, id="memory adds up"),
        pytest.param("process_start_time_seconds", 3, id="the start is that of the first process"),
        pytest.param("assay_build_info", 3, id="there is one version"),
    ],
)
def test_gauges_are_added_up_where_a_sum_means_something(name: str, told: float) -> None:
    assert values(summed([(family("gauge", name, x=3),), (family("gauge", name, x=4),)]), name) == {"x": told}


def test_a_metric_that_only_one_of_them_tells_is_told() -> None:
    found = summed([(family("counter", "one", x=1),), (family("counter", "other", x=2),)])
    assert (values(found, "one"), values(found, "other")) == ({"x": 1}, {"x": 2})


def test_what_a_real_process_counts_twice_is_counted_twice() -> None:
    meter = Meter()
    meter.answered("GET", "/v1/x", 200, 0.002)
    counts = tuple(each for each in Counting(meter).counts() if each.name.startswith("assay_request"))
    twice = {(each.name, each.labels): each.value for family in summed([counts, counts]) for each in family.samples}
    labels = (("method", "GET"), ("route", "/v1/x"))
    assert twice["assay_requests_total", (*labels, ("status", "200"))] == 2
    assert twice["assay_request_duration_seconds_count", labels] == 2
    assert twice["assay_request_duration_seconds_bucket", (*labels, ("le", "0.0025"))] == 2
    assert twice["assay_request_duration_seconds_bucket", (*labels, ("le", "0.001"))] == 0


def test_counts_stay_when_a_process_ends_and_grow_on_with_the_next() -> None:
    tally = Tally()
    told = []
    for counted in (1, 5):
        tally.tell((family("counter", "n", x=counted),))
        told.append(values(tally.counts(), "n")["x"])
    tally.end()
    told.append(values(tally.counts(), "n")["x"])
    for counted in (0, 2):
        tally.tell((family("counter", "n", x=counted),))
        told.append(values(tally.counts(), "n")["x"])
    tally.end()
    told.append(values(tally.counts(), "n")["x"])
    assert told == [1, 5, 5, 5, 7, 7]


def test_how_a_process_was_is_forgotten_with_it() -> None:
    tally = Tally()
    tally.tell((family("gauge", "process_resident_memory_bytes", x=3),))
    tally.end()
    assert tally.counts() == ()
