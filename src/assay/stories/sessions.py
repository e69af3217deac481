"""Live sessions: authenticate, list, revoke."""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors, store
from assay.model import Member, Session, SessionView, User
from assay.rules import claims as custom_claims
from assay.rules import permissions, session_ids, session_jwt
from assay.stories import authority, last_use, members, opening
from assay.stories.context import Actor, Call, Context
from assay.stories.granted import Granted, Look, Opened, SessionDetails

MAX_TRIES = 50


class AuthorizationCheck(msgspec.Struct, frozen=True, kw_only=True):
    """May the session do this? ``organization_id`` is required in B2B, and may be an external id or slug."""

    resource_id: str
    action: str
    organization_id: str | None = None


class AuthenticateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an authenticate (contract §4). ``session_duration_minutes`` is in minutes from now."""

    session_token: str | None = None
    session_jwt: str | None = None
    session_duration_minutes: int | None = None
    session_custom_claims: dict[str, Any] | None = None
    authorization_check: AuthorizationCheck | None = None


class RevokeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to revoke, named in exactly one way; ``member_id`` stands for all sessions of that member."""

    member_session_id: str | None = None
    session_id: str | None = None
    session_token: str | None = None
    session_jwt: str | None = None
    member_id: str | None = None


class MemberSessionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose sessions to list; ids, external ids, and the slug of the organization."""

    organization_id: str
    member_id: str


class UserSessionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose sessions to list, by user id or external id."""

    user_id: str


async def authenticate(ctx: Context, call: Call, request: AuthenticateRequest) -> Granted:
    """The live session that the token or JWT opens, extended and given claims as asked, with a JWT that says so.

    Raises InvalidSessionDurationMinutes, ReservedClaims, StytchClaims, NoSessionArguments, TooManySessionArguments,
    CustomClaimsTooLarge, as :func:`opening.open_session`, and when an authorization check fails
    SessionAuthorizationError, SessionAuthorizationTenancyError, ConsumerSessionAuthorizationError.
    """
    opening.check_duration(request.session_duration_minutes)
    if request.session_custom_claims is not None:
        custom_claims.check_custom_claims(request.session_custom_claims)
    opening.check_session_arguments(request.session_token, request.session_jwt, required=True)
    for _ in range(MAX_TRIES):
        opened = await opening.open_session(ctx, call, request.session_token, request.session_jwt)
        granting = await _authorization(ctx, call, opened.view, request.authorization_check)
        try:
            return await _access(ctx, call, request, opened, granting)
        except store.Stale:
            # Somebody changed or revoked it meanwhile; the next reading tells which.
            await opening.require_secret(ctx, call)
    raise errors.StoreUnavailable(detail=f"an authenticate lost {MAX_TRIES} races in a row")


async def comes_to(ctx: Context, look: Look) -> bool:
    """Whether the authenticate that came to this look would come to it again now; if so, its access is noted.

    All that it was decided upon is read anew: the caller's secret, the session, whose it is, and its end. Raises
    errors.StoreUnavailable.
    """
    caller, number, now = look.caller, look.view.session.number, ctx.clock()
    environment_id, secret = caller.environment.environment_id, caller.secret
    if await ctx.store.caller(environment_id, secret.secret_hash) is not caller:
        return False
    view = await ctx.store.session(environment_id, number)
    if view is None or not look.holds(view, caller, now) or not opening.is_live(view, now):
        return False
    if ctx.last_use.is_due(secret.secret_id, secret.used_at, now):
        await last_use.note_secret(ctx.store, secret, now)
    ctx.last_access.note(number, int(now))
    ctx.meter.reused()
    return True


async def actor_of(ctx: Context, call: Call, token: str | None, jwt: str | None) -> Actor:
    """The member of a member-session header (decisions D19).

    Raises NoSessionArguments, TooManySessionArguments, as :func:`opening.open_session`.
    """
    opening.check_session_arguments(token, jwt, required=True)
    opened = await opening.open_session(ctx, call, token, jwt)
    member = opened.view.member
    if member is None:
        raise errors.SessionNotFound
    policy = await authority.policy_of(ctx, call.environment)
    roles = session_jwt.roles(opened.view, call.environment, policy)
    return Actor(member=member, session_roles=roles, policy=policy)


