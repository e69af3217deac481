"""Trusted auth token profiles: register, change, delete, and say what is wrong with them (decisions D7, D8)."""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors, ids, store
from assay.key_sources import HmacSource, JwksSource, KeySource, PemSource
from assay.model import Environment, KeyType, PemFile, Profile, Vertical
from assay.model.base import IssuerCheck, Replay
from assay.model.trust import DEFAULT_TYPES
from assay.rules import mapping, profile_fields
from assay.rules.algorithms import DEFAULT_ALGORITHMS, HMAC_ALGORITHMS, OPT_IN_ALGORITHMS
from assay.stories import key_sources, profile_checks
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator
from assay.stories.key_sources import GivenSource
from assay.stories.projects import list_projects, require_environment

NO_LIMIT = 0
"""What takes ``max_age_seconds`` away: an update that says nothing of it leaves it as it is."""


class ProfileCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A profile as its operator describes it (contract §3.1, decisions D8).

    ``leeway_seconds`` is 0 to 300 seconds, ``keys_stale_limit`` 0 to 604800 seconds; ``max_age_seconds`` (None: no
    limit) and ``max_lifetime_seconds`` are at least a second. Keys come from one of ``jwks_url``, ``pem_files`` and
    ``key_sources``; ``public_key_type`` follows from that when it is not given. An empty ``jwks_url`` counts as none.
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
    key_sources: tuple[GivenSource, ...] | None = None
    keys_stale_limit: int = 86_400
    max_age_seconds: int | None = None
    max_lifetime_seconds: int = 366 * 86_400
    require_exp: bool = True
    additional_audiences: tuple[str, ...] = ()
    single_audience: bool = False
    audience_claim: str = "aud"
    issuer_check: IssuerCheck = "exact"
    typ: tuple[str, ...] = DEFAULT_TYPES
    conditions: tuple[str, ...] = ()
    replay: Replay = "off"
    trust_email: bool = True
    organizations: tuple[str, ...] = ()
    session_ends_with_token: bool = False
    rotate_session_token: bool = False
    enabled: bool = True
    kept_claims: tuple[str, ...] = ()


class ProfileUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What changes; None leaves a field as it is, and so does an empty ``jwks_url``.

    ``attribute_mapping`` and every list replace all there was; an empty one clears it. A ``max_age_seconds`` of 0
    takes that limit away. ``key_sources`` also replaces a ``jwks_url`` and PEM files. A profile that has
    ``key_sources`` takes neither of those two, so that nobody drops a source without seeing it.
    """

    name: str | None = None
    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    pem_files: tuple[str, ...] | None = None
    attribute_mapping: dict[str, Any] | None = None
    can_jit_provision: bool | None = None
    algorithms: tuple[str, ...] | None = None
    leeway_seconds: int | None = None
    key_sources: tuple[GivenSource, ...] | None = None
    keys_stale_limit: int | None = None
    max_age_seconds: int | None = None
    max_lifetime_seconds: int | None = None
    require_exp: bool | None = None
    additional_audiences: tuple[str, ...] | None = None
    single_audience: bool | None = None
    audience_claim: str | None = None
    issuer_check: IssuerCheck | None = None
    typ: tuple[str, ...] | None = None
    conditions: tuple[str, ...] | None = None
    replay: Replay | None = None
    trust_email: bool | None = None
    organizations: tuple[str, ...] | None = None
    session_ends_with_token: bool | None = None
    rotate_session_token: bool | None = None
    enabled: bool | None = None
    kept_claims: tuple[str, ...] | None = None


_CHANGEABLE = ProfileUpdate.__struct_fields__
_MADE_FROM_THE_REQUEST = ("profile_id", "public_key_type", "jwks_url", "pem_files", "attribute_mapping", "key_sources")
_TAKEN_AS_GIVEN = tuple(name for name in ProfileCreate.__struct_fields__ if name not in _MADE_FROM_THE_REQUEST)


class ProfileReport(msgspec.Struct, frozen=True, kw_only=True):
    """A profile and what is wrong with it, a sentence each; empty when all is well."""

    profile: Profile
    problems: list[str]


class ProfileReview(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of saving a profile.

    ``refusals`` stand whatever the operator allows, ``problems`` (a sentence each) do not.
    """

    refusals: list[errors.Error]
    problems: list[str]


