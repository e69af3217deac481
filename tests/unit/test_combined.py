"""Several key sources in one profile, those without network among them, and what is told of each."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.key_sources import HmacSource
from assay.keys.fetch import Fetched
from assay.keys.keyset import KeySet
from assay.keys.local import OwnServer
from assay.keys.sealing import RootKey, shared_secret_purpose
from assay.model import PemFile, Profile
from assay.rules.algorithms import SharedSecret, VerificationKey
from tests import issuer
from tests.fetched import START, URL, NoOwnKeys, Web, document, down, kids, profile, settled

FIRST, SECOND = issuer.make_key("P-256", "first"), issuer.make_key("P-384", "second")
OTHER = "https://other.example/jwks"
UUID = "0a1b2c3d-0000-4000-8000-00000000000a"


@pytest.fixture
def web() -> Web:
    made = Web()
    made.answers |= {URL: document(FIRST), OTHER: document(SECOND)}
    return made


def jwks(url: str, **members: object) -> dict[str, object]:
    return {"kind": "jwks", "url": url} | members


def key_set(web: Web, *sources: dict[str, Any], own: OwnServer | None = None) -> KeySet:
    return web.key_sets(own=own).of(with_sources(*sources))


def with_sources(*sources: dict[str, Any]) -> Profile:
    return profile(public_key_type="UNSPECIFIED", jwks_url=None, key_sources=list(sources))


async def quickly(keys: KeySet, kid: str | None, algorithm: str) -> list[str | None]:
    return kids(await asyncio.wait_for(keys.find(kid, algorithm), 1))


# ---------------------------------------------------------------- two that overlap


async def test_a_key_of_any_source_is_found(web: Web) -> None:
    keys = key_set(web, jwks(URL), jwks(OTHER))
    assert await quickly(keys, "first", "ES256") == ["first"]
    assert await quickly(keys, "second", "ES384") == ["second"]
    assert sorted(web.fetched) == sorted([URL, OTHER])


@pytest.mark.parametrize("away", [0, 1])
async def test_a_source_that_is_away_hides_no_key_of_another(web: Web, away: int) -> None:
    urls = [URL, OTHER]
    web.answers[urls[away]] = down()
    keys = key_set(web, jwks(URL), jwks(OTHER))
    kid, algorithm = (("second", "ES384"), ("first", "ES256"))[away]
    assert await quickly(keys, kid, algorithm) == [kid]
    with pytest.raises(errors.TrustedTokenKeysUnavailable) as caught:
        await keys.find("unknown", algorithm)
    assert caught.value.detail == f"the keys at {urls[away]} cannot be had: the answer has status 500, not 200"


async def test_a_known_kid_never_waits_for_another_source(web: Web) -> None:
    keys = key_set(web, jwks(URL), jwks(OTHER))
    web.answers[OTHER] = Fetched(document(SECOND), 3600)
    await keys.find("first", "ES256")
    web.turn(300)
    web.gate.clear()
    assert await quickly(keys, "second", "ES384") == ["second"], "its own source is fresh"
    stale = asyncio.create_task(keys.find("first", "ES256"))
    await settled()
    assert not stale.done(), "what is old is fetched first"
    web.gate.set()
    assert kids(await stale) == ["first"]


async def test_one_kid_in_two_sources_names_the_keys_of_both(web: Web) -> None:
    web.answers[OTHER] = document(issuer.make_key("P-256", "first", "ES256"))
    assert await quickly(key_set(web, jwks(URL), jwks(OTHER)), "first", "ES256") == ["first", "first"]


async def test_a_token_without_kid_meets_the_keys_of_all_sources_that_are_there(web: Web) -> None:
    web.answers[OTHER] = document(issuer.make_key("P-256", "third"))
    keys = key_set(web, jwks(URL), jwks(OTHER))
    assert await quickly(keys, None, "ES256") == ["first", "third"]
    web.answers[OTHER] = down()
    web.turn(300)
    assert await quickly(keys, None, "ES256") == ["first", "third"]
    await settled()
    web.turn(30)
    web.gate.clear()
    assert await quickly(keys, None, "ES256") == ["first", "third"], "and waits for none that is away"
    web.gate.set()
    await settled()


async def test_a_token_without_kid_waits_for_a_source_that_was_never_asked(web: Web) -> None:
    web.answers[OTHER] = document(issuer.make_key("P-256", "third"))
    keys = key_set(web, {"kind": "inline_jwks", "jwks": {"keys": [FIRST.jwk()]}}, jwks(OTHER))
    assert await quickly(keys, None, "ES256") == ["first", "third"]


async def test_a_key_without_name_is_tried_after_a_look_for_the_one_that_is_named(web: Web) -> None:
    keys = key_set(web, jwks(URL), {"kind": "pem", "public_keys": [SECOND.pem()]})
    await keys.find("first", "ES256")
    web.turn(30)
    assert await quickly(keys, "legacy", "ES384") == [None]
    assert web.fetches == 2
    web.answers[URL] = document(FIRST, issuer.make_key("P-384", "legacy"))
    web.turn(30)
    assert await quickly(keys, "legacy", "ES384") == ["legacy"]

    web.answers[URL] = down()
    web.turn(300)
    await keys.find("x", "ES384")
    await settled()
    web.turn(600)
    web.gate.clear()
    assert await quickly(keys, "x", "ES384") == [None], "nobody who has a key to try waits for an issuer that is away"
    web.gate.set()
    await settled()


# ---------------------------------------------------------------- kinds of source


async def test_a_private_ca_is_that_of_its_own_source_alone(web: Web) -> None:
    await key_set(web, jwks(URL, ca_pem="CA of the first"), jwks(OTHER)).find("x", "ES256")
    assert dict(zip(web.fetched, web.authorities, strict=True)) == {URL: "CA of the first", OTHER: None}


async def test_discovery_leads_to_the_keys_with_the_same_ca(web: Web) -> None:
    well_known = "https://issuer.example/.well-known/openid-configuration"
    web.answers[well_known] = json.dumps({"issuer": "https://issuer.example", "jwks_uri": OTHER}).encode()
    keys = key_set(web, {"kind": "discovery", "ca_pem": "CA"})
    assert await quickly(keys, "second", "ES384") == ["second"]
    assert (web.fetched, web.authorities) == ([well_known, OTHER], ["CA", "CA"])
    assert await quickly(key_set(web, {"kind": "discovery", "ca_pem": "CA"}), "second", "ES384") == ["second"]
    assert web.fetches == 2, "the keys are remembered, not the way to them"


async def test_a_discovery_document_of_another_issuer_leads_nowhere(web: Web) -> None:
    document_url = "https://issuer.example/discovery"
    web.answers[document_url] = json.dumps({"issuer": "https://evil.example", "jwks_uri": OTHER}).encode()
    with pytest.raises(errors.TrustedTokenKeysUnavailable) as caught:
        await key_set(web, {"kind": "discovery", "url": document_url}).find("second", "ES384")
    assert "not that of the issuer" in caught.value.detail
    assert web.fetched == [document_url]


async def test_what_was_discovered_for_one_issuer_is_not_believed_of_another(web: Web) -> None:
    url = "https://issuer.example/discovery"
    web.answers[url] = json.dumps({"issuer": "https://issuer.example", "jwks_uri": OTHER}).encode()
    before = with_sources({"kind": "discovery", "url": url})
    assert await quickly(web.key_sets().of(before), "second", "ES384") == ["second"]
    after = msgspec.structs.replace(before, issuer="https://issuer.example/2", revision=2)
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await web.key_sets().of(after).find("second", "ES384")


async def test_a_map_of_pems_names_its_keys(web: Web) -> None:
    web.answers[URL] = json.dumps({"a": FIRST.pem(), "b": "broken"}).encode()
    assert await quickly(key_set(web, {"kind": "pem_map", "url": URL}), "a", "ES256") == ["a"]


async def test_an_inline_set_needs_no_network(web: Web) -> None:
    keys = key_set(web, {"kind": "inline_jwks", "jwks": {"keys": [FIRST.jwk()]}})
    assert await quickly(keys, "first", "ES256") == ["first"]
    assert await quickly(keys, "second", "ES384") == []
    assert web.fetches == 0


async def test_pem_keys_serve_any_kid_without_a_fetch(web: Web) -> None:
    files = tuple(
        PemFile(pem_file_id=str(n), public_key=text) for n, text in enumerate(("broken", FIRST.pem(), SECOND.pem()))
    )
    pem_profile = msgspec.structs.replace(profile(), public_key_type="PEM", jwks_url=None, pem_files=files)
    keys = web.key_sets().of(pem_profile)
    for kid, algorithm, key in (("any", "ES256", FIRST), (None, "ES384", SECOND)):
        [found] = await keys.find(kid, algorithm)
        assert isinstance(found, VerificationKey)
        assert found.public_key == key.private_key.public_key()
    assert await keys.find("any", "RS256") == []
    assert web.fetches == 0


class OneKey(NoOwnKeys):
    """A server whose other environment has one key, as long as it is published."""

    def __init__(self) -> None:
        self.published = True

    async def verification_key(self, environment_id: str, kid: str) -> VerificationKey | None:
        known = self.published and (environment_id, kid) == ("project-test-2", "first")
        return FIRST.verification_key() if known else None

    async def published_kids(self, environment_id: str) -> tuple[str, ...]:
        return ("first",) if self.published and environment_id == "project-test-2" else ()


def never(sealed: bytes, purpose: str) -> bytes:
    raise AssertionError(sealed, purpose)


async def test_a_project_source_asks_for_the_published_keys_each_time(web: Web) -> None:
    own = OneKey()
    server = OwnServer(keys=own, open_secret=never)
    keys = key_set(web, {"kind": "project", "project_id": "project-test-2"}, own=server)
    assert await quickly(keys, "first", "ES256") == ["first"]
    assert await quickly(keys, None, "ES256") == []
    assert await quickly(keys, "second", "ES256") == []
    own.published = False
    assert await quickly(keys, "first", "ES256") == []
    assert await quickly(key_set(web, {"kind": "project", "project_id": "other"}, own=server), "first", "ES256") == []
    assert web.fetches == 0


def hmac_profile(sealed: bytes, **changes: object) -> Profile:
    source = HmacSource(sealed_secret=sealed)
    return msgspec.structs.replace(with_sources({"kind": "jwks", "url": URL}), key_sources=(source,), **changes)


async def test_a_shared_secret_opens_for_its_own_profile_alone(web: Web) -> None:
    root_key, secret = RootKey.generate(), b"s" * 48
    own = OwnServer(keys=NoOwnKeys(), open_secret=root_key.open)
    sealed = root_key.seal(secret, shared_secret_purpose("project-test-1", "p1"))
    [found] = await web.key_sets(own=own).of(hmac_profile(sealed)).find("any", "HS384")
    assert isinstance(found, SharedSecret)
    assert found.secret == secret
    assert await web.key_sets(own=own).of(hmac_profile(sealed)).find("any", "HS512") == [], "it is too short for that"
    assert await web.key_sets(own=own).of(hmac_profile(sealed)).find("any", "ES256") == []

    elsewhere = web.key_sets(own=own).of(hmac_profile(sealed, profile_id="p2"))
    with pytest.raises(errors.TrustedTokenKeysUnavailable, match="cannot be fetched") as caught:
        await elsewhere.find("any", "HS384")
    assert base64.b64encode(secret).decode() not in caught.value.detail


# ---------------------------------------------------------------- health


async def test_health_of_a_source_that_nobody_has_asked_for(web: Web) -> None:
    [health] = await web.key_sets().health(profile())
    assert (health.kind, health.url, health.last_fetched_at, health.next_fetch_at) == ("jwks", URL, None, None)
    assert (health.usable_keys, health.kids, health.problems, health.failures_in_a_row) == (0, (), (), 0)


async def test_health_tells_what_was_fetched_and_what_is_wrong_with_it(web: Web) -> None:
    web.answers[URL] = Fetched(json.dumps({"keys": [FIRST.jwk(), SECOND.jwk() | {"use": "enc"}]}).encode(), 1000)
    key_sets = web.key_sets()
    await key_sets.of(profile()).find("first", "ES256")
    web.turn(100)
    [health] = await key_sets.health(profile())
    assert (health.last_fetched_at, health.age_seconds, health.next_fetch_at) == (START, 100, START + 800)
    assert (health.usable_keys, health.kids) == (1, ("first",))
    assert health.problems == ("Key 2 (kid 'second') is not used: its use is not \"sig\".",)
    assert await web.key_sets().health(profile()) == [health], "every worker tells the same"
    assert web.fetches == 1


async def test_health_of_a_source_that_is_away(web: Web) -> None:
    key_sets = web.key_sets()
    keys = key_sets.of(profile())
    await keys.find("first", "ES256")
    web.answers[URL] = down()
    for wait in (300, 30, 60):
        web.turn(wait)
        await keys.find("first", "ES256")
        await settled()
    [health] = await key_sets.health(profile())
    assert (health.failures_in_a_row, health.last_fetched_at, health.age_seconds) == (3, START, 390)
    assert health.next_fetch_at == START + 390 + 120
    assert health.problems == ("The last fetch failed: the answer has status 500, not 200",)
    assert health.kids == ("first",)

    web.turn(86_400)
    [health] = await key_sets.health(profile())
    assert (health.usable_keys, health.kids) == (0, ())
    assert health.problems[1] == "The last good answer is 86790 seconds old, so none of its keys is used."


async def test_health_tells_each_source_apart_in_the_order_of_the_profile(web: Web) -> None:
    sources = (
        {"kind": "pem", "public_keys": ["broken"]},
        jwks(URL),
        jwks(OTHER),
        {"kind": "inline_jwks", "jwks": {"keys": []}},
        {"kind": "project", "project_id": "project-test-2"},
        {"kind": "project", "project_id": "project-test-3"},
    )
    own = OwnServer(keys=OneKey(), open_secret=never)
    found = await web.key_sets(own=own).health(with_sources(*sources))
    assert [each.kind for each in found] == [source["kind"] for source in sources]
    assert len({each.source for each in found}) == len(sources)
    told = [(each.usable_keys, each.kids, each.problems) for each in found]
    assert "PEM file 1 is not used" in told[0][2][0]
    assert told[3] == (0, (), ("There is no usable key.",))
    assert told[4] == (1, ("first",), ())
    assert told[5] == (0, (), ("The environment of the source has no signing keys.",))


async def test_an_operator_refreshes_past_cache_and_cool_down(web: Web) -> None:
    key_sets = web.key_sets()
    twice = with_sources(jwks(URL), jwks(OTHER))
    await key_sets.of(twice).find("first", "ES256")
    web.answers[URL] = document(FIRST, SECOND)
    web.answers[OTHER] = down()
    web.turn(1)
    one, other = await key_sets.refresh(twice)
    assert (one.kids, one.age_seconds, one.problems) == (("first", "second"), 0, ())
    assert (other.kids, other.age_seconds, other.failures_in_a_row) == (("second",), 1, 1)
    assert web.fetches == 4
