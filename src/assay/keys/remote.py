"""One fetched document and its keys: kept for a while, fetched once for everyone, and not more often than is decent.

A document is fetched again in the background before it is old, as soon as somebody uses it. When a fetch fails, the
last good keys go on serving up to the profile's limit, so that an issuer's outage does not become ours (security R34,
A94). A key that was withdrawn verifies no longer than the document stays fresh while the issuer answers, and no
longer than that limit when it does not (A95).

Two clocks: what the store remembers is in seconds since the epoch, cool-downs go by a clock that never steps. A
document is as old as the later of the two says, so that setting a clock back gives no key a longer life.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from assay.keys.fetch import DEADLINE_SECONDS, FetchFault
from assay.keys.flights import Flight, Flights
from assay.keys.kept import KeptRow
from assay.keys.keyset import Wanted
from assay.keys.origins import Fetch, Origin, Parsed, fresh_seconds
from assay.model import KeptKeys
from assay.rules.algorithms import VerificationKey

COOL_DOWN_SECONDS = 30
LONGEST_COOL_DOWN_SECONDS = 600
REFRESH_AT = 0.8
"""The part of its freshness after which a document in use is fetched again in the background."""

WRITING_SECONDS = 2
"""What a lease lasts longer than the fetches it is for."""

POLL_SECONDS = 0.1
CLOCK_SKEW_SECONDS = 60
"""How far the clocks of workers may differ; a document from further ahead is as if it had never been."""

MAX_REASON_CHARACTERS = 1000


class Time(msgspec.Struct, frozen=True, kw_only=True):
    """``clock`` gives seconds since the epoch, ``monotonic`` seconds that never step back; ``sleep`` waits seconds."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What every fetched source of this process works with."""

    fetch: Fetch
    flights: Flights
    time: Time


class _Held(msgspec.Struct, frozen=True):
    """A good document: its keys, when it was fetched on either clock, and how many seconds it is fresh."""

    keys: Sequence[VerificationKey]
    good_at: int
    since: float
    fresh: int


def cool_down(failures: int) -> int:
    """Seconds from the begin of one fetch to the next, after so many failures in a row (security A91, A92)."""
    doublings = min(max(failures - 1, 0), 10)
    return min(COOL_DOWN_SECONDS << doublings, LONGEST_COOL_DOWN_SECONDS)


def background_refresh_at(good_at: int, fresh: int) -> int:
    """From when on a document that is used is fetched again."""
    return good_at + int(fresh * REFRESH_AT)


def serves_for(fresh: int, stale_limit: int) -> int:
    """How many seconds after it was fetched a document's keys may verify at all."""
    return max(fresh, stale_limit)


