"""The environment of Assay itself, in which its operators live as users. No list of projects shows it."""

from __future__ import annotations

from collections.abc import Iterable

from assay import errors, ids, store
from assay.model import Caller, Environment, Project
from assay.rules.permissions import Policy, Role
from assay.stories import credentials
from assay.stories.context import Call, Context, Operator

PROJECT_SLUG = "_assay"
"""Nobody else can have it: slugs that are chosen or made have no underscore (:mod:`assay.stories.slugs`)."""
ENVIRONMENT_SLUG = "operators"

_ROLES = (
    Role("owner", "May do everything, and says who the operators are.", ()),
    Role("editor", "May change everything but operators.", ()),
    Role("viewer", "May look at everything and change nothing.", ()),
)
_ITSELF = Operator(name="assay")
_UNCONFIGURED = 1


def is_internal(project: Project) -> bool:
    """Whether it is Assay's own project."""
    return project.slug == PROJECT_SLUG


def shown(projects: Iterable[Project]) -> list[Project]:
    """The projects that operators made."""
    return [project for project in projects if not is_internal(project)]


async def find(ctx: Context) -> Environment | None:
    """The environment of the operators; None as long as there never was one."""
    return await ctx.store.environment_by_slug(PROJECT_SLUG, ENVIRONMENT_SLUG)


async def ensured(ctx: Context) -> Environment:
    """The environment of the operators, which is made when it is first needed."""
    environment = await find(ctx)
    if environment is None:
        await _create(ctx)
        environment = await find(ctx)
    if environment is None:
        raise errors.InternalError(detail="the environment of the operators was made and is not there")
    if environment.revision == _UNCONFIGURED:
        await _configure(ctx, environment)
        environment = await find(ctx) or environment
    return environment


async def caller(ctx: Context, request_id: str) -> Call:
    """Assay as a caller of itself. Its secret was never shown to anybody; it is there to be looked for and found."""
    environment = await ensured(ctx)
    environment_id = environment.environment_id
    live = [each for each in await ctx.store.secrets(environment_id) if each.revoked_at is None]
    if not live:
        secret, _ = credentials.new_secret(environment, int(ctx.clock()))
        await ctx.store.write(store.CreateSecret(secret=secret))
        live = [secret]
    keys = await ctx.store.signing_keys(environment_id)
    kid = next((key.kid for key in keys if key.state == "active"), None)
    return Call(caller=Caller(environment=environment, secret=live[0], signing_kid=kid), request_id=request_id)


async def _create(ctx: Context) -> None:
    now = int(ctx.clock())
    project = Project(
        project_id=f"project-{ids.uuid7()}",
        slug=PROJECT_SLUG,
        name="Assay operators",
        vertical="consumer",
        created_at=now,
    )
    environment = Environment(
        environment_id=ids.new("project", "live"),
        project_id=project.project_id,
        slug=ENVIRONMENT_SLUG,
        kind="live",
        name="Assay operators",
        vertical="consumer",
        created_at=now,
    )
    secret, _ = credentials.new_secret(environment, now)
    write = store.CreateProject(
        project=project,
        environments=(environment,),
        secrets=(secret,),
        events=(_ITSELF.event(None, "project.created", project.project_id, now, slug=PROJECT_SLUG),),
    )
    try:
        await ctx.store.write(write)
    except store.Conflict:  # another process was first
        return


async def _configure(ctx: Context, environment: Environment) -> None:
    """The roles, so that those that a token brings count too."""
    try:
        await ctx.store.write(store.ConfigureEnvironment(environment=environment, policy=Policy(roles=_ROLES)))
    except store.Stale:  # another process was first
        return
