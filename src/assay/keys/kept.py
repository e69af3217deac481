"""What the store remembers of one fetched document, for all workers and over restarts.

The store is a help here, not a condition: while it cannot be written, each worker fetches for itself.
"""

from __future__ import annotations

from typing import Protocol

from assay import errors
from assay.model import KeptKeys
from assay.store import KeepKeys, LeaseKeys, Stale, Store

FORGOTTEN_SECONDS = 30 * 24 * 3600
"""Other documents of a profile that nobody has fetched for so long belong to sources that it no longer has."""


class Kept(Protocol):
    """The row of one document."""

    async def read(self) -> KeptKeys | None:
        """What is remembered now; None when nothing is."""

    async def lease(self, now: int, until: int) -> bool:
        """Whether this worker is the one to fetch, until ``until``; False while another one is."""

    async def keep(self, kept: KeptKeys) -> bool:
        """Remember ``kept`` and end the lease; answers whether it is remembered."""


class KeptRow:
    """A row of the store. ``shared`` is False for documents that each worker fetches by itself, without lease."""

    def __init__(self, store: Store, environment_id: str, profile_id: str, source: str, *, shared: bool = True) -> None:
        self._store = store
        self._environment_id = environment_id
        self._profile_id = profile_id
        self._source = source
        self._shared = shared

    async def read(self) -> KeptKeys | None:
        """As ``Kept.read`` says."""
        try:
            rows = await self._store.kept_keys(self._environment_id, self._profile_id)
        except errors.StoreUnavailable:
            return None
        return next((row for row in rows if row.source == self._source), None)

    async def lease(self, now: int, until: int) -> bool:
        """As ``Kept.lease`` says."""
        if not self._shared:
            return True
        write = LeaseKeys(
            environment_id=self._environment_id,
            profile_id=self._profile_id,
            source=self._source,
            now=now,
            until=until,
        )
        try:
            await self._store.write(write)
        except Stale:
            return False
        except errors.StoreUnavailable:
            return True
        return True

    async def keep(self, kept: KeptKeys) -> bool:
        """As ``Kept.keep`` says. Without a lease only what is good is kept, so that nobody can fill the store."""
        if not self._shared and kept.failures:
            return False
        forgotten = (kept.tried_at or 0) - FORGOTTEN_SECONDS
        try:
            await self._store.write(KeepKeys(kept=kept, forgotten_before=forgotten))
        except (Stale, errors.StoreUnavailable):  # the profile is gone, or the store is away
            return False
        return True

    def blank(self) -> KeptKeys:
        """What is remembered before anything is."""
        return KeptKeys(environment_id=self._environment_id, profile_id=self._profile_id, source=self._source)
