"""What is remembered of fetched key sources: one worker fetches for all, and restarts forget nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from assay.key_sources import JwksSource, ProjectSource
from assay.model import KeptKeys
from assay.store import CreateProfile, DeleteProfile, KeepKeys, LeaseKeys, ReplaceProfile, Stale, Store
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant

SOURCE = "digest"


@pytest.fixture
async def profile_id(store: Store, tenant: Tenant) -> str:
    profile = records.profile(tenant.id, profile_id="fetching")
    await store.write(CreateProfile(profile=profile))
    return profile.profile_id


def lease(tenant: Tenant, profile_id: str, *, now: int, until: int) -> LeaseKeys:
    return LeaseKeys(environment_id=tenant.id, profile_id=profile_id, source=SOURCE, now=now, until=until)


def kept(tenant: Tenant, profile_id: str, **changes: object) -> KeptKeys:
    record = KeptKeys(
        environment_id=tenant.id,
        profile_id=profile_id,
        source=SOURCE,
        document=b'{"keys": []}',
        good_at=NOW,
        fresh_until=NOW + 300,
        tried_at=NOW,
    )
    return replace(record, **changes)


async def test_a_lease_is_one_workers_until_it_ends(store: Store, tenant: Tenant, profile_id: str) -> None:
    await store.write(lease(tenant, profile_id, now=NOW, until=NOW + 10))
    with pytest.raises(Stale):
        await store.write(lease(tenant, profile_id, now=NOW + 9, until=NOW + 20))
    await store.write(lease(tenant, profile_id, now=NOW + 10, until=NOW + 20))


async def test_what_was_fetched_is_kept_and_ends_the_lease(store: Store, tenant: Tenant, profile_id: str) -> None:
    await store.write(lease(tenant, profile_id, now=NOW, until=NOW + 10))
    good = kept(tenant, profile_id)
    await store.write(KeepKeys(kept=good))
    assert await store.kept_keys(tenant.id, profile_id) == [good]
    await store.write(lease(tenant, profile_id, now=NOW, until=NOW + 10))
    [leased] = await store.kept_keys(tenant.id, profile_id)
    assert leased == replace(good, lease_until=NOW + 10)


async def test_a_failed_fetch_leaves_the_last_good_document(store: Store, tenant: Tenant, profile_id: str) -> None:
    await store.write(KeepKeys(kept=kept(tenant, profile_id)))
    failed = {"tried_at": NOW + 300, "failures": 1, "fault": "away"}
    nothing = {"document": None, "good_at": None, "fresh_until": None}
    await store.write(KeepKeys(kept=kept(tenant, profile_id, **nothing, **failed)))
    assert await store.kept_keys(tenant.id, profile_id) == [kept(tenant, profile_id, **failed)]


async def test_documents_of_sources_that_are_gone_are_forgotten_in_time(
    store: Store, tenant: Tenant, neighbour: Tenant, profile_id: str
) -> None:
    other = records.profile(neighbour.id, profile_id=profile_id)
    await store.write(CreateProfile(profile=other))
    await store.write(KeepKeys(kept=kept(neighbour, profile_id, source="old", tried_at=NOW - 1)))
    for source, tried_at in (("old", NOW - 1), ("recent", NOW)):
        await store.write(KeepKeys(kept=kept(tenant, profile_id, source=source, tried_at=tried_at)))
    leased = replace(lease(tenant, profile_id, now=NOW, until=NOW + 10), source="leased")
    await store.write(leased)

    await store.write(KeepKeys(kept=kept(tenant, profile_id), forgotten_before=NOW))
    assert [row.source for row in await store.kept_keys(tenant.id, profile_id)] == [SOURCE, "leased", "recent"]
    assert [row.source for row in await store.kept_keys(neighbour.id, profile_id)] == ["old"]
    await store.write(KeepKeys(kept=kept(tenant, profile_id, tried_at=NOW - 9), forgotten_before=NOW))
    assert SOURCE in [row.source for row in await store.kept_keys(tenant.id, profile_id)], "never the one just kept"


async def test_each_profile_and_environment_keeps_its_own(
    store: Store, tenant: Tenant, neighbour: Tenant, profile_id: str
) -> None:
    await store.write(KeepKeys(kept=kept(tenant, profile_id)))
    assert await store.kept_keys(neighbour.id, profile_id) == []
    assert await store.kept_keys(tenant.id, "another") == []


async def test_a_deleted_profile_leaves_nothing_behind(store: Store, tenant: Tenant, profile_id: str) -> None:
    await store.write(KeepKeys(kept=kept(tenant, profile_id)))
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=profile_id))
    assert await store.kept_keys(tenant.id, profile_id) == []
    with pytest.raises(Stale):
        await store.write(KeepKeys(kept=kept(tenant, profile_id)))


async def test_key_sources_of_a_profile_come_back_as_they_were(store: Store, tenant: Tenant, profile_id: str) -> None:
    before = await store.profile(tenant.id, profile_id)
    assert before is not None
    sources = (JwksSource(url="https://a.example/jwks", ca_pem="…"), ProjectSource(project_id="project-test-1"))
    await store.write(ReplaceProfile(profile=replace(before, key_sources=sources, keys_stale_limit=3600)))
    after = await store.profile(tenant.id, profile_id)
    assert after == replace(before, key_sources=sources, keys_stale_limit=3600, revision=before.revision + 1)
