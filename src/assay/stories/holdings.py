"""What an environment holds, for whoever is about to delete it."""

from __future__ import annotations

import msgspec

from assay.model import Environment
from assay.stories.context import Context


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """How many records of each kind would go with an environment; secrets and sessions are those that live."""

    users: int
    organizations: int
    members: int
    profiles: int
    secrets: int
    sessions: int


async def of_environment(ctx: Context, environment: Environment) -> Holdings:
    """What the environment holds now."""
    environment_id = environment.environment_id
    counts = await ctx.store.environment_counts(environment_id)
    secrets = await ctx.store.secrets(environment_id)
    return Holdings(
        users=counts.users,
        organizations=counts.organizations,
        members=counts.members,
        profiles=len(await ctx.store.profiles(environment_id)),
        secrets=sum(secret.revoked_at is None for secret in secrets),
        sessions=await ctx.store.live_sessions(environment_id, None, None, int(ctx.clock())),
    )
