"""A collector of traces on loopback: takes what OpenTelemetry sends by OTLP over HTTP, and keeps it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(msgspec.Struct, frozen=True):
    """One span; ids are in hexadecimal, and those of no parent are empty."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    status: int
    attributes: dict[str, Any]
    events: int


class Collector:
    """``received`` are the bodies as they came."""

    def __init__(self, url: str, received: list[tuple[str, bytes]]) -> None:
        self.url = url
        self.received = received

    @property
    def raw(self) -> bytes:
        return b"".join(body for _, body in self.received)

    @property
    def spans(self) -> list[Span]:
        return [
            _span(each)
            for batch in self._batches()
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for each in scope.spans
        ]

    @property
    def resource(self) -> dict[str, Any]:
        """Who sent them."""
        return _attributes(self._batches()[0].resource_spans[0].resource.attributes)

    def _batches(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for _, body in self.received]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect as long as the block runs."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Collector(f"http://127.0.0.1:{server.server_address[1]}", received)
        finally:
            server.shutdown()
            thread.join()


def _span(sent: Any) -> Span:
    return Span(
        name=sent.name,
        trace_id=sent.trace_id.hex(),
        span_id=sent.span_id.hex(),
        parent_id=sent.parent_span_id.hex(),
        kind=sent.kind,
        status=sent.status.code,
        attributes=_attributes(sent.attributes),
        events=len(sent.events),
    )


def _attributes(sent: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in sent}
