"""Session JWTs signed a moment ago: signing one costs more than all the rest of an authenticate."""

from __future__ import annotations

from collections import OrderedDict

REUSED_FOR_SECONDS = 30
"""How old a JWT may be that is handed out again; of its five minutes at least four and a half are left then."""

_MOST = 5_000


class RecentJwts:
    """At most ``most`` session JWTs of this process, by the digest of their contents; about 1.5 KB each.

    It knows nothing that could go out of date: whether the session lives, which key signs and what the JWT is to say
    has been read from the store before anybody asks here, and makes the digest.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, tuple[int, str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, contents: bytes, now: float) -> str | None:
        """The JWT with these contents that was issued in the 30 seconds up to ``now`` (seconds), if there is one."""
        issued_at, jwt = self._kept.get(contents, (0, ""))
        # One of a moment to come, after the clock was set back, would be refused: clients allow no leeway.
        return jwt if jwt and 0 <= now - issued_at < REUSED_FOR_SECONDS else None

    def put(self, contents: bytes, jwt: str, issued_at: int) -> None:
        """Keep a JWT whose ``iat`` is ``issued_at`` (seconds), and forget those that are too old or too many."""
        self._kept[contents] = (issued_at, jwt)
        self._kept.move_to_end(contents)
        while len(self._kept) > self._most or self._oldest() <= issued_at - REUSED_FOR_SECONDS:
            self._kept.popitem(last=False)

    def _oldest(self) -> int:
        return next(iter(self._kept.values()))[0]