async def create_profile(
    ctx: Context, environment_id: str, request: ProfileCreate, *, by: Operator, allow_problems: bool
) -> ProfileReport:
    """Register whom to trust.

    With ``allow_problems`` a profile that can never work is stored all the same, as the hosted service does; without,
    it is TrustedTokenProfileHasProblems. Raises ProjectNotFound, TrustedTokenProfileIdAlreadyUsed,
    TrustedTokenProfileInvalidRequest, IncorrectExternalIdMapping, MultipleExternalIds, MustHaveJwksUrl,
    MustHavePemFiles, TooManyPemFiles, CannotAddPemFile, InvalidPublicKey.
    """
    environment = await require_environment(ctx, environment_id)
    profile = _made(ctx, environment, request)
    report = await _report(ctx, environment, profile, allow_problems=allow_problems)
    event = by.event(environment_id, "profile.created", profile.profile_id, profile.created_at)
    try:
        await ctx.store.write(store.CreateProfile(profile=profile, events=(event,)))
    except store.Conflict:
        raise errors.TrustedTokenProfileIdAlreadyUsed from None
    return report


def _made(ctx: Context, environment: Environment, request: ProfileCreate) -> Profile:
    now = int(ctx.clock())
    profile = Profile(
        environment_id=environment.environment_id,
        profile_id=request.profile_id or ids.new("trusted-auth-token-profile", environment.kind),
        public_key_type=request.public_key_type or ("JWK" if request.jwks_url else "PEM"),
        jwks_url=request.jwks_url or None,
        pem_files=_pem_files(environment, request.pem_files),
        attribute_mapping=request.attribute_mapping or {},
        created_at=now,
        updated_at=now,
        **{name: getattr(request, name) for name in _TAKEN_AS_GIVEN},
    )
    if request.key_sources is not None:
        _check_one_form(request.jwks_url, request.pem_files)
        profile = _with_sources(ctx, environment, profile, request.key_sources)
        if request.public_key_type not in (None, profile.public_key_type):
            raise _invalid(f"with these key_sources public_key_type is {profile.public_key_type}")
    return profile


async def review_new(ctx: Context, environment_id: str, request: ProfileCreate) -> ProfileReview:
    """What :func:`create_profile` would say; nothing is written. Raises ProjectNotFound."""
    environment = await require_environment(ctx, environment_id)
    try:
        profile = _made(ctx, environment, request)
    except errors.Error as fault:
        return ProfileReview(refusals=[fault], problems=[])
    review = await _review(ctx, environment, profile, None)
    if await ctx.store.profile(environment_id, profile.profile_id) is not None:
        review.refusals.append(errors.TrustedTokenProfileIdAlreadyUsed())
    return review


async def review_change(ctx: Context, environment_id: str, profile_id: str, change: ProfileUpdate) -> ProfileReview:
    """What :func:`update_profile` would say; nothing is written.

    Raises ProjectNotFound, TrustedTokenProfileNotFound.
    """
    environment = await require_environment(ctx, environment_id)
    before = await require_profile(ctx, environment_id, profile_id)
    try:
        after = _changed(ctx, environment, before, change)
    except errors.Error as fault:
        return ProfileReview(refusals=[fault], problems=[])
    return await _review(ctx, environment, after, before)


async def _review(ctx: Context, environment: Environment, profile: Profile, before: Profile | None) -> ProfileReview:
    refusals = list(profile_checks.refusals(environment, profile))
    try:
        await key_sources.check(ctx, profile, before)
    except errors.Error as fault:
        refusals.append(fault)
    return ProfileReview(refusals=refusals, problems=problems(ctx, environment, profile))


