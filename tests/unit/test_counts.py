"""Plain counting tells what the library for it would tell."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from assay.observing.counts import Spread
from assay.observing.meter import SECONDS, Meter


def test_a_spread_is_that_of_the_library_at_its_bounds_and_between_them() -> None:
    observed = [0.0, *SECONDS, *(bound + 0.0004 for bound in SECONDS), 11.0]
    registry = CollectorRegistry()
    theirs = Histogram("spread", "", buckets=SECONDS, registry=registry)
    ours = Spread(SECONDS)
    for value in observed:
        theirs.observe(value)
        ours.observe(value)
    told = [(bound, registry.get_sample_value("spread_bucket", {"le": bound})) for bound, _ in ours.buckets()]
    assert list(ours.buckets()) == told
    assert ours.total == pytest.approx(registry.get_sample_value("spread_sum"))


def test_what_nobody_did_yet_is_told_as_none() -> None:
    told = generate_latest(Meter().registry).decode()
    assert "assay_session_jwts_signed_total 0.0" in told
    assert "assay_session_jwts_reused_total 0.0" in told


def test_requests_are_counted_by_status_and_timed_by_route() -> None:
    meter = Meter()
    for status in (200, 200, 404):
        meter.answered("GET", "/x", status, 0.003)
    labels = {"method": "GET", "route": "/x"}
    assert meter.registry.get_sample_value("assay_requests_total", labels | {"status": "200"}) == 2
    assert meter.registry.get_sample_value("assay_requests_total", labels | {"status": "404"}) == 1
    assert meter.registry.get_sample_value("assay_request_duration_seconds_count", labels) == 3
    assert meter.registry.get_sample_value("assay_request_duration_seconds_bucket", labels | {"le": "0.005"}) == 3


def test_methods_that_callers_made_up_are_one_series() -> None:
    meter = Meter()
    for method in ("BREW", "STEEP", "BREW"):
        meter.answered(method, "", 404, 0.1)
    labels = {"method": "_OTHER", "route": "unmatched", "status": "404"}
    assert meter.registry.get_sample_value("assay_requests_total", labels) == 3
    assert "BREW" not in str(vars(meter))
