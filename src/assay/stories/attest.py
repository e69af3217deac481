"""Attest: a trusted auth token in, a session out. The main job of Assay.

The order of checks is decision D16: the request's arguments, the profile, the token, the session passed in, who it
is, multi-factor, and only then the writes. Every refusal is decided before the first write. Whatever the outcome, an
attempt record says why, under the request id of the answer.
"""

from __future__ import annotations

from assay import errors, store
from assay.model import Factor, Member, Profile, ReplayMark
from assay.observing.meter import UNKNOWN
from assay.rules import checks, factors, mapping, session_ids
from assay.rules import claims as custom_claims
from assay.rules.identity import NewOrganization, NewPerson
from assay.stories import attempts, drift, granting, judging, opening, provisioning, replays
from assay.stories.asked import Asked, AttestRequest, Planned
from assay.stories.context import Call, Context
from assay.stories.granted import Granted, Opened
from assay.stories.judging import Judged
from assay.stories.provisioning import Decision

__all__ = ["Asked", "AttestRequest", "Planned", "attest", "judged_token", "plan"]

# Each lost race shows that somebody else got on; a request that loses this many meets a store that is too busy.
MAX_TRIES = 50


async def attest(ctx: Context, call: Call, request: AttestRequest) -> Granted:
    """Judge the token and start a session, or add the token as a factor to the one passed in.

    Every refusal leaves an attempt record behind, unless the store is away.

    Raises InvalidSessionDurationMinutes, ReservedClaims, StytchClaims, CustomClaimsTooLarge, TooManySessionArguments,
    TrustedTokenProfileNotFound, as :func:`judging.judge`, as :func:`opening.open_session` for the session passed in,
    as :func:`provisioning.decide`, MemberSessionMemberIdMismatch, UserIdMismatch, InsufficientFactors.
    """
    asked = Asked(ctx=ctx, call=call, request=request, trail=attempts.start(request.profile_id))
    try:
        granted = await _attest(asked)
    except errors.Error as refusal:
        _count(asked, refusal.code)
        if not isinstance(refusal, errors.StoreUnavailable):
            await ctx.store.write(store.RecordAttempt(attempt=attempts.refused(ctx, call, asked.trail, refusal)))
        raise
    _count(asked, "granted")
    if asked.trail.profile is not None and asked.trail.claims is not None:
        await drift.observe(ctx, call, asked.trail.profile, asked.trail.claims)
    return granted


async def _attest(asked: Asked) -> Granted:
    for _ in range(MAX_TRIES):
        try:
            return await _attest_once(asked)
        except (store.Stale, store.Conflict):
            # The secret may be what went stale; all else, a token used meanwhile too, is read again by the next try.
            await opening.require_secret(asked.ctx, asked.call)
    raise errors.StoreUnavailable(detail=f"an attest lost {MAX_TRIES} races in a row")


async def _attest_once(asked: Asked) -> Granted:
    judged = await judged_token(asked)
    mark = replays.mark_of(asked.call, judged, asked.request, int(asked.ctx.clock()))
    asked.trail.seen.step = "replay"
    earlier = None if mark is None else await replays.earlier_use(asked.ctx, mark)
    planned = await plan(asked, judged, mark, earlier)
    if earlier is not None:
        return await granting.answer_again(asked, planned)
    return await granting.carry_out(asked, planned)


async def judged_token(asked: Asked) -> Judged:
    """The request's arguments, the profile, and the token, in this order. Raises what is wrong with them."""
    trail, request = asked.trail, asked.request
    trail.seen.step = "request"
    _check_arguments(request)
    trail.seen.step = "profile"
    profile = trail.profile = await judging.require_enabled_profile(asked.ctx, asked.call, request.profile_id)
    claims = trail.claims = await judging.judge(asked.ctx, profile, request.token, trail.seen)
    trail.seen.step = "mapping"
    identity = trail.identity = mapping.read(claims, profile, asked.call.environment.vertical)
    return Judged(profile=profile, claims=claims, identity=identity)


