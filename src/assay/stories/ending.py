"""Ending many sessions at once: of a person, of an organization, of all who came in by a profile, or all there are."""

from __future__ import annotations

import msgspec

from assay import store
from assay.model import Environment, Member, SubjectKind
from assay.stories import profiles, projects, references
from assay.stories.context import Context, Operator
from assay.stories.references import PersonRef


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """Whose sessions ended: the kind and id of what they belonged to, and how many were live just before."""

    scope: str
    target: str
    sessions: int


async def of_person(ctx: Context, environment_id: str, reference: PersonRef, *, by: Operator) -> Ending:
    """End the sessions of one member or user. Raises ProjectNotFound, and as :func:`references.person`."""
    environment = await projects.require_environment(ctx, environment_id)
    person = await references.person(ctx, environment, reference)
    kind: SubjectKind = "member" if isinstance(person, Member) else "user"
    subject_id, now = references.id_of(person), int(ctx.clock())
    alive = len(await ctx.store.sessions_of(environment_id, kind, subject_id, now))
    event = by.event(environment_id, f"{kind}.sessions_revoked", subject_id, now, sessions=alive)
    await ctx.store.write(
        store.RevokeSessionsOf(
            environment_id=environment_id,
            subject_kind=kind,
            subject_id=subject_id,
            revoked_at=now,
            events=(event,),
        )
    )
    return Ending(scope=kind, target=subject_id, sessions=alive)


async def of_organization(ctx: Context, environment_id: str, reference: str, *, by: Operator) -> Ending:
    """End the sessions of all members of one organization. Raises ProjectNotFound, OrganizationNotFound."""
    environment = await projects.require_environment(ctx, environment_id)
    organization = await references.organization(ctx, environment_id, reference)
    return await _end(ctx, environment, by, organization_id=organization.organization_id)


async def of_profile(ctx: Context, environment_id: str, profile_id: str, *, by: Operator) -> Ending:
    """End the sessions that rest on a profile, be it with other factors too.

    Raises ProjectNotFound, and TrustedTokenProfileNotFound unless a deleted profile of this id has left sessions.
    """
    environment = await projects.require_environment(ctx, environment_id)
    alive = await ctx.store.live_sessions(environment_id, None, profile_id, int(ctx.clock()))
    if not alive:
        await profiles.require_profile(ctx, environment_id, profile_id)
    return await _end(ctx, environment, by, profile_id=profile_id)


async def of_environments(ctx: Context, environment_id: str | None, *, by: Operator) -> list[Ending]:
    """End all sessions of one environment, or (None) of every one there is. Raises ProjectNotFound."""
    if environment_id is None:
        listings = await projects.list_projects(ctx)
        chosen = [environment for listing in listings for environment in listing.environments]
    else:
        chosen = [await projects.require_environment(ctx, environment_id)]
    return [await _end(ctx, each, by) for each in chosen]


async def _end(
    ctx: Context,
    environment: Environment,
    by: Operator,
    *,
    organization_id: str | None = None,
    profile_id: str | None = None,
) -> Ending:
    environment_id, now = environment.environment_id, int(ctx.clock())
    alive = await ctx.store.live_sessions(environment_id, organization_id, profile_id, now)
    scope = "organization" if organization_id else "profile" if profile_id else "environment"
    target = organization_id or profile_id or environment_id
    event = by.event(environment_id, f"{scope}.sessions_revoked", target, now, sessions=alive)
    await ctx.store.write(
        store.RevokeSessionsWhere(
            environment_id=environment_id,
            organization_id=organization_id,
            profile_id=profile_id,
            revoked_at=now,
            events=(event,),
        )
    )
    return Ending(scope=scope, target=target, sessions=alive)
