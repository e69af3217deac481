"""Exchange: a member who is logged in to one organization enters another one (decisions D22)."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from assay import errors, store
from assay.model import Factor, Member, Organization, SessionView
from assay.rules import claims as custom_claims
from assay.rules import factors, session_ids
from assay.rules import identity as linking
from assay.stories import opening, organizations
from assay.stories.context import Call, Context
from assay.stories.granted import Granted, Opened

MAX_TRIES = 8


class ExchangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an exchange (contract §4). ``session_duration_minutes`` is in minutes."""

    organization_id: str
    session_token: str | None = None
    session_jwt: str | None = None
    session_duration_minutes: int | None = None
    session_custom_claims: dict[str, Any] | None = None
    locale: str | None = None
    telemetry_id: str | None = None


class Carried(msgspec.Struct, frozen=True):
    """The factors that come along, and the revisions of their profiles that say so."""

    factors: tuple[Factor, ...]
    revisions: dict[str, int]


async def exchange(ctx: Context, call: Call, request: ExchangeRequest) -> Granted:
    """A new session in the target organization; the old one lives on.

    Raises InvalidSessionDurationMinutes, ReservedClaims, StytchClaims, CustomClaimsTooLarge, NoSessionArguments,
    TooManySessionArguments, as :func:`opening.open_session`, OrganizationNotFound, MemberHasNoVerifiedEmail,
    MemberNotFound, InsufficientFactorsForSessionExchange, InsufficientFactors, UnauthorizedCredentials.
    """
    opening.check_duration(request.session_duration_minutes)
    claims = request.session_custom_claims or {}
    custom_claims.check_custom_claims(claims)
    claims = custom_claims.merge_custom_claims({}, claims)
    opening.check_session_arguments(request.session_token, request.session_jwt, required=True)
    for _ in range(MAX_TRIES):
        source = await opening.open_session(ctx, call, request.session_token, request.session_jwt)
        organization = await organizations.resolve(ctx, call, request.organization_id)
        member = await _member_of(ctx, source.view.member, organization)
        carried = await _carried(ctx, call, source.view.session.factors, organization)
        if factors.mfa_due(organization, member) and not factors.are_multiple(carried.factors):
            raise errors.InsufficientFactors
        try:
            member = await _accept_invitation(ctx, call, member)
            view = SessionView(session=source.view.session, member=member, organization=organization)
            return await _start(ctx, call, view, carried, claims, request.session_duration_minutes)
        except (store.Stale, store.Conflict):
            # The secret may be what went stale; all else is read again by the next try.
            await opening.require_secret(ctx, call)
    raise errors.StoreUnavailable(detail=f"an exchange lost {MAX_TRIES} races in a row")


async def _member_of(ctx: Context, member: Member | None, organization: Organization) -> Member:
    """Whoever holds the session's verified address in the target: only an address proves it is the same person."""
    if member is None or member.email is None or not member.email_verified:
        raise errors.MemberHasNoVerifiedEmail
    found = await ctx.store.member_by_email(organization.environment_id, organization.organization_id, member.email)
    if found is None or found.email != member.email:
        raise errors.MemberNotFound
    return found


async def _carried(ctx: Context, call: Call, held: tuple[Factor, ...], organization: Organization) -> Carried:
    """The factors that count in the target: those of profiles that still say they are for it (decisions D22)."""
    revisions = {
        profile.profile_id: profile.revision
        for profile in await ctx.store.profiles(call.environment.environment_id)
        if profile.enabled and linking.is_for(organization, profile.organizations)
    }
    carried = tuple(factor for factor in held if factor.profile_id in revisions)
    if not carried:
        raise errors.InsufficientFactorsForSessionExchange
    return Carried(carried, {factor.profile_id: revisions[factor.profile_id] for factor in carried})


async def _accept_invitation(ctx: Context, call: Call, member: Member) -> Member:
    if member.status == "active":
        return member
    now = int(ctx.clock())
    active = msgspec.structs.replace(member, status="active", updated_at=now)
    event = call.event(now, "member.updated", member.member_id, by="exchange", changes=["status"])
    await ctx.store.write(store.ReplaceMember(member=active, events=(event,)))
    return msgspec.structs.replace(active, revision=active.revision + 1)


async def _start(
    ctx: Context,
    call: Call,
    source: SessionView,
    carried: Carried,
    claims: dict[str, Any],
    minutes: int | None,
) -> Granted:
    now = int(ctx.clock())
    minted = session_ids.mint(ctx.clock(), secrets.token_bytes)
    session = opening.new_session(
        call.environment,
        opening.subject_of(source),
        minted,
        factors=carried.factors,
        claims=claims,
        minutes=minutes,
        now=now,
    )
    guard = store.Guard(
        environment_id=session.environment_id,
        secret_id=call.caller.secret.secret_id,
        profile_revisions=carried.revisions,
        session_number=source.session.number,
        now=now,
    )
    session_id = session_ids.session_id(session)
    view = msgspec.structs.replace(source, session=session)
    shape = await opening.shape(ctx, call, view)
    event = call.event(now, "session.started", session_id, by="exchange", of=session_ids.session_id(source.session))
    await ctx.store.write(store.StartSession(session=session, guard=guard, events=(event,)))
    return await opening.grant(ctx, call, Opened(view=view, token=minted.token), shape)
