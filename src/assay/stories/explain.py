"""The same judgement as attest, every step shown, nothing written.

It runs the very functions that attest runs, up to its first write, so that the two can never disagree. It uses up no
replay mark, makes nobody, and echoes no signature.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

from assay import errors, ids
from assay.model import Caller, Environment, Member, Profile, Secret, SessionView, User, Vertical
from assay.rules import facts, hints, reasons, session_ids
from assay.rules.facts import Sight
from assay.rules.hints import Known
from assay.rules.identity import Linked, NewOrganization, NewPerson
from assay.rules.mapping import Identity
from assay.stories import attempts, attest, environments, granting, opening, projects, provisioning, replays
from assay.stories.attempts import Trail
from assay.stories.attest import Asked, AttestRequest, Planned
from assay.stories.context import Call, Context, Operator
from assay.stories.judging import STEPS

Outcome = Literal["passed", "failed", "not_reached"]
Action = Literal["start", "add_factor", "answer_again", "none"]

MOST_COMPARED = 50
"""So many other profiles are looked at for a near miss; what their keys are called is read from the store."""

_KEY_STEPS = frozenset({"keys", "signature"})
_COMPARED_STEPS = frozenset({"issuer", "audience"}) | _KEY_STEPS


class ManagedExplainRequest(AttestRequest, frozen=True, kw_only=True):
    """The body of an attest, for an environment that operators name by its slugs."""

    project_slug: str
    environment_slug: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the judgement: what was expected, what came, and why it failed if it did."""

    step: str
    outcome: Outcome
    expected: str = ""
    came: str = ""
    reason: str = ""


class Whom(msgspec.Struct, frozen=True, kw_only=True):
    """The organization, member or user that the token leads to; ``id`` is None for one that would be made."""

    id: str | None
    name: str
    reason: str


class SessionToCome(msgspec.Struct, frozen=True, kw_only=True):
    """What the attest would do about a session; ``session_id`` is that of the one that is there already.

    ``expires_at`` is in seconds since the epoch, None where there would be no session.
    """

    action: Action
    session_id: str | None = None
    expires_at: int | None = None
    roles: tuple[str, ...] = ()
    custom_claims: dict[str, Any] = {}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict and how it came about. ``refusal`` is None when the attest would be granted.

    ``unverified_header`` and ``unverified_claims`` are the sender's word unless ``verified``; tokens inside them are
    left out. ``remedy`` says what to do about a refusal, in CommonMark.
    """

    profile_id: str
    vertical: Vertical
    refusal: errors.Error | None
    remedy: str
    steps: tuple[Step, ...]
    hints: tuple[str, ...]
    verified: bool
    unverified_header: dict[str, Any]
    unverified_claims: dict[str, Any]
    identity: Identity | None
    organization: Whom | None
    person: Whom | None
    session: SessionToCome | None


class _Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What the attest would come to; ``view`` is the session as it would be, None where there would be none."""

    planned: Planned
    is_repeated: bool
    view: SessionView | None
    roles: tuple[str, ...] = ()


async def explain(ctx: Context, call: Call, request: AttestRequest) -> Explanation:
    """Say what attest would answer to this request now, and why: every step with what was expected and what came.

    Nothing is written, nobody is made, and a token that works once is not used up. A refusal is part of the answer,
    which has status 200 whatever the verdict. Members of the header and claims are not to be believed unless
    ``verified`` is true.
    """
    asked = Asked(ctx=ctx, call=call, request=request, trail=attempts.start(request.profile_id))
    refusal: errors.Error | None = None
    outlook: _Outlook | None = None
    try:
        outlook = await _outlook(asked)
    except errors.StoreUnavailable:
        raise
    except errors.Error as fault:
        refusal = fault
    return await _explanation(asked, refusal, outlook)


async def managed_explain(ctx: Context, by: Operator, request: ManagedExplainRequest) -> Explanation:
    """Say what attest would answer to this request of a caller of the environment, as :func:`explain` does.

    Raises ProjectNotFound, EnvironmentNotFound.
    """
    environment = await environments.resolve(ctx, request.project_slug, request.environment_slug)
    return await explain(ctx, _call_of(environment, by), request)


async def operators_explain(ctx: Context, by: Operator, environment_id: str, request: AttestRequest) -> Explanation:
    """As :func:`managed_explain`, for an environment that is named by its id. Raises ProjectNotFound."""
    return await explain(ctx, _call_of(await projects.require_environment(ctx, environment_id), by), request)


def _call_of(environment: Environment, by: Operator) -> Call:
    """A call by nobody's secret: to a token that was used before, an operator is another caller."""
    nobody = Secret(
        secret_id="",
        environment_id=environment.environment_id,
        secret_hash=b"",
        last_four="",
        created_at=0,
    )
    return Call(caller=Caller(environment=environment, secret=nobody, signing_kid=None), request_id=by.request_id)


async def _outlook(asked: Asked) -> _Outlook:
    """All that attest does up to its first write, and what would refuse it after that one."""
    judged = await attest.judged_token(asked)
    mark = replays.mark_of(asked.call, judged, asked.request, int(asked.ctx.clock()))
    asked.trail.seen.step = "replay"
    earlier = None if mark is None else await replays.earlier_use(asked.ctx, mark)
    planned = await attest.plan(asked, judged, mark, earlier)
    view = await _session_to_come(asked, planned, is_repeated=earlier is not None)
    roles = () if view is None else (await granting.shape_of(asked, view)).roles
    return _Outlook(planned=planned, is_repeated=earlier is not None, view=view, roles=roles)


