"""Tokens that work once (decisions D8): the mark that a use leaves, and the caller whose answer was lost."""

from __future__ import annotations

import hashlib

import msgspec

from assay import errors
from assay.model import ReplayMark
from assay.rules import checks
from assay.stories.context import Call, Context
from assay.stories.judging import Judged

AGAIN_SECONDS = 10
"""So long may the same caller repeat the same request and be answered once more."""


def mark_of(call: Call, judged: Judged, request: msgspec.Struct, now: int) -> ReplayMark | None:
    """The mark that this use of the token leaves; None where the profile lets tokens be used again.

    It lives as long as the token would be taken: until its end plus the leeway.
    """
    profile = judged.profile
    if profile.replay == "off":
        return None
    return ReplayMark(
        environment_id=profile.environment_id,
        profile_id=profile.profile_id,
        mark=_name(judged),
        created_at=now,
        expires_at=max(now, checks.ends_at(judged.claims.values, profile) + profile.leeway_seconds) + 1,
        secret_id=call.caller.secret.secret_id,
        request_hash=hashlib.sha256(msgspec.json.encode(request)).digest(),
    )


def _name(judged: Judged) -> str:
    """What is told apart: a digest, since a token id may be anything that an issuer likes, such as an address."""
    if judged.profile.replay == "token_id":
        return "token_id " + hashlib.sha256(judged.identity.token_id.encode()).hexdigest()
    return "fingerprint " + judged.claims.fingerprint


async def earlier_use(ctx: Context, mark: ReplayMark) -> ReplayMark | None:
    """The use that this one repeats: by the same caller, with the same request, a moment ago. None for a first use.

    A lost answer must lock nobody out. Raises InvalidTrustedAuthToken for any other second use.
    """
    earlier = await ctx.store.replay_mark(mark.environment_id, mark.profile_id, mark.mark)
    if earlier is None or earlier.expires_at <= mark.created_at:
        return None
    again = (earlier.secret_id, earlier.request_hash) == (mark.secret_id, mark.request_hash)
    if again and mark.created_at - earlier.created_at <= AGAIN_SECONDS:
        return earlier
    raise errors.InvalidTrustedAuthToken(detail="the token was used before, and this profile takes each only once")
