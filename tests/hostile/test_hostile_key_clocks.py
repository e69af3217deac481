"""Rows about keys and time (A86, A91-A97): the whole application in this process, whose clock the tests turn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from assay import config
from assay.api.application import Application
from assay.app import open_context
from assay.keys.fetch import Fetcher, FetchFault
from assay.stories import profiles
from tests.calls import OPERATOR
from tests.hostile.arena import ATTEST
from tests.hostile.keyserver import KeyServer, document, raw
from tests.issuer import AUDIENCE, Issuer, IssuerKey, make_key
from tests.world import BASE_URL, World, open_world

OLD, NEW = make_key("RSA", "old"), make_key("RSA", "new")
PROFILE, PATH = "timed", "/jwks"
ISSUER = "https://issuer.example"
COOL_DOWN, LONGEST_COOL_DOWN, DAY = 30, 600, 86_400
INVALID, UNAVAILABLE = "invalid_trusted_auth_token", "trusted_token_keys_unavailable"
LOOPBACK = {"ASSAY_ALLOW_LOOPBACK_KEY_URLS": "1"}


class Timed:
    """A profile whose keys ``server`` serves, and one worker (or more) that judges by them."""

    def __init__(self, world: World, server: KeyServer, folder: Path) -> None:
        self.world = world
        self.server = server
        self.folder = folder

    def publish(self, *keys: IssuerKey, max_age: int | None = None) -> None:
        """From now on these are the issuer's keys."""
        body = json.dumps({"keys": [key.jwk() for key in keys]}).encode()
        headers = {} if max_age is None else {"Cache-Control": f"public, max-age={max_age}"}
        self.server.answer(PATH, raw(body, headers=headers))

    def fail(self) -> None:
        """From now on the issuer is away."""
        self.server.answer(PATH, raw(b"", status=500))

    @property
    def fetches(self) -> int:
        return self.server.hits[PATH]

    async def verdict(self, key: IssuerKey, app: Application | None = None, kid: str | None = None) -> str:
        """What becomes of a token by this key: "granted" or the error type."""
        claims = Issuer(ISSUER, [key]).claims(self.world.clock.now)
        token = Issuer(ISSUER, [key]).mint(claims, now=self.world.clock.now, header={"kid": kid or key.kid})
        body = {"profile_id": PROFILE, "token": token, "organization_id": self.world.acme.organization_id}
        transport = httpx.ASGITransport(app=app or self.world.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=self.world.b2b.auth) as client:
            answer = await client.post(ATTEST, json=body)
        return str(answer.json().get("error_type", "granted"))

    @asynccontextmanager
    async def another_worker(self) -> AsyncIterator[Application]:
        """A second process over the same store, as far as the store can tell."""
        settings = config.read({"ASSAY_DATABASE": f"sqlite:///{self.folder / 'assay.db'}"} | LOOPBACK)
        clock = self.world.clock
        async with open_context(settings, clock=clock, monotonic=clock) as context:
            yield Application(context)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer.running() as running:
        yield running


@pytest.fixture
async def timed(server: KeyServer, tmp_path: Path) -> AsyncIterator[Timed]:
    async with open_world(tmp_path, LOOPBACK) as world:
        request = profiles.ProfileCreate(
            profile_id=PROFILE,
            name=PROFILE,
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks_url=server.url + PATH,
            attribute_mapping={"email": "email", "token_id": "jti"},
            can_jit_provision=True,
        )
        environment_id = world.b2b.project_id
        await profiles.create_profile(world.context, environment_id, request, by=OPERATOR, allow_problems=False)
        made = Timed(world, server, tmp_path)
        made.publish(OLD)
        assert await made.verdict(OLD) == "granted"
        yield made


async def test_a91_unknown_kids_cause_one_fetch_in_each_cool_down(timed: Timed) -> None:
    for _ in range(4):
        before = timed.fetches
        timed.world.clock.turn(COOL_DOWN)
        for number in range(20):
            assert await timed.verdict(OLD, kid=f"unknown-{number}") == INVALID
        assert timed.fetches == before + 1
        assert await timed.verdict(OLD) == "granted"


async def test_a92_a_failing_endpoint_is_asked_less_and_less(timed: Timed) -> None:
    """An hour of an unknown kid every 15 s: 30 s, a minute, two, four, eight, then every ten minutes."""
    timed.fail()
    before = timed.fetches
    for _ in range(240):
        timed.world.clock.turn(15)
        assert await timed.verdict(OLD, kid="unknown") in {INVALID, UNAVAILABLE}
    assert 5 <= timed.fetches - before <= 12


