"""What attest, authenticate and exchange share: the session passed in, its length, and the answer handed out."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from assay import errors
from assay.keys.recent_jwts import Signed
from assay.model import Environment, Factor, Member, Session, SessionView, SubjectKind, User
from assay.rules import claims as custom_claims
from assay.rules import factors as rules_of_factors
from assay.rules import session_ids, session_jwt, templates
from assay.rules.session_ids import Minted
from assay.rules.session_jwt import Shape
from assay.stories.context import Call, Context
from assay.stories.granted import Granted, Opened, SessionDetails

SHORTEST_MINUTES = 5
LONGEST_MINUTES = 527_040
DEFAULT_MINUTES = 60


def check_duration(minutes: int | None) -> None:
    """Raises InvalidSessionDurationMinutes outside 5 to 527040 (contract §3.6)."""
    if minutes is not None and not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        raise errors.InvalidSessionDurationMinutes


def check_session_arguments(session_token: str | None, session_jwt: str | None, *, required: bool) -> None:
    """Raises TooManySessionArguments, and NoSessionArguments where one is required. Empty text counts as absent."""
    if session_token and session_jwt:
        raise errors.TooManySessionArguments
    if required and not session_token and not session_jwt:
        raise errors.NoSessionArguments


def subject_of(view: SessionView) -> Member | User:
    """The person a session is of. Raises SessionNotFound when that person is gone."""
    person = view.member or view.user
    if person is None:
        raise errors.SessionNotFound
    return person


def id_of(person: Member | User) -> str:
    """The member id or user id."""
    return person.member_id if isinstance(person, Member) else person.user_id


def is_live(view: SessionView, now: float) -> bool:
    """Whether the session opens anything at ``now`` (seconds): judged on reading, never by a sweeper."""
    session = view.session
    person = view.member or view.user
    if session.revoked_at is not None or now >= session.expires_at or person is None:
        return False
    return person.status == "active" and (session.organization_id is None or view.organization is not None)


async def find_by_token(ctx: Context, call: Call, token: str) -> SessionView | None:
    """The session this token belongs to, live or not. Raises InvalidSessionToken for malformed text."""
    view = await ctx.store.session(call.environment.environment_id, session_ids.number_of_token(token))
    return view if view is not None and session_ids.opens(view.session, token) else None


async def find_by_id(ctx: Context, call: Call, session_id: str) -> SessionView | None:
    """The session with this id, live or not. Raises InvalidSessionId for malformed text."""
    environment = call.environment
    subject_kind: SubjectKind = "member" if environment.vertical == "b2b" else "user"
    number = session_ids.number_of_id(session_id, subject_kind, environment.kind)
    view = await ctx.store.session(environment.environment_id, number)
    # The number alone is not a name: anybody could count. The whole id, hash bits included, must be the session's.
    return view if view is not None and session_ids.session_id(view.session) == session_id else None


async def find_by_jwt(ctx: Context, call: Call, jwt: str) -> Opened | None:
    """The session a session JWT of this environment speaks of, live or not, and its token.

    Raises UnableToParseSessionJwt for anything that this environment did not sign.
    """
    environment_id = call.environment.environment_id
    key = await ctx.signer.verification_key(environment_id, session_jwt.kid_of(jwt))
    claim = session_jwt.read(jwt, key, environment_id, ctx.settings.public_url, ctx.clock())
    view = await find_by_id(ctx, call, claim.id)
    token = ctx.token_seal.open(environment_id, claim.sealed_token)
    # A JWT made before the session got another token no longer opens it.
    if view is None or token is None or not session_ids.opens(view.session, token):
        return None
    return Opened(view=view, token=token)


async def open_session(ctx: Context, call: Call, token: str | None, jwt: str | None) -> Opened:
    """The live session that exactly one of ``token`` and ``jwt`` opens.

    Raises SessionNotFound, InvalidSessionToken, UnableToParseSessionJwt.
    """
    if token:
        view = await find_by_token(ctx, call, token)
        found = None if view is None else Opened(view=view, token=token)
    else:
        found = await find_by_jwt(ctx, call, jwt or "")
    if found is None or not is_live(found.view, ctx.clock()):
        raise errors.SessionNotFound
    return found


def new_session(  # noqa: PLR0913 - what a session is made of
    environment: Environment,
    person: Member | User,
    minted: Minted,
    *,
    factors: tuple[Factor, ...],
    claims: dict[str, Any],
    minutes: int | None,
    now: int,
) -> Session:
    """A session of this person from ``now`` (seconds) for ``minutes``, or the hour of contract §2.1."""
    return Session(
        number=minted.number,
        id_tail=minted.id_tail,
        environment_id=environment.environment_id,
        kind=environment.kind,
        token_hash=minted.token_hash,
        subject_kind="member" if isinstance(person, Member) else "user",
        subject_id=id_of(person),
        organization_id=person.organization_id if isinstance(person, Member) else None,
        factors=factors,
        custom_claims=claims,
        started_at=now,
        last_accessed_at=now,
        expires_at=rules_of_factors.end(factors, now + 60 * (minutes or DEFAULT_MINUTES)),
    )


def extended(session: Session, minutes: int | None, claims: dict[str, Any] | None, now: int) -> Session:
    """The session as accessed at ``now``: its end moved to ``minutes`` from now and ``claims`` merged in, if given.

    Raises CustomClaimsTooLarge.
    """
    return msgspec.structs.replace(
        session,
        last_accessed_at=max(session.last_accessed_at, now),
        expires_at=session.expires_at if minutes is None else rules_of_factors.end(session.factors, now + 60 * minutes),
        custom_claims=session.custom_claims
        if claims is None
        else custom_claims.merge_custom_claims(session.custom_claims, claims),
    )


async def require_secret(ctx: Context, call: Call) -> None:
    """Raise UnauthorizedCredentials if the caller's secret was revoked since it was read (decisions D29)."""
    if not await ctx.store.secret_is_live(call.environment.environment_id, call.caller.secret.secret_id):
        raise errors.UnauthorizedCredentials


