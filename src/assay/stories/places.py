"""Where an operator works: one environment, and the others of its project beside it."""

from __future__ import annotations

import msgspec

from assay import errors
from assay.model import Environment, Project
from assay.stories import internal
from assay.stories.context import Context
from assay.stories.operators import Role


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen environment and its surroundings."""

    project: Project
    environments: tuple[Environment, ...]
    chosen: Environment


async def of_slugs(ctx: Context, project_slug: str, environment_slug: str, *, role: Role) -> Place:
    """The place that these slugs name.

    The environment of the operators themselves is for owners: whoever may change profiles there makes operators.
    Raises ProjectNotFound, EnvironmentNotFound.
    """
    project = await ctx.store.project_by_slug(project_slug)
    if project is None or (internal.is_internal(project) and role != "owner"):
        raise errors.ProjectNotFound("There is no project with this slug.")
    environments = tuple(await ctx.store.environments(project.project_id))
    chosen = next((each for each in environments if each.slug == environment_slug), None)
    if chosen is None:
        raise errors.EnvironmentNotFound
    return Place(project=project, environments=environments, chosen=chosen)


async def last_or_first(ctx: Context, project_slug: str, environment_slug: str, *, role: Role) -> Place | None:
    """The place that these slugs name; if there is none, the TEST environment of the first project that has one."""
    try:
        return await of_slugs(ctx, project_slug, environment_slug, role=role)
    except (errors.ProjectNotFound, errors.EnvironmentNotFound):
        pass
    for project in internal.shown(await ctx.store.projects()):
        environments = tuple(await ctx.store.environments(project.project_id))
        chosen = next((each for each in environments if each.kind == "test"), None)
        if chosen is not None:
            return Place(project=project, environments=environments, chosen=chosen)
    return None
