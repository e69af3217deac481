"""The tracer that the settings ask for."""

from __future__ import annotations

from assay.config import ConfigFault, Settings
from assay.observing.tracer import NO_TRACER, Tracer


def open_tracer(settings: Settings) -> Tracer:
    """A tracer that somebody must close; it makes no spans unless traces are configured. Raises as :func:`check`."""
    if not settings.traces_endpoint:
        return NO_TRACER
    check(settings)
    from assay.observing.opentelemetry import OpenTelemetryTracer  # noqa: PLC0415 - only if configured

    return OpenTelemetryTracer(settings.traces_endpoint)


def check(settings: Settings) -> None:
    """Raise ConfigFault when traces are configured and what sends them is not installed."""
    if not settings.traces_endpoint:
        return
    try:
        import assay.observing.opentelemetry  # noqa: PLC0415, F401 - as above
    except ImportError:
        raise ConfigFault("ASSAY_TRACES_ENDPOINT needs OpenTelemetry: pip install assay[traces]") from None