async def plan(asked: Asked, judged: Judged, mark: ReplayMark | None, earlier: ReplayMark | None) -> Planned:
    """Whom the attest is for and what it may do, with everything that can refuse it. Writes nothing.

    For a repeated request the session passed in is the one that the ``earlier`` use led to.
    """
    ctx, call, seen = asked.ctx, asked.call, asked.trail.seen
    seen.step = "session"
    passed_in = None
    if earlier is not None:
        passed_in = await _session_of(asked, earlier)
    elif asked.request.session_token or asked.request.session_jwt:
        passed_in = await _session_passed_in(asked)
    ends_at = _end_of_session(judged, int(ctx.clock())) if judged.profile.session_ends_with_token else None
    decision = await provisioning.decide(
        ctx, call, judged.profile, judged.identity, asked.request.organization_id, seen
    )
    seen.step = "factors"
    if passed_in is not None:
        _check_same_person(passed_in, decision)
    _check_factors(passed_in, decision, judged.profile)
    return Planned(judged=judged, passed_in=passed_in, decision=decision, mark=mark, ends_at=ends_at)


def _end_of_session(judged: Judged, now: int) -> int:
    """When the session must end because the token does, where the profile ties them (decisions D8)."""
    ends_at = checks.ends_at(judged.claims.values, judged.profile)
    if ends_at <= now:
        raise errors.JwtInvalidClaims(detail="the token ends now, and so would its session")
    return ends_at


def _check_arguments(request: AttestRequest) -> None:
    opening.check_duration(request.session_duration_minutes)
    if request.session_custom_claims is not None:
        custom_claims.check_custom_claims(request.session_custom_claims)
        custom_claims.merge_custom_claims({}, request.session_custom_claims)
    opening.check_session_arguments(request.session_token, request.session_jwt, required=False)


async def _session_passed_in(asked: Asked) -> Opened:
    request = asked.request
    opened = await opening.open_session(asked.ctx, asked.call, request.session_token, request.session_jwt)
    # Claims that grow too large together with those of the session are refused before anything is written.
    opening.extended(opened.view.session, request.session_duration_minutes, request.session_custom_claims, 0)
    return opened


async def _session_of(asked: Asked, earlier: ReplayMark) -> Opened | None:
    """The session that an earlier use led to, with the token that the request shows for it, else an empty one.

    Raises InvalidTrustedAuthToken when that session has ended since.
    """
    ctx = asked.ctx
    if earlier.session_number is None:
        return None
    view = await ctx.store.session(earlier.environment_id, earlier.session_number)
    if view is None or not opening.is_live(view, ctx.clock()):
        raise errors.InvalidTrustedAuthToken(detail="the token was used before, and its session has ended")
    token = await _token_shown(asked)
    return Opened(view=view, token=token if session_ids.opens(view.session, token) else "")


async def _token_shown(asked: Asked) -> str:
    """The session token that the request shows, by itself or in a session JWT; empty if it shows none."""
    request = asked.request
    if not request.session_jwt:
        return request.session_token or ""
    try:
        opened = await opening.find_by_jwt(asked.ctx, asked.call, request.session_jwt)
    except errors.UnableToParseSessionJwt:  # its own time may have run out since the first request
        return ""
    return opened.token if opened else ""


def _check_same_person(passed_in: Opened, decision: Decision) -> None:
    """A token only ever adds to a session of the person it names (security A106)."""
    mismatch = errors.UserIdMismatch if decision.organization is None else errors.MemberSessionMemberIdMismatch
    if isinstance(decision.person, NewPerson):
        raise mismatch(detail="the token names somebody who does not exist yet")
    if opening.id_of(decision.person.person) != passed_in.view.session.subject_id:
        raise mismatch


def _check_factors(passed_in: Opened | None, decision: Decision, profile: Profile) -> None:
    """Where multi-factor is due, the attest must add to a session with a factor of another profile (decision D15)."""
    organization, person = decision.organization, decision.person
    if organization is None or isinstance(organization, NewOrganization):
        return
    member = None if isinstance(person, NewPerson) else person.person
    if not factors.mfa_due(organization, member if isinstance(member, Member) else None):
        return
    held: tuple[Factor, ...] = passed_in.view.session.factors if passed_in else ()
    if all(factor.profile_id == profile.profile_id for factor in held):
        raise errors.InsufficientFactors


def _count(asked: Asked, code: str) -> None:
    """Count the outcome under the profile, once that is found to exist: an id that a caller made up is not counted."""
    profile = asked.trail.profile
    profile_id = profile.profile_id if profile else UNKNOWN
    asked.ctx.meter.attested(asked.call.environment.environment_id, profile_id, code)
