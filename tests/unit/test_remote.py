"""Key sets that are fetched: when they are, how often, and what serves when they cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.keys.fetch import Fetcher, FetchFault
from assay.keys.keyset import KeySet, StaticKeySet, choose
from assay.keys.recent import Recent
from assay.keys.remote import ProfileKeySets
from assay.model import PemFile, Profile
from assay.rules.algorithms import VerificationKey
from tests import issuer

URL = "https://issuer.example/jwks"
FIRST, SECOND = issuer.make_key("P-256", "first"), issuer.make_key("P-384", "second")
HOUR = 3600.0


class World:
    """An issuer's document, the way to it, and the time; all three under the test's control."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.document: bytes | None = document(FIRST)
        self.fetches = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def clock(self) -> float:
        return self.now

    async def fetch(self, _url: str) -> bytes:
        self.fetches += 1
        answer = self.document
        await self.gate.wait()
        if answer is None:
            raise FetchFault("the answer has status 500, not 200")
        return answer


def document(*keys: issuer.IssuerKey) -> bytes:
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


def profile(**changes: object) -> Profile:
    members: dict[str, Any] = {
        "environment_id": "project-test-1",
        "profile_id": "p1",
        "name": "n",
        "issuer": "https://issuer.example",
        "audience": "a",
        "public_key_type": "JWK",
        "jwks_url": URL,
        "created_at": 1,
        "updated_at": 1,
    }
    return msgspec.convert(members | changes, Profile)


def kids(keys: Sequence[VerificationKey]) -> list[str | None]:
    return [key.kid for key in keys]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def key_sets(world: World) -> AsyncIterator[ProfileKeySets]:
    made = ProfileKeySets(world.fetch, clock=world.clock, max_profiles=2)
    yield made
    world.gate.set()
    await made.close()


@pytest.fixture
def keys(key_sets: ProfileKeySets) -> KeySet:
    return key_sets.of(profile())


async def unavailable(keys: KeySet, kid: str | None = "first", algorithm: str = "ES256") -> str:
    with pytest.raises(errors.TrustedTokenKeysUnavailable) as caught:
        await keys.find(kid, algorithm)
    return caught.value.detail


async def settled() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


# ---------------------------------------------------------------- when it is fetched


async def test_a_known_kid_is_fetched_once_in_five_minutes(world: World, keys: KeySet) -> None:
    assert kids(await keys.find("first", "ES256")) == ["first"]
    world.now += 299
    assert kids(await keys.find("first", "ES256")) == ["first"]
    assert world.fetches == 1

    world.now += 1
    assert kids(await keys.find("first", "ES256")) == ["first"]
    assert world.fetches == 2


