"""Attempts over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from assay import model
from assay.api.wire.answers import Answer, time
from assay.stories.attempt_search import AttemptPage


class Attempt(msgspec.Struct, kw_only=True):
    """What became of one attest, under its request id. Neither the token nor its signature is part of it.

    Unless ``verified``, what the token says (``issuer``, ``subject``, ``token_id``, ``kid``, ``algorithm``) may be
    anybody's word. ``error_type`` is null when it was granted; ``reason`` is for the operator, not for the person who
    wanted to log in.
    """

    request_id: str
    created_at: datetime
    profile_id: str
    outcome: model.Outcome
    error_type: str | None
    reason: str
    verified: bool
    issuer: str | None
    subject: str | None
    token_id: str | None
    kid: str | None
    algorithm: str | None
    kept_claims: dict[str, Any]
    organization_id: str | None
    member_id: str | None
    user_id: str | None
    session_id: str | None
    milliseconds: int | None
    details: dict[str, Any]


class AttemptsMetadata(msgspec.Struct):
    """``next_cursor`` brings the next page, with older attempts; null when there are none."""

    next_cursor: str | None


class AttemptsFound(Answer, kw_only=True):
    """A page of attempts, newest first."""

    attempts: tuple[Attempt, ...]
    results_metadata: AttemptsMetadata


def attempts_found(page: AttemptPage, request_id: str) -> AttemptsFound:
    """Render a page."""
    return AttemptsFound(
        request_id=request_id,
        attempts=tuple(_attempt(each.attempt) for each in page.attempts),
        results_metadata=AttemptsMetadata(page.next_cursor),
    )


def _attempt(record: model.Attempt) -> Attempt:
    member_id = record.subject_id if record.organization_id else None
    return Attempt(
        request_id=record.request_id,
        created_at=time(record.created_at),
        profile_id=record.profile_id,
        outcome=record.outcome,
        error_type=None if record.outcome == "granted" else record.code,
        reason=record.reason,
        verified=record.verified,
        issuer=record.issuer,
        subject=record.subject,
        token_id=record.token_id,
        kid=record.kid,
        algorithm=record.algorithm,
        kept_claims=record.kept_claims,
        organization_id=record.organization_id,
        member_id=member_id,
        user_id=None if member_id else record.subject_id,
        session_id=record.session_id,
        milliseconds=record.milliseconds,
        details=record.details,
    )
