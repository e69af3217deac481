"""Projects, their environments, the secrets that open them, and the keys that sign for them."""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors, ids, store
from assay.keys.signing import PUBLISHED_AFTER_RETIREMENT
from assay.model import Caller, Environment, Kind, Project, Secret, SessionJwtAlgorithm, SigningKey, Vertical
from assay.stories import credentials, environments, internal, last_use, slugs
from assay.stories.context import Context, Operator


class NewProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project as it was just made, with one environment's credentials: the only time the secret is shown."""

    project: Project
    environment: Environment
    secret: str
    public_token: str


class ProjectListing(msgspec.Struct, frozen=True, kw_only=True):
    """A project and its environments."""

    project: Project
    environments: list[Environment]


async def authenticate_caller(ctx: Context, project_id: str, secret: str) -> Caller:
    """The caller that these Basic credentials name. Raises UnauthorizedCredentials, alike for whatever is wrong.

    One statement finds both or nothing, and something is compared in either case, so that the time taken does not
    tell a known project from an unknown one (security R44, R45).
    """
    secret_hash = credentials.hash_secret(secret)
    caller = await ctx.store.caller(project_id, secret_hash)
    right = credentials.matches(caller.secret.secret_hash if caller else None, secret_hash)
    if caller is None or not right:
        raise errors.UnauthorizedCredentials
    found, now = caller.secret, ctx.clock()
    if ctx.last_use.is_due(found.secret_id, found.used_at, now):
        await last_use.note_secret(ctx.store, found, now)
    return caller


async def create_project(
    ctx: Context, name: str, vertical: Vertical, *, kind: Kind = "test", by: Operator
) -> NewProject:
    """A project with a LIVE and a TEST environment (decisions D23), and credentials of the one of ``kind``.

    Raises InvalidProjectName, ProjectSlugAlreadyUsed.
    """
    slugs.check_name(name, errors.InvalidProjectName)
    now = int(ctx.clock())
    project = Project(
        project_id=f"project-{ids.uuid7()}", slug=slugs.made_from(name), name=name, vertical=vertical, created_at=now
    )
    environments = tuple(_environment(project, each, now) for each in ("live", "test"))
    shown = next(environment for environment in environments if environment.kind == kind)
    secret, plain = credentials.new_secret(shown, now)
    tokens = {each.environment_id: credentials.new_public_token(each, now) for each in environments}
    write = store.CreateProject(
        project=project,
        environments=environments,
        secrets=(secret,),
        public_tokens=tuple(tokens.values()),
        events=(by.event(None, "project.created", project.project_id, now),),
    )
    try:
        await ctx.store.write(write)
    except store.Conflict:
        raise errors.ProjectSlugAlreadyUsed from None
    public_token = tokens[shown.environment_id].public_token
    return NewProject(project=project, environment=shown, secret=plain, public_token=public_token)


async def list_projects(ctx: Context) -> list[ProjectListing]:
    """All projects with their environments, oldest first; that of Assay's own operators is not among them."""
    return [
        ProjectListing(project=project, environments=await ctx.store.environments(project.project_id))
        for project in internal.shown(await ctx.store.projects())
    ]


async def require_environment(ctx: Context, environment_id: str) -> Environment:
    """The environment with this id. Raises ProjectNotFound."""
    environment = await ctx.store.environment(environment_id)
    if environment is None:
        raise errors.ProjectNotFound
    return environment


async def create_secret(ctx: Context, environment_id: str, *, by: Operator) -> tuple[Secret, str]:
    """One more secret, and its plain text, shown this once. Raises ProjectNotFound."""
    environment = await require_environment(ctx, environment_id)
    secret, plain = credentials.new_secret(environment, int(ctx.clock()))
    event = by.event(environment_id, "secret.created", secret.secret_id, int(ctx.clock()))
    try:
        await ctx.store.write(store.CreateSecret(secret=secret, events=(event,)))
    except store.Stale:
        raise errors.ProjectNotFound from None
    return secret, plain


async def list_secrets(ctx: Context, environment_id: str) -> list[Secret]:
    """All secrets of an environment, oldest first, revoked ones included. Raises ProjectNotFound."""
    await require_environment(ctx, environment_id)
    return await ctx.store.secrets(environment_id)


async def revoke_secret(ctx: Context, environment_id: str, secret_id: str, *, by: Operator) -> None:
    """From now on the secret opens nothing. Raises ProjectNotFound, SecretNotFound."""
    await require_environment(ctx, environment_id)
    event = by.event(environment_id, "secret.revoked", secret_id, int(ctx.clock()))
    write = store.RevokeSecret(
        environment_id=environment_id, secret_id=secret_id, revoked_at=int(ctx.clock()), events=(event,)
    )
    try:
        await ctx.store.write(write)
    except store.Stale:
        raise errors.SecretNotFound from None


async def jwks(ctx: Context, environment_id: str) -> list[dict[str, Any]]:
    """The public keys that verify this environment's session JWTs. Raises ProjectNotFound."""
    return await ctx.signer.published(await require_environment(ctx, environment_id))


async def list_keys(ctx: Context, environment_id: str | None) -> list[SigningKey]:
    """The signing keys of one environment (None: of all), oldest first. Raises ProjectNotFound."""
    if environment_id is None:
        return await ctx.store.all_signing_keys()
    await require_environment(ctx, environment_id)
    return await ctx.store.signing_keys(environment_id)


def published_until(key: SigningKey) -> int | None:
    """When a key stops being published (seconds); None for one that has not been retired (decisions D25)."""
    return None if key.retired_at is None else key.retired_at + PUBLISHED_AFTER_RETIREMENT


async def rotate_keys(
    ctx: Context, environment_id: str, *, by: Operator, algorithm: SessionJwtAlgorithm | None = None
) -> list[SigningKey]:
    """The next key signs from now on, and another is made and published (decisions D25).

    With another ``algorithm`` than the environment's, two new keys of that one take the place of both instead.
    Raises ProjectNotFound, NextSigningKeyMissing.
    """
    if algorithm is not None and await environments.sign_with(ctx, by, environment_id, algorithm):
        return await ctx.store.signing_keys(environment_id)
    environment = await require_environment(ctx, environment_id)
    event = by.event(environment_id, "signing_keys.rotated", environment_id, int(ctx.clock()))
    try:
        return await ctx.signer.rotate(environment, event)
    except store.Stale:
        raise errors.NextSigningKeyMissing from None


def _environment(project: Project, kind: Kind, now: int) -> Environment:
    return Environment(
        environment_id=ids.new("project", kind),
        project_id=project.project_id,
        slug="production" if kind == "live" else "test",
        kind=kind,
        name=f"{project.name} ({kind})",
        vertical=project.vertical,
        created_at=now,
    )