async def test_a_withdrawn_key_stops_after_five_minutes(world: World, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    world.document = document(SECOND)
    world.now += 300
    assert await keys.find("first", "ES256") == []


async def test_an_unknown_kid_refetches_at_most_once_in_thirty_seconds(world: World, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    world.document = document(FIRST, SECOND)

    for _ in range(3):
        assert await keys.find("second", "ES384") == []
    world.now += 29.9
    assert await keys.find("second", "ES384") == []
    assert world.fetches == 1

    world.now += 0.1
    assert kids(await keys.find("second", "ES384")) == ["second"]
    assert world.fetches == 2


async def test_a_flood_of_unknown_kids_costs_one_fetch(world: World, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    world.now += 30
    world.gate.clear()
    finds = [asyncio.create_task(keys.find(f"kid-{n}", "ES256")) for n in range(50)]
    await settled()
    world.gate.set()

    assert await asyncio.gather(*finds) == [[]] * 50
    assert world.fetches == 2


async def test_many_first_finds_share_one_fetch(world: World, keys: KeySet) -> None:
    world.gate.clear()
    finds = [asyncio.create_task(keys.find("first", "ES256")) for _ in range(10)]
    await settled()
    world.gate.set()

    assert [kids(found) for found in await asyncio.gather(*finds)] == [["first"]] * 10
    assert world.fetches == 1


@pytest.mark.parametrize("fetched_before", [False, True], ids=["first fetch", "unknown kid"])
async def test_one_that_stops_waiting_does_not_end_the_fetch_for_the_others(
    world: World, keys: KeySet, *, fetched_before: bool
) -> None:
    if fetched_before:
        await keys.find("first", "ES256")
        world.now += 30
    world.document = document(FIRST, SECOND)
    before = world.fetches
    world.gate.clear()
    leaving = asyncio.create_task(keys.find("second", "ES384"))
    await settled()
    staying = asyncio.create_task(keys.find("second", "ES384"))
    await settled()

    leaving.cancel()
    await settled()
    world.gate.set()

    assert kids(await staying) == ["second"]
    assert world.fetches == before + 1
    assert leaving.cancelled()


async def test_a_fetch_that_nobody_waits_for_any_more_still_fills_the_set(world: World, keys: KeySet) -> None:
    world.gate.clear()
    leaving = asyncio.create_task(keys.find("first", "ES256"))
    await settled()
    leaving.cancel()
    await settled()
    world.gate.set()
    await settled()

    assert kids(await keys.find("first", "ES256")) == ["first"]
    assert world.fetches == 1


async def test_a_known_kid_does_not_wait_for_the_fetch_that_an_unknown_one_caused(world: World, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    world.now += 30
    world.gate.clear()
    waiting = asyncio.create_task(keys.find("unknown", "ES256"))
    await settled()

    assert kids(await asyncio.wait_for(keys.find("first", "ES256"), 1)) == ["first"]
    world.gate.set()
    assert await waiting == []


# ---------------------------------------------------------------- when it cannot be fetched


async def test_without_any_key_a_failed_fetch_is_unavailable_with_its_reason(world: World, keys: KeySet) -> None:
    world.document = None
    assert await unavailable(keys) == f"the keys at {URL} cannot be had: the answer has status 500, not 200"


async def test_failures_count_for_the_cool_down(world: World, keys: KeySet) -> None:
    world.document = None
    for _ in range(5):
        await unavailable(keys)
    assert world.fetches == 1

    world.document = document(FIRST)
    world.now += 29
    await unavailable(keys)
    world.now += 1
    assert kids(await keys.find("first", "ES256")) == ["first"]
    assert world.fetches == 2


async def test_an_unknown_kid_after_a_failed_refetch_is_unavailable_and_a_known_one_is_served(
    world: World, keys: KeySet
) -> None:
    await keys.find("first", "ES256")
    world.document = None
    world.now += 30

    await unavailable(keys, "second", "ES384")
    await unavailable(keys, "second", "ES384")
    assert kids(await keys.find("first", "ES256")) == ["first"]
    assert await keys.find("first", "ES384") == [], "a known kid with an algorithm that is not its own"
    assert world.fetches == 2


async def test_the_last_good_keys_serve_for_a_day_of_failures_and_not_longer(world: World, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    world.document = None
    for hours in range(1, 24):
        world.now = 1000 + hours * HOUR
        assert kids(await keys.find("first", "ES256")) == ["first"]
    world.now = 1000 + 24 * HOUR - 1
    assert kids(await keys.find("first", "ES256")) == ["first"]

    world.now = 1000 + 24 * HOUR
    await unavailable(keys)
    world.now += 30
    world.document = document(FIRST)
    assert kids(await keys.find("first", "ES256")) == ["first"]


async def test_after_a_failure_known_kids_do_not_wait_for_the_next_try(world: World, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    world.document = None
    world.now += 300
    await keys.find("first", "ES256")
    world.now += 30
    world.gate.clear()
    world.document = document(SECOND)

    assert kids(await asyncio.wait_for(keys.find("first", "ES256"), 1)) == ["first"]
    assert world.fetches == 3, "a try is under way"
    world.gate.set()
    await settled()
    assert await keys.find("first", "ES256") == []


@pytest.mark.parametrize(
    "text",
    [b'{"keys": []}', b"<html></html>", b'{"keys": [{"kty": "oct", "kid": "first", "k": "AA"}]}', b"[]"],
    ids=["empty", "html", "unusable", "list"],
)
async def test_a_set_without_a_usable_key_never_replaces_a_good_one(world: World, keys: KeySet, text: bytes) -> None:
    await keys.find("first", "ES256")
    world.document = text
    world.now += 300
    assert kids(await keys.find("first", "ES256")) == ["first"]
    assert world.fetches == 2
    assert "no usable key" in await unavailable(keys, "second", "ES384")


async def test_a_first_set_without_a_usable_key_is_unavailable_and_says_why(world: World, keys: KeySet) -> None:
    world.document = json.dumps({"keys": [FIRST.jwk() | {"use": "enc"}]}).encode()
    detail = await unavailable(keys)
    assert "no usable key" in detail
    assert "its use" in detail


async def test_a_fetch_that_breaks_in_an_unforeseen_way_is_a_failure_too(world: World) -> None:
    async def broken(url: str) -> bytes:
        await world.fetch(url)
        raise RuntimeError

    key_sets = ProfileKeySets(broken, clock=world.clock)
    keys = key_sets.of(profile())
    with pytest.raises(RuntimeError):
        await keys.find("first", "ES256")
    await unavailable(keys)
    assert world.fetches == 1


async def test_closing_ends_what_is_under_way(world: World, key_sets: ProfileKeySets) -> None:
    world.gate.clear()
    waiting = asyncio.create_task(key_sets.of(profile()).find("first", "ES256"))
    await settled()
    await asyncio.wait_for(key_sets.close(), 1)
    with pytest.raises(asyncio.CancelledError):
        await waiting


# ---------------------------------------------------------------- which key


def verification_keys(*keys: tuple[str | None, str]) -> list[VerificationKey]:
    public_key = FIRST.private_key.public_key()
    return [VerificationKey(kid, frozenset({algorithm}), public_key) for kid, algorithm in keys]


def test_a_token_with_kid_gets_that_key_alone_and_only_for_its_algorithm() -> None:
    keys = verification_keys(("a", "ES256"), ("b", "ES256"), (None, "ES256"))
    assert kids(choose(keys, "a", "ES256")) == ["a"]
    assert choose(keys, "a", "ES384") == []
    assert choose(keys[:2], "c", "ES256") == []
    assert choose(keys[:2], "A", "ES256") == [], "kids compare exactly"


def test_a_token_with_kid_may_have_been_signed_by_a_key_that_has_none() -> None:
    assert kids(choose(verification_keys(("a", "ES256"), (None, "ES256")), "c", "ES256")) == [None]


def test_a_token_without_kid_gets_at_most_five_keys_that_fit() -> None:
    keys = verification_keys(("other", "RS256"), *((str(n), "ES256") for n in range(9)))
    assert kids(choose(keys, None, "ES256")) == ["0", "1", "2", "3", "4"]


async def test_a_token_without_kid_looks_again_when_nothing_fits(world: World, keys: KeySet) -> None:
    assert kids(await keys.find(None, "ES256")) == ["first"]
    assert await keys.find(None, "ES384") == []
    world.document = document(FIRST, SECOND)
    world.now += 30
    assert kids(await keys.find(None, "ES384")) == ["second"]


# ---------------------------------------------------------------- whose key


async def test_profiles_never_share_keys(world: World, key_sets: ProfileKeySets) -> None:
    mine, other = key_sets.of(profile()), key_sets.of(profile(environment_id="project-test-2"))
    assert mine is not other
    assert kids(await mine.find("first", "ES256")) == ["first"]
    world.document = document(SECOND)
    assert await other.find("first", "ES256") == []


def test_a_profile_keeps_its_set_as_long_as_it_stays_as_it_is(key_sets: ProfileKeySets) -> None:
    assert key_sets.of(profile()) is key_sets.of(profile())


@pytest.mark.parametrize(
    "change",
    [
        {"revision": 2},
        {"created_at": 2},
        {"jwks_url": URL + "2"},
        {"public_key_type": "PEM", "pem_files": [{"pem_file_id": "f", "public_key": FIRST.pem()}], "jwks_url": None},
    ],
    ids=["new revision", "made again", "made again at once elsewhere", "made again with PEM"],
)
def test_a_changed_profile_starts_with_a_new_set(key_sets: ProfileKeySets, change: dict[str, Any]) -> None:
    before = key_sets.of(profile())
    assert key_sets.of(profile(**change)) is not before


async def test_what_an_older_revision_fetches_does_not_reach_the_newer(world: World, key_sets: ProfileKeySets) -> None:
    world.gate.clear()
    old = asyncio.create_task(key_sets.of(profile()).find("first", "ES256"))
    await settled()
    world.document = document(SECOND)
    new = asyncio.create_task(key_sets.of(profile(revision=2)).find("first", "ES256"))
    await settled()
    world.gate.set()

    assert kids(await old) == ["first"]
    assert await new == []
    assert world.fetches == 2


def test_the_sets_of_profiles_not_asked_for_are_forgotten(key_sets: ProfileKeySets) -> None:
    first, second, third = (profile(profile_id=name) for name in ("a", "b", "c"))
    kept, forgotten = key_sets.of(first), key_sets.of(second)
    key_sets.of(first)
    key_sets.of(third)

    assert key_sets.of(first) is kept
    assert key_sets.of(second) is not forgotten


def test_recent_holds_no_more_than_its_limit() -> None:
    recent: Recent[int, str] = Recent(3)
    for number in range(10):
        recent.put(number, str(number))
    assert len(recent) == 3
    assert [recent.get(number) for number in (6, 7, 8, 9)] == [None, "7", "8", "9"]


# ---------------------------------------------------------------- PEM


def pem_profile(*texts: str) -> Profile:
    files = tuple(PemFile(pem_file_id=f"pem-{n}", public_key=text) for n, text in enumerate(texts))
    return msgspec.structs.replace(profile(), public_key_type="PEM", jwks_url=None, pem_files=files)


async def test_pem_keys_serve_any_kid_without_a_fetch(world: World, key_sets: ProfileKeySets) -> None:
    keys = key_sets.of(pem_profile("broken", FIRST.pem(), SECOND.pem()))

    assert isinstance(keys, StaticKeySet)
    assert [key.public_key for key in await keys.find("any", "ES256")] == [FIRST.private_key.public_key()]
    assert [key.public_key for key in await keys.find(None, "ES384")] == [SECOND.private_key.public_key()]
    assert await keys.find("any", "RS256") == []
    assert world.fetches == 0


# ---------------------------------------------------------------- probing


async def test_a_probe_looks_now_and_tells_kids_and_problems(world: World, key_sets: ProfileKeySets) -> None:
    members = [FIRST.jwk(), SECOND.jwk() | {"use": "enc"}]
    world.document = json.dumps({"keys": members}).encode()
    await key_sets.probe(profile())
    report = await key_sets.probe(profile())

    assert world.fetches == 2
    assert (report.usable, report.kids, report.error) == (1, ("first",), None)
    assert report.problems == ("Key 2 (kid 'second') is not used: its use is not \"sig\".",)


async def test_a_probe_tells_why_keys_cannot_be_had(world: World, key_sets: ProfileKeySets) -> None:
    world.document = None
    report = await key_sets.probe(profile())
    assert (report.usable, report.kids, report.problems) == (0, (), ())
    assert report.error == "The keys cannot be fetched: the answer has status 500, not 200"

    world.document = b'{"keys": []}'
    assert (await key_sets.probe(profile())).error == "There is no usable key."


async def test_a_probe_of_pem_files_names_those_that_give_no_key(key_sets: ProfileKeySets) -> None:
    report = await key_sets.probe(pem_profile(FIRST.pem(), "broken"))
    assert (report.usable, report.kids, report.error) == (1, (), None)
    assert report.problems == (
        "The PEM file pem-1 is not used: it cannot be parsed as a PEM public key or certificate.",
    )


# ---------------------------------------------------------------- over a real connection


async def test_keys_come_from_a_real_issuer_and_outlive_its_outage() -> None:
    now = [0.0]
    with issuer.serving([FIRST]) as real:
        key_sets = ProfileKeySets(Fetcher(allow_loopback=True).fetch, clock=lambda: now[0])
        keys = key_sets.of(profile(jwks_url=real.jwks_url))
        assert kids(await keys.find("first", "ES256")) == ["first"]
        real.failing = 500
        now[0] += 400
        assert kids(await keys.find("first", "ES256")) == ["first"]
        assert "500" in await unavailable(keys, "second", "ES384")
        assert real.requests == 2
    await key_sets.close()
