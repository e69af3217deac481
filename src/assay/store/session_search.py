"""Sessions of an environment, newest first, page by page, without an index of their own.

Every index makes each login dearer, and nothing but the dashboard asks for the sessions of a whole environment. So they
are found along the primary key, among those of all environments, and each read looks at a limited number of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

LAST_NUMBER = (1 << 63) - 1


class SessionSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions: all that is given must be so. ``before`` is a number, not included.

    ``is_live`` asks for those that are neither revoked nor expired at ``now`` (seconds), or for the others; what became
    of the person is not asked. At most ``look`` sessions are looked at, whosoever they are, to find ``limit``.
    """

    subject_id: str | None = None
    organization_id: str | None = None
    profile_id: str | None = None
    is_live: bool | None = None
    now: int = 0
    before: int = LAST_NUMBER
    limit: int = 100
    look: int = 20_000


async def find(
    read: Callable[..., Awaitable[list[Any]]], environment_id: str, search: SessionSearch
) -> tuple[list[Any], int | None]:
    """Rows of sessions, and the number before which to go on, or None; ``read`` runs a statement by its name."""
    how_far, who = _statements(search)
    parameters = {"environment_id": environment_id, **msgspec.structs.asdict(search)}
    # First how far to look, then who is there: a session that is deleted meanwhile hides no other one.
    ((looked_at, floor),) = await read(how_far, **parameters)
    if floor is None:
        return [], None
    found = await read(who, **parameters, floor=floor)
    if len(found) == search.limit:
        return found, found[-1][0]
    return found, floor if looked_at == search.look else None


def _statements(search: SessionSearch) -> tuple[str, str]:
    """The statements along the narrowest index: how far to look, and who is there."""
    if search.subject_id:
        return "recent_sessions_floor_of_subject", "recent_sessions_of_subject"
    if search.organization_id:
        return "recent_sessions_floor_of_organization", "recent_sessions_of_organization"
    return "recent_sessions_floor", "recent_sessions"
