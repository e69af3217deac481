"""Our own keys: made once, used to sign, published, rotated."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import json
import re
from typing import Any

import jwt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509.oid import NameOID

from assay import errors
from assay.keys import signing
from assay.keys.minting import mint
from assay.keys.sealing import RootKey, WrongRootKey, check
from assay.model import Environment, Event
from assay.store import CreateSigningKeys
from tests.unit.memory_store import MemoryStore

DAY = 24 * 3600
START = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def root_key() -> RootKey:
    return RootKey.generate()


@pytest.fixture
def signer(store: MemoryStore, root_key: RootKey, clock: Clock) -> signing.Signer:
    return signing.Signer(store.as_store(), root_key, clock)


def environment(number: int = 1) -> Environment:
    return Environment(
        environment_id=f"project-test-{number}",
        project_id="p",
        slug="s",
        kind="test",
        name="n",
        vertical="b2b",
        created_at=0,
    )


def event() -> Event:
    return Event(
        environment_id="project-test-1",
        action="signing_key.rotate",
        target="project-test-1",
        actor="operator",
        details={"by": "hand"},
        created_at=START,
    )


def decoded(token: str, jwk: dict[str, Any]) -> dict[str, Any]:
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(token, jwt.PyJWK(jwk).key, algorithms=["RS256"], options=options)
    return claims


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


async def active_kid(store: MemoryStore) -> str:
    return next(key.kid for key in store.keys if key.state == "active")


async def test_the_first_signature_makes_an_active_and_a_next_key(signer: signing.Signer, store: MemoryStore) -> None:
    token = await signer.sign(environment(), None, {"sub": "member-test-1", "größe": ["ä", 1]})

    assert sorted(key.state for key in store.keys) == ["active", "next"]
    assert all(re.fullmatch(r"jwk-test-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key.kid) for key in store.keys)
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": await active_kid(store), "typ": "JWT"}
    published = {jwk["kid"]: jwk for jwk in await signer.published(environment())}
    assert decoded(token, published[kid_of(token)]) == {"sub": "member-test-1", "größe": ["ä", 1]}
    assert [(line.action, line.target) for line in store.events] == [
        ("signing_key.create", key.kid) for key in store.keys
    ]


async def test_publishing_makes_the_keys_too(signer: signing.Signer, store: MemoryStore) -> None:
    published = await signer.published(environment())
    assert [jwk["kid"] for jwk in published] == [key.kid for key in store.keys]
    assert len(published) == 2


async def test_a_published_key_has_every_member_and_a_certificate_of_its_own(
    signer: signing.Signer, store: MemoryStore
) -> None:
    jwk = (await signer.published(environment()))[0]

    assert jwk.keys() == {"kty", "use", "key_ops", "alg", "kid", "n", "e", "x5c", "x5tS256"}
    assert (jwk["kty"], jwk["use"], jwk["key_ops"], jwk["alg"], jwk["e"]) == ("RSA", "sig", ["verify"], "RS256", "AQAB")
    der = base64.b64decode(jwk["x5c"][0], validate=True)
    certificate = x509.load_der_x509_certificate(der)
    certificate.verify_directly_issued_by(certificate)
    public_key = certificate.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)
    assert public_key.key_size == 2048
    assert public_key.public_numbers().n == int.from_bytes(base64.urlsafe_b64decode(jwk["n"] + "=="), "big")
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == jwk["kid"]
    assert certificate.not_valid_before_utc == dt.datetime.fromtimestamp(START, dt.UTC)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days >= 3650
    digest = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert jwk["x5tS256"] == digest
    assert store.keys[0].public_jwk == jwk


async def test_the_store_never_sees_the_private_half(signer: signing.Signer, store: MemoryStore) -> None:
    await signer.published(environment())
    for key in store.keys:
        assert not {"d", "p", "q"} & key.public_jwk.keys()
        assert key.sealed_private_key[:1] == b"\x01", "it is not sealed"
        with pytest.raises(ValueError, match="deserialize"):
            load_der_private_key(key.sealed_private_key, password=None)


async def test_many_first_signatures_at_once_make_one_pair_of_keys(signer: signing.Signer, store: MemoryStore) -> None:
    tokens = await asyncio.gather(*(signer.sign(environment(), None, {"n": n}) for n in range(5)))
    assert len(store.keys) == 2
    assert len([write for write in store.writes if isinstance(write, CreateSigningKeys)]) == 1, "keys were thrown away"
    assert {kid_of(token) for token in tokens} == {await active_kid(store)}


async def test_when_another_worker_made_the_keys_first_theirs_are_used(
    signer: signing.Signer, store: MemoryStore, root_key: RootKey
) -> None:
    await check(store.as_store(), root_key)
    theirs = [mint(environment(), "active", root_key, START), mint(environment(), "next", root_key, START)]
    store.race = lambda: store.keys.extend(theirs)

    token = await signer.sign(environment(), None, {})

    assert store.keys == theirs
    assert kid_of(token) == theirs[0].kid


async def test_environments_have_keys_of_their_own(signer: signing.Signer, store: MemoryStore) -> None:
    first = await signer.sign(environment(1), None, {})
    second = await signer.sign(environment(2), None, {})

    assert kid_of(first) != kid_of(second)
    assert len(store.keys) == 4
    assert await signer.verification_key("project-test-1", kid_of(first)) is not None
    assert await signer.verification_key("project-test-2", kid_of(first)) is None
    with pytest.raises(errors.InternalError):
        await signer.sign(environment(2), kid_of(first), {})


async def test_the_key_that_the_caller_read_signs_whatever_is_in_memory(
    signer: signing.Signer, store: MemoryStore
) -> None:
    """Which key signs is never remembered (D29): a rotation by another worker is seen at once."""
    before = await signer.sign(environment(), None, {})
    following = next(key for key in store.keys if key.state == "next")

    after = await signer.sign(environment(), following.kid, {})

    assert kid_of(before) != kid_of(after) == following.kid
    decoded(after, following.public_jwk)


async def test_an_opened_key_is_not_read_again(signer: signing.Signer, store: MemoryStore) -> None:
    kid = kid_of(await signer.sign(environment(), None, {}))
    store.keys.clear()
    assert kid_of(await signer.sign(environment(), kid, {})) == kid


async def test_a_new_process_signs_with_the_stored_keys(
    signer: signing.Signer, store: MemoryStore, root_key: RootKey
) -> None:
    kid = kid_of(await signer.sign(environment(), None, {}))
    restarted = signing.Signer(store.as_store(), root_key, Clock())

    token = await restarted.sign(environment(), kid, {"a": 1})

    assert decoded(token, next(key.public_jwk for key in store.keys if key.kid == kid)) == {"a": 1}
    assert len(store.keys) == 2


async def test_another_root_key_neither_signs_nor_makes_keys(signer: signing.Signer, store: MemoryStore) -> None:
    kid = kid_of(await signer.sign(environment(), None, {}))
    stranger = signing.Signer(store.as_store(), RootKey.generate(), Clock())

    with pytest.raises(WrongRootKey):
        await stranger.sign(environment(), kid, {})
    with pytest.raises(WrongRootKey):
        await stranger.published(environment(2))
    with pytest.raises(WrongRootKey):
        await stranger.rotate(environment(), event())
    assert len(store.keys) == 2


async def test_a_sealed_key_moved_to_another_kid_does_not_open(
    signer: signing.Signer, store: MemoryStore, root_key: RootKey
) -> None:
    await signer.published(environment())
    first, second = store.keys
    store.keys = [msgspec.structs.replace(first, sealed_private_key=second.sealed_private_key), second]
    with pytest.raises(WrongRootKey):
        await signing.Signer(store.as_store(), root_key, Clock()).sign(environment(), first.kid, {})


async def test_rotation_promotes_the_next_key_retires_the_active_one_and_makes_another(
    signer: signing.Signer, store: MemoryStore, clock: Clock
) -> None:
    await signer.published(environment())
    active, following = store.keys
    clock.now += DAY

    keys = await signer.rotate(environment(), event())

    states = {key.kid: key.state for key in keys}
    new = keys[-1]
    assert states == {active.kid: "retired", following.kid: "active", new.kid: "next"}
    assert len(states) == 3
    line = store.events[-1]
    assert line.action == "signing_key.rotate"
    assert line.details == {"by": "hand", "active": following.kid, "next": new.kid}
    assert [jwk["kid"] for jwk in await signer.published(environment())] == list(states)
    decoded(await signer.sign(environment(), new.kid, {}), new.public_jwk)


async def test_of_two_rotations_at_once_one_is_told(signer: signing.Signer, store: MemoryStore) -> None:
    await signer.published(environment())

    def other_rotation() -> None:
        store.keys = [msgspec.structs.replace(key, state="retired", retired_at=START) for key in store.keys]

    store.race = other_rotation
    with pytest.raises(errors.NextSigningKeyMissing):
        await signer.rotate(environment(), event())


@pytest.mark.parametrize(
    ("age", "published"), [(0, True), (30 * DAY - 1, True), (30 * DAY, False)], ids=["new", "29 days", "30 days"]
)
async def test_a_retired_key_stays_published_and_verifies_for_thirty_days(
    signer: signing.Signer, clock: Clock, age: int, *, published: bool
) -> None:
    retired = kid_of(await signer.sign(environment(), None, {}))
    assert await signer.verification_key("project-test-1", retired) is not None
    await signer.rotate(environment(), event())
    clock.now += age

    assert (retired in {jwk["kid"] for jwk in await signer.published(environment())}) is published
    assert (await signer.verification_key("project-test-1", retired) is not None) is published


async def test_a_verification_key_verifies_rs256_alone(signer: signing.Signer) -> None:
    kid = kid_of(await signer.sign(environment(), None, {}))
    key = await signer.verification_key("project-test-1", kid)
    assert key is not None
    assert (key.kid, key.algorithms) == (kid, frozenset({"RS256"}))
    assert await signer.verification_key("project-test-1", "jwk-test-unknown") is None


def test_compact_signs_for_any_private_key() -> None:
    private_key = rsa.generate_private_key(65537, 2048)
    token = signing.compact("demo-1", {"sub": "x"}, private_key)

    assert jwt.decode(token, private_key.public_key(), algorithms=["RS256"]) == {"sub": "x"}
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")) == {
        "alg": "RS256",
        "kid": "demo-1",
        "typ": "JWT",
    }
    assert "=" not in token
