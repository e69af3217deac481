"""Numbers about what one process does, for Prometheus.

Counting costs a request less than a microsecond: what is counted for each of them is a plain number here, which the
library is shown when somebody asks. Labels hold only what is bounded: routes of the table, ids of records that exist,
codes of the table of errors. A caller must not be able to make series up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from assay import __version__
from assay.observing import names
from assay.observing.counts import Count, Spread

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WRITES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

UNKNOWN = "unknown"
"""The profile of an attest that named none there is; the caller's own text would make series without end."""


class Meter:
    """Counts in a registry of its own.

    What happens at every request (``answered``, ``attested``, ``signed``, ``reused``) is told by the thread of the
    event loop alone, and ``committed`` by the writer of the store alone; the other methods may be called from any
    thread.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._often = _Often()
        self.registry.register(self._often)
        self._answered: dict[tuple[str, str, int], tuple[Count, Spread]] = {}
        self._fetches = self._counter(
            "key_fetches", "Documents of issuers' keys asked for, by outcome: answered or failed.", "outcome"
        )
        self._fetch_seconds = self._seconds("key_fetch_duration", "How long an issuer took to answer, in seconds.")
        self._waiting = Gauge(
            "assay_store_writes_waiting", "Writes handed to the store and not yet durable.", registry=self.registry
        )
        self._batches = Histogram(
            "assay_store_commit_writes", "Writes that shared a commit.", buckets=WRITES, registry=self.registry
        )
        self._commits = self._seconds("store_commit_duration", "How long a commit took, its writes included.")
        self._failed_commits = self._counter("store_failed_commits", "Commits that failed as a whole.")
        self._lag = self._seconds("event_loop_lag", "How late the event loop came to what was due.")
        build = Gauge("assay_build_info", "1, with the version.", ("version",), registry=self.registry)
        build.labels(__version__).set(1)

    # -- what happened

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is its template, empty when none matched."""
        count, spread = self._answered.get((method, route, status)) or self._answered_as(method, route, status)
        count.value += 1
        spread.observe(seconds)

    def attested(self, project_id: str, profile_id: str, code: str) -> None:
        """An attest ended. ``profile_id`` is that of a profile that exists, or UNKNOWN."""
        self._often.attests[project_id, profile_id, code].value += 1

    def signed(self) -> None:
        """A session JWT was signed."""
        self._often.signed.value += 1

    def reused(self) -> None:
        """A session JWT was handed out that had been signed a moment ago."""
        self._often.reused.value += 1

    def fetched(self, seconds: float, *, failed: bool) -> None:
        """A document of keys was asked for."""
        self._fetches.labels("failed" if failed else "answered").inc()
        self._fetch_seconds.observe(seconds)

    def committed(self, writes: int, seconds: float, *, failed: bool) -> None:
        """So many writes were committed together, or failed together."""
        self._batches.observe(writes)
        self._commits.observe(seconds)
        if failed:
            self._failed_commits.inc()

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask ``waiting`` for the writes not yet durable, whenever somebody looks."""
        self._waiting.set_function(waiting)

    def lagged(self, seconds: float) -> None:
        """The event loop came so late to what was due."""
        self._lag.observe(seconds)

    # -- how it is kept

    def _answered_as(self, method: str, route: str, status: int) -> tuple[Count, Spread]:
        shown, of = names.method(method), names.route(route)
        counted = self._often.requests[shown, of, str(status)], self._often.latency[shown, of]
        if shown == method:
            self._answered[method, route, status] = counted
        return counted

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"assay_{name}", meaning, labels, registry=self.registry)

    def _seconds(self, name: str, meaning: str) -> Histogram:
        return Histogram(f"assay_{name}_seconds", meaning, buckets=SECONDS, registry=self.registry)


class _Often(Collector):
    """What is counted at every request, by its labels, in the form that the library asks for."""

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, str, str], Count] = defaultdict(Count)
        self.latency: defaultdict[tuple[str, str], Spread] = defaultdict(lambda: Spread(SECONDS))
        self.attests: defaultdict[tuple[str, str, str], Count] = defaultdict(Count)
        self.signed = Count()
        self.reused = Count()

    def collect(self) -> Iterator[Metric]:
        """All of it as it is now."""
        requests = CounterMetricFamily("assay_requests", "Requests answered.", labels=("method", "route", "status"))
        for labels, count in self.requests.items():
            requests.add_metric(labels, count.value)
        yield requests
        yield self._latency()
        attests = CounterMetricFamily(
            "assay_attests",
            "Attests by outcome: granted, or the code of the refusal. The profile is unknown where none was found.",
            labels=("project_id", "profile_id", "code"),
        )
        for labels, count in self.attests.items():
            attests.add_metric(labels, count.value)
        yield attests
        yield CounterMetricFamily("assay_session_jwts_signed", "Session JWTs signed.", self.signed.value)
        yield CounterMetricFamily(
            "assay_session_jwts_reused", "Session JWTs of the last 30 seconds handed out again.", self.reused.value
        )

    def _latency(self) -> Metric:
        told = HistogramMetricFamily(
            "assay_request_duration_seconds",
            "From a request's last header to its answer, in seconds.",
            labels=("method", "route"),
        )
        for labels, spread in self.latency.items():
            told.add_metric(labels, list(spread.buckets()), spread.total)
        return told
