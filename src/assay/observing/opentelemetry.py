"""Traces by OpenTelemetry, sent to a collector over OTLP/HTTP. Imported only where traces are configured.

The library would write the text of exceptions into spans; both switches for that are off here, because the text may
quote what was being worked on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from assay import __version__, errors
from assay.observing import names

EXPORT_SECONDS = 3
"""How long one batch may take to be sent, and so how long a collector that is away can delay the end."""

MOST_TRACEPARENT_BYTES = 128
SERVER_ERROR = 500

_propagator = TraceContextTextMapPropagator()


class OpenTelemetryTracer:
    """A :class:`assay.observing.tracer.Tracer` that sends spans to ``endpoint``, the base URL of a collector."""

    on = True

    def __init__(self, endpoint: str) -> None:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS)
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("assay", __version__)

    @contextmanager
    def request(self, method: str, route: str, traceparent: Sequence[bytes]) -> Iterator[OpenTelemetryRequest]:
        """As ``Tracer.request`` says."""
        shown, template = names.method(method), names.route(route)
        with self._tracer.start_as_current_span(
            f"{shown} {template}",
            context=_parent(traceparent),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": shown, "http.route": template},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield OpenTelemetryRequest(span)

    @contextmanager
    def step(self, name: str, kind: str = "") -> Iterator[None]:
        """As ``Tracer.step`` says; a step of no request makes no span."""
        if not trace.get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(
            name,
            attributes={"assay.kind": kind} if kind else {},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as fault:
                _mark(span, fault.code if isinstance(fault, errors.Error) else type(fault).__qualname__)
                raise

    def close(self) -> None:
        """As ``Tracer.close`` says."""
        self._provider.shutdown()


class OpenTelemetryRequest:
    """A :class:`assay.observing.tracer.RequestSpan`."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(self, status: int, code: str, request_id: str, project_id: str) -> None:
        """As ``RequestSpan.answered`` says. Only a fault of the server is one of the span's status."""
        found = {"assay.request_id": request_id, "assay.project_id": project_id, "error.type": code}
        self._span.set_attributes({name: value for name, value in found.items() if value})
        self._span.set_attribute("http.response.status_code", status)
        if status >= SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)


def _mark(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def _resource() -> Resource:
    """Who sends: what the variables of OpenTelemetry say, and the name of the service if they do not."""
    found = Resource.create({SERVICE_VERSION: __version__})
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "assay"}))
    return found


def _parent(traceparent: Sequence[bytes]) -> Context:
    """What the caller's span is, if it says so well; else the span begins a trace of its own.

    ``tracestate`` is not read: it is free text, which a caller who is not known yet could have sent to the collector.
    """
    if len(traceparent) != 1 or len(traceparent[0]) > MOST_TRACEPARENT_BYTES:
        return Context()
    return _propagator.extract({"traceparent": traceparent[0].decode("latin-1")}, context=Context())