def details_of(view: SessionView, roles: tuple[str, ...]) -> SessionDetails:
    """The session as callers see it; ``roles`` are those that count in it."""
    return SessionDetails(
        session=view.session,
        session_id=session_ids.session_id(view.session),
        roles=roles,
        organization_slug=view.organization.slug if view.organization else None,
        last_accessed_at=view.session.last_accessed_at,
    )


async def shape(ctx: Context, call: Call, view: SessionView) -> Shape:
    """What the environment's policy and JWT template add to this session's JWT.

    Called before the session is written, so that a session is refused while nothing of it is there (decisions D16).
    Raises CustomClaimsTooLarge when the template makes more claims of this session than a JWT may carry.
    """
    configured = await ctx.configured.of(ctx.store, call.environment)
    roles = session_jwt.roles(view, call.environment, configured.policy)
    if configured.template is None:
        return Shape(roles)
    values = templates.Values(view=view, roles=roles, policy=configured.policy)
    return Shape(roles, templates.render(configured.template, values), configured.template.custom_audience)


async def grant(
    ctx: Context,
    call: Call,
    opened: Opened,
    shape: Shape,
    *,
    granting_roles: tuple[str, ...] | None = None,
    reuse: bool = False,
) -> Granted:
    """The answer for a session as it was just committed, with a session JWT of this ``shape``.

    With ``reuse`` that may be one of the last 30 seconds, if it says the same in all but its times.
    """
    signed = await _session_jwt(ctx, call, opened, shape, reuse=reuse)
    return Granted(
        person=subject_of(opened.view),
        organization=opened.view.organization,
        details=details_of(opened.view, shape.roles),
        session_token=opened.token,
        session_jwt=signed.jwt,
        granting_roles=granting_roles,
        issued_at=signed.issued_at,
    )


async def _session_jwt(ctx: Context, call: Call, opened: Opened, shape: Shape, *, reuse: bool) -> Signed:
    now, environment, view = ctx.clock(), call.environment, opened.view
    public_url = ctx.settings.public_url
    kid = call.caller.signing_kid or ""  # without one the environment's first keys are not made yet
    contents = partial(session_jwt.contents, view, environment, shape, public_url, kid, opened.token)
    recent = ctx.recent_jwts.get(view.session.number, contents, now) if reuse and kid else None
    if recent is not None:
        ctx.meter.reused()
        return recent
    claims = session_jwt.claims(
        view,
        environment,
        shape,
        public_url=public_url,
        sealed_token=ctx.token_seal.seal(environment.environment_id, opened.token),
        now=int(now),
    )
    signed = Signed(await ctx.signer.sign(environment, kid or None, claims), int(now), contents)
    if kid:
        ctx.recent_jwts.put(view.session.number, signed)
    return signed
