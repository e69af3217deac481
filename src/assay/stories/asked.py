"""One attest under way: what is asked, and what it comes to before anything is written."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.model import ReplayMark
from assay.stories.attempts import Trail
from assay.stories.context import Call, Context
from assay.stories.granted import Opened
from assay.stories.judging import Judged
from assay.stories.provisioning import Decision


class AttestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an attest (contract §2). ``session_duration_minutes`` is in minutes."""

    profile_id: str
    token: str
    organization_id: str | None = None
    session_duration_minutes: int | None = None
    session_custom_claims: dict[str, Any] | None = None
    session_token: str | None = None
    session_jwt: str | None = None
    telemetry_id: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One attest under way. ``trail`` collects what the attempt record will tell, whatever the outcome."""

    ctx: Context
    call: Call
    request: AttestRequest
    trail: Trail


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What an attest comes to, decided before anything is written. ``mark`` is left by a token that works once."""

    judged: Judged
    passed_in: Opened | None
    decision: Decision
    mark: ReplayMark | None
    ends_at: int | None
