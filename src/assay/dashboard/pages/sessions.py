"""Sessions: whose they are, what they rest on, and ending them."""

from __future__ import annotations

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get, post
from assay.stories import ending, profiles, session_search, sessions
from assay.stories.ending import Ending
from assay.stories.references import PersonRef
from assay.stories.session_search import SessionList, SessionQuery
from assay.stories.sessions import RevokeRequest

_HERE = "{project_slug}/{environment_slug}/sessions"
_STATES = {"live": True, "ended": False}
_SCOPES = ("member", "user", "organization", "profile")


async def list_sessions(page: Page) -> Answer:
    """The newest sessions, or those that are looked for."""
    query, fault = _query(page), ""
    found = SessionList(lines=[], next=None, back_to=None)
    try:
        found = await session_search.recent(page.ctx, page.call, query)
    except errors.Error as refused:
        if refused.kind not in {"invalid", "not found"}:
            raise
        fault = refused.message
    names = {each.profile.profile_id: each.profile.name for each in await _profiles(page)}
    return page.render("sessions/list.html", found=found, fault=fault, names=names)


async def show(page: Page) -> Answer:
    """One session."""
    shown = await session_search.show(page.ctx, page.call, page.parameters["session_id"])
    names = {each.profile.profile_id: each.profile.name for each in await _profiles(page)}
    return page.render("sessions/show.html", line=shown.line, roles=shown.roles, names=names)


async def ask_revoke(page: Page) -> Answer:
    """Whether to end this session."""
    shown = await session_search.show(page.ctx, page.call, page.parameters["session_id"])
    return page.render("sessions/revoke.html", line=shown.line)


async def revoke(page: Page) -> Answer:
    """End this session."""
    session_id = page.parameters["session_id"]
    is_b2b = page.environment.vertical == "b2b"
    request = RevokeRequest(member_session_id=session_id) if is_b2b else RevokeRequest(session_id=session_id)
    await sessions.revoke(page.ctx, page.call, request)
    return page.redirect(page.within("sessions", session_id), "Revoked the session.")


async def ask_revoke_all(page: Page) -> Answer:
    """Whether to end all sessions of a person, an organization or a profile."""
    scope, target = _scope(page)
    alive = await _alive(page, scope, target)
    return page.render("sessions/revoke_all.html", scope=scope, target=target, alive=alive, back=_back(page))


async def revoke_all(page: Page) -> Answer:
    """End them."""
    scope, target = _scope(page)
    done = await _end(page, scope, target)
    ended = "one session" if done.sessions == 1 else f"{done.sessions:,} sessions"
    return page.redirect(_back(page), f"Revoked {ended}." if done.sessions else "There was no live session.")


async def _alive(page: Page, scope: str, target: str) -> int:
    if scope == "organization":
        return await session_search.live_of_organization(page.ctx, page.environment_id, target)
    if scope == "profile":
        return await session_search.live_of_profile(page.ctx, page.environment_id, target)
    return await session_search.live_of_person(page.ctx, page.environment, _person(scope, target))


async def _end(page: Page, scope: str, target: str) -> Ending:
    if scope == "organization":
        return await ending.of_organization(page.ctx, page.environment_id, target, by=page.by)
    if scope == "profile":
        return await ending.of_profile(page.ctx, page.environment_id, target, by=page.by)
    return await ending.of_person(page.ctx, page.environment_id, _person(scope, target), by=page.by)


def _person(scope: str, target: str) -> PersonRef:
    return PersonRef(member=target) if scope == "member" else PersonRef(user=target)


def _scope(page: Page) -> tuple[str, str]:
    """Whose sessions: from the address of the page, to which its form posts. Raises BadRequest."""
    named = [(scope, page.query.text(scope)) for scope in _SCOPES if page.query.text(scope)]
    if len(named) != 1:
        raise errors.BadRequest("Name one member, user, organization or profile whose sessions are meant.")
    return named[0]


def _back(page: Page) -> str:
    """The page of whoever it was about."""
    scope, target = _scope(page)
    return page.within(f"{scope}s", target)


def _query(page: Page) -> SessionQuery:
    return SessionQuery(
        person=page.query.text("person"),
        organization=page.query.text("organization"),
        profile_id=page.query.text("profile"),
        session_id=page.query.text("session"),
        is_live=_STATES.get(page.query.text("state")),
        before=_number(page),
    )


def _number(page: Page) -> int | None:
    """The number in the cursor. Longer ones than there are lead nowhere."""
    text = page.query.text("cursor")
    return min(int(text), (1 << 63) - 1) if text.isascii() and text.isdigit() and len(text) <= 19 else None  # noqa: PLR2004 - of 63 bits


async def _profiles(page: Page) -> list[profiles.ProfileReport]:
    return await profiles.list_profiles(page.ctx, page.environment_id)


PAGES: tuple[Row, ...] = (
    get(_HERE, list_sessions, "sessions"),
    get(f"{_HERE}/{{session_id}}", show, "sessions"),
    get(f"{_HERE}/{{session_id}}/revoke", ask_revoke, "sessions", role="editor"),
    post(f"{_HERE}/{{session_id}}/revoke", revoke),
    get("{project_slug}/{environment_slug}/sessions-revoke", ask_revoke_all, "sessions", role="editor"),
    post("{project_slug}/{environment_slug}/sessions-revoke", revoke_all),
)
