"""What the tables of forgeries are made with. A forgery is a function from :class:`Forge` to a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.issuer import ABSENT, Issuer, IssuerKey, encode, make_key, sign

INVALID = "invalid_trusted_auth_token"
ISSUER = "jwt_invalid_issuer"
AUDIENCE_WRONG = "jwt_invalid_audience"
CLAIMS = "jwt_invalid_claims"

PINNED = "pinned"
"""The kid of the RSA key whose JWK says that it is for RS256 alone."""

ORDERS = {
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "Ed25519": 2**252 + 27742317777372353535851937790883648493,
}


class Forge(NamedTuple):
    """What an attacker has: the trusted issuer's public keys, an issuer of its own elsewhere, and a server.

    ``issuer`` signs too, so that a table can hold tokens that are wrong in one respect only. ``trap`` is a URL.
    """

    issuer: Issuer
    partner: Issuer
    trap: str

    @property
    def rsa(self) -> IssuerKey:
        return self.issuer.key_for("RS256")

    @property
    def ec(self) -> IssuerKey:
        return self.issuer.key_for("ES256")

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims that would log a new person in, and make them."""
        whole = self.issuer.claims() | {"org_id": "forged-org", "sub": "forged|sub", "email": "forged@example.com"}
        return {name: value for name, value in (whole | changes).items() if value is not ABSENT}

    def mint(self, claims: Mapping[str, Any] | None = None, **how: Any) -> str:
        """A token of the trusted issuer, good but for what is given."""
        return self.issuer.mint(self.claims() | dict(claims or {}), **how)

    def signed(self, header: bytes | Mapping[str, Any], payload: bytes | Mapping[str, Any] | None = None) -> str:
        """Signed RS256 by the right key, so that only the text of header or claims can be at fault."""
        return sign(header, self.claims() if payload is None else payload, "RS256", self.rsa.private_key)

    def with_payload(self, payload: bytes) -> str:
        return self.signed({"alg": "RS256", "kid": self.rsa.kid}, payload)

    def members(self, **replaced: str) -> bytes:
        """Claims as JSON text, with raw JSON in place of some values."""
        whole = {name: json.dumps(value) for name, value in self.claims().items()} | replaced
        return ("{" + ",".join(f'"{name}":{value}' for name, value in whole.items()) + "}").encode()

    def unsigned(self, header: Mapping[str, Any], made: bytes = b"") -> str:
        """Any header over good claims, and any bytes for a signature."""
        return f"{encode(header)}.{encode(self.claims())}.{encode(made)}"

    def hmac(self, key: bytes, algorithm: str = "HS256") -> str:
        """A token under a MAC, whatever was taken for a secret."""
        signed = f"{encode({'alg': algorithm, 'kid': self.rsa.kid})}.{encode(self.claims())}"
        return f"{signed}.{encode(hmac.digest(key, signed.encode(), 'sha' + algorithm[2:]))}"

    def respelled(self, segment: int, change: Callable[[str], str], alg: str = "RS256") -> str:
        """A good token with one segment spelled in another way."""
        segments = self.mint(alg=alg).split(".")
        segments[segment] = change(segments[segment])
        return ".".join(segments)

    def resigned(self, alg: str, change: Callable[[bytes], bytes], **how: Any) -> str:
        """A good token whose signature is changed as bytes."""
        signed, _, made = self.mint(alg=alg, **how).rpartition(".")
        return f"{signed}.{encode(change(decode(made)))}"


class Case(NamedTuple):
    """One forgery, and the error type that it gets."""

    forge: Callable[[Forge], str]
    error: str = INVALID


def decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def stranger(family: str = "RSA") -> IssuerKey:
    """A key that nobody trusts."""
    return make_key(family, f"stranger-{family.lower()}")


def numbers(key: IssuerKey) -> tuple[int, int, int]:
    """n, e, d of an RSA key."""
    assert isinstance(key.private_key, rsa.RSAPrivateKey)
    private = key.private_key.private_numbers()
    return private.public_numbers.n, private.public_numbers.e, private.d


def rsa_raw(key: IssuerKey, encoded: bytes) -> bytes:
    """The RSA private operation on any encoded message, however it is padded."""
    n, _, d = numbers(key)
    return pow(int.from_bytes(encoded, "big"), d, n).to_bytes((n.bit_length() + 7) // 8, "big")


def spki(key: IssuerKey, encoding: str = "PEM") -> bytes:
    """SubjectPublicKeyInfo."""
    chosen = getattr(serialization.Encoding, encoding)
    return key.private_key.public_key().public_bytes(chosen, serialization.PublicFormat.SubjectPublicKeyInfo)


def pkcs1(key: IssuerKey, encoding: str = "PEM") -> bytes:
    """The older form of an RSA public key."""
    chosen = getattr(serialization.Encoding, encoding)
    return key.private_key.public_key().public_bytes(chosen, serialization.PublicFormat.PKCS1)


def secp256k1() -> IssuerKey:
    return IssuerKey("secp256k1", ec.generate_private_key(ec.SECP256K1()))


def pkcs1v15(size: int, digest_info: bytes, *, start: bytes = b"\x00\x01", padding: int = 0xFF) -> bytes:
    """An encoded message of EMSA-PKCS1-v1_5 that may differ from the standard one in each of its parts."""
    filling = size - len(start) - 1 - len(digest_info)
    return start + bytes([padding]) * filling + b"\x00" + digest_info


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def digest(signed: str) -> bytes:
    return hashlib.sha256(signed.encode()).digest()