async def revoke(ctx: Context, call: Call, request: RevokeRequest) -> None:
    """End sessions. What is unknown, expired or revoked already is left so without complaint (decisions D24).

    Raises NoSessionRevokeArguments, TooManySessionRevokeArguments, MemberNotFound, InvalidSessionId,
    InvalidSessionToken, UnableToParseSessionJwt, and with an actor as :func:`authority.authorize`.
    """
    session_id = request.member_session_id if call.environment.vertical == "b2b" else request.session_id
    member_id = request.member_id if call.environment.vertical == "b2b" else None
    named = [text for text in (session_id, request.session_token, request.session_jwt, member_id) if text]
    if not named:
        raise errors.NoSessionRevokeArguments
    if len(named) > 1:
        raise errors.TooManySessionRevokeArguments
    if member_id:
        await _revoke_all_of_member(ctx, call, member_id)
        return
    view = await _named_session(ctx, call, session_id, request.session_token, request.session_jwt)
    if view is not None:
        await _revoke_session(ctx, call, view)


async def member_sessions(ctx: Context, call: Call, request: MemberSessionsRequest) -> list[SessionDetails]:
    """The live sessions of one member, oldest first. Raises OrganizationNotFound, MemberNotFound."""
    environment_id = call.environment.environment_id
    organization = await ctx.store.organization(environment_id, request.organization_id, by_slug=True)
    if organization is None:
        raise errors.OrganizationNotFound
    member = await ctx.store.member(environment_id, organization.organization_id, request.member_id)
    if member is None or member.status == "deleted":
        raise errors.MemberNotFound
    sessions = await ctx.store.sessions_of(environment_id, "member", member.member_id, int(ctx.clock()))
    views = [SessionView(session=session, member=member, organization=organization) for session in sessions]
    return await _details(ctx, call, views)


async def user_sessions(ctx: Context, call: Call, request: UserSessionsRequest) -> list[SessionDetails]:
    """The live sessions of one user, oldest first. Raises UserNotFound."""
    user = await ctx.store.user(call.environment.environment_id, request.user_id)
    if user is None:
        raise errors.UserNotFound
    sessions = await ctx.store.sessions_of(user.environment_id, "user", user.user_id, int(ctx.clock()))
    return await _details(ctx, call, [SessionView(session=session, user=user) for session in sessions])


async def _details(ctx: Context, call: Call, views: list[SessionView]) -> list[SessionDetails]:
    policy = await authority.policy_of(ctx, call.environment)
    return [opening.details_of(view, session_jwt.roles(view, call.environment, policy)) for view in views]


async def _access(
    ctx: Context, call: Call, request: AuthenticateRequest, opened: Opened, granting: tuple[str, ...] | None
) -> Granted:
    """The session after this access. Raises store.Stale when somebody changed or revoked it first."""
    if request.session_duration_minutes is None and request.session_custom_claims is None:
        return await _look_at(ctx, call, opened, granting)
    before = opened.view.session
    after = opening.extended(before, request.session_duration_minutes, request.session_custom_claims, int(ctx.clock()))
    view = msgspec.structs.replace(opened.view, session=after)
    shape = await opening.shape(ctx, call, view)
    await _change(ctx, call, request, before, after)
    opened = Opened(view=view, token=opened.token)
    return await opening.grant(ctx, call, opened, shape, granting_roles=granting, reuse=True)


async def _look_at(ctx: Context, call: Call, opened: Opened, granting: tuple[str, ...] | None) -> Granted:
    """The session as it is, and this access noted.

    There is nothing to write: that the session was live when it was read decides this access against a revoke. Reading
    the body may have taken long since the caller was recognized, so the secret is looked at again (decisions D29).
    """
    now = int(ctx.clock())
    number = opened.view.session.number
    look = ctx.looks.get(number)
    if look is None or not look.holds(opened.view, call.caller, now):
        look = ctx.looks.keep(number, await _first_look(ctx, call, opened, now))
    else:
        ctx.meter.reused()
    await opening.require_secret(ctx, call)
    ctx.last_access.note(number, now)
    granted = look.granted.as_of(now)
    return granted if granting is None else msgspec.structs.replace(granted, granting_roles=granting)


