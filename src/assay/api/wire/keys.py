"""How the key sets of a profile are doing, as the API tells it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from assay.api.wire.answers import Answer, time
from assay.stories.key_health import ProfileKeys


class KeySetState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One key source. ``url`` is left out when nothing is fetched; null times have not come, or will not."""

    source: str
    kind: str
    url: str | None = None
    last_fetched_at: datetime | None
    next_fetch_at: datetime | None
    failures_in_a_row: int
    age_seconds: int | None
    usable_keys: int
    kids: tuple[str, ...]
    problems: tuple[str, ...]


class ProfileKeysAnswer(Answer, kw_only=True):
    """The key sets of a profile, in the order of its sources."""

    profile_id: str
    key_sets: tuple[KeySetState, ...]


def profile_keys(found: ProfileKeys, request_id: str) -> ProfileKeysAnswer:
    """Render the answer."""
    key_sets = tuple(
        KeySetState(
            source=each.source,
            kind=each.kind,
            url=each.url,
            last_fetched_at=_time(each.last_fetched_at),
            next_fetch_at=_time(each.next_fetch_at),
            failures_in_a_row=each.failures_in_a_row,
            age_seconds=each.age_seconds,
            usable_keys=each.usable_keys,
            kids=each.kids,
            problems=each.problems,
        )
        for each in found.key_sets
    )
    return ProfileKeysAnswer(request_id=request_id, profile_id=found.profile_id, key_sets=key_sets)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else time(seconds)
