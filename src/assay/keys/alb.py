"""Keys of AWS load balancers: one PEM per kid, below an address that all customers of a region share.

Two traps (token-dialects §2). Anybody can get a token signed with one of these keys, so the token's header must name
our load balancer before any key is looked for; and the kid becomes part of a URL while it is still the sender's word,
so it must have the shape of a UUID, and no flood of them makes more than a few fetches.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec

from assay.key_sources import AlbSource
from assay.keys.flights import Flight, landed
from assay.keys.keyset import Wanted
from assay.keys.recent import Recent
from assay.keys.remote import COOL_DOWN_SECONDS, RemoteKeys, Tools
from assay.model import KeptKeys
from assay.rules.algorithms import AnyKey

MOST_TRIES = 10
"""Kids never seen before that are looked for in one cool-down, whatever tokens name."""

MOST_KEYS = 64
MOST_MISSING = 10_000

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_NO_SUCH_KEY = frozenset({403, 404, 410})  # storage that may not be listed answers 403 for what is not there
_WITHDRAWN = frozenset({404, 410})
_TOO_MANY = "too many key ids that were never seen before are asked for at once"


class _Missing(msgspec.Struct, frozen=True):
    """A kid that was looked for at ``tried`` and not found; ``fault`` says why it may exist all the same."""

    tried: float
    fault: str | None


def base_url(source: AlbSource) -> str:
    """What the kids are looked for below; the GovCloud regions keep their keys in a bucket."""
    if source.url is not None:
        return source.url.rstrip("/")
    if (source.region or "").startswith("us-gov-"):
        return f"https://s3-{source.region}.amazonaws.com/aws-elb-public-keys-prod-{source.region}"
    return f"https://public-keys.auth.elb.{source.region}.amazonaws.com"


def digest(source: AlbSource) -> str:
    """Tells where keys come from; those of one place are the same for each signer."""
    return hashlib.sha256(msgspec.json.encode(["alb", base_url(source)])).hexdigest()


def rows_of(source: AlbSource, rows: Sequence[KeptKeys]) -> Iterator[tuple[str, KeptKeys]]:
    """Kid and row of each key of the source that the store remembers."""
    prefix = digest(source) + "/"
    return ((row.source.removeprefix(prefix), row) for row in rows if row.source.startswith(prefix))


class AlbKeys:
    """The keys of one region. ``make`` gives the key of a kid, ``remembered`` the kids that the store knows."""

    def __init__(
        self,
        source: AlbSource,
        make: Callable[[str], RemoteKeys],
        remembered: Callable[[], Awaitable[Sequence[str]]],
        tools: Tools,
    ) -> None:
        self._signer = source.signer
        self._make = make
        self._remembered = remembered
        self._tools = tools
        self._is_loaded = False
        self._held: Recent[str, RemoteKeys] = Recent(MOST_KEYS)
        self._missing: Recent[str, _Missing] = Recent(MOST_MISSING)
        self._looking: dict[str, Flight] = {}
        self._tries: deque[float] = deque(maxlen=MOST_TRIES)

    def at_hand(self, kid: str | None) -> Sequence[AnyKey] | None:
        """Unknown without a look at the whole header."""
        del kid
        return None

    async def known(self, wanted: Wanted) -> Sequence[AnyKey]:
        """The key of this kid, if it is known. Opens no connection."""
        kid = self._kid(wanted)
        if kid is None:
            return ()
        if not self._is_loaded:
            await self._load()
        held = self._held_key(kid)
        return () if held is None else await held.known()

    def renewal(self, wanted: Wanted) -> Flight | None:
        """As for any fetched key, for the one of this kid."""
        kid = self._kid(wanted)
        held = None if kid is None else self._held_key(kid)
        return None if held is None else held.renewal()

    def refetch(self, wanted: Wanted) -> Flight | None:
        """The look for a kid that is not known; None when it may not be looked for now."""
        kid = self._kid(wanted)
        if kid is None:
            return None
        if kid not in self._looking and self._may_look(kid):
            self._tries.append(self._tools.time.monotonic())
            self._looking[kid] = self._tools.flights.start(self._look(kid))
        return self._looking.get(kid)

    def is_away(self, wanted: Wanted) -> bool:
        """Whether the last fetch for this kid failed."""
        kid = self._kid(wanted)
        held = None if kid is None else self._held_key(kid)
        return held is not None and held.is_away()

    def fault(self, wanted: Wanted) -> str | None:
        """Why the key may exist and not be known here."""
        kid = self._kid(wanted)
        if kid is None:
            return None
        missing = self._missing.get(kid)
        return _TOO_MANY if missing is None else missing.fault

    def _kid(self, wanted: Wanted) -> str | None:
        """The kid of a token that our load balancer may have made."""
        if wanted.kid is None or wanted.header.get("signer") != self._signer:
            return None
        return wanted.kid if _UUID.fullmatch(wanted.kid) else None

    def _held_key(self, kid: str) -> RemoteKeys | None:
        held = self._held.get(kid)
        if held is not None and held.status in _WITHDRAWN:
            self._held.forget(kid)
            self._missing.put(kid, _Missing(self._tools.time.monotonic(), None))
            return None
        return held

    def _may_look(self, kid: str) -> bool:
        since = self._tools.time.monotonic() - COOL_DOWN_SECONDS
        missing = self._missing.get(kid)
        if missing is not None and missing.tried > since:
            return False
        return len(self._tries) < MOST_TRIES or self._tries[0] <= since

    async def _load(self) -> None:
        for kid in await self._remembered():
            if _UUID.fullmatch(kid):
                self._held.put(kid, self._make(kid))
        self._is_loaded = True

    async def _look(self, kid: str) -> None:
        found = self._make(kid)
        try:
            flight = found.refetch()
            await landed([] if flight is None else [flight])
            if found.usable():
                self._held.put(kid, found)
                self._missing.forget(kid)
            else:
                fault = None if found.status in _NO_SUCH_KEY else found.fault()
                self._missing.put(kid, _Missing(self._tools.time.monotonic(), fault))
        finally:
            del self._looking[kid]
