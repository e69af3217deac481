"""Attest: a trusted auth token in, a session out. The main job of Assay.

The order of checks is decision D16: the request's arguments, the profile, the token, the session passed in, who it
is, multi-factor, and only then the writes. Every refusal is decided before the first write. Whatever the outcome, an
attempt record says why, under the request id of the answer.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from assay import errors, ids, store
from assay.key_sources import ProjectSource
from assay.model import Attempt, Factor, Member, Profile, Session, SessionView
from assay.observing.meter import UNKNOWN
from assay.rules import claims as custom_claims
from assay.rules import factors, mapping, session_ids, tokens
from assay.rules.identity import NewOrganization, NewPerson
from assay.rules.mapping import Identity
from assay.rules.tokens import Claims
from assay.stories import opening, provisioning
from assay.stories.context import Call, Context
from assay.stories.opening import Granted, Opened
from assay.stories.provisioning import Decision, Settled

# Each lost race shows that somebody else got on; a request that loses this many meets a store that is too busy.
MAX_TRIES = 50


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


class Asked(msgspec.Struct, kw_only=True):
    """One attest under way. ``findings`` collects what the attempt record will tell, whatever the outcome.

    ``counted_as`` is the id of the profile once it is found to exist; until then it is only what a caller wrote.
    """

    ctx: Context
    call: Call
    request: AttestRequest
    findings: dict[str, Any]
    counted_as: str = UNKNOWN


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A token that its profile believes, and what it says."""

    profile: Profile
    identity: Identity


async def attest(ctx: Context, call: Call, request: AttestRequest) -> Granted:
    """Judge the token and start a session, or add the token as a factor to the one passed in.

    Every refusal leaves an attempt record behind, unless the store is away.

    Raises InvalidSessionDurationMinutes, ReservedClaims, StytchClaims, CustomClaimsTooLarge, TooManySessionArguments,
    TrustedTokenProfileNotFound, as :func:`judge`, as :func:`opening.open_session` for the session passed in, as
    :func:`provisioning.decide`, MemberSessionMemberIdMismatch, UserIdMismatch, InsufficientFactors.
    """
    asked = Asked(ctx=ctx, call=call, request=request, findings={})
    try:
        granted = await _attest(asked)
    except errors.Error as refusal:
        _count(asked, refusal.code)
        if not isinstance(refusal, errors.StoreUnavailable):
            await ctx.store.write(store.RecordAttempt(attempt=_refused(asked, refusal)))
        raise
    _count(asked, "granted")
    return granted


async def judge(ctx: Context, profile: Profile, token: str) -> Claims:
    """The claims of a token that this profile believes. What can be refused without a key is refused first.

    Raises InvalidTrustedAuthToken, JwtInvalidIssuer, JwtInvalidAudience, JwtInvalidClaims,
    TrustedTokenKeysUnavailable.
    """
    unverified = tokens.read(token, profile, ctx.clock())
    with ctx.tracer.step("find keys"):
        candidates = await ctx.keys.of(profile).find(unverified.kid, unverified.algorithm, unverified.header)
    with ctx.tracer.step("verify"):
        claims = tokens.verify(unverified, candidates)
    await _refuse_own(ctx, profile, unverified.kid)
    return claims


async def _refuse_own(ctx: Context, profile: Profile, kid: str | None) -> None:
    """Our own session JWTs log nobody in, unless the profile says that it trusts their environment (security R15).

    Else a profile that reaches our published keys by another way would make a session out of a session, for ever.
    """
    if kid is None or not ids.is_own_form(kid):
        return
    environment_id = await ctx.store.signing_key_environment(kid)
    trusted = {source.project_id for source in profile.key_sources if isinstance(source, ProjectSource)}
    if environment_id is not None and environment_id not in trusted:
        detail = f"the token is a session JWT of {environment_id}, which is not a project source of the profile"
        raise errors.InvalidTrustedAuthToken(detail=detail)


async def _attest(asked: Asked) -> Granted:
    _check_arguments(asked.request)
    for _ in range(MAX_TRIES):
        try:
            return await _attest_once(asked)
        except store.Stale:
            # The secret may be what went stale; all else is read again by the next try.
            await opening.require_secret(asked.ctx, asked.call)
    raise errors.StoreUnavailable(detail=f"an attest lost {MAX_TRIES} races in a row")


async def _attest_once(asked: Asked) -> Granted:
    ctx, call, request = asked.ctx, asked.call, asked.request
    judged = await _judged(asked)
    passed_in = await _session_passed_in(asked)
    decision = await provisioning.decide(ctx, call, judged.profile, judged.identity, request.organization_id)
    _check_same_person(passed_in, decision)
    _check_factors(passed_in, decision, judged.profile)
    settled = await provisioning.settle(ctx, call, judged.profile, judged.identity, decision)
    if settled.notes:
        asked.findings["notes"] = list(settled.notes)
    if passed_in is not None:
        return await _add_factor(asked, judged, settled, passed_in)
    if request.session_duration_minutes is None and settled.organization is None:
        return await _without_session(asked, settled)
    return await _start(asked, judged, settled)


def _check_arguments(request: AttestRequest) -> None:
    opening.check_duration(request.session_duration_minutes)
    if request.session_custom_claims is not None:
        custom_claims.check_custom_claims(request.session_custom_claims)
        custom_claims.merge_custom_claims({}, request.session_custom_claims)
    opening.check_session_arguments(request.session_token, request.session_jwt, required=False)


