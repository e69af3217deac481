"""What a monitoring system asks: the state of every key set, in the text format of Prometheus.

It is served on an address of its own, because it tells of all tenants and knows no callers.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from assay import errors
from assay.keys.health import KeySetHealth
from assay.stories import key_health
from assay.stories.context import Context
from assay.stories.key_health import ProfileHealth

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


class Metrics:
    """An ASGI application that answers ``GET /metrics``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; 503 while the store is away, so that an outage is not taken for an empty server."""
        del receive
        status, kind, body = 404, "text/plain; charset=utf-8", b"metrics are at /metrics\n"
        if scope["method"] in {"GET", "HEAD"} and scope["path"] == PATH:
            try:
                status, kind, body = 200, CONTENT_TYPE_LATEST, await exposition(self._context)
            except errors.StoreUnavailable:
                status, body = 503, b"the store is away\n"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def exposition(context: Context) -> bytes:
    """The state of all key sets now. Raises errors.StoreUnavailable."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(await key_health.all_profiles(context)))
    return generate_latest(registry)


class _Snapshot(Collector):
    """What was read just now, in the form that the library writes out."""

    def __init__(self, profiles: Iterable[ProfileHealth]) -> None:
        self._profiles = tuple(profiles)

    def collect(self) -> Iterable[Metric]:
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
