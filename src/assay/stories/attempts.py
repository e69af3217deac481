"""The records of attests: what became of each, and why, for the operator (decisions D13)."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from assay import errors, jsontext
from assay.model import Attempt, Profile
from assay.rules import facts, jws, tokens
from assay.rules.mapping import Identity
from assay.rules.tokens import Claims, Seen
from assay.stories.context import Call, Context

MAX_TEXT = 255
MAX_KEPT_BYTES = 2_048
MAX_REASON = 1_000
GRANTED = "granted"

Whom = tuple[str | None, str | None, str | None]
"""Subject id, organization id and session id."""

NOBODY: Whom = (None, None, None)


class Trail(msgspec.Struct, kw_only=True):
    """What is known of one attest so far, whatever will become of it."""

    profile_id: str
    started: float
    seen: Seen
    profile: Profile | None = None
    claims: Claims | None = None
    identity: Identity | None = None
    findings: dict[str, Any] = {}


def start(profile_id: str) -> Trail:
    """The trail of an attest that begins now."""
    seen = Seen()
    seen.step = "request"
    return Trail(profile_id=profile_id, started=time.perf_counter(), seen=seen)


def granted(call: Call, trail: Trail, whom: Whom, now: int) -> Attempt:
    """The record of an attest that was granted at ``now`` (seconds)."""
    return _record(call, trail, whom, now, code=GRANTED, reason="")


def refused(ctx: Context, call: Call, trail: Trail, refusal: errors.Error) -> Attempt:
    """The record of a refused attest: the public code, the private reason, and the step that refused."""
    trail.findings["step"] = trail.seen.step
    reason = (refusal.detail or refusal.message)[:MAX_REASON]
    return _record(call, trail, NOBODY, int(ctx.clock()), code=refusal.code, reason=reason)


def _record(call: Call, trail: Trail, whom: Whom, now: int, *, code: str, reason: str) -> Attempt:
    header, claims = trail.seen.unverified_header, trail.seen.unverified_claims
    ignored = tokens.ignored_key_headers(header)
    if ignored:
        trail.findings["ignored_headers"] = list(ignored)
    identity = trail.identity
    subject_id, organization_id, session_id = whom
    return Attempt(
        environment_id=call.environment.environment_id,
        request_id=call.request_id,
        # The id is the caller's text; a record must not be a place to store megabytes in.
        profile_id=trail.profile_id[:128],
        outcome="granted" if code == GRANTED else "refused",
        code=code,
        reason=reason,
        details=trail.findings,
        issuer=_text(claims.get("iss")),
        subject=_text(claims.get("sub")),
        token_id=identity.token_id if identity else _text(claims.get("jti")),
        kid=_text(header.get("kid")),
        algorithm=_text(header.get("alg")),
        verified=trail.claims is not None,
        kept_claims=_kept(trail),
        milliseconds=round((time.perf_counter() - trail.started) * 1000),
        created_at=now,
        subject_id=subject_id,
        organization_id=organization_id,
        session_id=session_id,
    )


def _text(value: object) -> str | None:
    return jws.without_tokens(value)[:MAX_TEXT] if isinstance(value, str) else None


def _kept(trail: Trail) -> dict[str, Any]:
    """The claims that the profile lets be kept, of a verified token, as far as they fit into a record."""
    if trail.profile is None or trail.claims is None or not trail.profile.kept_claims:
        return {}
    values = trail.claims.values
    kept: dict[str, Any] = facts.shareable({name: values[name] for name in trail.profile.kept_claims if name in values})
    if jsontext.size(kept) <= MAX_KEPT_BYTES:
        return kept
    return {name: value for name, value in kept.items() if jsontext.size(value) <= MAX_KEPT_BYTES // len(kept)}
