"""Activity: the audit events, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get
from assay.model import Event
from assay.stories import audit, internal, projects
from assay.stories.audit import EventFilter

_HERE = "{project_slug}/{environment_slug}/activity"
_ON_A_PAGE = 50
ACTIONS = (
    "environment.",
    "jwt_template.",
    "member.",
    "operator.",
    "organization.",
    "pem_file.",
    "person.erased",
    "profile.",
    "project.",
    "public_token.",
    "rbac_policy.",
    "redirect_url.",
    "secret.",
    "session.",
    "signing_key",
    "store.",
    "user.",
    "workspace_key.",
)
"""What actions begin with, as suggestions for the filter."""

_SECTIONS = {
    "profile": "profiles",
    "organization": "organizations",
    "member": "members",
    "user": "users",
    "session": "sessions",
}
_PAGES = {
    "secret": "keys",
    "public_token": "keys",
    "signing_key": "keys",
    "signing_keys": "keys",
    "environment": "environment",
    "jwt_template": "jwt-templates",
    "rbac_policy": "policy",
    "redirect_url": "redirect-urls",
}
_GONE = (".deleted", ".removed", ".erased")


async def list_events(page: Page) -> Answer:
    """What happened in the environment."""
    return await _list(page, page.environment_id, "Activity")


async def list_all_events(page: Page) -> Answer:
    """What happened anywhere, what operators did included."""
    return await _list(page, None, "All activity")


async def _list(page: Page, environment_id: str | None, title: str) -> Answer:
    query = page.query
    wanted = EventFilter(
        action=query.text("action") or None, target=query.text("target") or None, actor=query.text("actor") or None
    )
    before = query.number("cursor")
    found = await audit.search(page.ctx, environment_id, wanted, before=before, limit=_ON_A_PAGE)
    places = await _everywhere(page) if environment_id is None else _here(page)
    rows = [(each, link(page, each.event, places), _name(places, each.event)) for each in found.events]
    return page.render(
        "activity/list.html",
        title=title,
        rows=rows,
        next=found.next_before,
        actions=ACTIONS,
        everywhere=environment_id is None,
    )


class Place(NamedTuple):
    """Where an environment is; of a project, ``environment_slug`` is empty."""

    project_slug: str
    environment_slug: str = ""


Places = Mapping[str | None, Place]
"""By the id of an environment or a project."""


def _here(page: Page) -> Places:
    return {page.environment_id: Place(page.project.slug, page.environment.slug)}


async def _everywhere(page: Page) -> Places:
    """All there are, the environment of the operators included."""
    found: dict[str | None, Place] = {}
    for listing in await projects.list_projects(page.ctx):
        found[listing.project.project_id] = Place(listing.project.slug)
        for environment in listing.environments:
            found[environment.environment_id] = Place(listing.project.slug, environment.slug)
    own = await internal.ensured(page.ctx)
    found[own.environment_id] = Place(internal.PROJECT_SLUG, own.slug)
    return found


def _name(places: Places, event: Event) -> str:
    place = places.get(event.environment_id)
    return " / ".join(place) if place else event.environment_id or "workspace"


def link(page: Page, event: Event, places: Places) -> str:
    """The page about what the event is about; "" where there is none, or none any more."""
    kind, place = event.action.partition(".")[0], places.get(event.environment_id)
    is_gone = event.action.endswith(_GONE)
    if kind == "workspace_key" and page.may("owner"):
        return page.at("workspace-keys")
    if kind == "project" and event.target in places:
        return page.at("projects", places[event.target].project_slug)
    if kind == "operator" and page.may("owner"):
        return page.at("operators") if is_gone else page.at("operators", event.target)
    if kind in _PAGES and place is not None:
        return page.at(*place, _PAGES[kind])
    if kind in _SECTIONS and place is not None and not is_gone:
        return page.at(*place, _SECTIONS[kind], event.target)
    return ""


PAGES: tuple[Row, ...] = (
    get(_HERE, list_events, "activity"),
    get("activity", list_all_events, "all-activity", role="owner"),
)
