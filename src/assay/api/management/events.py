"""Audit events in the management API."""

from __future__ import annotations

from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire import events as wire_events
from assay.stories import audit

ROUTES: tuple[Route, ...] = (
    managed("GET", f"{ENVIRONMENT}/events", audit.ManagedEventsRequest, audit.managed_events, wire_events.events_found),
)
