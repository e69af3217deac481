"""Audit events over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from assay import model
from assay.api.wire.answers import Answer, time
from assay.stories.audit import EventPage


class Event(msgspec.Struct, kw_only=True):
    """One line of the audit record: who did what to what, under which request, and what else is to know."""

    action: str
    target: str
    actor: str
    request_id: str
    details: dict[str, Any]
    created_at: datetime


class EventsMetadata(msgspec.Struct):
    """``next_cursor`` brings the next page, null when there is none yet; ``end_cursor`` what comes later than this."""

    next_cursor: str | None
    end_cursor: str | None


class EventsFound(Answer, kw_only=True):
    """A page of events, oldest first."""

    events: tuple[Event, ...]
    results_metadata: EventsMetadata


def events_found(page: EventPage, request_id: str) -> EventsFound:
    """Render a page."""
    return EventsFound(
        request_id=request_id,
        events=tuple(_event(each.event) for each in page.events),
        results_metadata=EventsMetadata(page.next_cursor, page.end_cursor),
    )


def _event(record: model.Event) -> Event:
    return Event(
        action=record.action,
        target=record.target,
        actor=record.actor,
        request_id=record.request_id,
        details=record.details,
        created_at=time(record.created_at),
    )
