"""Environments of a project, named by slugs as operators' tools name them, and their settings."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay import errors, ids, store
from assay.model import Environment, EnvironmentCounts, EnvironmentSettings, Kind, Project, SessionJwtAlgorithm
from assay.stories import credentials, internal, slugs, workspace
from assay.stories.changes import changed_fields, until_current
from assay.stories.context import Context, Operator

# The numbers of the official clients have 32 bits; the texts are addresses and one template.
MOST_NUMBER = 2**31 - 1
MOST_CHARACTERS = 16_384


class EnvironmentRef(msgspec.Struct, kw_only=True):
    """One environment, by the slugs that name it."""

    project_slug: str
    environment_slug: str


class SettingsGiven(msgspec.Struct, kw_only=True):
    """Settings: how session JWTs are signed, and what Assay keeps for its callers.

    What is not given stays, or gets its default.
    """

    session_jwt_algorithm: SessionJwtAlgorithm | None = None
    cross_org_passwords_enabled: bool | None = None
    user_impersonation_enabled: bool | None = None
    zero_downtime_session_migration_url: str | None = None
    use_custom_domain_in_magic_link_emails: bool | None = None
    user_lock_self_serve_enabled: bool | None = None
    user_lock_threshold: int | None = None
    user_lock_ttl: int | None = None
    idp_authorization_url: str | None = None
    idp_dynamic_client_registration_enabled: bool | None = None
    idp_dynamic_client_registration_access_token_template_content: str | None = None


class EnvironmentCreate(SettingsGiven, kw_only=True):
    """A new environment. Without a slug one is made from the name."""

    project_slug: str
    name: str
    type: Literal["LIVE", "TEST"]
    environment_slug: str | None = None


class EnvironmentUpdate(SettingsGiven, kw_only=True):
    """What of an environment can be changed."""

    project_slug: str
    environment_slug: str
    name: str | None = None


class Placed(msgspec.Struct, frozen=True):
    """An environment and the slug of its project."""

    project_slug: str
    environment: Environment


async def resolve(ctx: Context, project_slug: str, environment_slug: str) -> Environment:
    """The environment that these slugs name; never that of Assay's own operators.

    Whoever could make a profile there would make operators. Raises ProjectNotFound, EnvironmentNotFound.
    """
    if project_slug == internal.PROJECT_SLUG:
        raise errors.ProjectNotFound("There is no project with this slug.")
    environment = await ctx.store.environment_by_slug(project_slug, environment_slug)
    if environment is None:
        await workspace.require_project(ctx, project_slug)
        raise errors.EnvironmentNotFound
    return environment


async def create(ctx: Context, by: Operator, request: EnvironmentCreate) -> Placed:
    """Make an environment with one public token. The LIVE one comes first, and there is one LIVE environment at most.

    Raises ProjectNotFound, InvalidEnvironmentName, InvalidEnvironmentSlug, InvalidEnvironmentSetting,
    EnvironmentSlugAlreadyUsed, LiveEnvironmentRequired, LiveEnvironmentAlreadyExists.
    """
    project = await workspace.require_project(ctx, request.project_slug)
    slugs.check_name(request.name, errors.InvalidEnvironmentName)
    slugs.check(request.environment_slug, errors.InvalidEnvironmentSlug)
    settings = EnvironmentSettings(**_settings(request))
    await _check_live_comes_first(ctx, project, request)
    now = int(ctx.clock())
    kind: Kind = "live" if request.type == "LIVE" else "test"

    async def make(slug: str) -> Placed:
        environment = Environment(
            environment_id=ids.new("project", kind),
            project_id=project.project_id,
            slug=slug,
            kind=kind,
            name=request.name,
            vertical=project.vertical,
            created_at=now,
            settings=settings,
        )
        await _write_new(ctx, by, environment)
        return Placed(project.slug, environment)

    return await slugs.with_free_slug(request.environment_slug, request.name, make, errors.EnvironmentSlugAlreadyUsed)


async def get(ctx: Context, _by: Operator, request: EnvironmentRef) -> Placed:
    """One environment. Raises ProjectNotFound, EnvironmentNotFound."""
    return Placed(request.project_slug, await resolve(ctx, request.project_slug, request.environment_slug))


async def list_all(ctx: Context, _by: Operator, request: workspace.ProjectRef) -> list[Placed]:
    """The environments of a project, oldest first. Raises ProjectNotFound."""
    project = await workspace.require_project(ctx, request.project_slug)
    return [Placed(project.slug, each) for each in await ctx.store.environments(project.project_id)]


async def update(ctx: Context, by: Operator, request: EnvironmentUpdate) -> Placed:
    """Change the name and settings that are given; the rest stays.

    Another ``session_jwt_algorithm`` signs from the next request on, with keys made for it. The old keys are retired.
    Raises ProjectNotFound, EnvironmentNotFound, InvalidEnvironmentName, InvalidEnvironmentSetting.
    """
    if request.name is not None:
        slugs.check_name(request.name, errors.InvalidEnvironmentName)
    given = _settings(request)

    async def change() -> Environment:
        before = await resolve(ctx, request.project_slug, request.environment_slug)
        settings = msgspec.structs.replace(before.settings, **given)
        after = msgspec.structs.replace(before, name=request.name or before.name, settings=settings)
        if after != before:
            await ctx.store.write(await _configured(ctx, by, before, after))
        return after

    return Placed(request.project_slug, await until_current(change))


async def sign_with(ctx: Context, by: Operator, environment_id: str, algorithm: SessionJwtAlgorithm) -> bool:
    """Have session JWTs signed with this algorithm from now on, as :func:`update` does; False if they are already.

    Raises ProjectNotFound.
    """

    async def change() -> bool:
        before = await ctx.store.environment(environment_id)
        if before is None:
            raise errors.ProjectNotFound
        if before.settings.session_jwt_algorithm == algorithm:
            return False
        settings = msgspec.structs.replace(before.settings, session_jwt_algorithm=algorithm)
        after = msgspec.structs.replace(before, settings=settings)
        await ctx.store.write(await _configured(ctx, by, before, after))
        return True

    return await until_current(change)


async def delete(ctx: Context, by: Operator, request: EnvironmentRef) -> None:
    """Delete a TEST environment and everything in it; a LIVE one goes only with its project.

    Raises ProjectNotFound, EnvironmentNotFound, CannotDeleteLiveEnvironment.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    if environment.kind == "live":
        raise errors.CannotDeleteLiveEnvironment
    event = by.event(environment.environment_id, "environment.deleted", environment.environment_id, int(ctx.clock()))
    try:
        await ctx.store.write(store.DeleteEnvironment(environment_id=environment.environment_id, events=(event,)))
    except store.Stale:
        raise errors.EnvironmentNotFound from None


