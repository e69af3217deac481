"""The partner's tokens: distinct, prepared before anything is measured, written as a file of request bodies."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "bench"
ORGANIZATION = "org_7f3c2b1a"
LIFE_SECONDS = 24 * 3600
SIGNERS = 2


def encode(part: bytes | Mapping[str, Any]) -> str:
    """One segment of a token."""
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Partner:
    """An issuer with one RSA key of 2048 bits."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.kid = "partner-1"

    def pem(self) -> str:
        """The public half."""
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()

    def jwk(self) -> dict[str, str]:
        """The public half as a JWK."""
        numbers = self._key.public_key().public_numbers()
        modulus, exponent = numbers.n.to_bytes(256, "big"), numbers.e.to_bytes(3, "big")
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": encode(modulus), "e": encode(exponent)}

    def mint(self, person: int) -> str:
        """A fresh token of the person of this number."""
        signed = unsigned(self.kid, person)
        return f"{signed}.{encode(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def forge(self, person: int) -> str:
        """A token that looks good and names the good key, under a signature of noise."""
        return f"{unsigned(self.kid, person)}.{encode(noise())}"

    def of_unknown_kid(self, person: int) -> str:
        """The same, naming a key that nobody has seen."""
        return f"{unsigned(secrets.token_hex(8), person)}.{encode(noise())}"

    def expired(self, person: int) -> str:
        """The same, refused by its times, before anybody looks for a key."""
        return f"{unsigned(self.kid, person, exp=1)}.{encode(noise())}"


def unsigned(kid: str, person: int, **changes: object) -> str:
    """Header and claims of a fresh token."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": external_id(person),
        "jti": str(uuid.uuid4()),
        "email": email(person),
        "email_verified": True,
        "org_id": ORGANIZATION,
        "name": "Ada Lovelace",
        "iat": now,
        "exp": now + LIFE_SECONDS,
    }
    return f"{encode({'alg': 'RS256', 'kid': kid, 'typ': 'JWT'})}.{encode(claims | changes)}"


def noise() -> bytes:
    """What could be a signature by its size."""
    return b"\x01" + secrets.token_bytes(255)


def external_id(person: int) -> str:
    """The ``sub`` of a person; SQL makes the same text when it fills a table."""
    return f"auth0|{person:024d}"


def email(person: int) -> str:
    """The address of a person."""
    return f"person-{person}@example.com"


def signed_side_by_side(mint: Callable[[int], str], people: Iterator[int]) -> list[str]:
    """A token of each person, in order; signing releases the GIL."""
    with ThreadPoolExecutor(SIGNERS) as pool:
        return list(pool.map(mint, people, chunksize=64))


def write_lines(path: Path, bodies: Iterator[Mapping[str, object]]) -> int:
    """Write request bodies, one a line; how many."""
    lines = [json.dumps(body, separators=(",", ":")) for body in bodies]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)