async def test_a94_an_outage_of_an_hour_costs_known_keys_nothing(timed: Timed) -> None:
    timed.fail()
    for _ in range(60):
        timed.world.clock.turn(60)
        assert await timed.verdict(OLD) == "granted"
    timed.publish(OLD, NEW)
    timed.world.clock.turn(LONGEST_COOL_DOWN)
    assert await timed.verdict(NEW) == "granted"


async def test_a94_an_outage_beyond_the_stale_limit_ends_the_keys(timed: Timed) -> None:
    timed.fail()
    timed.world.clock.turn(DAY - 1)
    assert await timed.verdict(OLD) == "granted"
    timed.world.clock.turn(1)
    assert await timed.verdict(OLD) == UNAVAILABLE


@pytest.mark.parametrize("max_age", [None, 0, 3_600, 10 * DAY], ids=["unsaid", "nothing", "an hour", "ten days"])
async def test_a95_a_withdrawn_key_ends_with_the_age_of_its_set(timed: Timed, max_age: int | None) -> None:
    """Whatever the issuer's server says of its age, it is between five minutes and a day."""
    timed.publish(OLD, max_age=max_age)
    timed.world.clock.turn(2 * DAY)
    assert await timed.verdict(OLD) == "granted"
    timed.publish(NEW, max_age=max_age)
    oldest = {None: 300, 0: 300, 3_600: 3_600, 10 * DAY: DAY}[max_age]
    timed.world.clock.turn(oldest)
    assert await timed.verdict(OLD) == INVALID
    assert await timed.verdict(NEW) == "granted"


async def test_a96_a_new_key_is_taken_by_every_worker_at_its_first_sight(timed: Timed) -> None:
    async with timed.another_worker() as worker:
        assert await timed.verdict(OLD, worker) == "granted"
        timed.publish(OLD, NEW)
        timed.world.clock.turn(COOL_DOWN)
        before = timed.fetches
        assert await timed.verdict(NEW) == "granted"
        assert await timed.verdict(NEW, worker) == "granted"
        assert timed.fetches == before + 1


async def test_a96_a_key_that_signs_before_it_is_published_waits_one_cool_down(timed: Timed) -> None:
    timed.world.clock.turn(COOL_DOWN)
    assert await timed.verdict(NEW) == INVALID
    timed.publish(OLD, NEW)
    timed.world.clock.turn(COOL_DOWN - 1)
    assert await timed.verdict(NEW) == INVALID
    timed.world.clock.turn(1)
    assert await timed.verdict(NEW) == "granted"
    assert await timed.verdict(OLD) == "granted"


@pytest.mark.parametrize("body", [{"keys": []}, {"keys": [{"kty": "oct", "k": "AA", "kid": "old"}]}, {"keys": [None]}])
async def test_a97_an_empty_set_never_takes_the_place_of_a_good_one(timed: Timed, body: dict[str, Any]) -> None:
    timed.server.answer(PATH, document(body))
    for _ in range(5):
        timed.world.clock.turn(LONGEST_COOL_DOWN)
        assert await timed.verdict(OLD, kid="unknown") in {INVALID, UNAVAILABLE}
        assert await timed.verdict(OLD) == "granted"


# ---------------------------------------------------------------- names that point inside


class Wires(httpcore.AsyncNetworkBackend):
    """The network: ``connected`` are the addresses that somebody wanted to connect to. None of them answers."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del port, timeout, local_address, socket_options
        self.connected.append(host)
        raise httpcore.ConnectError("nobody is there")


@pytest.mark.parametrize(
    "inside",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"],
)
@pytest.mark.parametrize("beside", [[], ["93.184.215.14"]], ids=["alone", "beside a public address"])
async def test_a86_a_name_that_has_an_address_inside_is_not_connected_to(inside: str, beside: list[str]) -> None:
    wires = Wires()

    async def resolve(_host: str, _port: int) -> list[str]:
        return [*beside, inside]

    fetcher = Fetcher(allow_loopback=True, resolve=resolve, network=wires)
    with pytest.raises(FetchFault):
        await fetcher.fetch("https://issuer.example/jwks")
    assert wires.connected == []


async def test_a86_a_name_is_looked_up_once_and_connected_to_as_found() -> None:
    """Rebinding: the second look-up would answer otherwise, so there is none."""
    wires, answers = Wires(), iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    fetcher = Fetcher(resolve=resolve, network=wires)
    with pytest.raises(FetchFault):
        await fetcher.fetch("https://issuer.example/jwks")
    assert wires.connected == ["93.184.215.14"]
    assert next(answers) == ["127.0.0.1"]
    with pytest.raises(FetchFault):
        await fetcher.fetch("https://issuer.example/jwks")
    assert wires.connected == ["93.184.215.14"]