async def _judged(asked: Asked) -> Judged:
    environment, findings = asked.call.environment, asked.findings
    profile = await asked.ctx.store.profile(environment.environment_id, asked.request.profile_id)
    if profile is None:
        raise errors.TrustedTokenProfileNotFound
    asked.counted_as = profile.profile_id
    claims = await judge(asked.ctx, profile, asked.request.token)
    findings["algorithm"] = claims.header["alg"]
    findings["kid"] = claims.header.get("kid")
    ignored = tokens.ignored_key_headers(claims.header)
    if ignored:
        findings["ignored_headers"] = list(ignored)
    identity = mapping.read(claims, profile, environment.vertical)
    findings["token_id"] = identity.token_id
    return Judged(profile=profile, identity=identity)


async def _session_passed_in(asked: Asked) -> Opened | None:
    request = asked.request
    if not request.session_token and not request.session_jwt:
        return None
    opened = await opening.open_session(asked.ctx, asked.call, request.session_token, request.session_jwt)
    # Claims that grow too large together with those of the session are refused before anything is written.
    opening.extended(opened.view.session, request.session_duration_minutes, request.session_custom_claims, 0)
    return opened


def _check_same_person(passed_in: Opened | None, decision: Decision) -> None:
    """A token only ever adds to a session of the person it names (security A106)."""
    if passed_in is None:
        return
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


async def _start(asked: Asked, judged: Judged, settled: Settled) -> Granted:
    ctx, call, request = asked.ctx, asked.call, asked.request
    now = int(ctx.clock())
    profile_id = judged.profile.profile_id
    while True:
        minted = session_ids.mint(ctx.clock(), secrets.token_bytes)
        session = opening.new_session(
            call.environment,
            settled.person,
            minted,
            factors=factors.add((), profile_id, judged.identity.token_id, now),
            claims=custom_claims.merge_custom_claims({}, request.session_custom_claims or {}),
            minutes=request.session_duration_minutes,
            now=now,
        )
        session_id = session_ids.session_id(session)
        view = _view(session, settled)
        shape = await opening.shape(ctx, call, view)
        write = store.StartSession(
            session=session,
            guard=_guard(asked, judged.profile, now),
            attempt=_granted(asked, settled, session_id, now),
            events=(call.event(now, "session.started", session_id, by="attest", profile_id=profile_id),),
        )
        try:
            await ctx.store.write(write)
        except store.Conflict:  # the number is taken: 22 random bits met within one millisecond
            continue
        return await opening.grant(ctx, call, Opened(view=view, token=minted.token), shape)


async def _add_factor(asked: Asked, judged: Judged, settled: Settled, passed_in: Opened) -> Granted:
    ctx, call, request = asked.ctx, asked.call, asked.request
    now = int(ctx.clock())
    profile_id, before = judged.profile.profile_id, passed_in.view.session
    after = msgspec.structs.replace(
        opening.extended(before, request.session_duration_minutes, request.session_custom_claims, now),
        factors=factors.add(before.factors, profile_id, judged.identity.token_id, now),
        revision=before.revision + 1,
    )
    session_id = session_ids.session_id(before)
    view = _view(after, settled)
    shape = await opening.shape(ctx, call, view)
    write = store.UpdateSession(
        number=before.number,
        revision=before.revision,
        last_accessed_at=after.last_accessed_at,
        expires_at=after.expires_at if request.session_duration_minutes is not None else None,
        factors=after.factors,
        custom_claims=after.custom_claims if request.session_custom_claims is not None else None,
        guard=_guard(asked, judged.profile, now),
        attempt=_granted(asked, settled, session_id, now),
        events=(call.event(now, "session.factor_added", session_id, profile_id=profile_id),),
    )
    await ctx.store.write(write)
    return await opening.grant(ctx, call, Opened(view=view, token=passed_in.token), shape)


async def _without_session(asked: Asked, settled: Settled) -> Granted:
    """A consumer attest without a duration says who it is, and starts nothing (contract §2.3)."""
    attempt = _granted(asked, settled, None, int(asked.ctx.clock()))
    await asked.ctx.store.write(store.RecordAttempt(attempt=attempt))
    return Granted(person=settled.person, organization=None, details=None, session_token="", session_jwt="")


def _view(session: Session, settled: Settled) -> SessionView:
    if isinstance(settled.person, Member):
        return SessionView(session=session, member=settled.person, organization=settled.organization)
    return SessionView(session=session, user=settled.person)


def _guard(asked: Asked, profile: Profile, now: int) -> store.Guard:
    """Keys may have taken seconds to fetch: at the commit the secret and the profile must still hold (D29)."""
    caller = asked.call.caller
    return store.Guard(
        environment_id=caller.environment.environment_id,
        secret_id=caller.secret.secret_id,
        profile_id=profile.profile_id,
        profile_revision=profile.revision,
        now=now,
    )


def _granted(asked: Asked, settled: Settled, session_id: str | None, now: int) -> Attempt:
    person = settled.person
    return Attempt(
        environment_id=asked.call.environment.environment_id,
        request_id=asked.call.request_id,
        profile_id=asked.request.profile_id,
        outcome="granted",
        code="granted",
        reason="",
        details=asked.findings,
        subject_id=opening.id_of(person),
        organization_id=settled.organization.organization_id if settled.organization else None,
        session_id=session_id,
        created_at=now,
    )


def _count(asked: Asked, code: str) -> None:
    asked.ctx.meter.attested(asked.call.environment.environment_id, asked.counted_as, code)


def _refused(asked: Asked, refusal: errors.Error) -> Attempt:
    return Attempt(
        environment_id=asked.call.environment.environment_id,
        request_id=asked.call.request_id,
        # The id is the caller's text; a record must not be a place to store megabytes in.
        profile_id=asked.request.profile_id[:128],
        outcome="refused",
        code=refusal.code,
        reason=refusal.detail or refusal.message,
        details=asked.findings,
        created_at=int(asked.ctx.clock()),
    )