async def metrics(ctx: Context, _by: Operator, request: EnvironmentRef) -> EnvironmentCounts:
    """How many users, organizations and members the environment holds. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await ctx.store.environment_counts(environment.environment_id)


def _settings(request: SettingsGiven) -> dict[str, Any]:
    """The settings that were given, by name. Raises InvalidEnvironmentSetting."""
    given = {
        name: value for name in EnvironmentSettings.__struct_fields__ if (value := getattr(request, name)) is not None
    }
    for name, value in given.items():
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            raise errors.InvalidEnvironmentSetting(f"{name} has at most {MOST_CHARACTERS} characters.")
        if isinstance(value, int) and not 0 <= value <= MOST_NUMBER:
            raise errors.InvalidEnvironmentSetting(f"{name} is a number from 0 to {MOST_NUMBER}.")
    return given


async def _check_live_comes_first(ctx: Context, project: Project, request: EnvironmentCreate) -> None:
    # Nothing can undo this between here and the write: a LIVE environment goes only with its project.
    if request.type == "LIVE":
        return
    if not any(each.kind == "live" for each in await ctx.store.environments(project.project_id)):
        raise errors.LiveEnvironmentRequired


async def _write_new(ctx: Context, by: Operator, environment: Environment) -> None:
    now = environment.created_at
    created = by.event(
        environment.environment_id, "environment.created", environment.environment_id, now, slug=environment.slug
    )
    # The hosted service's environments come with a public token, so that the first one made here can be deleted.
    token = credentials.new_public_token(environment, now)
    try:
        await ctx.store.write(
            store.CreateEnvironment(environment=environment, public_tokens=(token,), events=(created,))
        )
    except store.Conflict as conflict:
        if conflict.key == "live_environment":
            raise errors.LiveEnvironmentAlreadyExists from None
        raise errors.EnvironmentSlugAlreadyUsed from None
    except store.Stale:
        raise errors.ProjectNotFound("There is no project with this slug.") from None


async def _configured(
    ctx: Context, by: Operator, before: Environment, after: Environment
) -> store.ConfigureEnvironment:
    now = int(ctx.clock())
    changed = [
        *changed_fields(before, after, ("settings",)),
        *changed_fields(before.settings, after.settings),
    ]
    event = by.event(before.environment_id, "environment.updated", before.environment_id, now, changed=changed)
    write = store.ConfigureEnvironment(environment=after, events=(event,))
    if after.settings.session_jwt_algorithm == before.settings.session_jwt_algorithm:
        return write
    return await _with_signing_keys(ctx, by, write)


async def _with_signing_keys(
    ctx: Context, by: Operator, write: store.ConfigureEnvironment
) -> store.ConfigureEnvironment:
    """Setting and keys change in one commit, whoever else makes or rotates keys at that moment.

    Keys are made even where there are none yet: a first key of the old algorithm that another worker is just making
    then finds its place taken.
    """
    active, following = await ctx.signer.fresh_pair(write.environment)
    environment_id, algorithm = active.environment_id, active.algorithm
    kids = {"active": active.kid, "next": following.kid}
    rotated = by.event(
        environment_id, "signing_keys.rotated", environment_id, active.created_at, algorithm=algorithm, **kids
    )
    return msgspec.structs.replace(write, signing_keys=(active, following), events=(*write.events, rotated))
