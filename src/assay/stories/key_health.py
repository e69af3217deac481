"""How the key sets of a profile are doing."""

from __future__ import annotations

import msgspec

from assay.keys.health import KeySetHealth
from assay.stories.context import Call, Context
from assay.stories.profiles import require_profile
from assay.stories.projects import list_projects, require_environment


class KeyHealthRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which profile is asked about."""

    profile_id: str


class ProfileKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The state of each key source of a profile, in the order in which the profile names them."""

    profile_id: str
    key_sets: tuple[KeySetHealth, ...]


class ProfileHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the key sources of one profile of one environment."""

    environment_id: str
    profile_id: str
    key_sets: tuple[KeySetHealth, ...]


async def all_profiles(ctx: Context) -> list[ProfileHealth]:
    """How the key sets of all profiles of this server are doing. Raises errors.StoreUnavailable."""
    return [
        ProfileHealth(
            environment_id=profile.environment_id,
            profile_id=profile.profile_id,
            key_sets=tuple(await ctx.keys.health(profile)),
        )
        for listing in await list_projects(ctx)
        for environment in listing.environments
        for profile in await ctx.store.profiles(environment.environment_id)
    ]


async def key_health(ctx: Context, call: Call, request: KeyHealthRequest) -> ProfileKeys:
    """How each key set of the profile is doing: last and next fetch, failures in a row, age, key ids, problems.

    It tells what all workers know and fetches nothing. Raises TrustedTokenProfileNotFound.
    """
    return await _health(ctx, call.environment.environment_id, request.profile_id, fetch=False)


async def profile_keys(ctx: Context, environment_id: str, profile_id: str, *, fetch: bool) -> ProfileKeys:
    """As :func:`key_health`, for an operator; with ``fetch`` every source is fetched first, past cache and cool-down.

    Raises ProjectNotFound, TrustedTokenProfileNotFound.
    """
    await require_environment(ctx, environment_id)
    return await _health(ctx, environment_id, profile_id, fetch=fetch)


async def _health(ctx: Context, environment_id: str, profile_id: str, *, fetch: bool) -> ProfileKeys:
    profile = await require_profile(ctx, environment_id, profile_id)
    look = ctx.keys.refresh if fetch else ctx.keys.health
    return ProfileKeys(profile_id=profile_id, key_sets=tuple(await look(profile)))
