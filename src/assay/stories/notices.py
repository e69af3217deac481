"""Drift notices of a profile, as operators and callers read them."""

from __future__ import annotations

import msgspec

from assay.model import DriftNotice
from assay.stories import environments
from assay.stories.context import Call, Context, Operator
from assay.stories.managed_profiles import ProfileRef
from assay.stories.profiles import require_profile
from assay.stories.projects import require_environment


class NoticesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which profile is asked about."""

    profile_id: str


class ProfileNotices(msgspec.Struct, frozen=True, kw_only=True):
    """The newest notices of a profile, newest first. The first tokens teach what is usual and raise none."""

    profile_id: str
    tokens_learned: int
    notices: tuple[DriftNotice, ...]


async def notices(ctx: Context, call: Call, request: NoticesRequest) -> ProfileNotices:
    """What was new about the issuer's tokens: claims started or stopped, a new algorithm, a new key id.

    Raises TrustedTokenProfileNotFound.
    """
    return await _notices(ctx, call.environment.environment_id, request.profile_id)


async def managed_notices(ctx: Context, _by: Operator, request: ProfileRef) -> ProfileNotices:
    """As :func:`notices`. Raises ProjectNotFound, EnvironmentNotFound, TrustedTokenProfileNotFound."""
    environment = await environments.resolve(ctx, request.project_slug, request.environment_slug)
    return await _notices(ctx, environment.environment_id, request.profile_id)


async def profile_notices(ctx: Context, environment_id: str, profile_id: str) -> ProfileNotices:
    """As :func:`notices`, for an operator. Raises ProjectNotFound, TrustedTokenProfileNotFound."""
    await require_environment(ctx, environment_id)
    return await _notices(ctx, environment_id, profile_id)


async def _notices(ctx: Context, environment_id: str, profile_id: str) -> ProfileNotices:
    await require_profile(ctx, environment_id, profile_id)
    known = await ctx.store.observations(environment_id, profile_id)
    if known is None:
        return ProfileNotices(profile_id=profile_id, tokens_learned=0, notices=())
    return ProfileNotices(profile_id=profile_id, tokens_learned=known.tokens, notices=known.notices[::-1])
