"""The key sets of all profiles of this process."""

from __future__ import annotations

import asyncio

from assay.key_sources import AlbSource, KeySource, ProjectSource
from assay.keys import alb, local, reports
from assay.keys.alb import AlbKeys
from assay.keys.combined import CombinedKeySet, SourceKeys
from assay.keys.effective import sources_of
from assay.keys.flights import Flights
from assay.keys.health import KeySetHealth
from assay.keys.kept import KeptRow
from assay.keys.keyset import KeySet
from assay.keys.local import GivenKeys, OwnServer, ProjectKeys
from assay.keys.origins import AlbOrigin, Fetch, Origin, is_document, origin_of
from assay.keys.recent import Recent
from assay.keys.remote import RemoteKeys, Time, Tools
from assay.model import Profile
from assay.store import Store

MAX_PROFILES = 10_000
SYSTEM_TIME = Time()


class ProfileKeySets:
    """The key sets of all profiles, made when they are first needed.

    A set belongs to one revision of one profile: a changed, or a deleted and made again, profile starts with a set of
    its own. It finds in the store what was fetched before from the very same source; what an older revision still
    fetches from another one reaches nobody new (security A100, A101).
    """

    def __init__(
        self,
        store: Store,
        fetch: Fetch,
        own: OwnServer,
        *,
        time: Time = SYSTEM_TIME,
        max_profiles: int = MAX_PROFILES,
    ) -> None:
        self._store = store
        self._own = own
        self._tools = Tools(fetch=fetch, flights=Flights(), time=time)
        self._held: Recent[tuple[str, str], tuple[Profile, KeySet]] = Recent(max_profiles)

    def of(self, profile: Profile) -> KeySet:
        """The key set of this revision of the profile."""
        name = (profile.environment_id, profile.profile_id)
        held = self._held.get(name)
        if held is not None and held[0] is profile:
            return held[1]
        if held is not None and _stamp(held[0]) == _stamp(profile):
            key_set: KeySet = held[1]
        else:
            key_set = CombinedKeySet([self._keys(profile, source) for source in sources_of(profile)])
        self._held.put(name, (profile, key_set))
        return key_set

    async def health(self, profile: Profile) -> list[KeySetHealth]:
        """As ``KeySets.health`` says. Raises errors.StoreUnavailable."""
        rows = await self._store.kept_keys(profile.environment_id, profile.profile_id)
        return await reports.health(profile, rows, self._own, self._tools.time.clock())

    async def refresh(self, profile: Profile) -> list[KeySetHealth]:
        """As ``KeySets.refresh`` says. Raises errors.StoreUnavailable."""
        origins: list[Origin] = []
        for source in sources_of(profile):
            if isinstance(source, AlbSource):
                origins += [self._alb_origin(source, kid) for kid in await self._alb_kids(profile, source)]
            elif is_document(source):
                origins.append(origin_of(source, profile))
        await asyncio.gather(*(self._remote_keys(profile, origin).fetch_now() for origin in origins))
        return await self.health(profile)

    async def close(self) -> None:
        """End the fetches under way."""
        await self._tools.flights.close()

    def _keys(self, profile: Profile, source: KeySource) -> SourceKeys:
        if isinstance(source, AlbSource):
            return self._alb_keys(profile, source)
        if is_document(source):
            return self._remote_keys(profile, origin_of(source, profile))
        if isinstance(source, ProjectSource):
            return ProjectKeys(source, self._own.keys)
        return GivenKeys(local.given(source, profile, self._own.open_secret))

    def _remote_keys(self, profile: Profile, origin: Origin, *, shared: bool = True) -> RemoteKeys:
        row = KeptRow(self._store, profile.environment_id, profile.profile_id, origin.digest, shared=shared)
        return RemoteKeys(origin, row, self._tools, profile.keys_stale_limit)

    def _alb_keys(self, profile: Profile, source: AlbSource) -> AlbKeys:
        return AlbKeys(
            source,
            lambda kid: self._remote_keys(profile, self._alb_origin(source, kid), shared=False),
            lambda: self._alb_kids(profile, source),
            self._tools,
        )

    async def _alb_kids(self, profile: Profile, source: AlbSource) -> list[str]:
        rows = await self._store.kept_keys(profile.environment_id, profile.profile_id)
        return [kid for kid, _ in alb.rows_of(source, rows)]

    @staticmethod
    def _alb_origin(source: AlbSource, kid: str) -> AlbOrigin:
        return AlbOrigin(alb.digest(source), alb.base_url(source), kid)


def _stamp(profile: Profile) -> tuple[object, ...]:
    # The revision alone would do, were there no database that somebody put back from a backup while this ran.
    return (
        profile.revision,
        profile.created_at,
        profile.updated_at,
        profile.issuer,
        profile.jwks_url,
        profile.pem_files,
        profile.key_sources,
        profile.keys_stale_limit,
    )
