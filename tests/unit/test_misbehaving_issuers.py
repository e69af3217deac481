"""Key sets over real connections to an issuer that misbehaves: whose key is known notices nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from assay import errors
from assay.keys.fetch import MAX_DOCUMENT_BYTES, Fetcher
from assay.keys.local import OwnServer
from assay.keys.profile_keys import ProfileKeySets
from assay.keys.remote import Time
from tests import issuer, keyserver
from tests.fetched import START, KeptStore, NoOwnKeys, document, kids, no_secret, profile
from tests.keyserver import Behaviour, Server, answering, serving

FIRST, SECOND, THIRD = (issuer.make_key("P-256", name) for name in ("first", "second", "third"))
GOOD = answering(document(FIRST))
DEADLINE = 0.1


class Site:
    """An issuer on loopback, a worker that trusts it, and the time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.now = float(START)
        self.store: Any = KeptStore()
        self.key_sets = self.worker()

    def worker(self) -> ProfileKeySets:
        fetcher = Fetcher(allow_loopback=True, deadline=DEADLINE)
        time = Time(clock=lambda: self.now, monotonic=lambda: self.now)
        own = OwnServer(keys=NoOwnKeys(), open_secret=no_secret)
        return ProfileKeySets(self.store, fetcher.fetch, own, time=time)

    async def find(self, kid: str) -> list[str | None]:
        return kids(await self.key_sets.of(profile(jwks_url=self.server.url)).find(kid, "ES256"))

    async def accepts(self, *names: str) -> list[str]:
        """Which of the kids are known after a moment for what runs in the background."""
        return [kid for kid in names if await self.find(kid)]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(GOOD) as server:
        made = Site(server)
        yield made
        await made.key_sets.close()


HUGE = json.dumps({"keys": [FIRST.jwk()], "padding": "x" * MAX_DOCUMENT_BYTES}).encode()
MISBEHAVIOURS: dict[str, Behaviour] = {
    "an error": answering(b"", status="500 Oh"),
    "not found": answering(b"", status="404 No"),
    "no content": answering(b"", status="204 No Content"),
    "a redirect to good keys": keyserver.redirecting("/jwks"),
    "good keys with another status": answering(document(SECOND), status="203 Changed"),
    "a compressed answer": answering(document(SECOND), "Content-Encoding: gzip"),
    "html": answering(b"<html>back soon</html>", "Content-Type: application/json"),
    "an empty set": answering(b'{"keys": []}'),
    "a set without usable keys": answering(json.dumps({"keys": [SECOND.jwk() | {"use": "enc"}]}).encode()),
    "duplicate members": answering(b'{"keys": [], ' + document(SECOND)[1:]),
    "too much": answering(HUGE),
    "too much, without end": keyserver.endless,
    "silence": keyserver.silent,
    "a drip": keyserver.dripping,
    "a drip of headers": keyserver.dripping_headers,
    "half an answer": keyserver.cut,
    "noise": keyserver.garbage,
}


@pytest.mark.parametrize("behave", MISBEHAVIOURS.values(), ids=MISBEHAVIOURS)
async def test_a_misbehaving_issuer_costs_known_keys_nothing_and_unknown_ones_a_503(
    site: Site, behave: Behaviour
) -> None:
    assert await site.find("first") == ["first"]
    async with serving(answering(document(THIRD))) as neighbour:
        other = profile(profile_id="p2", jwks_url=neighbour.url)
        site.server.behave = behave
        site.now += 300

        assert await site.find("first") == ["first"]
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await site.find("second")
        assert kids(await site.key_sets.of(other).find("third", "ES256")) == ["third"], "other issuers are not touched"
        assert len(site.server.requests) == 2, "within one cool-down one fetch"

    site.server.behave = answering(document(FIRST, SECOND))
    site.now += 30
    assert await site.find("second") == ["second"]


@pytest.mark.parametrize("behave", MISBEHAVIOURS.values(), ids=MISBEHAVIOURS)
async def test_an_issuer_that_misbehaves_from_the_start_is_unavailable_and_never_believed(
    site: Site, behave: Behaviour
) -> None:
    site.server.behave = behave
    for kid in ("first", "second"):
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await site.find(kid)
    [health] = await site.key_sets.health(profile(jwks_url=site.server.url))
    assert (health.usable_keys, health.failures_in_a_row) == (0, 1)
    assert health.problems[0].startswith("The last fetch failed: ")


async def test_an_hour_of_outage_and_a_restart_in_the_middle(site: Site) -> None:
    """Security R34: known keys go on, and all is well again within one cool-down."""
    assert await site.find("first") == ["first"]
    site.server.behave = answering(b"", status="503 Away")
    for minute in range(60):
        site.now += 60
        if minute == 30:
            await site.key_sets.close()
            site.key_sets = site.worker()
        assert await site.find("first") == ["first"]
    assert len(site.server.requests) < 20

    site.server.behave = answering(document(FIRST, SECOND))
    site.now += 600
    assert await site.find("second") == ["second"]


# What the issuer does, in turn, to its published set; and which kids tokens may then have (security R33).
ROTATIONS = {
    "publish, then use, then withdraw": [
        ((FIRST, SECOND), 300, ["first", "second"]),
        ((SECOND,), 300, ["second"]),
    ],
    "use as soon as published": [((FIRST, SECOND), 30, ["first", "second"])],
    "replace at once": [((SECOND,), 30, ["second"])],
    "withdraw without a successor in use": [((SECOND,), 300, ["second"])],
    "back and forth": [
        ((SECOND,), 30, ["second"]),
        ((FIRST,), 30, ["first"]),
        ((SECOND,), 30, ["second"]),
    ],
}


@pytest.mark.parametrize("steps", ROTATIONS.values(), ids=ROTATIONS)
async def test_keys_rotate_in_any_order(site: Site, steps: list[Any]) -> None:
    assert await site.find("first") == ["first"]
    for published, wait, accepted in steps:
        site.server.behave = answering(document(*published))
        site.now += wait
        for kid in accepted:
            assert await site.find(kid) == [kid]
        gone = {"first", "second"} - set(accepted)
        assert await site.accepts(*gone) == []


async def test_an_answer_that_may_be_kept_long_is_and_one_that_says_nothing_is_not(site: Site) -> None:
    site.server.behave = answering(document(FIRST), "Cache-Control: public, max-age=3600")
    await site.find("first")
    site.now += 2800
    await site.find("first")
    assert len(site.server.requests) == 1
    site.server.behave = GOOD
    site.now += 800
    await site.find("first")
    site.now += 300
    await site.find("first")
    assert len(site.server.requests) == 3
