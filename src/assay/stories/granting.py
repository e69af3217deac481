"""What an attest writes once it is decided: the people it makes, its session or factor, its mark, and its record."""

from __future__ import annotations

import secrets

import msgspec

from assay import store
from assay.model import Attempt, Member, Profile, ReplayMark, Session, SessionView
from assay.rules import claims as custom_claims
from assay.rules import factors, session_ids
from assay.rules.session_ids import Minted
from assay.rules.session_jwt import Shape
from assay.stories import attempts, opening, provisioning
from assay.stories.asked import Asked, Planned
from assay.stories.granted import Granted, Opened
from assay.stories.provisioning import Settled


async def carry_out(asked: Asked, planned: Planned) -> Granted:
    """Do what was planned. Raises store.Stale and store.Conflict when it must be decided again.

    Raises CustomClaimsTooLarge as :func:`opening.shape`.
    """
    ctx, call, judged = asked.ctx, asked.call, planned.judged
    settled = await provisioning.settle(ctx, call, judged.profile, judged.identity, planned.decision)
    if settled.notes:
        asked.trail.findings["notes"] = list(settled.notes)
    if planned.passed_in is not None:
        return await _add_factor(asked, planned, settled, planned.passed_in)
    if asked.request.session_duration_minutes is None and settled.organization is None:
        return await _without_session(asked, planned, settled)
    return await _start(asked, planned, settled)


async def _start(asked: Asked, planned: Planned, settled: Settled) -> Granted:
    ctx, call = asked.ctx, asked.call
    now = int(ctx.clock())
    judged, profile_id = planned.judged, planned.judged.profile.profile_id
    while True:
        minted = session_ids.mint(ctx.clock(), secrets.token_bytes)
        session = new_session(asked, planned, settled, minted)
        session_id = session_ids.session_id(session)
        view = view_of(session, settled)
        shape = await shape_of(asked, view)
        write = store.StartSession(
            session=session,
            guard=_guard(asked, judged.profile, now),
            replay=_of_session(planned.mark, session),
            attempt=_granted(asked, settled, session_id, now),
            events=(call.event(now, "session.started", session_id, by="attest", profile_id=profile_id),),
        )
        try:
            await ctx.store.write(write)
        except store.Conflict as conflict:
            if conflict.key == "session_number":  # it is taken: 22 random bits met within one millisecond
                continue
            raise
        return await opening.grant(ctx, call, Opened(view=view, token=minted.token), shape)


async def _add_factor(asked: Asked, planned: Planned, settled: Settled, passed_in: Opened) -> Granted:
    ctx, call, request, judged = asked.ctx, asked.call, asked.request, planned.judged
    now = int(ctx.clock())
    profile_id, before = judged.profile.profile_id, passed_in.view.session
    token, token_hash = passed_in.token, None
    if judged.profile.rotate_session_token:
        token, token_hash = session_ids.renewed(before, secrets.token_bytes)
    with_one_more = with_factor(asked, planned, before)
    after = msgspec.structs.replace(with_one_more, token_hash=token_hash or before.token_hash)
    session_id = session_ids.session_id(before)
    view = view_of(after, settled)
    shape = await shape_of(asked, view)
    write = store.UpdateSession(
        number=before.number,
        revision=before.revision,
        last_accessed_at=after.last_accessed_at,
        expires_at=after.expires_at if after.expires_at != before.expires_at else None,
        factors=after.factors,
        custom_claims=after.custom_claims if request.session_custom_claims is not None else None,
        token_hash=token_hash,
        guard=_guard(asked, judged.profile, now),
        replay=_of_session(planned.mark, before),
        attempt=_granted(asked, settled, session_id, now),
        events=(call.event(now, "session.factor_added", session_id, profile_id=profile_id),),
    )
    await ctx.store.write(write)
    return await opening.grant(ctx, call, Opened(view=view, token=token), shape)


def new_session(asked: Asked, planned: Planned, settled: Settled, minted: Minted) -> Session:
    """The session that the attest starts."""
    request, now = asked.request, int(asked.ctx.clock())
    judged = planned.judged
    return opening.new_session(
        asked.call.environment,
        settled.person,
        minted,
        factors=factors.add((), judged.profile.profile_id, judged.identity.token_id, now, ends_at=planned.ends_at),
        claims=custom_claims.merge_custom_claims({}, request.session_custom_claims or {}),
        minutes=request.session_duration_minutes,
        now=now,
    )


def with_factor(asked: Asked, planned: Planned, before: Session) -> Session:
    """The session passed in, with the token as one more factor of it."""
    request, now = asked.request, int(asked.ctx.clock())
    profile_id, token_id = planned.judged.profile.profile_id, planned.judged.identity.token_id
    held = factors.add(before.factors, profile_id, token_id, now, ends_at=planned.ends_at)
    longer = opening.extended(before, request.session_duration_minutes, request.session_custom_claims, now)
    return msgspec.structs.replace(
        longer,
        factors=held,
        expires_at=factors.end(held, longer.expires_at),
        revision=before.revision + 1,
    )


async def shape_of(asked: Asked, view: SessionView) -> Shape:
    """What goes into the session's JWT. Raises as :func:`opening.shape`."""
    asked.trail.seen.step = "session JWT"
    return await opening.shape(asked.ctx, asked.call, view)


async def _without_session(asked: Asked, planned: Planned, settled: Settled) -> Granted:
    """A consumer attest without a duration says who it is, and starts nothing (contract §2.3)."""
    now = int(asked.ctx.clock())
    attempt = _granted(asked, settled, None, now)
    guard = _guard(asked, planned.judged.profile, now)
    await asked.ctx.store.write(store.RecordAttempt(attempt=attempt, guard=guard, replay=planned.mark))
    return Granted(person=settled.person, organization=None, details=None, session_token="", session_jwt="")


async def answer_again(asked: Asked, planned: Planned) -> Granted:
    """Answer a caller whose answer was lost: the same session, under a fresh token unless it showed a good one.

    Raises as :func:`carry_out`.
    """
    ctx, call, passed_in = asked.ctx, asked.call, planned.passed_in
    settled = await provisioning.settle(ctx, call, planned.judged.profile, planned.judged.identity, planned.decision)
    asked.trail.findings["notes"] = ["the request was repeated"]
    if passed_in is None:
        return await _without_session(asked, msgspec.structs.replace(planned, mark=None), settled)
    session, now = passed_in.view.session, int(ctx.clock())
    token, token_hash = passed_in.token, None
    if not token:
        token, token_hash = session_ids.renewed(session, secrets.token_bytes)
    session_id = session_ids.session_id(session)
    view = view_of(session, settled)
    shape = await shape_of(asked, view)
    write = store.UpdateSession(
        number=session.number,
        revision=session.revision,
        last_accessed_at=now,
        token_hash=token_hash,
        guard=_guard(asked, planned.judged.profile, now),
        attempt=_granted(asked, settled, session_id, now),
        events=(call.event(now, "session.answered_again", session_id),),
    )
    await ctx.store.write(write)
    return await opening.grant(ctx, call, Opened(view=view, token=token), shape)


def _of_session(mark: ReplayMark | None, session: Session) -> ReplayMark | None:
    return None if mark is None else msgspec.structs.replace(mark, session_number=session.number)


def view_of(session: Session, settled: Settled) -> SessionView:
    """The session with the records that it speaks of."""
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
    organization_id = settled.organization.organization_id if settled.organization else None
    return attempts.granted(asked.call, asked.trail, (opening.id_of(settled.person), organization_id, session_id), now)
