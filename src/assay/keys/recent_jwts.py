"""Session JWTs signed a moment ago: signing one costs more than all the rest of an authenticate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

REUSED_FOR_SECONDS = 30
"""How old a JWT may be that is handed out again; of its five minutes at least four and a half are left then."""

_MOST = 2_000


class Signed(NamedTuple):
    """A session JWT and its ``iat`` in seconds; ``contents`` gives the digest of what it says."""

    jwt: str
    issued_at: int
    contents: Callable[[], bytes]


class RecentJwts:
    """At most ``most`` session JWTs of this process, the newest of each session; some five kilobytes each.

    It knows nothing that could go out of date: whether the session lives, which key signs and what the JWT is to say
    has been read from the store before anybody asks here, and makes the digest.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[int, Signed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, number: int, contents: Callable[[], bytes], now: float) -> Signed | None:
        """The JWT of the session with this number that has these contents, unless it is too old to be handed out."""
        kept = self._kept.get(number)
        return kept if kept is not None and is_fresh(kept.issued_at, now) and kept.contents() == contents() else None

    def put(self, number: int, signed: Signed) -> None:
        """Keep a JWT of the session with this number, and forget those that are too old or too many."""
        self._kept[number] = signed
        self._kept.move_to_end(number)
        oldest = signed.issued_at - REUSED_FOR_SECONDS
        while len(self._kept) > self._most or next(iter(self._kept.values())).issued_at <= oldest:
            self._kept.popitem(last=False)


def is_fresh(issued_at: int, now: float) -> bool:
    """Whether a JWT with this ``iat`` may be handed out again at ``now`` (both in seconds)."""
    # One of a moment to come, after the clock was set back, would be refused: clients allow no leeway.
    return 0 <= now - issued_at < REUSED_FOR_SECONDS
