"""Key sets with a bad key beside a good one (rows A65, A69-A79): the bad one verifies nothing, the good one works."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hostile.arena import Arena
from tests.hostile.bad_keys import BAD_KEYS, BAD_KID, BadKey, slug
from tests.hostile.forging import INVALID
from tests.hostile.keyserver import document, raw
from tests.issuer import Issuer, encode, make_key

GOOD = make_key("RSA", "good")
ISSUER = Issuer("https://issuer.example", [GOOD])
UNAVAILABLE = "trusted_token_keys_unavailable"


def trust(arena: Arena, name: str, body: Any) -> str:
    """A profile whose key set is this; its id."""
    profile_id = slug(name)
    behaviour = raw(body) if isinstance(body, bytes) else document(body)
    arena.add_profile(profile_id, jwks_url=arena.keys.answer(f"/keys/{profile_id}", behaviour))
    return profile_id


def good_token(arena: Arena, profile_id: str) -> str:
    claims = arena.forge.claims(sub=f"keys|{profile_id}", email=f"{profile_id}@keys.example".lower()[:200])
    return ISSUER.mint(claims | {"iss": ISSUER.url})


def bad_token(arena: Arena, bad: BadKey) -> str:
    signed = f"{encode({'alg': bad.alg, 'kid': BAD_KID})}.{encode(arena.forge.claims(iss=ISSUER.url))}"
    return f"{signed}.{encode(bad.sign(signed.encode()))}"


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_bad_key_is_unusable_and_the_others_still_work(arena: Arena, name: str) -> None:
    bad = BAD_KEYS[name]
    profile_id = trust(arena, name, {"keys": [*bad.members, GOOD.jwk()]})
    arena.granted(good_token(arena, profile_id), profile_id)
    arena.refused(bad_token(arena, bad), INVALID, profile_id)


@pytest.mark.parametrize(
    "name", ["A73 use enc", "A75 a private key", "A77 two keys, one kid", "A78 null ahead of the good key"]
)
def test_a_bad_key_fails_even_a_token_that_names_no_key(arena: Arena, name: str) -> None:
    """Without a kid every key of the family is tried; an unusable one is not among them."""
    bad = BAD_KEYS[name]
    profile_id = trust(arena, f"{name} no kid", {"keys": [*bad.members, GOOD.jwk()]})
    signed = f"{encode({'alg': bad.alg})}.{encode(arena.forge.claims(iss=ISSUER.url))}"
    arena.refused(f"{signed}.{encode(bad.sign(signed.encode()))}", INVALID, profile_id)
    arena.granted(good_token(arena, profile_id), profile_id)


@pytest.mark.parametrize("name", ["A69 RSA of 1024 bits", "A75 a private key", "A76 a shared secret"])
def test_a_set_of_bad_keys_alone_is_no_set(arena: Arena, name: str) -> None:
    """It is the issuer's fault and may pass, so the answer is that the keys cannot be had (decisions D12)."""
    bad = BAD_KEYS[name]
    profile_id = trust(arena, f"{name} alone", {"keys": bad.members})
    error = INVALID if bad.alg == "HS256" else UNAVAILABLE
    arena.refused(bad_token(arena, bad), error, profile_id, 400 if error == INVALID else 503)


def test_a77_one_key_twice_under_one_kid_is_one_key(arena: Arena) -> None:
    profile_id = trust(arena, "A77 the same twice", {"keys": [GOOD.jwk(), GOOD.jwk()]})
    arena.granted(good_token(arena, profile_id), profile_id)


def test_a79_of_very_many_keys_only_the_first_are_looked_at(arena: Arena) -> None:
    filler = make_key("Ed25519", "filler").jwk()
    many = [filler | {"kid": f"filler-{number}"} for number in range(3_000)]
    first = trust(arena, "A79 good key first", {"keys": [GOOD.jwk(), *many]})
    arena.granted(good_token(arena, first), first)
    last = trust(arena, "A79 good key last", {"keys": [*many, GOOD.jwk()]})
    arena.refused(good_token(arena, last), INVALID, last)


WHOLE = {
    "A79 five thousand RSA keys": {"keys": [GOOD.jwk() | {"kid": str(number)} for number in range(5_000)]},
    "A79 keys twice": b'{"keys":[],"keys":[]}',
    "A79 a list": [GOOD.jwk()],
    "A79 one key": GOOD.jwk(),
    "A79 keys an object": {"keys": {"good": GOOD.jwk()}},
    "A79 keys null": {"keys": None},
    "A79 no keys": {},
    "A79 nested a thousand deep": b'{"keys":' + b"[" * 1000 + b"]" * 1000 + b"}",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_that_is_no_key_set_is_refused_whole(arena: Arena, name: str) -> None:
    profile_id = trust(arena, name, WHOLE[name])
    arena.refused(good_token(arena, profile_id), UNAVAILABLE, profile_id, 503)
