"""What happened: attempts and events."""

from __future__ import annotations

from typing import Any

from assay.model.base import Outcome, Record


class Attempt(Record, frozen=True, kw_only=True):
    """What became of one attest. ``code`` is public, ``reason`` is for the operator (decisions D13).

    Neither the token nor its signature is ever part of it.
    """

    environment_id: str
    request_id: str
    profile_id: str
    outcome: Outcome
    code: str
    reason: str
    details: dict[str, Any] = {}
    subject_id: str | None = None
    organization_id: str | None = None
    session_id: str | None = None
    created_at: int


class Event(Record, frozen=True, kw_only=True):
    """One line of the audit record, written in the same transaction as the change it tells of."""

    environment_id: str | None
    action: str
    target: str
    actor: str
    request_id: str = ""
    details: dict[str, Any] = {}
    created_at: int


class NumberedEvent(Record, frozen=True, kw_only=True):
    """An event with its place in the audit record, which readers go on from."""

    number: int
    event: Event


class PersonCounts(Record, frozen=True, kw_only=True):
    """How many records tell of one person beside its own."""

    sessions: int
    attempts: int
    events: int
