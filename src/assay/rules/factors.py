"""The factors of a session: one per (profile, token id), the newest ten of each profile (decisions D6, D15, D22)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from assay.model import Factor, Member, Organization

MOST_PER_PROFILE = 10


def add(
    factors: Sequence[Factor], profile_id: str, token_id: str, now: int, *, ends_at: int | None = None
) -> tuple[Factor, ...]:
    """``factors`` with this token's factor added, or refreshed if the session holds it already; times in seconds.

    ``ends_at`` is when the session ends at the latest because of it (decisions D8).
    """
    fresh = Factor(
        profile_id=profile_id,
        token_id=token_id,
        created_at=now,
        last_authenticated_at=now,
        updated_at=now,
        ends_at=ends_at,
    )
    if not factors:
        return (fresh,)
    others: list[Factor] = []
    for factor in factors:
        if (factor.profile_id, factor.token_id) == (profile_id, token_id):
            fresh = msgspec.structs.replace(factor, last_authenticated_at=now, updated_at=now, ends_at=ends_at)
        else:
            others.append(factor)
    return _newest([*others, fresh], profile_id)


def _newest(factors: list[Factor], profile_id: str) -> tuple[Factor, ...]:
    if len(factors) <= MOST_PER_PROFILE:
        return tuple(factors)
    # The session must stay small enough to read on each authenticate and to stand in its JWT.
    of_profile = [factor for factor in factors if factor.profile_id == profile_id]
    surplus = of_profile[: max(0, len(of_profile) - MOST_PER_PROFILE)]
    return tuple(factor for factor in factors if factor not in surplus)


def end(factors: Iterable[Factor], expires_at: int) -> int:
    """When a session that rests on these factors ends, if it would else end at ``expires_at``."""
    for factor in factors:
        if factor.ends_at is not None and factor.ends_at < expires_at:
            expires_at = factor.ends_at
    return expires_at


def mfa_due(organization: Organization, member: Member | None) -> bool:
    """Whether logging in takes factors of more than one profile (contract §8); None is a member not made yet."""
    return organization.settings.mfa_policy == "REQUIRED_FOR_ALL" or (member is not None and member.mfa_enrolled)


def are_multiple(factors: Iterable[Factor]) -> bool:
    """Whether the factors come from more than one profile, which is what counts as several (decision D15)."""
    return len({factor.profile_id for factor in factors}) > 1
