"""The projects of the workspace, as operators' tools manage them: each starts empty and is named by its slug.

``assay project create`` makes a project with its environments at once (:mod:`assay.stories.projects`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from assay import errors, ids, store
from assay.model import Environment, Project, Vertical
from assay.stories import internal, slugs
from assay.stories.context import Context, Operator

WireVertical = Literal["CONSUMER", "B2B", "ALL"]

_VERTICALS: dict[str, Vertical] = {"CONSUMER": "consumer", "B2B": "b2b"}


class Nothing(msgspec.Struct):
    """A request without arguments."""


class ProjectRef(msgspec.Struct):
    """One project, by its slug."""

    project_slug: str


class ProjectCreate(msgspec.Struct):
    """A new project. Without a slug one is made from the name."""

    name: str
    vertical: WireVertical
    project_slug: str | None = None


class ProjectUpdate(msgspec.Struct):
    """What of a project can be changed."""

    project_slug: str
    name: str | None = None


class LegacyRef(msgspec.Struct):
    """One environment, by what the first version of the management API calls a project id."""

    project_id: str


class LegacyProject(msgspec.Struct, frozen=True):
    """A project with the two environments that the first version of the management API knew of."""

    project: Project
    live: Environment | None
    test: Environment | None


async def create(ctx: Context, by: Operator, request: ProjectCreate) -> Project:
    """Make a project, which has no environment yet.

    Raises InvalidProjectName, InvalidProjectSlug, UnsupportedVertical, ProjectSlugAlreadyUsed.
    """
    slugs.check_name(request.name, errors.InvalidProjectName)
    if request.vertical not in _VERTICALS:
        raise errors.UnsupportedVertical
    slugs.check(request.project_slug, errors.InvalidProjectSlug)
    now = int(ctx.clock())

    async def make(slug: str) -> Project:
        project = Project(
            project_id=f"project-{ids.uuid7()}",
            slug=slug,
            name=request.name,
            vertical=_VERTICALS[request.vertical],
            created_at=now,
        )
        event = by.event(None, "project.created", project.project_id, now, slug=slug)
        try:
            await ctx.store.write(store.CreateProject(project=project, environments=(), events=(event,)))
        except store.Conflict:
            raise errors.ProjectSlugAlreadyUsed from None
        return project

    return await slugs.with_free_slug(request.project_slug, request.name, make, errors.ProjectSlugAlreadyUsed)


async def get(ctx: Context, _by: Operator, request: ProjectRef) -> Project:
    """One project. Raises ProjectNotFound."""
    return await require_project(ctx, request.project_slug)


async def list_all(ctx: Context, _by: Operator, _request: Nothing) -> list[Project]:
    """All projects, oldest first."""
    return internal.shown(await ctx.store.projects())


async def update(ctx: Context, by: Operator, request: ProjectUpdate) -> Project:
    """Give a project another name; its slug stays. Raises ProjectNotFound, InvalidProjectName."""
    project = await require_project(ctx, request.project_slug)
    if request.name is None or request.name == project.name:
        return project
    slugs.check_name(request.name, errors.InvalidProjectName)
    event = by.event(None, "project.updated", project.project_id, int(ctx.clock()), changed=["name"])
    await _write(ctx, store.RenameProject(project_id=project.project_id, name=request.name, events=(event,)))
    return msgspec.structs.replace(project, name=request.name)


async def delete(ctx: Context, by: Operator, request: ProjectRef) -> None:
    """Delete a project with all its environments and everything in them. Raises ProjectNotFound."""
    project = await require_project(ctx, request.project_slug)
    event = by.event(None, "project.deleted", project.project_id, int(ctx.clock()), slug=project.slug)
    await _write(ctx, store.DeleteProject(project_id=project.project_id, events=(event,)))


async def legacy_projects(ctx: Context, _by: Operator, _request: Nothing) -> list[LegacyProject]:
    """All projects under their old and their new names (contract, management 1.1)."""
    return [
        _legacy(project, await ctx.store.environments(project.project_id))
        for project in internal.shown(await ctx.store.projects())
    ]


async def legacy_project(ctx: Context, _by: Operator, request: LegacyRef) -> LegacyProject:
    """The project that has the environment with this id. Raises ProjectNotFound."""
    named = await ctx.store.environment(request.project_id)
    project = await _project_of(ctx, named) if named else None
    if named is None or project is None:
        raise errors.ProjectNotFound
    others = await ctx.store.environments(project.project_id)
    # Of several TEST environments the one that was asked for is meant.
    return _legacy(project, [named, *others])


async def require_project(ctx: Context, project_slug: str) -> Project:
    """The project with this slug. Raises ProjectNotFound."""
    project = await ctx.store.project_by_slug(project_slug)
    if project is None or internal.is_internal(project):
        raise errors.ProjectNotFound("There is no project with this slug.")
    return project


async def _write(ctx: Context, write: store.Write) -> None:
    try:
        await ctx.store.write(write)
    except store.Stale:
        raise errors.ProjectNotFound("There is no project with this slug.") from None


async def _project_of(ctx: Context, environment: Environment) -> Project | None:
    projects = internal.shown(await ctx.store.projects())
    return next((each for each in projects if each.project_id == environment.project_id), None)


def _legacy(project: Project, environments: list[Environment]) -> LegacyProject:
    live, test = (next((each for each in environments if each.kind == kind), None) for kind in ("live", "test"))
    return LegacyProject(project, live, test)
