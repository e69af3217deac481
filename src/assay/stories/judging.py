"""The judgement of a trusted auth token, step by step: what attest decides by, and what explain shows.

The steps are made in the order of decisions D16: what needs no key comes before what does, and nothing is written.
"""

from __future__ import annotations

import msgspec

from assay import errors, ids
from assay.key_sources import ProjectSource
from assay.model import Profile
from assay.rules import conditions, tokens
from assay.rules.mapping import Identity
from assay.rules.tokens import Claims, Seen
from assay.stories.context import Call, Context

STEPS = (
    "request",
    "profile",
    "shape",
    "algorithm",
    "type",
    "payload",
    "issuer",
    "audience",
    "times",
    "identifiers",
    "keys",
    "signature",
    "own token",
    "conditions",
    "mapping",
    "replay",
    "session",
    "organization",
    "person",
    "factors",
    "session JWT",
)
"""Every step of an attest before its writes, in order."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A token that its profile believes, and what it says."""

    profile: Profile
    claims: Claims
    identity: Identity


async def require_enabled_profile(ctx: Context, call: Call, profile_id: str) -> Profile:
    """The profile with this id. Raises TrustedTokenProfileNotFound, alike for one that is disabled."""
    profile = await ctx.store.profile(call.environment.environment_id, profile_id)
    if profile is None:
        raise errors.TrustedTokenProfileNotFound
    if not profile.enabled:
        raise errors.TrustedTokenProfileNotFound(detail="the profile is disabled")
    return profile


async def judge(ctx: Context, profile: Profile, token: str, seen: Seen | None = None) -> Claims:
    """The claims of a token that this profile believes. What can be refused without a key is refused first.

    Raises InvalidTrustedAuthToken, JwtInvalidIssuer, JwtInvalidAudience, JwtInvalidClaims,
    TrustedTokenKeysUnavailable.
    """
    seen = seen or Seen()
    unverified = tokens.read(token, profile, ctx.clock(), seen)
    seen.step = "keys"
    with ctx.tracer.step("find keys"):
        candidates = await ctx.keys.of(profile).find(unverified.kid, unverified.algorithm, unverified.header)
    seen.step = "signature"
    with ctx.tracer.step("verify"):
        claims = tokens.verify(unverified, candidates)
    seen.step = "own token"
    if unverified.kid is not None and ids.is_own_form(unverified.kid):
        await _refuse_own(ctx, profile, unverified.kid)
    seen.step = "conditions"
    conditions.check(claims, profile)
    return claims


async def _refuse_own(ctx: Context, profile: Profile, kid: str) -> None:
    """Our own session JWTs log nobody in, unless the profile says that it trusts their environment (security R15).

    Else a profile that reaches our published keys by another way would make a session out of a session, for ever.
    """
    environment_id = await ctx.store.signing_key_environment(kid)
    trusted = {source.project_id for source in profile.key_sources if isinstance(source, ProjectSource)}
    if environment_id is not None and environment_id not in trusted:
        detail = f"the token is a session JWT of {environment_id}, which is not a project source of the profile"
        raise errors.InvalidTrustedAuthToken(detail=detail)
