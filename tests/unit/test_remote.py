"""Keys that are fetched: when they are, how often, and what serves when they cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.key_sources import JwksSource, SpiffeSource
from assay.keys.fetch import Fetched, Fetcher
from assay.keys.keyset import KeySet, choose
from assay.keys.local import OwnServer
from assay.keys.origins import fresh_seconds
from assay.keys.profile_keys import ProfileKeySets
from assay.keys.recent import Recent
from assay.keys.remote import Time, cool_down
from assay.rules.algorithms import VerificationKey
from tests import issuer
from tests.fetched import URL, KeptStore, NoOwnKeys, Web, document, down, kids, no_secret, profile, settled

FIRST, SECOND = issuer.make_key("P-256", "first"), issuer.make_key("P-384", "second")
HOUR = 3600


@pytest.fixture
def web() -> Web:
    made = Web()
    made.answers[URL] = document(FIRST)
    return made


@pytest.fixture
async def key_sets(web: Web) -> AsyncIterator[ProfileKeySets]:
    made = web.key_sets(max_profiles=2)
    yield made
    web.gate.set()
    await made.close()


@pytest.fixture
def keys(key_sets: ProfileKeySets) -> KeySet:
    return key_sets.of(profile())


async def unavailable(keys: KeySet, kid: str | None = "first", algorithm: str = "ES256") -> str:
    with pytest.raises(errors.TrustedTokenKeysUnavailable) as caught:
        await keys.find(kid, algorithm)
    return caught.value.detail


async def serves_first(keys: KeySet) -> bool:
    return kids(await asyncio.wait_for(keys.find("first", "ES256"), 1)) == ["first"]


# ---------------------------------------------------------------- when it is fetched


async def test_a_known_kid_is_fetched_again_in_the_background_after_four_of_five_minutes(
    web: Web, keys: KeySet
) -> None:
    assert await serves_first(keys)
    web.turn(239)
    assert await serves_first(keys)
    assert web.fetches == 1

    web.turn(1)
    web.gate.clear()
    assert await serves_first(keys), "nobody waits for a refresh in the background"
    await settled()
    assert web.fetches == 2
    web.gate.set()
    await settled()
    web.turn(239)
    assert await serves_first(keys)
    assert web.fetches == 2


async def test_keys_that_nobody_asks_for_are_not_fetched(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.turn(10 * HOUR)
    await settled()
    assert web.fetches == 1
    assert len(asyncio.all_tasks()) == 1, "nothing is held while nothing is fetched"


async def test_a_withdrawn_key_stops_after_five_minutes(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = document(SECOND)
    web.turn(300)
    assert await keys.find("first", "ES256") == []


@pytest.mark.parametrize(
    ("max_age", "fresh"),
    [(None, 300), (0, 300), (299, 300), (301, 301), (7200, 7200), (86_400, 86_400), (10**8, 86_400)],
)
async def test_an_answer_serves_as_long_as_it_says_within_five_minutes_and_a_day(
    web: Web, keys: KeySet, max_age: int | None, fresh: int
) -> None:
    web.answers[URL] = Fetched(document(FIRST), max_age)
    await keys.find("first", "ES256")
    web.answers[URL] = document(SECOND)

    web.turn(int(fresh * 0.8) - 1)
    assert await serves_first(keys)
    assert web.fetches == 1
    web.turn(fresh - int(fresh * 0.8) + 1)
    assert await keys.find("first", "ES256") == []
    assert web.fetches == 2


def test_an_answer_is_fresh_no_longer_than_the_profile_lets_keys_serve() -> None:
    assert fresh_seconds(86_400, 3600) == 3600
    assert fresh_seconds(86_400, 0) == 300


async def test_an_unknown_kid_refetches_at_most_once_in_thirty_seconds(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = document(FIRST, SECOND)

    for _ in range(3):
        assert await keys.find("second", "ES384") == []
    web.turn(29.9)
    assert await keys.find("second", "ES384") == []
    assert web.fetches == 1

    web.turn(0.1)
    assert kids(await keys.find("second", "ES384")) == ["second"]
    assert web.fetches == 2


async def test_the_cool_down_goes_by_a_clock_that_nobody_can_set(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.now -= HOUR
    web.answers[URL] = document(FIRST, SECOND)
    assert await keys.find("second", "ES384") == []
    web.monotonic += 30
    assert kids(await keys.find("second", "ES384")) == ["second"]


async def test_ten_thousand_unknown_kids_cost_one_fetch_and_no_known_kid_waits(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.turn(30)
    web.gate.clear()
    finds = [asyncio.create_task(keys.find(f"kid-{n}", "ES256")) for n in range(10_000)]
    await settled()
    assert await serves_first(keys)
    web.gate.set()
    assert all(found == [] for found in await asyncio.gather(*finds))

    for number in range(10_000):
        assert await keys.find(f"later-{number}", "ES256") == []
    assert await serves_first(keys)
    assert web.fetches == 2


async def test_ten_thousand_unknown_kids_cost_one_fetch_while_the_issuer_is_away(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.turn(30)
    web.answers[URL] = down()
    for number in range(10_000):
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await keys.find(f"kid-{number}", "ES256")
    assert await serves_first(keys)
    assert web.fetches == 2


async def test_many_first_finds_share_one_fetch(web: Web, keys: KeySet) -> None:
    web.gate.clear()
    finds = [asyncio.create_task(keys.find("first", "ES256")) for _ in range(10)]
    await settled()
    web.gate.set()

    assert [kids(found) for found in await asyncio.gather(*finds)] == [["first"]] * 10
    assert web.fetches == 1


@pytest.mark.parametrize("fetched_before", [False, True], ids=["first fetch", "unknown kid"])
async def test_one_that_stops_waiting_does_not_end_the_fetch_for_the_others(
    web: Web, keys: KeySet, *, fetched_before: bool
) -> None:
    if fetched_before:
        await keys.find("first", "ES256")
        web.turn(30)
    web.answers[URL] = document(FIRST, SECOND)
    before = web.fetches
    web.gate.clear()
    leaving = asyncio.create_task(keys.find("second", "ES384"))
    await settled()
    staying = asyncio.create_task(keys.find("second", "ES384"))
    await settled()

    leaving.cancel()
    await settled()
    web.gate.set()

    assert kids(await staying) == ["second"]
    assert web.fetches == before + 1
    assert leaving.cancelled()


async def test_a_fetch_that_nobody_waits_for_any_more_still_fills_the_set(web: Web, keys: KeySet) -> None:
    web.gate.clear()
    leaving = asyncio.create_task(keys.find("first", "ES256"))
    await settled()
    leaving.cancel()
    await settled()
    web.gate.set()
    await settled()

    assert await serves_first(keys)
    assert web.fetches == 1


# ---------------------------------------------------------------- when it cannot be fetched


async def test_without_any_key_a_failed_fetch_is_unavailable_with_its_reason(web: Web, keys: KeySet) -> None:
    web.answers[URL] = down()
    assert await unavailable(keys) == f"the keys at {URL} cannot be had: the answer has status 500, not 200"


def test_the_cool_down_doubles_with_each_failure_up_to_ten_minutes() -> None:
    assert [cool_down(failures) for failures in range(9)] == [30, 30, 60, 120, 240, 480, 600, 600, 600]
    assert cool_down(10**6) == 600


async def test_failures_count_for_the_cool_down(web: Web, keys: KeySet) -> None:
    web.answers[URL] = down()
    for wait in (30, 60, 120):
        fetches = web.fetches
        for _ in range(5):
            await unavailable(keys)
        assert web.fetches == fetches + 1
        web.turn(wait - 1)
        await unavailable(keys)
        assert web.fetches == fetches + 1
        web.turn(1)

    web.answers[URL] = document(FIRST)
    assert await serves_first(keys)


async def test_a_success_ends_the_doubling(web: Web, keys: KeySet) -> None:
    web.answers[URL] = down()
    for wait in (30, 60, 120):
        await unavailable(keys)
        web.turn(wait)
    web.answers[URL] = document(FIRST)
    assert await serves_first(keys)
    web.turn(30)
    assert await keys.find("second", "ES384") == []
    assert web.fetches == 5


async def test_an_unknown_kid_after_a_failed_refetch_is_unavailable_and_a_known_one_is_served(
    web: Web, keys: KeySet
) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = down()
    web.turn(30)

    await unavailable(keys, "second", "ES384")
    await unavailable(keys, "second", "ES384")
    assert await serves_first(keys)
    assert await keys.find("first", "ES384") == [], "a known kid with an algorithm that is not its own"
    assert web.fetches == 2


@pytest.mark.parametrize("limit", [HOUR, 24 * HOUR, 7 * 24 * HOUR])
async def test_the_last_good_keys_serve_up_to_the_profiles_limit_and_not_longer(
    web: Web, key_sets: ProfileKeySets, limit: int
) -> None:
    keys = key_sets.of(profile(keys_stale_limit=limit))
    await keys.find("first", "ES256")
    web.answers[URL] = down()
    for _ in range(9):
        web.turn(limit // 10)
        assert await serves_first(keys)
    web.turn(limit // 10 - 1)
    assert await serves_first(keys)

    web.turn(1)
    await unavailable(keys)
    web.answers[URL] = document(FIRST)
    web.turn(600)
    assert await serves_first(keys)


async def test_without_leave_to_serve_when_stale_keys_stop_with_their_freshness(
    web: Web, key_sets: ProfileKeySets
) -> None:
    keys = key_sets.of(profile(keys_stale_limit=0))
    web.answers[URL] = Fetched(document(FIRST), 7200)
    assert await serves_first(keys)
    web.answers[URL] = down()
    web.turn(299)
    assert await serves_first(keys)
    web.turn(1)
    await unavailable(keys)


async def test_an_hour_of_outage_is_noticed_by_nobody_whose_key_is_known(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = down(503)
    for _ in range(360):
        web.turn(10)
        assert await serves_first(keys)
        await settled()
    assert web.fetches <= 1 + 12, "the tries get rarer"

    web.answers[URL] = document(FIRST, SECOND)
    web.turn(600)
    assert await serves_first(keys)
    await settled()
    assert kids(await keys.find("second", "ES384")) == ["second"], "all is well within one cool-down"


async def test_after_a_failure_known_kids_do_not_wait_for_the_next_try(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = down()
    web.turn(300)
    await keys.find("first", "ES256")
    web.turn(30)
    web.gate.clear()
    web.answers[URL] = document(SECOND)

    assert await serves_first(keys)
    await settled()
    assert web.fetches == 3, "a try is under way"
    web.gate.set()
    await settled()
    assert await keys.find("first", "ES256") == []


@pytest.mark.parametrize(
    "text",
    [b'{"keys": []}', b"<html></html>", b'{"keys": [{"kty": "oct", "kid": "first", "k": "AA"}]}', b"[]", b""],
    ids=["empty", "html", "unusable", "list", "nothing"],
)
async def test_a_set_without_a_usable_key_never_replaces_a_good_one(web: Web, keys: KeySet, text: bytes) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = text
    web.turn(300)
    assert await serves_first(keys)
    assert web.fetches == 2
    assert "no usable key" in await unavailable(keys, "second", "ES384")
    assert await serves_first(web.key_sets().of(profile())), "and not in the store either"


async def test_a_first_set_without_a_usable_key_is_unavailable_and_says_why(web: Web, keys: KeySet) -> None:
    web.answers[URL] = json.dumps({"keys": [FIRST.jwk() | {"use": "enc"}]}).encode()
    detail = await unavailable(keys)
    assert "no usable key" in detail
    assert "its use" in detail


async def test_an_empty_spiffe_bundle_revokes_all_keys(web: Web, key_sets: ProfileKeySets) -> None:
    member = FIRST.jwk() | {"use": "jwt-svid"}
    web.answers[URL] = json.dumps({"keys": [member]}).encode()
    keys = key_sets.of(profile(key_sources=[{"kind": "spiffe", "url": URL}]))
    assert await serves_first(keys)

    web.turn(300)
    web.answers[URL] = b'{"keys": "gone"}'
    assert await serves_first(keys), "what cannot be read says nothing"
    web.turn(30)
    web.answers[URL] = b'{"keys": []}'
    await keys.find("first", "ES256")
    await settled()
    assert await keys.find("first", "ES256") == []
    assert await web.key_sets().of(profile(key_sources=[{"kind": "spiffe", "url": URL}])).find("first", "ES256") == []


async def test_a_fetch_that_breaks_in_an_unforeseen_way_is_a_failure_too(web: Web, keys: KeySet) -> None:
    def broken() -> bytes:
        raise RuntimeError

    web.answers[URL] = broken
    assert "the fetch broke off: RuntimeError" in await unavailable(keys)
    await unavailable(keys)
    assert web.fetches == 1


async def test_closing_ends_what_is_under_way_without_a_verdict(web: Web, key_sets: ProfileKeySets) -> None:
    web.gate.clear()
    waiting = asyncio.create_task(key_sets.of(profile()).find("first", "ES256"))
    await settled()
    await asyncio.wait_for(key_sets.close(), 1)
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await waiting


async def test_a_broken_off_look_for_an_unknown_kid_is_no_verdict_either(web: Web, key_sets: ProfileKeySets) -> None:
    keys = key_sets.of(profile())
    await keys.find("first", "ES256")
    web.turn(30)
    web.gate.clear()
    waiting = asyncio.create_task(keys.find("second", "ES384"))
    await settled()
    await key_sets.close()
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await waiting


# ---------------------------------------------------------------- how old it is


async def test_a_clock_set_back_gives_no_key_a_longer_life(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = document(SECOND)
    web.now -= HOUR
    web.monotonic += 300
    assert await keys.find("first", "ES256") == []


async def test_a_machine_that_slept_is_as_late_as_its_clock_says(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = document(SECOND)
    web.now += 300
    web.monotonic += 30
    assert await keys.find("first", "ES256") == []


async def test_after_a_restart_a_document_from_the_future_is_as_if_it_had_never_been(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.answers[URL] = down()
    web.now -= 61
    await unavailable(web.key_sets().of(profile()))


async def test_a_clock_that_leaps_far_ahead_makes_no_verdict_of_it(web: Web, keys: KeySet) -> None:
    await keys.find("first", "ES256")
    web.now += 48 * HOUR
    assert "too old" in await unavailable(keys), "the cool-down lasts, and the key may well be there"


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


async def test_a_token_without_kid_looks_again_when_nothing_fits(web: Web, keys: KeySet) -> None:
    assert kids(await keys.find(None, "ES256")) == ["first"]
    assert await keys.find(None, "ES384") == []
    web.answers[URL] = document(FIRST, SECOND)
    web.turn(30)
    assert kids(await keys.find(None, "ES384")) == ["second"]


async def test_a_token_without_kid_looks_again_when_a_key_without_name_does_not_fit(web: Web, keys: KeySet) -> None:
    nameless = json.loads(document(FIRST))
    del nameless["keys"][0]["kid"]
    web.answers[URL] = json.dumps(nameless).encode()
    assert kids(await keys.find(None, "ES256")) == [None]
    web.answers[URL] = document(FIRST, SECOND)
    web.turn(30)
    assert kids(await keys.find(None, "ES384")) == ["second"]


# ---------------------------------------------------------------- whose key


async def test_profiles_never_share_keys(web: Web, key_sets: ProfileKeySets) -> None:
    mine, other = key_sets.of(profile()), key_sets.of(profile(environment_id="project-test-2"))
    assert mine is not other
    assert await serves_first(mine)
    web.answers[URL] = document(SECOND)
    assert await other.find("first", "ES256") == []


def test_a_profile_keeps_its_set_as_long_as_it_stays_as_it_is(key_sets: ProfileKeySets) -> None:
    assert key_sets.of(profile()) is key_sets.of(profile())


PEM = [{"pem_file_id": "f", "public_key": FIRST.pem()}]


@pytest.mark.parametrize(
    "change",
    [
        {"revision": 2},
        {"created_at": 2},
        {"jwks_url": URL + "2"},
        {"issuer": "https://other.example"},
        {"keys_stale_limit": 60},
        {"key_sources": [{"kind": "jwks", "url": URL}]},
        {"public_key_type": "PEM", "pem_files": PEM, "jwks_url": None},
    ],
    ids=["revision", "made again", "url", "issuer", "limit", "sources", "made again with PEM"],
)
def test_a_changed_profile_starts_with_a_new_set(key_sets: ProfileKeySets, change: dict[str, Any]) -> None:
    before = key_sets.of(profile())
    assert key_sets.of(profile(**change)) is not before


@pytest.mark.parametrize(
    "after",
    [
        JwksSource(url=URL + "/elsewhere"),
        JwksSource(url=URL, ca_pem="another CA"),
        SpiffeSource(url=URL),
    ],
    ids=["another url", "another CA", "another kind"],
)
async def test_what_an_older_revision_fetches_from_elsewhere_does_not_reach_the_newer(
    web: Web, key_sets: ProfileKeySets, after: Any
) -> None:
    """Security A101."""
    web.answers[after.url] = document(FIRST)
    web.gate.clear()
    old = asyncio.create_task(key_sets.of(profile()).find("first", "ES256"))
    await settled()
    web.answers[after.url] = web.answers[URL] = document(SECOND)
    newer = profile(revision=2, jwks_url=None, key_sources=[msgspec.to_builtins(after)])
    new = asyncio.create_task(key_sets.of(newer).find("first", "ES256"))
    await settled()
    web.gate.set()

    assert kids(await old) == ["first"]
    if isinstance(after, SpiffeSource):  # a key set of the usual kind has no key for SPIFFE documents
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await new
    else:
        assert await new == []
    assert web.fetches == 2


async def test_a_change_that_leaves_the_source_alone_keeps_its_keys_through_an_outage(
    web: Web, key_sets: ProfileKeySets
) -> None:
    await key_sets.of(profile()).find("first", "ES256")
    web.answers[URL] = down()
    assert await serves_first(key_sets.of(profile(revision=2, name="another")))
    assert web.fetches == 1


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
    recent.forget(8)
    recent.forget(6)
    assert [recent.get(number) for number in (7, 8, 9)] == ["7", None, "9"]


# ---------------------------------------------------------------- over a real connection


async def test_keys_come_from_a_real_issuer_and_outlive_its_outage() -> None:
    now = [0.0]
    own = OwnServer(keys=NoOwnKeys(), open_secret=no_secret)
    time = Time(clock=lambda: now[0], monotonic=lambda: now[0])
    store: Any = KeptStore()
    with issuer.serving([FIRST]) as real:
        key_sets = ProfileKeySets(store, Fetcher(allow_loopback=True).fetch, own, time=time)
        keys = key_sets.of(profile(jwks_url=real.jwks_url))
        assert await serves_first(keys)
        real.failing = 503
        now[0] += 301
        assert await serves_first(keys)
        assert real.requests == 2
    now[0] += 31
    assert await serves_first(keys)
    await key_sets.close()