async def _first_look(ctx: Context, call: Call, opened: Opened, now: int) -> Look:
    session = opening.extended(opened.view.session, None, None, now)
    view = msgspec.structs.replace(opened.view, session=session)
    shape = await opening.shape(ctx, call, view)
    granted = await opening.grant(ctx, call, Opened(view=view, token=opened.token), shape, reuse=True)
    return Look(view=opened.view, caller=call.caller, granted=granted)


async def _change(ctx: Context, call: Call, request: AuthenticateRequest, before: Session, after: Session) -> None:
    """One conditional write decides the change against all others and a revoke. Raises store.Stale when it lost."""
    changed = [
        name
        for name, value in (("duration", request.session_duration_minutes), ("claims", request.session_custom_claims))
        if value is not None
    ]
    now = int(ctx.clock())
    event = call.event(now, "session.changed", session_ids.session_id(before), changed=changed)
    # Claims are merged into what was read, so that must still be current; another end of it minds no other change.
    merging = request.session_custom_claims is not None
    write = store.UpdateSession(
        number=before.number,
        revision=before.revision if merging else None,
        last_accessed_at=after.last_accessed_at,
        expires_at=after.expires_at if request.session_duration_minutes is not None else None,
        custom_claims=after.custom_claims if merging else None,
        guard=store.Guard(environment_id=before.environment_id, secret_id=call.caller.secret.secret_id, now=now),
        events=(event,),
    )
    await ctx.store.write(write)


async def _authorization(
    ctx: Context, call: Call, view: SessionView, check: AuthorizationCheck | None
) -> tuple[str, ...] | None:
    """The roles that permit what is asked (contract §7), or None when nothing is asked."""
    if check is None:
        return None
    environment = call.environment
    organization = view.organization
    if environment.vertical == "b2b":
        if not check.organization_id:
            raise errors.BadRequest("authorization_check.organization_id is required")
        if organization is None or check.organization_id not in {
            organization.organization_id,
            organization.external_id,
            organization.slug,
        }:
            raise errors.SessionAuthorizationTenancyError
    policy = await authority.policy_of(ctx, environment)
    roles = session_jwt.roles(view, environment, policy)
    granting = permissions.granting_roles(policy, roles, check.resource_id, check.action)
    if not granting:
        refusal = (
            errors.SessionAuthorizationError
            if environment.vertical == "b2b"
            else errors.ConsumerSessionAuthorizationError
        )
        raise refusal
    return granting


async def _named_session(
    ctx: Context, call: Call, session_id: str | None, token: str | None, jwt: str | None
) -> SessionView | None:
    if session_id:
        return await opening.find_by_id(ctx, call, session_id)
    if token:
        return await opening.find_by_token(ctx, call, token)
    opened = await opening.find_by_jwt(ctx, call, jwt or "")
    return opened.view if opened else None


async def _revoke_session(ctx: Context, call: Call, view: SessionView) -> None:
    session = view.session
    _authorize_revoke(call, view.member or view.user)
    now = int(ctx.clock())
    write = store.RevokeSession(
        environment_id=session.environment_id,
        number=session.number,
        revoked_at=now,
        events=(call.event(now, "session.revoked", session_ids.session_id(session)),),
    )
    await ctx.store.write(write)


async def _revoke_all_of_member(ctx: Context, call: Call, member_id: str) -> None:
    environment_id = call.environment.environment_id
    member = await members.find_anywhere(ctx, environment_id, member_id)
    _authorize_revoke(call, member)
    now = int(ctx.clock())
    write = store.RevokeSessionsOf(
        environment_id=environment_id,
        subject_kind="member",
        subject_id=member.member_id,
        revoked_at=now,
        events=(call.event(now, "member.sessions_revoked", member.member_id),),
    )
    await ctx.store.write(write)


def _authorize_revoke(call: Call, person: Member | User | None) -> None:
    if isinstance(person, Member):
        authority.authorize(call, person.organization_id, "stytch.member", "revoke-sessions", self_id=person.member_id)
