"""Public tokens: they name an environment in browsers and open nothing. Each environment has at least one."""

from __future__ import annotations

from assay import errors, store
from assay.model import PublicToken
from assay.stories import credentials
from assay.stories.context import Context, Operator
from assay.stories.environments import EnvironmentRef, resolve


class PublicTokenRef(EnvironmentRef, kw_only=True):
    """One public token."""

    public_token: str


async def create(ctx: Context, by: Operator, request: EnvironmentRef) -> PublicToken:
    """Make one more public token. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    now = int(ctx.clock())
    token = credentials.new_public_token(environment, now)
    event = by.event(environment.environment_id, "public_token.created", token.public_token, now)
    try:
        await ctx.store.write(store.CreatePublicToken(public_token=token, events=(event,)))
    except store.Stale:
        raise errors.EnvironmentNotFound from None
    return token


async def get(ctx: Context, by: Operator, request: PublicTokenRef) -> PublicToken:
    """One public token. Raises ProjectNotFound, EnvironmentNotFound, PublicTokenNotFound."""
    found = await list_all(ctx, by, request)
    token = next((each for each in found if each.public_token == request.public_token), None)
    if token is None:
        raise errors.PublicTokenNotFound
    return token


async def list_all(ctx: Context, _by: Operator, request: EnvironmentRef) -> list[PublicToken]:
    """The public tokens of an environment, oldest first. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await ctx.store.public_tokens(environment.environment_id)


async def delete(ctx: Context, by: Operator, request: PublicTokenRef) -> None:
    """From now on the token names nothing.

    Raises ProjectNotFound, EnvironmentNotFound, PublicTokenNotFound, UnableToDeleteLastPublicToken.
    """
    token = await get(ctx, by, request)
    event = by.event(token.environment_id, "public_token.deleted", token.public_token, int(ctx.clock()))
    write = store.DeletePublicToken(
        environment_id=token.environment_id, public_token=token.public_token, events=(event,)
    )
    try:
        await ctx.store.write(write)
    except store.Stale:
        await get(ctx, by, request)
        raise errors.UnableToDeleteLastPublicToken from None