async def _session_to_come(asked: Asked, planned: Planned, *, is_repeated: bool) -> SessionView | None:
    judged, passed_in = planned.judged, planned.passed_in
    settled = await provisioning.foresee(asked.ctx, asked.call, judged.profile, judged.identity, planned.decision)
    if passed_in is not None:
        before = passed_in.view.session
        after = before if is_repeated else granting.with_factor(asked, planned, before)
        return granting.view_of(after, settled)
    if is_repeated or (asked.request.session_duration_minutes is None and settled.organization is None):
        return None
    minted = session_ids.mint(asked.ctx.clock(), secrets.token_bytes)
    return granting.view_of(granting.new_session(asked, planned, settled, minted), settled)


async def _explanation(asked: Asked, refusal: errors.Error | None, outlook: _Outlook | None) -> Explanation:
    ctx, trail = asked.ctx, asked.trail
    sight = _sight(ctx, trail)
    reason = reasons.reason_of(refusal) if refusal else None
    planned = outlook.planned if outlook else None
    return Explanation(
        profile_id=asked.request.profile_id,
        vertical=asked.call.environment.vertical,
        refusal=refusal,
        remedy=reason.do if reason else "",
        steps=_steps(trail, sight, refusal),
        hints=tuple(await _hints(ctx, trail.seen.step, sight) if refusal and sight else ()),
        verified=trail.claims is not None,
        unverified_header=facts.shareable(trail.seen.unverified_header),
        unverified_claims=facts.shareable(trail.seen.unverified_claims),
        identity=trail.identity,
        organization=_organization(planned) if planned else None,
        person=_person(planned) if planned else None,
        session=_session(outlook) if outlook else None,
    )


def _sight(ctx: Context, trail: Trail) -> Sight | None:
    if trail.profile is None:
        return None
    seen = trail.seen
    return Sight(profile=trail.profile, header=seen.unverified_header, claims=seen.unverified_claims, now=ctx.clock())


def _steps(trail: Trail, sight: Sight | None, refusal: errors.Error | None) -> tuple[Step, ...]:
    last = STEPS.index(trail.seen.step)
    steps = []
    for position, name in enumerate(STEPS):
        if refusal is not None and position > last:
            steps.append(Step(step=name, outcome="not_reached"))
            continue
        failed = refusal is not None and position == last
        expected, came = facts.of(name, sight) if sight else ("", "")
        reason = (refusal.detail or refusal.message) if failed and refusal else ""
        outcome: Outcome = "failed" if failed else "passed"
        steps.append(Step(step=name, outcome=outcome, expected=expected, came=came, reason=reason))
    return tuple(steps)


async def _hints(ctx: Context, step: str, sight: Sight) -> list[str]:
    if step not in _COMPARED_STEPS:
        return hints.of(step, sight)
    own = sight.profile
    found = [each for each in await ctx.store.profiles(own.environment_id) if each.profile_id != own.profile_id]
    known = [
        Known(each, await _known_kids(ctx, each) if step in _KEY_STEPS else ())
        for each in [own, *found[:MOST_COMPARED]]
    ]
    return hints.of(step, sight, known)


async def _known_kids(ctx: Context, profile: Profile) -> tuple[str, ...]:
    """The key ids that are known of a profile without fetching anything."""
    return tuple(kid for key_set in await ctx.keys.health(profile) for kid in key_set.kids)


def _organization(planned: Planned) -> Whom | None:
    organization = planned.decision.organization
    if organization is None:
        return None
    if isinstance(organization, NewOrganization):
        reason = "no organization has this id, and the profile may make one"
        return Whom(id=None, name=organization.name, reason=reason)
    reason = _why_organization(planned)
    return Whom(id=organization.organization_id, name=organization.name, reason=reason)


def _why_organization(planned: Planned) -> str:
    claim = planned.judged.identity.organization
    if claim is None:
        return "named by the request"
    return f"found by the {'id' if ids.is_own_form(claim) else 'external id'} in the token"


def _person(planned: Planned) -> Whom:
    person = planned.decision.person
    if isinstance(person, NewPerson):
        reason = "nobody has this external id or address, and the profile may make somebody"
        return Whom(id=None, name=person.name or person.email or person.external_id or "", reason=reason)
    return Whom(id=opening.id_of(person.person), name=_name(person.person), reason=_why_person(planned, person))


def _why_person(planned: Planned, person: Linked) -> str:
    attached = "external id attached" in person.notes
    by_external_id = planned.judged.identity.external_id is not None and not attached
    found = "found by external id" if by_external_id else "found by address"
    return "; ".join([found, *person.notes])


def _name(person: Member | User) -> str:
    if isinstance(person, Member):
        return person.name or person.email or ""
    return " ".join(filter(None, [person.name.first_name, person.name.last_name])) or person.email or ""


def _session(outlook: _Outlook) -> SessionToCome:
    passed_in, view = outlook.planned.passed_in, outlook.view
    if view is None:
        return SessionToCome(action="answer_again" if outlook.is_repeated else "none")
    action: Action = "start" if passed_in is None else "answer_again" if outlook.is_repeated else "add_factor"
    return SessionToCome(
        action=action,
        session_id=session_ids.session_id(view.session) if passed_in else None,
        expires_at=view.session.expires_at,
        roles=outlook.roles,
        custom_claims=view.session.custom_claims,
    )
