"""Catalogue rows A65 and A69-A78: keys that must not verify anything, each with a token that it would verify.

A token is made as the owner of such a key, or an attacker who can compute with it, would make it.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.hostile.forging import SHA256_INFO, pkcs1v15, spki
from tests.issuer import encode, make_key, signature

BAD_KID = "bad"

Sign = Callable[[bytes], bytes]


class BadKey(NamedTuple):
    """Members of a key set, and how a token under the kid ``bad`` is signed with what they hold."""

    members: list[Any]
    alg: str
    sign: Sign


def jwk(family: str, **changes: Any) -> dict[str, Any]:
    """The JWK of a key of this family, which nobody else has, under the kid ``bad``."""
    return make_key(family, BAD_KID).jwk() | changes


def _by(family: str, alg: str) -> Sign:
    return lambda signed: signature(alg, make_key(family, BAD_KID).private_key, signed)


def _rsa(**changes: Any) -> BadKey:
    """A sound RSA key whose JWK says that it must not verify."""
    return BadKey([jwk("RSA", **changes)], "RS256", _by("RSA", "RS256"))


def _number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _rsa_numbers(n: int, e: int, sign: Sign | None = None) -> BadKey:
    members = {"kty": "RSA", "kid": BAD_KID, "n": _number(n), "e": _number(e)}
    size = (n.bit_length() + 7) // 8
    return BadKey([members], "RS256", sign or (lambda signed: _encoded(signed, size)))


def _encoded(signed: bytes, size: int) -> bytes:
    """What the signature must be the e-th root of; with e = 1 it is the signature."""
    return pkcs1v15(size, SHA256_INFO + hashlib.sha256(signed).digest())


def _private(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: signature("RS256", key, signed)


# Primes of the shape that a chip's library made them in: k·M + (65537^a mod M), M the product of the first 126 primes.
# Their product has the fingerprint of CVE-2017-15361.
_ROCA = ((9184882404919927, 1047493278214), (9044810802741495, 392263000106))


@functools.cache
def roca() -> rsa.RSAPrivateKey:
    """A key pair with a modulus that can be factored for some dollars."""
    sieve = [number for number in range(2, 702) if all(number % other for other in range(2, number))]
    product = functools.reduce(int.__mul__, sieve)
    assert len(sieve) == 126
    p, q = (k * product + pow(65537, a, product) for k, a in _ROCA)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    ).private_key()


# The eight points of small order of Ed25519, then other spellings of some of them (y not reduced, or -0).
_SMALL_ORDER = {
    "identity": "0100000000000000000000000000000000000000000000000000000000000000",
    "order 2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 4": "0000000000000000000000000000000000000000000000000000000000000000",
    "order 4, other": "0000000000000000000000000000000000000000000000000000000000000080",
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, second": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order 8, third": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8, fourth": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "identity, -0": "0100000000000000000000000000000000000000000000000000000000000080",
    "identity, p+1": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 4, p": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}


def _edwards(x: bytes, crv: str = "Ed25519", size: int = 64) -> BadKey:
    """With the identity as public key, R = identity and S = 0 sign everything."""
    members = {"kty": "OKP", "crv": crv, "kid": BAD_KID, "x": encode(x)}
    return BadKey([members], "EdDSA", lambda _signed: b"\1" + bytes(size - 1))


def _edwards_cases() -> Iterator[tuple[str, BadKey]]:
    for name, point in _SMALL_ORDER.items():
        yield f"A65 Ed25519 point: {name}", _edwards(bytes.fromhex(point))
    yield "A65 Ed448 point: identity", _edwards(b"\1" + bytes(56), "Ed448", 114)
    yield "A65 Ed448 point: order 4", _edwards(bytes(57), "Ed448", 114)
    yield "A65 Ed25519 point of 31 bytes", _edwards(bytes.fromhex(_SMALL_ORDER["order 8"])[:31])
    yield "A65 Ed25519 point of 33 bytes", _edwards(b"\1" + bytes(32))


def _rsa_cases() -> Iterator[tuple[str, BadKey]]:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    yield "A69 RSA of 1024 bits", _rsa_numbers(small.public_key().public_numbers().n, 65537, _private(small))
    yield "A69 RSA of 2047 bits", _rsa_numbers((1 << 2046) + 0x1D7, 1)
    good = make_key("RSA", BAD_KID).private_key.public_key()
    assert isinstance(good, rsa.RSAPublicKey)
    n = good.public_numbers().n
    exponents = {"1": 1, "0": 0, "2": 2, "even": 65536, "huge": (1 << 2000) + 1, "65 bits": (1 << 64) + 1}
    for name, e in exponents.items():
        yield f"A70 RSA exponent {name}", _rsa_numbers(n, e)
    noise = random.Random(1).getrandbits(16_384)
    yield "A70 RSA of 16384 bits", _rsa_numbers(noise | 1 | 1 << 16_383, 65537)
    yield "A70 RSA with an even modulus", _rsa_numbers(n + 1, 1)
    yield "A71 RSA of the ROCA shape", _rsa_numbers(roca().public_key().public_numbers().n, 65537, _private(roca()))


def _short_coordinate() -> BadKey:
    """A point whose x happens to begin with a zero byte, which the JWK leaves out (RFC 7518 §6.2.1.2)."""
    while True:
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        if numbers.x < 1 << 248:
            break
    members = {"kty": "EC", "crv": "P-256", "kid": BAD_KID}
    members |= {"x": encode(numbers.x.to_bytes(31, "big")), "y": encode(numbers.y.to_bytes(32, "big"))}
    return BadKey([members], "ES256", lambda signed: signature("ES256", key, signed))


def _ec_cases() -> Iterator[tuple[str, BadKey]]:
    good = jwk("P-256")
    changed = {
        "off the curve": {"y": good["x"]},
        "zero": {"x": encode(bytes(32)), "y": encode(bytes(32))},
        "x beyond the field": {"x": encode(b"\xff" * 32)},
        "no y": {"y": None},
        "another curve's name": {"crv": "P-384"},
        "secp256k1 in name": {"crv": "secp256k1"},
        "a curve of our own": {"crv": "P-192"},
        "x too long": {"x": encode(b"\0" * 32 + b"\1")},
    }
    for name, members in changed.items():
        yield f"A72 EC point: {name}", BadKey([good | members], "ES256", _by("P-256", "ES256"))
    yield "A72 EC point: a coordinate cut short", _short_coordinate()


def _purpose_cases() -> Iterator[tuple[str, BadKey]]:
    yield "A73 use enc", _rsa(use="enc")
    yield "A73 use of neither kind", _rsa(use="tls")
    yield "A73 key_ops encrypt", _rsa(key_ops=["encrypt"])
    yield "A73 key_ops sign", _rsa(key_ops=["sign"])
    yield "A73 key_ops empty", _rsa(key_ops=[])
    yield "A73 key_ops a string", _rsa(key_ops="verify")
    for alg in ("RSA-OAEP", "ES256", "HS256", "none", "rs256", ""):
        yield f"A74 alg {alg!r} on an RSA key", _rsa(alg=alg)
    yield "A74 alg a list", _rsa(alg=["RS256"])
    yield "A75 a private key", BadKey([_private_jwk()], "RS256", _by("RSA", "RS256"))
    secret = b"a secret of thirty-two bytes or so"
    shared = {"kty": "oct", "kid": BAD_KID, "k": encode(secret), "alg": "HS256"}
    yield "A76 a shared secret", BadKey([shared], "HS256", lambda signed: hmac.digest(secret, signed, "sha256"))
    pem = spki(make_key("RSA", BAD_KID))
    public = {"kty": "oct", "kid": BAD_KID, "k": encode(pem)}
    yield "A76 the PEM as a shared secret", BadKey([public], "HS256", lambda signed: hmac.digest(pem, signed, "sha256"))
    other = make_key("RSA", "stranger-rsa").jwk() | {"kid": BAD_KID}
    yield "A77 two keys, one kid", BadKey([jwk("RSA"), other], "RS256", _by("RSA", "RS256"))
    yield "A77 two keys, one kid, the other order", BadKey([other, jwk("RSA")], "RS256", _by("RSA", "RS256"))
    curve = jwk("P-256")
    yield "A77 two families, one kid", BadKey([jwk("RSA"), curve], "ES256", _by("P-256", "ES256"))


def _private_jwk() -> dict[str, Any]:
    key = make_key("RSA", BAD_KID).private_key
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    return jwk("RSA") | {"d": _number(numbers.d), "p": _number(numbers.p), "q": _number(numbers.q)}


def _broken_cases() -> Iterator[tuple[str, BadKey]]:
    good = jwk("RSA")
    broken: dict[str, Any] = {
        "null": None,
        "string": "key",
        "number": 1,
        "list": [good],
        "empty object": {},
        "unknown kty": good | {"kty": "XYZ"},
        "kty a list": good | {"kty": ["RSA"]},
        "n not base64": good | {"n": "!!!"},
        "n padded": good | {"n": good["n"] + "=="},
        "n with a line break": good | {"n": good["n"][:9] + "\n" + good["n"][9:]},
        "n a number": good | {"n": 5},
        "n empty": good | {"n": ""},
        "no e": {name: value for name, value in good.items() if name != "e"},
        "kid a number": good | {"kid": 7},
        "PEM instead of a key": {"kid": BAD_KID, "kty": "RSA", "pem": spki(make_key("RSA", BAD_KID)).decode()},
        "ML-DSA of a wrong length": {"kty": "AKP", "alg": "ML-DSA-44", "pub": encode(bytes(5)), "kid": BAD_KID},
    }
    for name, member in broken.items():
        yield f"A78 {name} ahead of the good key", BadKey([member], "RS256", _by("RSA", "RS256"))


BAD_KEYS: dict[str, BadKey] = {
    **dict(_edwards_cases()),
    **dict(_rsa_cases()),
    **dict(_ec_cases()),
    **dict(_purpose_cases()),
    **dict(_broken_cases()),
}


def slug(name: str) -> str:
    """A case's name as a profile id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
