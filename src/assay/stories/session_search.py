"""The sessions of an environment, readable: newest first, found by whose they are and what they rest on."""

from __future__ import annotations

from typing import Literal

import msgspec

from assay import errors, ids
from assay.model import Environment, Member, SessionView, SubjectKind
from assay.rules import names, session_ids, session_jwt
from assay.store import SessionSearch
from assay.stories import authority, opening, people_search, references
from assay.stories.context import Call, Context
from assay.stories.references import PersonRef

PAGE = 50
MOST_READS = 2
"""How often a page goes on looking when it finds too few; each read looks at 20,000 sessions, in some 30 ms."""

State = Literal["live", "revoked", "expired", "nobody"]


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions; what is given must all be so. ``before`` is the ``next`` of the page before.

    ``person`` is an id, an external id or an address, ``organization`` an id, an external id or a slug.
    """

    person: str = ""
    organization: str = ""
    profile_id: str = ""
    session_id: str = ""
    is_live: bool | None = None
    before: int | None = None


class SessionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A session with the records it speaks of, and its state: ``nobody`` when the person is gone or not active."""

    session_id: str
    view: SessionView
    state: State


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """A page. ``next`` goes on, None at the end; ``back_to`` is the time (seconds) up to which was looked."""

    lines: list[SessionLine]
    next: int | None
    back_to: int | None


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """One session; ``roles`` are those that count in it now."""

    line: SessionLine
    roles: tuple[str, ...]


async def recent(ctx: Context, call: Call, query: SessionQuery) -> SessionList:
    """A page of the sessions that match, newest first.

    Raises InvalidSessionId, OrganizationNotFound, MemberNotFound, UserNotFound, InvalidEmail, and BadRequest for
    something that members of several organizations have.
    """
    if query.session_id:
        view = await opening.find_by_id(ctx, call, query.session_id)
        return SessionList(lines=[_line(ctx, view)] if view else [], next=None, back_to=None)
    search = await _search(ctx, call, query)
    environment_id = call.environment.environment_id
    lines: list[SessionLine] = []
    further: int | None = search.before
    for _ in range(MOST_READS):
        found, further = await ctx.store.recent_sessions(environment_id, search)
        views = [await ctx.store.session(environment_id, session.number) for session in found]
        lines += [_line(ctx, view) for view in views if view is not None]
        if further is None or len(lines) >= PAGE:
            break
        search = msgspec.structs.replace(search, before=further, limit=PAGE - len(lines))
    return SessionList(lines=lines, next=further, back_to=None if further is None else session_ids.time_of(further))


async def show(ctx: Context, call: Call, session_id: str) -> SessionShown:
    """One session, live or not. Raises InvalidSessionId, SessionNotFound."""
    view = await opening.find_by_id(ctx, call, session_id)
    if view is None:
        raise errors.SessionNotFound
    policy = await authority.policy_of(ctx, call.environment)
    return SessionShown(line=_line(ctx, view), roles=session_jwt.roles(view, call.environment, policy))


async def live_of_person(ctx: Context, environment: Environment, reference: PersonRef) -> int:
    """How many sessions :func:`ending.of_person` would end. Raises as :func:`references.person`."""
    person = await references.person(ctx, environment, reference)
    kind: SubjectKind = "member" if isinstance(person, Member) else "user"
    now = int(ctx.clock())
    return len(await ctx.store.sessions_of(environment.environment_id, kind, references.id_of(person), now))


async def live_of_organization(ctx: Context, environment_id: str, reference: str) -> int:
    """How many sessions :func:`ending.of_organization` would end. Raises OrganizationNotFound."""
    organization = await references.organization(ctx, environment_id, reference)
    return await ctx.store.live_sessions(environment_id, organization.organization_id, None, int(ctx.clock()))


async def live_of_profile(ctx: Context, environment_id: str, profile_id: str) -> int:
    """How many sessions :func:`ending.of_profile` would end; none of a profile that is not there."""
    return await ctx.store.live_sessions(environment_id, None, profile_id, int(ctx.clock()))


def _line(ctx: Context, view: SessionView) -> SessionLine:
    return SessionLine(session_id=session_ids.session_id(view.session), view=view, state=_state(view, ctx.clock()))


def _state(view: SessionView, now: float) -> State:
    if view.session.revoked_at is not None:
        return "revoked"
    if view.session.expires_at <= now:
        return "expired"
    return "live" if opening.is_live(view, now) else "nobody"


async def _search(ctx: Context, call: Call, query: SessionQuery) -> SessionSearch:
    environment_id = call.environment.environment_id
    organization_id = None
    if query.organization:
        organization_id = (await references.organization(ctx, environment_id, query.organization)).organization_id
    search = SessionSearch(
        subject_id=await _subject_id(ctx, call, query) if query.person else None,
        organization_id=organization_id,
        profile_id=query.profile_id or None,
        is_live=query.is_live,
        now=int(ctx.clock()),
        limit=PAGE,
    )
    return search if query.before is None else msgspec.structs.replace(search, before=query.before)


async def _subject_id(ctx: Context, call: Call, query: SessionQuery) -> str:
    """Our own id of the person. One of our ids needs no record: the sessions of deleted users are gone with them."""
    if ids.is_own_form(query.person):
        return query.person
    if call.environment.vertical == "consumer":
        return await _user_id(ctx, call, query.person)
    ref = PersonRef(member=query.person, organization=query.organization or None)
    try:
        return references.id_of(await references.person(ctx, call.environment, ref))
    except errors.MemberNotFound:
        if "@" not in query.person:
            raise
    return (await people_search.by_email(ctx, call, query.person, query.organization)).member_id


async def _user_id(ctx: Context, call: Call, person: str) -> str:
    environment_id = call.environment.environment_id
    found = await ctx.store.user(environment_id, person)
    if found is None and "@" in person:
        _, found = await ctx.store.user_candidates(environment_id, None, names.email(person))
    if found is None:
        raise errors.UserNotFound
    return found.user_id