class RemoteKeys:
    """The keys of one document, for one revision of one profile. ``stale_limit`` is in seconds."""

    def __init__(self, origin: Origin, kept: KeptRow, tools: Tools, stale_limit: int) -> None:
        self._origin = origin
        self._kept = kept
        self._tools = tools
        self._stale_limit = stale_limit
        self._is_loaded = False
        self._held: _Held | None = None
        self._tried: float | None = None
        self._failures = 0
        self._fault: str | None = None
        self._seen: tuple[object, ...] | None = None
        self._flight: Flight | None = None
        self.status: int | None = None
        """That of the last answer, if it was another than 200."""

    # ---------------------------------------------------------------- what is asked of it

    def at_hand(self, kid: str | None) -> Sequence[VerificationKey] | None:
        """All keys, when they are far from old and this kid is one of theirs; else None. Starts nothing."""
        held = self._held
        if kid is None or held is None or not self._is_loaded or self._age(held) >= held.fresh * REFRESH_AT:
            return None
        return held.keys if any([key.kid == kid for key in held.keys]) else None  # noqa: C419 - hot; a list is faster

    async def known(self, wanted: Wanted | None = None) -> Sequence[VerificationKey]:
        """All keys that may serve now, whatever is wanted. Opens no connection."""
        del wanted
        if not self._is_loaded:
            self._adopt(await self._kept.read())
            self._is_loaded = True
        return self.usable()

    def usable(self) -> Sequence[VerificationKey]:
        """The keys held, as long as they may serve."""
        return self._held.keys if self._held is not None and self._is_current() else ()

    def renewal(self, wanted: Wanted | None = None) -> Flight | None:
        """The fetch that must come first, because what is held is old; None when it serves as it is.

        What will soon be old is fetched in the background.
        """
        del wanted
        held = self._held
        age = None if held is None else self._age(held)
        if held is not None and age is not None and age < held.fresh * REFRESH_AT:
            return None
        flight = self._flight_if_allowed()
        return None if held is not None and age is not None and age < held.fresh else flight

    def refetch(self, wanted: Wanted | None = None) -> Flight | None:
        """The fetch that may bring a key that is not there; None while the cool-down lasts."""
        del wanted
        return self._flight_if_allowed()

    def is_away(self, wanted: Wanted | None = None) -> bool:
        """Whether the last fetch failed."""
        del wanted
        return self._fault is not None

    def fault(self, wanted: Wanted | None = None) -> str | None:
        """Why a key may exist and not be known here; None when all is known."""
        del wanted
        reason = self._fault
        if reason is None and not self._is_current():
            reason = "what was fetched is too old"
        return None if reason is None else f"the keys at {self._origin.url} cannot be had: {reason}"

    async def fetch_now(self) -> None:
        """Fetch past cache, cool-down and lease, for an operator who asks."""
        self._adopt(await self._kept.read())
        await self._fetch_once()

    # ---------------------------------------------------------------- how old, how often

    def _age(self, held: _Held) -> float:
        return max(self._tools.time.clock() - held.good_at, self._tools.time.monotonic() - held.since)

    def _is_current(self) -> bool:
        held = self._held
        return held is not None and self._age(held) < serves_for(held.fresh, self._stale_limit)

    def _may_try(self) -> bool:
        return self._tried is None or self._tools.time.monotonic() - self._tried >= cool_down(self._failures)

    def _flight_if_allowed(self) -> Flight | None:
        """The fetch under way, or a new one; None during the cool-down. It is everybody's who waits for it."""
        if self._flight is None and self._may_try():
            self._flight = self._tools.flights.start(self._refresh())
        return self._flight

    # ---------------------------------------------------------------- one fetch

    async def _refresh(self) -> None:
        """Fetch, unless another worker has. Afterwards ``_tried`` is set, whatever happened."""
        try:
            if not await self._somebody_else_did():
                await self._fetch_once()
        except asyncio.CancelledError:
            self._fault = "the fetch broke off"
            raise
        except Exception as fault:  # noqa: BLE001 - a fault of ours is no verdict on a token, so it counts as a failure
            self._tried = self._tools.time.monotonic()
            await self._failed(self._tools.time.clock(), FetchFault(f"the fetch broke off: {type(fault).__name__}"))
        finally:
            self._flight = None

    async def _somebody_else_did(self) -> bool:
        """Whether another worker's fetch makes ours needless; False means that we are the one to fetch.

        A worker that died leaves a lease behind, so nobody waits longer than one lasts (security A96).
        """
        lease = int(self._origin.fetches * DEADLINE_SECONDS) + WRITING_SECONDS
        patience = self._tools.time.monotonic() + lease
        while not self._is_done(await self._kept.read()):
            now = int(self._tools.time.clock())
            if await self._kept.lease(now, now + lease):
                return await self._was_too_late()
            if await self._kept.read() is None or self._tools.time.monotonic() >= patience:
                return False
            await self._tools.time.sleep(POLL_SECONDS)
        return True

    async def _was_too_late(self) -> bool:
        """Whether another worker finished between our look and our lease, which is given back then."""
        row = await self._kept.read()
        if row is None or not self._is_done(row):
            return False
        await self._kept.keep(msgspec.structs.replace(row, document=None, lease_until=0))
        return True

    def _is_done(self, row: KeptKeys | None) -> bool:
        return self._adopt(row) and not self._may_try()

    async def _fetch_once(self) -> None:
        began = self._tools.time.clock()
        self._tried = self._tools.time.monotonic()
        try:
            fetched = await self._origin.fetch(self._tools.fetch)
            parsed = self._parsed(fetched.document)
        except FetchFault as fault:
            await self._failed(began, fault)
            return
        fresh = fresh_seconds(fetched.max_age, self._stale_limit)
        self._held = _Held(parsed.keys, int(began), self._tried, fresh)
        self._failures, self._fault, self.status = 0, None, None
        kept = {"document": fetched.document, "good_at": int(began), "fresh_until": int(began) + fresh}
        await self._remember(began, kept)

    def _parsed(self, document: bytes) -> Parsed:
        """The document's keys. Raises FetchFault for one without: that is how a bad deployment looks (A97)."""
        parsed = self._origin.parse(document)
        if not parsed.is_good:
            raise FetchFault(" ".join(("the answer holds no usable key.", *parsed.problems)))
        return parsed

    async def _failed(self, began: float, fault: FetchFault) -> None:
        self._failures += 1
        self._fault, self.status = str(fault)[:MAX_REASON_CHARACTERS], fault.status
        await self._remember(began, {})

    async def _remember(self, began: float, members: dict[str, object]) -> None:
        changes = members | {"tried_at": int(began), "failures": self._failures, "fault": self._fault}
        row = msgspec.structs.replace(self._kept.blank(), **changes)
        if await self._kept.keep(row):
            self._seen = _mark(row)

    # ---------------------------------------------------------------- what others fetched

    def _adopt(self, row: KeptKeys | None) -> bool:
        """Take over what the store remembers; answers whether it tells of a fetch that was not known here."""
        if row is None or row.tried_at is None or _mark(row) == self._seen:
            return False
        self._seen = _mark(row)
        self._tried = self._tools.time.monotonic() - max(0.0, self._tools.time.clock() - row.tried_at)
        self._failures, self._fault = row.failures, row.fault
        self._hold(row)
        return True

    def _hold(self, row: KeptKeys) -> None:
        held, good_at = self._held, row.good_at
        if row.document is None or good_at is None or (held is not None and held.good_at == good_at):
            return
        age = self._tools.time.clock() - good_at
        if age < -CLOCK_SKEW_SECONDS or (held is not None and self._age(held) <= age):
            return
        parsed = self._origin.parse(row.document)
        if not parsed.is_good:
            return
        since = self._tools.time.monotonic() - max(0.0, age)
        fresh = fresh_seconds((row.fresh_until or good_at) - good_at, self._stale_limit)
        self._held = _Held(parsed.keys, good_at, since, fresh)


def _mark(row: KeptKeys) -> tuple[object, ...]:
    """Tells one remembered fetch from another."""
    return row.tried_at, row.failures, row.fault
