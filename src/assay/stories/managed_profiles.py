"""Profiles for operators' tools, which name an environment by its slugs and keep profiles with problems (D7)."""

from __future__ import annotations

from assay.stories import profiles
from assay.stories.context import Context, Operator
from assay.stories.environments import EnvironmentRef, resolve
from assay.stories.profiles import ProfileCreate, ProfileReport, ProfileUpdate


class ProfileRef(EnvironmentRef, kw_only=True):
    """A profile, by its id."""

    profile_id: str


class ManagedProfileCreate(ProfileCreate, frozen=True, kw_only=True):
    """A profile to be made in an environment (contract, management 1.4)."""

    project_slug: str
    environment_slug: str


class ManagedProfileUpdate(ProfileUpdate, frozen=True, kw_only=True):
    """What changes in a profile (contract, management 1.5). Its id and its ``public_key_type`` never do."""

    project_slug: str
    environment_slug: str
    profile_id: str


async def create_profile(ctx: Context, by: Operator, request: ManagedProfileCreate) -> ProfileReport:
    """Register whom to trust, whatever its problems.

    Raises EnvironmentNotFound, and as :func:`profiles.create_profile`.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await profiles.create_profile(ctx, environment.environment_id, request, by=by, allow_problems=True)


async def get_profile(ctx: Context, _by: Operator, request: ProfileRef) -> ProfileReport:
    """One profile. Raises ProjectNotFound, EnvironmentNotFound, TrustedTokenProfileNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await profiles.show_profile(ctx, environment.environment_id, request.profile_id)


async def list_profiles(ctx: Context, _by: Operator, request: EnvironmentRef) -> list[ProfileReport]:
    """All profiles of the environment, oldest first. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await profiles.list_profiles(ctx, environment.environment_id)


async def update_profile(ctx: Context, by: Operator, request: ManagedProfileUpdate) -> ProfileReport:
    """Change what is given, whatever its problems.

    Raises EnvironmentNotFound, and as :func:`profiles.update_profile`.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    return await profiles.update_profile(
        ctx, environment.environment_id, request.profile_id, request, by=by, allow_problems=True
    )


async def delete_profile(ctx: Context, by: Operator, request: ProfileRef) -> None:
    """Trust it no longer; its PEM files go with it.

    Raises EnvironmentNotFound, and as :func:`profiles.delete_profile`.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    await profiles.delete_profile(ctx, environment.environment_id, request.profile_id, by=by)