async def list_profiles(ctx: Context, environment_id: str | None) -> list[ProfileReport]:
    """All profiles of one environment (None: of all), oldest first, with their problems. Raises ProjectNotFound."""
    if environment_id is None:
        environments = [each for listing in await list_projects(ctx) for each in listing.environments]
    else:
        environments = [await require_environment(ctx, environment_id)]
    return [
        ProfileReport(profile=profile, problems=problems(ctx, environment, profile))
        for environment in environments
        for profile in await ctx.store.profiles(environment.environment_id)
    ]


async def show_profile(ctx: Context, environment_id: str, profile_id: str) -> ProfileReport:
    """One profile with its problems. Raises ProjectNotFound, TrustedTokenProfileNotFound."""
    environment = await require_environment(ctx, environment_id)
    profile = await require_profile(ctx, environment_id, profile_id)
    return ProfileReport(profile=profile, problems=problems(ctx, environment, profile))


async def update_profile(
    ctx: Context,
    environment_id: str,
    profile_id: str,
    change: ProfileUpdate,
    *,
    by: Operator,
    allow_problems: bool,
) -> ProfileReport:
    """Change what is given. Every worker judges by the new version from the commit on (decisions D29).

    Raises as :func:`create_profile`, and TrustedTokenProfileNotFound.
    """
    environment = await require_environment(ctx, environment_id)

    async def once() -> ProfileReport:
        before = await require_profile(ctx, environment_id, profile_id)
        now = int(ctx.clock())
        after = msgspec.structs.replace(_changed(ctx, environment, before, change), updated_at=now)
        report = await _report(ctx, environment, after, before, allow_problems=allow_problems)
        event = by.event(environment_id, "profile.updated", after.profile_id, now, fields=_fields(before, after))
        await ctx.store.write(store.ReplaceProfile(profile=after, events=(event,)))
        stored = msgspec.structs.replace(after, revision=after.revision + 1)
        return ProfileReport(profile=stored, problems=report.problems)

    return await until_current(once)


async def delete_profile(ctx: Context, environment_id: str, profile_id: str, *, by: Operator) -> None:
    """Trust it no longer. Sessions it made live on until they end or are revoked.

    Raises ProjectNotFound, TrustedTokenProfileNotFound.
    """
    await require_environment(ctx, environment_id)
    profile = await require_profile(ctx, environment_id, profile_id)
    event = by.event(environment_id, "profile.deleted", profile.profile_id, int(ctx.clock()))
    write = store.DeleteProfile(environment_id=environment_id, profile_id=profile_id, events=(event,))
    try:
        await ctx.store.write(write)
    except store.Stale:
        raise errors.TrustedTokenProfileNotFound from None


async def live_sessions(ctx: Context, environment_id: str, profile_id: str) -> int:
    """How many live sessions rest on the profile, be it with other factors too."""
    return await ctx.store.live_sessions(environment_id, None, profile_id, int(ctx.clock()))


def attributes(vertical: Vertical) -> tuple[str, ...]:
    """What claims can be mapped to in a project of this vertical, in alphabetical order."""
    return mapping.attributes(vertical)


def algorithms() -> tuple[str, ...]:
    """The algorithms that a profile can list: those that it accepts by itself first, then the opt-in ones."""
    return DEFAULT_ALGORITHMS + OPT_IN_ALGORITHMS


def problems(ctx: Context, environment: Environment, profile: Profile) -> list[str]:
    """Everything that keeps the profile from working, a sentence each (decisions D7)."""
    mapped = mapping.problems(profile.attribute_mapping, environment.vertical)
    return key_sources.problems(ctx, profile) + mapped + profile_fields.problems(profile)


async def require_profile(ctx: Context, environment_id: str, profile_id: str) -> Profile:
    """The profile with this id. Raises TrustedTokenProfileNotFound."""
    profile = await ctx.store.profile(environment_id, profile_id)
    if profile is None:
        raise errors.TrustedTokenProfileNotFound
    return profile


