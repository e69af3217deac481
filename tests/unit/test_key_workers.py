"""Fetched keys over one store: many workers, restarts, leases of the dead, and a store that is away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.keys.keyset import KeySet
from assay.model import KeptKeys
from assay.store import CreateProfile, KeepKeys, LeaseKeys, Stale
from assay.store.sqlite import open_sqlite
from tests import issuer, records
from tests.fetched import URL, Web, document, down, kids, profile, settled

FIRST, SECOND = issuer.make_key("P-256", "first"), issuer.make_key("P-384", "second")


@pytest.fixture
def web() -> Web:
    made = Web()
    made.answers[URL] = document(FIRST)
    return made


def worker(web: Web, **changes: object) -> KeySet:
    return web.key_sets().of(profile(**changes))


def row(web: Web) -> KeptKeys:
    [found] = web.store.rows.values()
    return found


def put(web: Web, **changes: Any) -> None:
    [(name, found)] = web.store.rows.items()
    web.store.rows[name] = msgspec.structs.replace(found, **changes)


async def serves(keys: KeySet, kid: str = "first", algorithm: str = "ES256") -> bool:
    return kids(await asyncio.wait_for(keys.find(kid, algorithm), 1)) == [kid]


# ---------------------------------------------------------------- one fetch for all


async def test_what_one_worker_fetched_serves_the_other(web: Web) -> None:
    assert await serves(worker(web))
    assert await serves(worker(web))
    assert web.fetches == 1


async def test_of_two_workers_that_start_together_one_fetches_and_the_other_waits_for_it(web: Web) -> None:
    web.gate.clear()
    one = asyncio.create_task(worker(web).find("first", "ES256"))
    await settled()
    web.while_asleep = lambda: web.gate.set() if len(web.slept) == 3 else None
    other = asyncio.create_task(worker(web).find("first", "ES256"))

    assert [kids(await one), kids(await other)] == [["first"], ["first"]]
    assert web.fetches == 1
    assert web.slept, "it looked again and again"
    assert row(web).lease_until == 0


async def test_a_worker_takes_over_what_another_has_refreshed(web: Web) -> None:
    one, other = worker(web), worker(web)
    assert await serves(one)
    assert await serves(other)
    web.turn(250)
    assert await serves(one)
    await settled()
    assert await serves(other)
    await settled()
    assert web.fetches == 2

    web.turn(200)
    assert await serves(other)
    assert web.fetches == 2, "what it took over is fresh"


async def test_a_key_that_another_worker_met_first_is_found_without_a_fetch(web: Web) -> None:
    one, other = worker(web), worker(web)
    await serves(one)
    await serves(other)
    web.turn(30)
    web.answers[URL] = document(FIRST, SECOND)
    assert await serves(one, "second", "ES384")
    assert await serves(other, "second", "ES384")
    assert web.fetches == 2


async def test_unknown_kids_on_many_workers_cost_one_fetch_in_a_cool_down(web: Web) -> None:
    workers = [worker(web) for _ in range(5)]
    for each in workers:
        await serves(each)
    web.turn(30)
    for number in range(100):
        assert await workers[number % 5].find(f"kid-{number}", "ES256") == []
    assert web.fetches == 2


async def test_failures_of_one_worker_count_for_all(web: Web) -> None:
    web.answers[URL] = down()
    for _ in range(4):
        with pytest.raises(errors.TrustedTokenKeysUnavailable, match="cannot be fetched"):
            await worker(web).find("first", "ES256")
    assert web.fetches == 1
    web.turn(30)
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await worker(web).find("first", "ES256")
    assert (web.fetches, row(web).failures) == (2, 2)


# ---------------------------------------------------------------- restarts


async def test_a_restart_during_an_outage_forgets_nothing(web: Web) -> None:
    await serves(worker(web))
    web.answers[URL] = down()
    web.turn(3600)
    assert await serves(worker(web))
    assert await serves(worker(web))
    web.turn(23 * 3600 - 1)
    assert await serves(worker(web))
    web.turn(1)
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await worker(web).find("first", "ES256")


async def test_a_restart_gives_a_document_no_longer_freshness(web: Web) -> None:
    await serves(worker(web))
    web.answers[URL] = document(SECOND)
    web.turn(299)
    assert await serves(worker(web))
    await settled()
    web.turn(1)
    assert await worker(web).find("first", "ES256") == []


async def test_a_fresh_document_needs_no_fetch_after_a_restart(web: Web) -> None:
    await serves(worker(web))
    web.turn(200)
    assert await serves(worker(web))
    assert web.fetches == 1


async def test_a_remembered_document_that_no_longer_gives_a_key_is_fetched_anew(web: Web) -> None:
    await serves(worker(web))
    put(web, document=b"<html>")
    web.turn(30)
    assert await serves(worker(web))
    assert web.fetches == 2


# ---------------------------------------------------------------- leases


async def test_the_lease_of_a_dead_worker_is_waited_for_once_and_then_taken(web: Web) -> None:
    await serves(worker(web))
    web.turn(300)
    put(web, lease_until=int(web.now) + 7)
    web.answers[URL] = document(SECOND)
    assert await worker(web).find("first", "ES256") == []
    assert web.fetches == 2
    assert sum(web.slept) == pytest.approx(7, abs=0.2)


async def test_a_lease_that_never_ends_stops_nobody(web: Web) -> None:
    """The clock was set back after it was taken, say."""
    await serves(worker(web))
    web.turn(300)
    put(web, lease_until=int(web.now) + 10**6)
    web.answers[URL] = document(SECOND)
    assert await worker(web).find("first", "ES256") == []
    assert web.fetches == 2
    assert sum(web.slept) == pytest.approx(7, abs=0.2)
    assert row(web).lease_until == 0


async def test_a_known_key_waits_for_no_lease_while_the_issuer_is_away(web: Web) -> None:
    await serves(worker(web))
    put(web, failures=3, fault="down", tried_at=int(web.now) + 240, lease_until=int(web.now) + 10**6)
    web.turn(400)
    assert kids(await worker(web).find("first", "ES256")) == ["first"]
    assert web.slept == []
    await settled()
    assert web.slept, "a fetch in the background waits for it"


async def test_a_worker_that_comes_too_late_gives_the_lease_back(web: Web) -> None:
    keys = worker(web)
    await serves(keys)
    web.turn(300)
    reads = 0
    original = web.store.kept_keys

    async def read(environment_id: str, profile_id: str) -> list[KeptKeys]:
        nonlocal reads
        reads += 1
        if reads == 2:  # between the look and the lease another worker has finished
            changes = {"good_at": int(web.now), "tried_at": int(web.now), "fresh_until": int(web.now) + 300}
            put(web, document=document(FIRST, SECOND), **changes)
        return await original(environment_id, profile_id)

    web.store.kept_keys = read  # type: ignore[method-assign]
    assert await serves(keys, "second", "ES384")
    assert (web.fetches, row(web).lease_until) == (1, 0)
    assert row(web).document == document(FIRST, SECOND)


async def test_the_longest_fetch_is_covered_by_its_lease(web: Web) -> None:
    web.answers[URL] = down()
    for source in ({"kind": "jwks", "url": URL}, {"kind": "discovery", "url": URL}):
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await worker(web, key_sources=[source]).find("first", "ES256")
    leases = [write for write in web.store.writes if isinstance(write, LeaseKeys)]
    assert [lease.until - lease.now for lease in leases] == [7, 12]


# ---------------------------------------------------------------- the store


async def test_a_store_that_is_away_costs_a_fetch_for_each_worker_and_no_verdict(web: Web) -> None:
    web.store.away = True
    one = worker(web)
    assert await serves(one)
    assert await serves(worker(web))
    assert web.fetches == 2

    web.store.away = False
    web.turn(300)
    web.answers[URL] = document(FIRST, SECOND)
    assert await serves(one, "second", "ES384")
    assert row(web).document == document(FIRST, SECOND)


async def test_a_profile_that_is_gone_leaves_no_lease_to_wait_for(web: Web) -> None:
    async def refuse(write: object) -> None:
        raise Stale(write)

    web.store.write = refuse  # type: ignore[method-assign]
    assert await serves(worker(web))
    assert web.slept == []


async def test_a_store_that_breaks_in_an_unforeseen_way_is_asked_once_in_a_cool_down(web: Web) -> None:
    asked: list[object] = []

    async def broken(write: object) -> None:
        asked.append(write)
        raise RuntimeError

    web.store.write = broken  # type: ignore[method-assign]
    keys = worker(web)
    for _ in range(5):
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await keys.find("first", "ES256")
    leases = [write for write in asked if isinstance(write, LeaseKeys)]
    assert len(leases) == 1


async def test_documents_that_nobody_has_fetched_for_a_month_are_forgotten(web: Web) -> None:
    await serves(worker(web))
    [keep] = [write for write in web.store.writes if isinstance(write, KeepKeys)]
    assert keep.forgotten_before == web.now - 30 * 24 * 3600


async def test_an_older_document_of_the_store_does_not_replace_a_newer_one(web: Web) -> None:
    keys = worker(web)
    await serves(keys)
    web.turn(300)
    web.store.away = True
    web.answers[URL] = document(SECOND)
    assert await serves(keys, "second", "ES384")
    web.store.away = False
    put(web, failures=1, fault="another worker met a fault", tried_at=int(web.now) + 1)
    web.turn(30)
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await keys.find("first", "ES256")
    assert await serves(keys, "second", "ES384")


async def test_a_failure_leaves_the_last_good_document(web: Web) -> None:
    keys = worker(web)
    await serves(keys)
    web.answers[URL] = down()
    web.turn(300)
    assert await serves(keys)
    kept = [write.kept for write in web.store.writes if isinstance(write, KeepKeys)]
    assert [each.document for each in kept] == [document(FIRST), None]
    assert (row(web).document, row(web).failures) == (document(FIRST), 1)


async def test_two_processes_on_one_database_fetch_once(web: Web, tmp_path: Path) -> None:
    path = str(tmp_path / "assay.db")
    stores = [await open_sqlite(path), await open_sqlite(path)]
    project = records.new_project()
    await stores[0].write(project)
    environment_id = project.environments[1].environment_id
    stored = records.profile(environment_id, profile_id="fetching", public_key_type="JWK", jwks_url=URL, pem_files=())
    await stores[0].write(CreateProfile(profile=stored))
    workers = [web.key_sets(store) for store in stores]
    web.gate.clear()
    finds = [asyncio.create_task(each.of(stored).find("first", "ES256")) for each in workers]
    await asyncio.wait_for(web.asked.wait(), 10)
    web.while_asleep = lambda: web.gate.set() if len(web.slept) > 5 else None

    assert [kids(found) for found in await asyncio.wait_for(asyncio.gather(*finds), 10)] == [["first"]] * 2
    assert web.fetches == 1
    web.answers[URL] = down()
    again = web.key_sets(stores[1])
    web.turn(3600)
    assert await serves(again.of(stored))
    for each in (*workers, again):
        await each.close()
    for store in stores:
        await store.close()
