"""The algorithms that our own keys can have: how such a key is made, signs, and is published."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from assay.model import SessionJwtAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
Sign = Callable[[bytes], bytes]
"""The signing input of a JWS → its signature, as a JWS carries it."""

RSA_BITS = 2048
_EXPONENT = 65537
_P256_BYTES = 32

_SHA256 = hashes.SHA256()
_PKCS1V15 = padding.PKCS1v15()
# The nonce follows from key and message (RFC 6979): one that ever came twice would give the private key away, and
# machines that are copied while they run do repeat their random numbers.
_ECDSA = ec.ECDSA(_SHA256, deterministic_signing=True)


class Row(NamedTuple):
    """One algorithm. ``certificate_hash`` is what a certificate is signed with; Ed25519 brings its own."""

    kind: type[PrivateKey]
    make: Callable[[], PrivateKey]
    sign: Callable[[Any, bytes], bytes]
    public_members: Callable[[Any], dict[str, str]]
    certificate_hash: hashes.SHA256 | None


def make(algorithm: SessionJwtAlgorithm) -> PrivateKey:
    """A fresh private key; for RS256 some 100 ms of processor time."""
    return _ROWS[algorithm].make()


def signing(private_key: PrivateKey, algorithm: SessionJwtAlgorithm) -> Sign:
    """What signs with the key. Raises TypeError for a key of another kind: no key is used for two algorithms."""
    row = _ROWS[algorithm]
    if not isinstance(private_key, row.kind):
        raise TypeError(f"a key of type {type(private_key).__name__} does not sign with {algorithm}")
    return partial(row.sign, private_key)


def public_jwk(public_key: PublicKey, algorithm: SessionJwtAlgorithm, kid: str) -> dict[str, Any]:
    """The public key as a JWK for signatures of this algorithm alone (RFC 7517 §4)."""
    return {
        "use": "sig",
        "key_ops": ["verify"],
        "alg": algorithm,
        "kid": kid,
        **_ROWS[algorithm].public_members(public_key),
    }


def certificate_hash(algorithm: SessionJwtAlgorithm) -> hashes.SHA256 | None:
    """What a certificate of such a key is signed with."""
    return _ROWS[algorithm].certificate_hash


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 §2)."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _sign_rs256(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    return key.sign(message, _PKCS1V15, _SHA256)


def _sign_es256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """R and S side by side, 32 bytes each (RFC 7518 §3.4)."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")


def _sign_eddsa(key: ed25519.Ed25519PrivateKey, message: bytes) -> bytes:
    return key.sign(message)


def _rsa_members(key: rsa.RSAPublicKey) -> dict[str, str]:
    """RFC 7518 §6.3."""
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _shortest(numbers.n), "e": _shortest(numbers.e)}


def _p256_members(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """RFC 7518 §6.2; coordinates have the full length of the field."""
    numbers = key.public_numbers()
    x, y = (number.to_bytes(_P256_BYTES, "big") for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}


def _ed25519_members(key: ed25519.Ed25519PublicKey) -> dict[str, str]:
    """RFC 8037 §2."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}


def _shortest(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


_ROWS: dict[SessionJwtAlgorithm, Row] = {
    "RS256": Row(
        kind=rsa.RSAPrivateKey,
        make=partial(rsa.generate_private_key, _EXPONENT, RSA_BITS),
        sign=_sign_rs256,
        public_members=_rsa_members,
        certificate_hash=_SHA256,
    ),
    "ES256": Row(
        kind=ec.EllipticCurvePrivateKey,
        make=partial(ec.generate_private_key, ec.SECP256R1()),
        sign=_sign_es256,
        public_members=_p256_members,
        certificate_hash=_SHA256,
    ),
    "EdDSA": Row(
        kind=ed25519.Ed25519PrivateKey,
        make=ed25519.Ed25519PrivateKey.generate,
        sign=_sign_eddsa,
        public_members=_ed25519_members,
        certificate_hash=None,
    ),
}
