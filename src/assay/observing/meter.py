"""Numbers about what one process does, for Prometheus.

Counting costs a request one or two microseconds. Labels hold only what is bounded: routes of the table, ids of records
that exist, codes of the table of errors. A caller must not be able to make series up.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from assay import __version__
from assay.observing import names

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WRITES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

UNKNOWN = "unknown"
"""The profile of an attest that named none there is; the caller's own text would make series without end."""


class Meter:
    """Counts in a registry of its own. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = self._counter("requests", "Requests answered.", "method", "route", "status")
        self._latency = self._seconds(
            "request_duration", "From a request's last header to its answer, in seconds.", "method", "route"
        )
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._attests = self._counter(
            "attests",
            "Attests by outcome: granted, or the code of the refusal. The profile is unknown where none was found.",
            "project_id",
            "profile_id",
            "code",
        )
        self._attested: dict[tuple[str, str, str], Counter] = {}
        self._signed = self._counter("session_jwts_signed", "Session JWTs signed.")
        self._reused = self._counter("session_jwts_reused", "Session JWTs of the last 30 seconds handed out again.")
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
        key = (method, route, status)
        counters = self._answered.get(key)
        if counters is None:
            counters = self._answered_as(*key)
        counters[0].inc()
        counters[1].observe(seconds)

    def attested(self, project_id: str, profile_id: str, code: str) -> None:
        """An attest ended. ``profile_id`` is that of a profile that exists, or UNKNOWN."""
        key = (project_id, profile_id, code)
        counter = self._attested.get(key)
        if counter is None:
            counter = self._attested[key] = self._attests.labels(*key)
        counter.inc()

    def signed(self) -> None:
        """A session JWT was signed."""
        self._signed.inc()

    def reused(self) -> None:
        """A session JWT was handed out that had been signed a moment ago."""
        self._reused.inc()

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

    def _answered_as(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        shown, of = names.method(method), names.route(route)
        counters = self._requests.labels(shown, of, status), self._latency.labels(shown, of)
        if shown == method:
            self._answered[method, route, status] = counters
        return counters

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"assay_{name}", meaning, labels, registry=self.registry)

    def _seconds(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"assay_{name}_seconds", meaning, labels, buckets=SECONDS, registry=self.registry)
