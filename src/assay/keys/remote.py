"""Key sets that are fetched: kept for a while, fetched once for everyone, and not more often than is decent.

A set serves for five minutes. After that the next token waits for a fetch; when it fails, the last good keys go on
serving until they are 24 hours old, so that an issuer's outage does not become ours (security R34, A94). A key that
was withdrawn verifies for at most five minutes more while the issuer answers, and 24 hours when it does not (A95).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import msgspec

from assay import errors
from assay.keys import sources
from assay.keys.fetch import FetchFault
from assay.keys.keyset import KeySet, StaticKeySet, choose
from assay.keys.recent import Recent
from assay.model import PemFile, Profile
from assay.rules.algorithms import VerificationKey

FRESH_SECONDS = 5 * 60
COOL_DOWN_SECONDS = 30
LAST_GOOD_SECONDS = 24 * 3600
MAX_PROFILES = 10_000
MAX_REASON_CHARACTERS = 1000

Fetch = Callable[[str], Awaitable[bytes]]


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile's key source gives right now. ``usable`` counts keys, those without a kid included.

    ``error`` says why no key could be had at all; ``problems`` are sentences about single keys.
    """

    usable: int
    kids: tuple[str, ...]
    problems: tuple[str, ...]
    error: str | None


class Flights:
    """The fetches under way. They belong to nobody who waits for them, so that nobody's leaving ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run ``work`` until it ends or ``close`` is called; the loop itself holds tasks only weakly."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class RemoteKeySet:
    """The keys at one JWKS URL, for one revision of one profile. ``clock`` gives seconds and never steps back."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float], flights: Flights) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._flights = flights
        self._keys: Sequence[VerificationKey] = ()
        self._good_at: float | None = None
        self._tried_at: float | None = None
        self._fault: str | None = None
        self._flight: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """As ``KeySet.find`` says."""
        if not self._age_within(FRESH_SECONDS):
            flight = self._flight_if_allowed()
            # While the issuer is away, whoever the last good keys can serve does not wait for it (A93).
            if flight is not None and (self._fault is None or not self._knows(kid, algorithm)):
                await asyncio.shield(flight)
        if not self._knows(kid, algorithm):
            flight = self._flight_if_allowed()
            if flight is not None:
                await asyncio.shield(flight)
        found = choose(self._current(), kid, algorithm)
        if not found and self._fault is not None and not self._knows(kid, algorithm):
            # The key may well be there, only we could not look: this says nothing about the token (decisions D12).
            raise errors.TrustedTokenKeysUnavailable(detail=f"the keys at {self._url} cannot be had: {self._fault}")
        return found

    def _current(self) -> Sequence[VerificationKey]:
        return self._keys if self._age_within(LAST_GOOD_SECONDS) else ()

    def _age_within(self, seconds: float) -> bool:
        return self._good_at is not None and self._clock() - self._good_at < seconds

    def _knows(self, kid: str | None, algorithm: str) -> bool:
        """Whether another fetch would teach nothing: the kid is in the set, whatever its key is good for."""
        if kid is None:
            return bool(choose(self._current(), None, algorithm))
        return any(key.kid == kid for key in self._current())

    def _flight_if_allowed(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one; None when the last one began less than 30 s ago (security A91, A92).

        Whoever waits for it shields it: it is everybody's, and goes on when one of them has gone.
        """
        if self._flight is None:
            now = self._clock()
            if self._tried_at is not None and now - self._tried_at < COOL_DOWN_SECONDS:
                return None
            self._tried_at = now
            self._flight = self._flights.start(self._fetch_once())
        return self._flight

    async def _fetch_once(self) -> None:
        fault: str | None = "the fetch broke off"
        try:
            fault = self._take(*sources.from_jwks(await self._fetch(self._url)))
        except FetchFault as caught:
            fault = str(caught)
        finally:
            self._fault, self._flight = fault, None

    def _take(self, keys: Sequence[VerificationKey], problems: Sequence[str]) -> str | None:
        """Replace the keys, but never by a set that has none: that is how a bad deployment looks (A97).

        Answers what is wrong with such a set, shortened.
        """
        if not keys:
            return " ".join(("the key set holds no usable key.", *problems))[:MAX_REASON_CHARACTERS]
        self._keys, self._good_at = keys, self._clock()
        return None


class ProfileKeySets:
    """The key sets of all profiles of this process, made when they are first needed.

    A set belongs to one profile and what it said about its keys; a changed, or a deleted and made again, profile
    starts with a set of its own, and what an older one still fetches reaches nobody new (security A100, A101).
    """

    def __init__(
        self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic, max_profiles: int = MAX_PROFILES
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._flights = Flights()
        self._held: Recent[tuple[str, str], tuple[_Stamp, KeySet]] = Recent(max_profiles)

    def of(self, profile: Profile) -> KeySet:
        """The key set of this revision of the profile."""
        name, stamp = (profile.environment_id, profile.profile_id), _stamp(profile)
        held = self._held.get(name)
        if held is not None and held[0] == stamp:
            return held[1]
        key_set = self._make(profile)
        self._held.put(name, (stamp, key_set))
        return key_set

    async def probe(self, profile: Profile) -> KeyReport:
        """Fetch or parse the profile's keys now, past every cache, and tell what is there."""
        if profile.public_key_type == "PEM":
            return _report(*_pem_keys(profile.pem_files))
        try:
            document = await self._fetch(profile.jwks_url or "")
        except FetchFault as fault:
            return KeyReport(usable=0, kids=(), problems=(), error=f"The keys cannot be fetched: {fault}")
        return _report(*sources.from_jwks(document))

    async def close(self) -> None:
        """End the fetches under way."""
        await self._flights.close()

    def _make(self, profile: Profile) -> KeySet:
        if profile.public_key_type == "PEM":
            return StaticKeySet(_pem_keys(profile.pem_files)[0])
        return RemoteKeySet(profile.jwks_url or "", self._fetch, self._clock, self._flights)


_Stamp = tuple[int, int, str | None, tuple[PemFile, ...]]


def _stamp(profile: Profile) -> _Stamp:
    # A profile that was deleted and made again starts at revision 1 again, so the revision alone does not do.
    return profile.revision, profile.created_at, profile.jwks_url, profile.pem_files


def _pem_keys(files: Sequence[PemFile]) -> tuple[list[VerificationKey], list[str]]:
    keys: list[VerificationKey] = []
    problems: list[str] = []
    for file in files:
        try:
            keys.append(sources.from_pem(file.public_key))
        except sources.UnusableKey as fault:
            problems.append(f"The PEM file {file.pem_file_id} is not used: {fault}.")
    return keys, problems


def _report(keys: Sequence[VerificationKey], problems: Sequence[str]) -> KeyReport:
    error = None if keys else "There is no usable key."
    return KeyReport(usable=len(keys), kids=sources.kids(keys), problems=tuple(problems), error=error)
