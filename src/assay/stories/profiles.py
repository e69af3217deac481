"""Trusted auth token profiles: register, change, delete, and say what is wrong with them (decisions D7, D8)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from assay import errors, ids, store
from assay.keys import fetch, sources
from assay.model import Environment, Event, KeyType, PemFile, Profile
from assay.rules import mapping
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from assay.stories.context import Context
from assay.stories.projects import require_environment

MOST_PEM_FILES = 5
LONGEST_LEEWAY_SECONDS = 300
_PROFILE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_MAX_TEXT = 2048


class ProfileCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A profile as its operator describes it (contract §3.1); ``leeway_seconds`` is 0 to 300 seconds.

    Without ``public_key_type`` it is JWK when there is a ``jwks_url``, else PEM.
    """

    name: str
    issuer: str
    audience: str
    profile_id: str | None = None
    public_key_type: KeyType | None = None
    jwks_url: str | None = None
    pem_files: tuple[str, ...] = ()
    attribute_mapping: dict[str, Any] | None = None
    can_jit_provision: bool = False
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    leeway_seconds: int = 30


class ProfileUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What changes; None leaves a field as it is. ``pem_files`` replaces all of them."""

    name: str | None = None
    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    pem_files: tuple[str, ...] | None = None
    attribute_mapping: dict[str, Any] | None = None
    can_jit_provision: bool | None = None
    algorithms: tuple[str, ...] | None = None
    leeway_seconds: int | None = None


class ProfileReport(msgspec.Struct, frozen=True, kw_only=True):
    """A profile and what is wrong with it, a sentence each; empty when all is well."""

    profile: Profile
    problems: list[str]


async def create_profile(
    ctx: Context, environment_id: str, request: ProfileCreate, *, actor: str, allow_problems: bool
) -> ProfileReport:
    """Register whom to trust. Raises ProjectNotFound, TrustedTokenProfileIdAlreadyUsed, and what is wrong with it.

    With ``allow_problems`` a profile that can never work is stored all the same, as the hosted service does.
    """
    environment = await require_environment(ctx, environment_id)
    now = int(ctx.clock())
    profile = Profile(
        environment_id=environment_id,
        profile_id=request.profile_id or ids.new("trusted-auth-token-profile", environment.kind),
        name=request.name,
        issuer=request.issuer,
        audience=request.audience,
        public_key_type=request.public_key_type or ("JWK" if request.jwks_url else "PEM"),
        jwks_url=request.jwks_url,
        pem_files=_pem_files(environment, request.pem_files),
        attribute_mapping=request.attribute_mapping or {},
        can_jit_provision=request.can_jit_provision,
        algorithms=request.algorithms,
        leeway_seconds=request.leeway_seconds,
        created_at=now,
        updated_at=now,
    )
    report = _report(ctx, environment, profile, allow_problems=allow_problems)
    event = _event("profile.created", profile, actor, now)
    try:
        await ctx.store.write(store.CreateProfile(profile=profile, events=(event,)))
    except store.Conflict:
        raise errors.TrustedTokenProfileIdAlreadyUsed from None
    return report


async def list_profiles(ctx: Context, environment_id: str) -> list[ProfileReport]:
    """All profiles of an environment, oldest first, with their problems. Raises ProjectNotFound."""
    environment = await require_environment(ctx, environment_id)
    profiles = await ctx.store.profiles(environment_id)
    return [ProfileReport(profile=profile, problems=problems(ctx, environment, profile)) for profile in profiles]


async def show_profile(ctx: Context, environment_id: str, profile_id: str) -> ProfileReport:
    """One profile with its problems. Raises ProjectNotFound, TrustedTokenProfileNotFound."""
    environment = await require_environment(ctx, environment_id)
    profile = await _require_profile(ctx, environment_id, profile_id)
    return ProfileReport(profile=profile, problems=problems(ctx, environment, profile))


async def update_profile(
    ctx: Context, environment_id: str, profile_id: str, change: ProfileUpdate, *, actor: str, allow_problems: bool
) -> ProfileReport:
    """Change what is given. Every worker judges by the new version from the commit on (decisions D29).

    Raises as :func:`create_profile`, and TrustedTokenProfileNotFound.
    """
    environment = await require_environment(ctx, environment_id)
    while True:
        before = await _require_profile(ctx, environment_id, profile_id)
        now = int(ctx.clock())
        after = msgspec.structs.replace(_changed(environment, before, change), updated_at=now)
        report = _report(ctx, environment, after, allow_problems=allow_problems)
        event = _event("profile.updated", after, actor, now, fields=_fields(before, after))
        try:
            await ctx.store.write(store.ReplaceProfile(profile=after, events=(event,)))
        except store.Stale:
            continue  # somebody else changed or deleted it: read again, and change that
        stored = msgspec.structs.replace(after, revision=after.revision + 1)
        return ProfileReport(profile=stored, problems=report.problems)


async def delete_profile(ctx: Context, environment_id: str, profile_id: str, *, actor: str) -> None:
    """Trust it no longer. Sessions it made live on until they end or are revoked.

    Raises ProjectNotFound, TrustedTokenProfileNotFound.
    """
    await require_environment(ctx, environment_id)
    profile = await _require_profile(ctx, environment_id, profile_id)
    event = _event("profile.deleted", profile, actor, int(ctx.clock()))
    write = store.DeleteProfile(environment_id=environment_id, profile_id=profile_id, events=(event,))
    try:
        await ctx.store.write(write)
    except store.Stale:
        raise errors.TrustedTokenProfileNotFound from None


def problems(ctx: Context, environment: Environment, profile: Profile) -> list[str]:
    """Everything that keeps the profile from working, a sentence each (decisions D7)."""
    found: list[str] = []
    if profile.jwks_url:
        problem = fetch.url_problem(profile.jwks_url, allow_loopback=ctx.settings.allow_loopback_key_urls)
        found += [problem] if problem else []
    for number, pem_file in enumerate(profile.pem_files, start=1):
        found += [f"PEM file {number}: {problem}" for problem in sources.pem_problems(pem_file.public_key)]
    return found + mapping.problems(profile.attribute_mapping, environment.vertical)


async def _require_profile(ctx: Context, environment_id: str, profile_id: str) -> Profile:
    profile = await ctx.store.profile(environment_id, profile_id)
    if profile is None:
        raise errors.TrustedTokenProfileNotFound
    return profile


def _report(ctx: Context, environment: Environment, profile: Profile, *, allow_problems: bool) -> ProfileReport:
    _check(environment, profile)
    found = problems(ctx, environment, profile)
    if found and not allow_problems:
        raise errors.TrustedTokenProfileHasProblems(" ".join(found))
    return ProfileReport(profile=profile, problems=found)


def _check(environment: Environment, profile: Profile) -> None:
    """What is refused outright, whatever the operator allows (decisions D7)."""
    if not _PROFILE_ID.fullmatch(profile.profile_id):
        raise errors.TrustedTokenProfileInvalidRequest("profile_id has 1 to 128 letters, digits, _ or -")
    for field in ("name", "issuer", "audience"):
        if not 1 <= len(getattr(profile, field)) <= _MAX_TEXT:
            raise errors.TrustedTokenProfileInvalidRequest(f"{field} must have 1 to {_MAX_TEXT} characters")
    if not 0 <= profile.leeway_seconds <= LONGEST_LEEWAY_SECONDS:
        raise errors.TrustedTokenProfileInvalidRequest("leeway_seconds must be from 0 to 300")
    _check_algorithms(profile.algorithms)
    _check_keys(profile)
    mapping.check(profile.attribute_mapping, environment.vertical)


def _check_algorithms(algorithms: tuple[str, ...]) -> None:
    unknown = [name for name in algorithms if name not in DEFAULT_ALGORITHMS]
    if unknown or not algorithms:
        known = ", ".join(DEFAULT_ALGORITHMS)
        raise errors.TrustedTokenProfileInvalidRequest(f"algorithms must be a list out of {known}")


def _check_keys(profile: Profile) -> None:
    if profile.public_key_type == "JWK":
        if not profile.jwks_url:
            raise errors.MustHaveJwksUrl
        if profile.pem_files:
            raise errors.CannotAddPemFile
        return
    if profile.jwks_url:
        raise errors.TrustedTokenProfileInvalidRequest("a profile with public_key_type PEM takes no jwks_url")
    if not profile.pem_files:
        raise errors.MustHavePemFiles
    if len(profile.pem_files) > MOST_PEM_FILES:
        raise errors.TooManyPemFiles
    if any(sources.holds_private_key(pem_file.public_key) for pem_file in profile.pem_files):
        raise errors.InvalidPublicKey


def _pem_files(environment: Environment, texts: tuple[str, ...]) -> tuple[PemFile, ...]:
    return tuple(PemFile(pem_file_id=ids.new("pem-file", environment.kind), public_key=text) for text in texts)


def _changed(environment: Environment, profile: Profile, change: ProfileUpdate) -> Profile:
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    if "pem_files" in given:
        given["pem_files"] = _pem_files(environment, given["pem_files"])
    return msgspec.structs.replace(profile, **given)


def _fields(before: Profile, after: Profile) -> list[str]:
    return [name for name in ProfileUpdate.__struct_fields__ if getattr(before, name) != getattr(after, name)]


def _event(action: str, profile: Profile, actor: str, now: int, **details: object) -> Event:
    return Event(
        environment_id=profile.environment_id,
        action=action,
        target=profile.profile_id,
        actor=actor,
        details=details,
        created_at=now,
    )
