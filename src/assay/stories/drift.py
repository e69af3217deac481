"""Drift: what an issuer's tokens have looked like so far, and a notice when one looks different.

An issuer that drops a claim, adds one, or signs in another way has often changed more than that. The operator learns
of it here before people cannot log in any more, or before somebody else can.
"""

from __future__ import annotations

import msgspec

from assay import errors, store
from assay.model import DriftKind, DriftNotice, Event, Observations, Profile
from assay.rules.tokens import Claims
from assay.stories.context import Call, Context

LEARNING_TOKENS = 20
"""The first tokens of a profile show what is usual and raise no notices."""

MOST_NAMES = 200
MOST_KIDS = 50
MOST_NOTICES = 50
KID_SECONDS = 3_600
"""An issuer that has had so many kids already is believed to name a key per token: one in an hour is enough to note."""

_MAX_TEXT = 100


async def observe(ctx: Context, call: Call, profile: Profile, claims: Claims) -> None:
    """Note what a granted token looks like. Writes only when it teaches something, and never fails the attest."""
    # One that was deleted and made again under its id knows nothing yet.
    key = (profile.environment_id, profile.profile_id, profile.created_at)
    held = ctx.observed.get(key)
    if held is not None and _teaches_nothing(held, claims):
        return
    try:
        before = held or await ctx.store.observations(*key[:2]) or _nothing_yet(profile)
        after = with_token(before, claims, int(ctx.clock()))
        if after is before:
            if held is None:
                ctx.observed.put(key, before)
            return
        # Whatever comes of the write, what is known here is out of date.
        ctx.observed.forget(key)
        await ctx.store.write(store.Observe(observations=after, events=_events(call, before, after)))
    except (store.Stale, errors.StoreUnavailable):
        return  # another worker was faster, or the store is away: the next token will teach it


def _events(call: Call, before: Observations, after: Observations) -> tuple[Event, ...]:
    """An audit event per new notice, so that whoever follows events learns of it."""
    fresh = [each for each in after.notices if each not in before.notices]
    return tuple(
        call.event(each.noticed_at, "profile.drift_noticed", after.profile_id, kind=each.kind, value=each.value)
        for each in fresh
    )


def with_token(known: Observations, claims: Claims, now: int) -> Observations:
    """What is known after one more token; the same when it taught nothing."""
    if _teaches_nothing(known, claims):
        return known
    learning = known.tokens < LEARNING_TOKENS
    names = {name[:_MAX_TEXT] for name in claims.values}
    algorithm, kid = str(claims.header["alg"])[:_MAX_TEXT], str(claims.header.get("kid", ""))[:_MAX_TEXT]
    started = sorted(names - known.claims.keys())[: MOST_NAMES - len(known.claims)]
    stopped = [name for name, always in known.claims.items() if always and name not in names]
    fresh = [
        *_notices("claim_started", started, now),
        *_notices("claim_stopped", stopped, now),
        *_notices("new_algorithm", [algorithm] if algorithm not in known.algorithms else [], now),
        *_notices("new_kid", [kid] if _is_new_kid(known, kid, now) else [], now),
    ]
    if not fresh and not learning:
        return known
    return msgspec.structs.replace(
        known,
        tokens=known.tokens + learning,
        claims=_claims_after(known, names, started),
        algorithms=_added(known.algorithms, algorithm),
        kids=_added(known.kids, kid) if _is_new_kid(known, kid, now) else known.kids,
        notices=known.notices if learning else (*known.notices, *fresh)[-MOST_NOTICES:],
    )


def _teaches_nothing(known: Observations, claims: Claims) -> bool:
    """Whether enough is known and this token has the same claims, algorithm and kid as others, as nearly all have."""
    if known.tokens < LEARNING_TOKENS or claims.values.keys() != known.claims.keys():
        return False
    header = claims.header
    return header["alg"] in known.algorithms and header.get("kid", "") in known.kids


def _is_new_kid(known: Observations, kid: str, now: int) -> bool:
    if not kid or kid in known.kids:
        return False
    last = max((each.noticed_at for each in known.notices if each.kind == "new_kid"), default=0)
    # Without a bound, such an issuer would cost a write per token for ever, and drown all other notices.
    return len(known.kids) < MOST_KIDS or now - last >= KID_SECONDS


def _nothing_yet(profile: Profile) -> Observations:
    return Observations(environment_id=profile.environment_id, profile_id=profile.profile_id)


def _claims_after(known: Observations, names: set[str], started: list[str]) -> dict[str, bool]:
    """Claim → whether every token had it; one that comes later than the first token has not been in all of them."""
    first = known.tokens == 0
    after = {name: always and name in names for name, always in known.claims.items()}
    return after | dict.fromkeys(started, first)


def _added(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return values if value in values else (*values, value)[-MOST_KIDS:]


def _notices(kind: DriftKind, values: list[str], now: int) -> list[DriftNotice]:
    return [DriftNotice(kind=kind, value=value, noticed_at=now) for value in values]
