"""Keys of load balancers: one PEM per kid, below an address that everybody shares."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from assay import errors
from assay.keys.keyset import KeySet
from tests import issuer
from tests.fetched import START, Web, down, kids, profile, settled

KEY = issuer.make_key("P-256", "alb")
BASE = "https://public-keys.auth.elb.eu-west-1.amazonaws.com"
SIGNER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/ours/50dc6c495c0c9188"
KID = "5a2b3c4d-0000-4000-8000-000000000001"
OTHER_KID = "5a2b3c4d-0000-4000-8000-000000000002"
OURS = {"signer": SIGNER}
SOURCE = {"kind": "alb", "region": "eu-west-1", "signer": SIGNER}


@pytest.fixture
def web() -> Web:
    made = Web()
    made.answers[f"{BASE}/{KID}"] = KEY.pem().encode()
    return made


def alb_profile(**members: str) -> Any:
    return profile(public_key_type="UNSPECIFIED", jwks_url=None, key_sources=[SOURCE | members])


def key_set(web: Web) -> KeySet:
    return web.key_sets().of(alb_profile())


def random_kid() -> str:
    return str(uuid.uuid4())


async def test_the_key_of_a_kid_is_fetched_once(web: Web) -> None:
    keys = key_set(web)
    finds = [keys.find(KID, "ES256", OURS) for _ in range(5)]
    assert [kids(found) for found in await asyncio.gather(*finds)] == [[KID]] * 5
    assert kids(await keys.find(KID, "ES256", OURS)) == [KID]
    assert web.fetched == [f"{BASE}/{KID}"]


async def test_the_keys_of_govcloud_lie_in_a_bucket(web: Web) -> None:
    base = "https://s3-us-gov-east-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-east-1"
    web.answers[f"{base}/{KID}"] = KEY.pem().encode()
    keys = web.key_sets().of(alb_profile(region="us-gov-east-1"))
    assert kids(await keys.find(KID, "ES256", OURS)) == [KID]


async def test_a_url_may_stand_in_for_the_region(web: Web) -> None:
    base = "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1"
    web.answers[f"{base}/{KID}"] = KEY.pem().encode()
    source = {"kind": "alb", "url": base + "/", "signer": SIGNER}
    keys = web.key_sets().of(profile(jwks_url=None, key_sources=[source]))
    assert kids(await keys.find(KID, "ES256", OURS)) == [KID]


@pytest.mark.parametrize(
    "header",
    [{}, {"signer": SIGNER + "x"}, {"signer": [SIGNER]}, {"signer": None}, {"signer": SIGNER.upper()}],
    ids=["none", "another", "list", "null", "case"],
)
async def test_a_token_of_another_load_balancer_opens_no_connection(web: Web, header: dict[str, Any]) -> None:
    keys = key_set(web)
    assert await keys.find(KID, "ES256", header) == []
    assert web.fetches == 0
    await keys.find(KID, "ES256", OURS)
    assert await keys.find(KID, "ES256", header) == [], "nor is a known key given for it"


@pytest.mark.parametrize(
    "kid",
    [None, "", "key-1", "../" + KID, KID + "/..", KID + "?x", KID + "\n", KID.upper(), KID.replace("-", ""), KID[:-1]],
)
async def test_a_kid_without_the_shape_of_a_uuid_opens_no_connection(web: Web, kid: str | None) -> None:
    assert await key_set(web).find(kid, "ES256", OURS) == []
    assert web.fetches == 0


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_kid_that_is_not_there_is_no_key_and_is_not_looked_for_again_soon(web: Web, status: int) -> None:
    web.answers[f"{BASE}/{OTHER_KID}"] = down(status)
    keys = key_set(web)
    for _ in range(3):
        assert await keys.find(OTHER_KID, "ES256", OURS) == []
    assert web.fetches == 1
    web.turn(30)
    web.answers[f"{BASE}/{OTHER_KID}"] = KEY.pem().encode()
    assert kids(await keys.find(OTHER_KID, "ES256", OURS)) == [OTHER_KID]


async def test_a_kid_that_could_not_be_looked_for_is_unavailable(web: Web) -> None:
    web.answers[f"{BASE}/{OTHER_KID}"] = down(500)
    keys = key_set(web)
    for _ in range(3):
        with pytest.raises(errors.TrustedTokenKeysUnavailable):
            await keys.find(OTHER_KID, "ES256", OURS)
    assert web.fetches == 1
    assert kids(await keys.find(KID, "ES256", OURS)) == [KID]


async def test_what_is_not_a_key_is_unavailable_and_says_why(web: Web) -> None:
    web.answers[f"{BASE}/{OTHER_KID}"] = b"<html>"
    with pytest.raises(errors.TrustedTokenKeysUnavailable) as caught:
        await key_set(web).find(OTHER_KID, "ES256", OURS)
    assert "no usable key" in caught.value.detail


async def test_a_flood_of_random_kids_makes_ten_fetches_in_a_cool_down_and_delays_no_known_kid(web: Web) -> None:
    keys = key_set(web)
    await keys.find(KID, "ES256", OURS)
    answers = []
    for _ in range(10_000):
        try:
            answers.append(await keys.find(random_kid(), "ES256", OURS))
        except errors.TrustedTokenKeysUnavailable:
            answers.append([])
    assert answers == [[]] * 10_000
    assert web.fetches == 10, "the known one was the first of ten"
    assert kids(await asyncio.wait_for(keys.find(KID, "ES256", OURS), 1)) == [KID]

    web.turn(30)
    web.gate.clear()
    finds = [asyncio.create_task(keys.find(random_kid(), "ES256", OURS)) for _ in range(1000)]
    await settled()
    assert kids(await asyncio.wait_for(keys.find(KID, "ES256", OURS), 1)) == [KID]
    web.gate.set()
    await asyncio.gather(*finds, return_exceptions=True)
    assert web.fetches == 20


async def test_what_was_found_is_kept_for_restarts_and_what_was_not_is_not(web: Web) -> None:
    keys = key_set(web)
    await keys.find(KID, "ES256", OURS)
    for _ in range(3):
        await keys.find(random_kid(), "ES256", OURS)
    assert len(web.store.rows) == 1
    for url in list(web.answers):
        web.answers[url] = down()
    web.turn(3600)
    assert kids(await key_set(web).find(KID, "ES256", OURS)) == [KID]
    web.turn(23 * 3600)
    with pytest.raises(errors.TrustedTokenKeysUnavailable):
        await key_set(web).find(KID, "ES256", OURS)


@pytest.mark.parametrize(("status", "serves"), [(404, False), (410, False), (403, True), (500, True)])
async def test_a_key_that_was_taken_away_stops_and_one_that_cannot_be_had_serves_on(
    web: Web, status: int, *, serves: bool
) -> None:
    keys = key_set(web)
    await keys.find(KID, "ES256", OURS)
    web.answers[f"{BASE}/{KID}"] = down(status)
    web.turn(300)
    await keys.find(KID, "ES256", OURS)
    await settled()
    assert kids(await keys.find(KID, "ES256", OURS)) == ([KID] if serves else [])


async def test_health_tells_the_keys_of_the_region_together(web: Web) -> None:
    key_sets = web.key_sets()
    [blank] = await key_sets.health(alb_profile())
    assert (blank.kind, blank.url, blank.last_fetched_at, blank.kids) == ("alb", BASE, None, ())
    web.answers[f"{BASE}/{OTHER_KID}"] = KEY.pem().encode()
    keys = key_sets.of(alb_profile())
    await keys.find(KID, "ES256", OURS)
    web.turn(10)
    await keys.find(OTHER_KID, "ES256", OURS)
    [health] = await key_sets.health(alb_profile())
    assert (health.usable_keys, health.kids) == (2, (KID, OTHER_KID))
    assert (health.last_fetched_at, health.next_fetch_at, health.age_seconds) == (START + 10, START + 240, 0)
    assert [each.kids for each in await key_sets.refresh(alb_profile())] == [(KID, OTHER_KID)]
    assert web.fetches == 4
