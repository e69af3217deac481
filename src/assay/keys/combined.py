"""All key sources of one profile as one key set: no source hides the key of another, nor waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from assay import errors
from assay.keys.flights import Flight, landed
from assay.keys.keyset import NO_HEADER, Wanted, choose, names
from assay.rules.algorithms import AnyKey


class SourceKeys(Protocol):
    """The keys of one source."""

    def at_hand(self, kid: str | None) -> Sequence[AnyKey] | None:
        """All keys of the source, when looking further would neither renew them nor bring this kid; else None."""

    async def known(self, wanted: Wanted) -> Sequence[AnyKey]:
        """Keys that may serve now, those that are wanted among them if they are known. Opens no connection."""

    def renewal(self, wanted: Wanted) -> Flight | None:
        """The fetch that must come first, because what is known is old; None when it serves as it is."""

    def refetch(self, wanted: Wanted) -> Flight | None:
        """The fetch that may bring a key that is not known; None when there is none to be made now."""

    def is_away(self, wanted: Wanted) -> bool:
        """Whether the last fetch failed, so that the next one is nothing to wait for."""

    def fault(self, wanted: Wanted) -> str | None:
        """Why the key may exist and not be known; None when the source is sure."""


class CombinedKeySet:
    """A :class:`assay.keys.keyset.KeySet` out of one or more sources."""

    def __init__(self, sources: Sequence[SourceKeys]) -> None:
        self._sources = sources
        self._only = sources[0] if len(sources) == 1 else None  # as nearly all profiles have

    async def find(self, kid: str | None, algorithm: str, header: Mapping[str, Any] = NO_HEADER) -> Sequence[AnyKey]:
        """As ``KeySet.find`` says."""
        if self._only is not None:
            at_hand = self._only.at_hand(kid)
            if at_hand is not None:  # as nearly always: the rest is about what must be fetched
                return choose(at_hand, kid, algorithm)
        wanted = Wanted(kid, algorithm, header)
        keys = await self._renewed(wanted)
        if names(keys, wanted):
            return choose(keys, kid, algorithm)
        keys = await self._refetched(wanted, keys)
        found = choose(keys, kid, algorithm)
        if not found and not names(keys, wanted):
            self._refuse_if_unsure(wanted)
        return found

    async def _known(self, wanted: Wanted) -> list[Sequence[AnyKey]]:
        return [await source.known(wanted) for source in self._sources]

    async def _renewed(self, wanted: Wanted) -> list[AnyKey]:
        """All keys known, after the fetches that must come first.

        A named key of a source that is not old waits for nobody. Nobody who can be served waits for a source that
        is away (security A93).
        """
        known = await self._known(wanted)
        renewals = [source.renewal(wanted) for source in self._sources]
        if not any(renewals):
            return _flat(known)
        named = [names(keys, wanted) for keys in known]
        is_sure = any(flight is None and is_named for flight, is_named in zip(renewals, named, strict=True))
        served = any(named) or bool(choose(_flat(known), wanted.kid, wanted.algorithm))
        waits = self._worth_waiting_for(wanted, renewals, served=served)
        if waits and not (is_sure and wanted.kid is not None):
            await landed(waits)
            known = await self._known(wanted)
        return _flat(known)

    async def _refetched(self, wanted: Wanted, keys: list[AnyKey]) -> list[AnyKey]:
        """All keys known after the fetches that may bring the one that is missing."""
        served = bool(choose(keys, wanted.kid, wanted.algorithm))
        waits = self._worth_waiting_for(wanted, [source.refetch(wanted) for source in self._sources], served=served)
        if not waits:
            return keys
        await landed(waits)
        return _flat(await self._known(wanted))

    def _worth_waiting_for(self, wanted: Wanted, flights: Sequence[Flight | None], *, served: bool) -> list[Flight]:
        return [
            flight
            for source, flight in zip(self._sources, flights, strict=True)
            if flight is not None and not (served and source.is_away(wanted))
        ]

    def _refuse_if_unsure(self, wanted: Wanted) -> None:
        """The key may well be there, only we could not look: this says nothing about the token (decisions D12)."""
        faults = [fault for source in self._sources if (fault := source.fault(wanted)) is not None]
        if faults:
            raise errors.TrustedTokenKeysUnavailable(detail="; ".join(faults))


def _flat(known: Sequence[Sequence[AnyKey]]) -> list[AnyKey]:
    return [key for keys in known for key in keys]