async def _report(
    ctx: Context, environment: Environment, profile: Profile, before: Profile | None = None, *, allow_problems: bool
) -> ProfileReport:
    _check(environment, profile)
    await key_sources.check(ctx, profile, before)
    found = problems(ctx, environment, profile)
    # A disabled profile logs nobody in; nothing must keep an operator from switching one off.
    if found and profile.enabled and not allow_problems:
        raise errors.TrustedTokenProfileHasProblems(" ".join(found))
    return ProfileReport(profile=profile, problems=found)


def _check(environment: Environment, profile: Profile) -> None:
    """What is refused outright, whatever the operator allows (decisions D7)."""
    for refusal in profile_checks.refusals(environment, profile):
        raise refusal


# ---------------------------------------------------------------- the fields that say where keys come from


def _check_one_form(jwks_url: str | None, pem_files: tuple[str, ...] | None) -> None:
    if jwks_url or pem_files:
        raise _invalid("key_sources stands alone: put the jwks_url or the pem_files among them")


def _with_sources(ctx: Context, environment: Environment, profile: Profile, given: tuple[GivenSource, ...]) -> Profile:
    """The profile with these sources and no other, as simply as the contract's own fields can say it.

    One JWKS URL, and one set of PEM files, are kept in the fields that official clients know and may change.
    """
    found = key_sources.stored(ctx, profile, given)
    if not found:
        raise _invalid(f"key_sources must have 1 to {key_sources.MOST_SOURCES} sources")
    kind, jwks_url, pem_files = _contract_fields(environment, found)
    said = jwks_url is not None or pem_files
    private_ca = isinstance(found[0], JwksSource) and found[0].ca_pem is not None
    return msgspec.structs.replace(
        profile,
        public_key_type=kind,
        jwks_url=jwks_url,
        pem_files=pem_files,
        key_sources=() if said and not private_ca else found,
    )


def _contract_fields(
    environment: Environment, found: tuple[KeySource, ...]
) -> tuple[KeyType, str | None, tuple[PemFile, ...]]:
    first = found[0] if len(found) == 1 else None
    if isinstance(first, JwksSource):
        return "JWK", first.url, ()
    if isinstance(first, PemSource):
        return "PEM", None, _pem_files(environment, first.public_keys)
    return "UNSPECIFIED", None, ()


def _pem_files(environment: Environment, texts: tuple[str, ...]) -> tuple[PemFile, ...]:
    return tuple(PemFile(pem_file_id=ids.new("pem-file", environment.kind), public_key=text) for text in texts)


def _changed(ctx: Context, environment: Environment, profile: Profile, change: ProfileUpdate) -> Profile:
    given = {name: getattr(change, name) for name in _CHANGEABLE if getattr(change, name) is not None}
    if not change.jwks_url:
        given.pop("jwks_url", None)
    if change.max_age_seconds == NO_LIMIT:
        given["max_age_seconds"] = None
    given_sources = given.pop("key_sources", None)
    if given_sources is not None:
        _check_one_form(change.jwks_url, change.pem_files)
        return _with_sources(ctx, environment, msgspec.structs.replace(profile, **given), given_sources)
    if profile.key_sources and given.keys() & {"jwks_url", "pem_files"}:
        raise _invalid("this profile has key_sources: change those")
    if "pem_files" in given:
        given["pem_files"] = _pem_files(environment, given["pem_files"])
    after = msgspec.structs.replace(profile, **given)
    _check_secret_fits(profile, after)
    return after


def _check_secret_fits(before: Profile, after: Profile) -> None:
    """A secret may be too short for another algorithm, and how long it is can only be seen when it is given."""
    shared = any(isinstance(source, HmacSource) for source in after.key_sources)
    if shared and set(after.algorithms) & set(HMAC_ALGORITHMS) - set(before.algorithms):
        raise _invalid("to accept another algorithm, give the hmac source with its secret again")


def _fields(before: Profile, after: Profile) -> list[str]:
    return [name for name in _CHANGEABLE if getattr(before, name) != getattr(after, name)]


def _invalid(message: str) -> errors.TrustedTokenProfileInvalidRequest:
    return errors.TrustedTokenProfileInvalidRequest(message)
