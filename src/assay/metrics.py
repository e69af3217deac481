"""What a monitoring system asks: what the process did and how it is, in the text format of Prometheus.

What the meter counted is told as it is; the state of key sets and the number of live sessions are read when asked.
It is served on an address of its own, because it tells of all tenants and knows no callers.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from assay import errors
from assay.keys.health import KeySetHealth
from assay.observing.meter import Meter
from assay.stories import key_health
from assay.stories.context import Context
from assay.stories.key_health import ProfileHealth
from assay.workers.tally import Counts, Family, Sample, summed

PATH = "/metrics"
LABELS = ("project_id", "profile_id", "kind", "source")

_MEANINGS = {
    "assay_key_set_age_seconds": "Age of the last good answer of a key source.",
    "assay_key_set_failures_in_a_row": "Failed fetches of a key source since the last good one.",
    "assay_key_set_last_fetch_timestamp_seconds": "When a key source last gave a good answer.",
    "assay_key_set_next_fetch_timestamp_seconds": "The earliest time at which a key source is fetched again.",
    "assay_key_set_usable_keys": "Keys of a source that verify now.",
    "assay_key_set_problems": "Things that are wrong with a key source; the API and the command line tell them.",
}


CERTIFICATE = "assay_tls_certificate_not_after_timestamp_seconds"
SESSIONS = "assay_sessions_alive"
SESSIONS_KEPT_SECONDS = 30
"""How old the number of live sessions may be: all of them are counted to know it."""


class Certificate(Protocol):
    """The certificate that callers are shown."""

    @property
    def not_after(self) -> dt.datetime | None:
        """When it runs out, if that is known."""


class Metrics:
    """An ASGI application that answers ``GET /metrics``.

    ``workers`` gives what the other processes of this server counted, if there are any.
    """

    def __init__(
        self,
        context: Context,
        certificate: Certificate | None = None,
        workers: Callable[[], Awaitable[list[Counts]]] | None = None,
    ) -> None:
        self._context = context
        self._certificate = certificate
        self._sessions = _Sessions(context)
        self._counting = Counting(context.meter)
        self._workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; 503 while the store is away, so that an outage is not taken for an empty server."""
        del receive
        status, kind, body = 404, "text/plain; charset=utf-8", b"metrics are at /metrics\n"
        if scope["method"] in {"GET", "HEAD"} and scope["path"] == PATH:
            try:
                status, kind, body = 200, CONTENT_TYPE_LATEST, await self.exposition()
            except errors.StoreUnavailable:
                status, body = 503, b"the store is away\n"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def exposition(self) -> bytes:
        """Everything there is to tell now. Raises errors.StoreUnavailable."""
        profiles = await key_health.all_profiles(self._context)
        not_after = self._certificate.not_after if self._certificate else None
        read = _Read(profiles, await self._sessions.alive(), not_after)
        registry = CollectorRegistry(auto_describe=False)
        for collector in (*await self._counted(), read):
            registry.register(collector)
        return generate_latest(registry)

    async def _counted(self) -> Sequence[Collector]:
        if self._workers is None:
            return self._counting.collectors
        return [_Summed(summed([self._counting.counts(), *await self._workers()]))]


class Counting:
    """What this process counted, and how it is itself."""

    def __init__(self, meter: Meter) -> None:
        self.collectors: Sequence[Collector] = (
            _WithoutBirthdays(meter.registry),
            ProcessCollector(registry=None),
            PlatformCollector(registry=None),
        )

    def counts(self) -> Counts:
        """All of it, as it is now, for another process."""
        return tuple(_family(metric) for collector in self.collectors for metric in collector.collect())


def _family(metric: Metric) -> Family:
    samples = (Sample(each.name, tuple(each.labels.items()), each.value) for each in metric.samples)
    return Family(metric.name, metric.type, metric.documentation, tuple(samples))


class _Summed(Collector):
    """What several processes counted, in the form that the library writes out."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        for family in self._counts:
            metric = Metric(family.name, family.meaning, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


class _Sessions:
    """How many sessions live, by project id, read at most twice a minute however often somebody asks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._counted: Mapping[str, int] = {}
        self._counted_at: float | None = None
        self._lock = asyncio.Lock()

    async def alive(self) -> Mapping[str, int]:
        """As of at most 30 seconds ago. Raises errors.StoreUnavailable."""
        async with self._lock:
            now = self._context.clock()
            if self._counted_at is None or not 0 <= now - self._counted_at < SESSIONS_KEPT_SECONDS:
                self._counted = await self._context.store.sessions_alive(int(now))
                self._counted_at = now
        return self._counted


class _WithoutBirthdays(Collector):
    """What was counted, without the times at which each series began, which the library adds and nobody asked for."""

    def __init__(self, counted: CollectorRegistry) -> None:
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        for family in self._counted.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class _Read(Collector):
    """What was read just now, in the form that the library writes out."""

    def __init__(
        self, profiles: Iterable[ProfileHealth], sessions: Mapping[str, int], not_after: dt.datetime | None
    ) -> None:
        self._profiles = tuple(profiles)
        self._sessions = sessions
        self._not_after = not_after

    def collect(self) -> Iterable[Metric]:
        yield from self._key_sets()
        alive = GaugeMetricFamily(SESSIONS, "Sessions that live, as of the last 30 seconds.", labels=["project_id"])
        for project_id, count in self._sessions.items():
            alive.add_metric([project_id], count)
        yield alive
        if self._not_after is not None:
            yield GaugeMetricFamily(CERTIFICATE, "When the certificate runs out.", self._not_after.timestamp())

    def _key_sets(self) -> Iterable[Metric]:
        for name, meaning in _MEANINGS.items():
            family = GaugeMetricFamily(name, meaning, labels=LABELS)
            for profile in self._profiles:
                for key_set in profile.key_sets:
                    value = _values(key_set)[name]
                    if value is not None:
                        labels = (profile.environment_id, profile.profile_id, key_set.kind, key_set.source)
                        family.add_metric(labels, value)
            yield family


def _values(key_set: KeySetHealth) -> dict[str, float | None]:
    return {
        "assay_key_set_age_seconds": key_set.age_seconds,
        "assay_key_set_failures_in_a_row": key_set.failures_in_a_row,
        "assay_key_set_last_fetch_timestamp_seconds": key_set.last_fetched_at,
        "assay_key_set_next_fetch_timestamp_seconds": key_set.next_fetch_at,
        "assay_key_set_usable_keys": key_set.usable_keys,
        "assay_key_set_problems": len(key_set.problems),
    }
