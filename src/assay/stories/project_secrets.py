"""The live secrets of an environment, as operators' tools manage them; revoked ones are gone from here."""

from __future__ import annotations

from assay import errors
from assay.model import Secret
from assay.stories import projects
from assay.stories.context import Context, Operator
from assay.stories.environments import EnvironmentRef, resolve


class SecretRef(EnvironmentRef, kw_only=True):
    """One secret, by its id."""

    secret_id: str


async def create(ctx: Context, by: Operator, request: EnvironmentRef) -> tuple[Secret, str]:
    """Make one more secret, and show it this once. Several may be live at once, for rotation.

    Raises ProjectNotFound, EnvironmentNotFound.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await projects.create_secret(ctx, environment.environment_id, by=by)


async def get(ctx: Context, by: Operator, request: SecretRef) -> Secret:
    """One live secret, without its text. Raises ProjectNotFound, EnvironmentNotFound, SecretNotFound."""
    live = await list_all(ctx, by, request)
    secret = next((each for each in live if each.secret_id == request.secret_id), None)
    if secret is None:
        raise errors.SecretNotFound
    return secret


async def list_all(ctx: Context, _by: Operator, request: EnvironmentRef) -> list[Secret]:
    """The live secrets of an environment, oldest first. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return [each for each in await ctx.store.secrets(environment.environment_id) if each.revoked_at is None]


async def delete(ctx: Context, by: Operator, request: SecretRef) -> None:
    """From now on the secret opens nothing. Raises ProjectNotFound, EnvironmentNotFound, SecretNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    await projects.revoke_secret(ctx, environment.environment_id, request.secret_id, by=by)
