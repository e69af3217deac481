"""What operators are told about the key sources of a profile, by what the store remembers of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from assay.key_sources import AlbSource, KeySource, ProjectSource
from assay.keys import alb, local, sources
from assay.keys.effective import sources_of
from assay.keys.health import KeySetHealth
from assay.keys.local import OwnServer
from assay.keys.origins import AlbOrigin, Origin, is_document, origin_of
from assay.keys.remote import background_refresh_at, cool_down, serves_for
from assay.model import KeptKeys, Profile
from assay.rules.algorithms import VerificationKey

_NO_PROJECT = "The environment of the source has no signing keys."


async def health(profile: Profile, rows: Sequence[KeptKeys], own: OwnServer, now: float) -> list[KeySetHealth]:
    """The state of each source at ``now``, by what the store remembers (``rows``). Raises errors.StoreUnavailable."""
    return [await _health(profile, source, rows, own, now) for source in sources_of(profile)]


async def _health(
    profile: Profile, source: KeySource, rows: Sequence[KeptKeys], own: OwnServer, now: float
) -> KeySetHealth:
    if isinstance(source, AlbSource):
        return _alb_health(profile, source, rows, now)
    if is_document(source):
        origin = origin_of(source, profile)
        blank = KeySetHealth(source=origin.digest, kind=origin.kind, url=origin.url)
        row = next((row for row in rows if row.source == origin.digest), None)
        return blank if row is None else _told(profile, blank, origin, row, now)
    return await _local_health(profile, source, own)


async def _local_health(profile: Profile, source: KeySource, own: OwnServer) -> KeySetHealth:
    """A source without network: what it gives at any time."""
    kind = str(source.__struct_config__.tag)
    blank = KeySetHealth(source=hashlib.sha256(msgspec.json.encode(source)).hexdigest(), kind=kind, url=None)
    if isinstance(source, ProjectSource):
        kids = await own.keys.published_kids(source.project_id)
        problems = () if kids else (_NO_PROJECT,)
        return msgspec.structs.replace(blank, usable_keys=len(kids), kids=kids, problems=problems)
    found = local.given(source, profile, own.open_secret)
    named = tuple(key.kid for key in found.keys if key.kid is not None)
    return msgspec.structs.replace(blank, usable_keys=len(found.keys), kids=named, problems=tuple(found.problems))


def _alb_health(profile: Profile, source: AlbSource, rows: Sequence[KeptKeys], now: float) -> KeySetHealth:
    """All keys of a region together: the newest of their last fetches, the first of their next."""
    base_url = alb.base_url(source)
    blank = KeySetHealth(source=alb.digest(source), kind="alb", url=base_url)
    origins = [(AlbOrigin(blank.source, base_url, kid), row) for kid, row in alb.rows_of(source, rows)]
    single = [_told(profile, blank, origin, row, now) for origin, row in origins]
    last = max((each.last_fetched_at for each in single if each.last_fetched_at is not None), default=None)
    return msgspec.structs.replace(
        blank,
        last_fetched_at=last,
        next_fetch_at=min((each.next_fetch_at for each in single if each.next_fetch_at is not None), default=None),
        age_seconds=None if last is None else max(0, int(now) - last),
        usable_keys=sum(each.usable_keys for each in single),
        kids=tuple(kid for each in single for kid in each.kids),
        problems=tuple(problem for each in single for problem in each.problems),
    )


def _told(profile: Profile, blank: KeySetHealth, origin: Origin, row: KeptKeys, now: float) -> KeySetHealth:
    keys, problems = _keys_of(origin, row)
    age = None if row.good_at is None else max(0, int(now) - row.good_at)
    is_too_old = age is not None and age >= serves_for(_fresh(row), profile.keys_stale_limit)
    told = list(problems)
    if row.fault is not None:
        told.append(f"The last fetch failed: {row.fault}")
    if is_too_old:
        keys = ()
        told.append(f"The last good answer is {age} seconds old, so none of its keys is used.")
    return msgspec.structs.replace(
        blank,
        last_fetched_at=row.good_at,
        next_fetch_at=_next_fetch_at(row),
        failures_in_a_row=row.failures,
        age_seconds=age,
        usable_keys=len(keys),
        kids=sources.kids(keys),
        problems=tuple(told),
    )


def _keys_of(origin: Origin, row: KeptKeys) -> tuple[Sequence[VerificationKey], Sequence[str]]:
    if row.document is None:
        return (), ()
    parsed = origin.parse(row.document)
    return parsed.keys, parsed.problems


def _fresh(row: KeptKeys) -> int:
    return (row.fresh_until or 0) - (row.good_at or 0)


def _next_fetch_at(row: KeptKeys) -> int | None:
    """The earliest time: nothing is fetched for a profile that nobody uses."""
    if row.tried_at is None:
        return None
    if row.failures or row.good_at is None:
        return row.tried_at + cool_down(row.failures)
    return background_refresh_at(row.good_at, _fresh(row))
