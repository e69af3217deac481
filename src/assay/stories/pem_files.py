"""The PEM files of a profile, one at a time: what the hosted service's tools do to change a static key.

The text is kept byte for byte and unread, and the answer tells what is wrong with it (decisions D7). The same text
given twice is two files.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from assay import errors, ids, store
from assay.model import Environment, PemFile, Profile
from assay.stories import key_sources
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator
from assay.stories.environments import resolve
from assay.stories.managed_profiles import ProfileRef
from assay.stories.profiles import problems, require_profile


class PemFileCreate(ProfileRef, kw_only=True):
    """A public key or certificate as PEM text, for this profile."""

    public_key: str


class PemFileRef(ProfileRef, kw_only=True):
    """A PEM file of a profile, by its id."""

    pem_file_id: str


class PemFileReport(msgspec.Struct, frozen=True, kw_only=True):
    """A PEM file, and what is now wrong with the profile as a whole, a sentence each."""

    pem_file: PemFile
    problems: list[str]


async def create_pem_file(ctx: Context, by: Operator, request: PemFileCreate) -> PemFileReport:
    """Believe one more key. Every worker does so from the commit on (decisions D29).

    Raises ProjectNotFound, EnvironmentNotFound, TrustedTokenProfileNotFound, CannotAddPemFile for a profile that does
    not get its keys from PEM files, TooManyPemFiles, InvalidPublicKey for a private key, which is not stored, and
    TrustedTokenProfileInvalidRequest for text that is too long.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    made = PemFile(pem_file_id=ids.new("pem-file", environment.kind), public_key=request.public_key)

    def added(profile: Profile) -> tuple[PemFile, ...]:
        if profile.public_key_type != "PEM":
            raise errors.CannotAddPemFile
        return (*profile.pem_files, made)

    after = await _replace(ctx, by, environment, request, "pem_file.created", made, added)
    return PemFileReport(pem_file=made, problems=problems(ctx, environment, after))


async def get_pem_file(ctx: Context, _by: Operator, request: PemFileRef) -> PemFileReport:
    """One PEM file. Raises ProjectNotFound, EnvironmentNotFound, TrustedTokenProfileNotFound, PemFileNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    profile = await require_profile(ctx, environment.environment_id, request.profile_id)
    found = _find(profile, request.pem_file_id)
    return PemFileReport(pem_file=found, problems=problems(ctx, environment, profile))


async def delete_pem_file(ctx: Context, by: Operator, request: PemFileRef) -> PemFileReport:
    """Believe the key no longer; tokens it signed are refused from the commit on. The report shows what is gone.

    The last one may go too: the management API keeps profiles that cannot work, and says so. Such a profile refuses
    every token until a PEM file is added. Raises as :func:`get_pem_file`.
    """
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    profile = await require_profile(ctx, environment.environment_id, request.profile_id)
    gone = _find(profile, request.pem_file_id)

    def without(profile: Profile) -> tuple[PemFile, ...]:
        _find(profile, request.pem_file_id)
        return tuple(each for each in profile.pem_files if each.pem_file_id != request.pem_file_id)

    after = await _replace(ctx, by, environment, request, "pem_file.deleted", gone, without)
    return PemFileReport(pem_file=gone, problems=problems(ctx, environment, after))


async def _replace(  # noqa: PLR0913, PLR0917 - what the two changes have in common
    ctx: Context,
    by: Operator,
    environment: Environment,
    request: ProfileRef,
    action: str,
    pem_file: PemFile,
    change: Callable[[Profile], tuple[PemFile, ...]],
) -> Profile:
    async def once() -> Profile:
        before = await require_profile(ctx, environment.environment_id, request.profile_id)
        now = int(ctx.clock())
        after = msgspec.structs.replace(before, pem_files=change(before), updated_at=now)
        if len(after.pem_files) > len(before.pem_files):
            await key_sources.check(ctx, after)
        target = f"{after.profile_id}/{pem_file.pem_file_id}"
        event = by.event(environment.environment_id, action, target, now)
        await ctx.store.write(store.ReplaceProfile(profile=after, events=(event,)))
        return after

    return await until_current(once)


def _find(profile: Profile, pem_file_id: str) -> PemFile:
    found = next((each for each in profile.pem_files if each.pem_file_id == pem_file_id), None)
    if found is None:
        raise errors.PemFileNotFound
    return found
