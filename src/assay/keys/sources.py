"""What issuers publish → keys: JSON Web Keys, sets of them, and PEM text.

A key that cannot be trusted to do its work is left out, with a sentence that says why, and never costs the others
their use (RFC 7517 §5, security R28). Nothing here opens a connection.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from assay import jsontext
from assay.rules.algorithms import MIN_RSA_BITS, VerificationKey, algorithms_of

MAX_KEYS = 100
"""Members of a set that are looked at (security A79)."""

MAX_RSA_BITS = 8192
MAX_RSA_EXPONENT_BITS = 64
"""Longer numbers only serve to make verifying slow (security A70)."""

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_EDWARDS: dict[str, type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey]] = {
    "Ed25519": ed25519.Ed25519PublicKey,
    "Ed448": ed448.Ed448PublicKey,
}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_PRIVATE_PEM = re.compile(r"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File", re.IGNORECASE)
_PRIVATE_JWK = re.compile(r'"(?:d|k)"\s*:\s*"')
_SHOWN_KID_CHARACTERS = 80


class UnusableKey(Exception):
    """The key must not be used; the message says why, as the rest of a sentence that starts with "it"."""


# ---------------------------------------------------------------- JSON Web Keys


def from_jwks(document: bytes) -> tuple[list[VerificationKey], list[str]]:
    """The usable keys of a JWK set (RFC 7517 §5), and a sentence for each thing that is wrong with it.

    Judged by the body alone: whatever is not a JSON object with a list ``keys`` has no key (security A98).
    """
    try:
        members = _members(jsontext.loads(document))
    except (jsontext.JsonFault, UnusableKey) as fault:
        return [], [f"The key set cannot be read: {fault}."]
    keys: list[VerificationKey] = []
    problems: list[str] = []
    if len(members) > MAX_KEYS:
        problems.append(f"The key set has {len(members)} keys; only the first {MAX_KEYS} are considered.")
    for position, member in enumerate(members[:MAX_KEYS], start=1):
        try:
            keys.append(from_jwk(member))
        except UnusableKey as fault:
            problems.append(f"{_name(position, member)} is not used: {fault}.")
    return _unambiguous(keys, problems), problems


def from_jwk(jwk: object) -> VerificationKey:
    """One JWK (RFC 7517 §4). With a member ``alg`` the key verifies that alone (decisions D8). Raises UnusableKey."""
    if not isinstance(jwk, dict):
        raise UnusableKey("it is not a JSON object")
    if jwk.get("kty") == "oct":
        raise UnusableKey("it is a shared secret, which verifies nothing here")
    if _PRIVATE_MEMBERS & jwk.keys():
        # Whoever reads the set can sign as the issuer.
        raise UnusableKey("it has private members: the issuer publishes a private key, which must be replaced")
    _check_purpose(jwk)
    public_key = _public_key(jwk)
    return VerificationKey(_kid(jwk), _algorithms(jwk, public_key), public_key)


def _members(document: object) -> list[Any]:
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise UnusableKey("it is not a JSON object with a list named keys")
    return keys


def _name(position: int, member: object) -> str:
    kid = member.get("kid") if isinstance(member, dict) else None
    return f"Key {position}" + (f" (kid {kid[:_SHOWN_KID_CHARACTERS]!r})" if isinstance(kid, str) else "")


def _kid(jwk: dict[str, Any]) -> str | None:
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKey("its kid is not a string")
    return kid


def _check_purpose(jwk: dict[str, Any]) -> None:
    """RFC 7517 §4.2, §4.3: a key for encryption never verifies (security R27)."""
    if jwk.get("use", "sig") not in (None, "sig"):
        raise UnusableKey('its use is not "sig"')
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise UnusableKey('its key_ops do not contain "verify"')


def _algorithms(jwk: dict[str, Any], public_key: PublicKeyTypes) -> frozenset[str]:
    family = algorithms_of(public_key)
    algorithm = jwk.get("alg")
    if algorithm is None:
        return family
    if not isinstance(algorithm, str) or algorithm not in family:
        raise UnusableKey(f"its alg is not one that it can verify ({', '.join(sorted(family))})")
    return frozenset({algorithm})


def _public_key(jwk: dict[str, Any]) -> PublicKeyTypes:
    kty = jwk.get("kty")
    reader = _READERS.get(kty) if isinstance(kty, str) else None
    if reader is None:
        raise UnusableKey("its kty is not RSA, EC or OKP")
    try:
        return _sound(reader(jwk))
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("its numbers are not those of a valid key") from None


def _rsa(jwk: dict[str, Any]) -> PublicKeyTypes:
    n, e = (int.from_bytes(_bytes(jwk, name), "big") for name in ("n", "e"))
    _check_rsa(n, e)
    return rsa.RSAPublicNumbers(e, n).public_key()


def _ec(jwk: dict[str, Any]) -> PublicKeyTypes:
    curve = _CURVES.get(_text(jwk, "crv"))
    if curve is None:
        raise UnusableKey("its curve is not P-256, P-384 or P-521")
    size = (curve.key_size + 7) // 8
    x, y = _bytes(jwk, "x"), _bytes(jwk, "y")
    if len(x) != size or len(y) != size:  # RFC 7518 §6.2.1.2
        raise UnusableKey(f"its coordinates are not {size} bytes long")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
    return numbers.public_key()  # refuses what is not on the curve


def _okp(jwk: dict[str, Any]) -> PublicKeyTypes:
    kind = _EDWARDS.get(_text(jwk, "crv"))
    if kind is None:
        raise UnusableKey("its curve is not Ed25519 or Ed448")
    return kind.from_public_bytes(_bytes(jwk, "x"))


_READERS: dict[str, Callable[[dict[str, Any]], PublicKeyTypes]] = {"RSA": _rsa, "EC": _ec, "OKP": _okp}


def _text(jwk: dict[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise UnusableKey(f"its member {name} is not a string")
    return value


def _bytes(jwk: dict[str, Any], name: str) -> bytes:
    text = _text(jwk, name)
    if not _BASE64URL.fullmatch(text):
        raise UnusableKey(f"its member {name} is not base64url without padding")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise UnusableKey(f"its member {name} is not base64url without padding") from None


def _unambiguous(keys: list[VerificationKey], problems: list[str]) -> list[VerificationKey]:
    """Collapse identical keys, and drop kids that name different ones.

    Whoever signs under such a kid chooses which key judges the token, so none does (security R29, A77).
    """
    distinct = {(key.kid, key.algorithms, _der(key.public_key)): key for key in keys}
    named = [key.kid for key in distinct.values() if key.kid is not None]
    ambiguous = {kid for kid in named if named.count(kid) > 1}
    problems.extend(
        f"The kid {kid[:_SHOWN_KID_CHARACTERS]!r} names different keys, so none of them is used."
        for kid in sorted(ambiguous)
    )
    return [key for key in distinct.values() if key.kid not in ambiguous]


def _der(public_key: PublicKeyTypes) -> bytes:
    return public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


# ---------------------------------------------------------------- PEM


def from_pem(text: str, kid: str | None = None) -> VerificationKey:
    """A public key (SubjectPublicKeyInfo or PKCS #1) or a certificate; it verifies its family's algorithms.

    A certificate only carries the key here: its dates and its issuer are not looked at, because the operator chose
    the key itself. Raises UnusableKey.
    """
    if holds_private_key(text):
        raise UnusableKey("it is a private key")
    labels = _PEM_BLOCK.findall(text)
    if len(labels) > 1:
        raise UnusableKey("it holds more than one PEM block")
    try:
        public_key = _load(labels[0] if labels else "", text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("it cannot be parsed as a PEM public key or certificate") from None
    return VerificationKey(kid, algorithms_of(public_key), _sound(public_key))


def pem_problems(text: str) -> list[str]:
    """A sentence for each reason why the text gives no key; empty when all is well (decisions D7)."""
    try:
        from_pem(text)
    except UnusableKey as fault:
        return [f"The PEM text gives no key: {fault}."]
    return []


def holds_private_key(text: str) -> bool:
    """Whether the text looks like a private key, without parsing it: a broken one is as exposed as a whole one."""
    if _PRIVATE_PEM.search(text):
        return True
    return text.lstrip("\ufeff \t\r\n").startswith("{") and _PRIVATE_JWK.search(text) is not None


def _load(label: str, pem: bytes) -> PublicKeyTypes:
    if label == "CERTIFICATE":
        return x509.load_pem_x509_certificate(pem).public_key()
    return serialization.load_pem_public_key(pem)


# ---------------------------------------------------------------- what every key must be


def _sound(public_key: PublicKeyTypes) -> PublicKeyTypes:
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        _check_rsa(numbers.n, numbers.e)
    if not algorithms_of(public_key):
        raise UnusableKey("it is of a kind that verifies no algorithm supported here")
    return public_key


def _check_rsa(n: int, e: int) -> None:
    """Sizes before anything is computed with the numbers (RFC 7518 §3.3, security R30, A69, A70)."""
    if n.bit_length() < MIN_RSA_BITS:
        raise UnusableKey(f"its RSA modulus has {n.bit_length()} bits, fewer than {MIN_RSA_BITS}")
    if n.bit_length() > MAX_RSA_BITS:
        raise UnusableKey(f"its RSA modulus has {n.bit_length()} bits, more than {MAX_RSA_BITS}")
    smallest_exponent = 3
    if n % 2 == 0 or e % 2 == 0 or e < smallest_exponent or e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise UnusableKey("its RSA modulus or exponent is not one of a valid key")


def kids(keys: Iterable[VerificationKey]) -> tuple[str, ...]:
    """The key ids of the keys that have one."""
    return tuple(key.kid for key in keys if key.kid is not None)
