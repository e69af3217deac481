"""The signature algorithms that trusted auth tokens may use, verified with ``cryptography``'s primitives directly.

Each algorithm is one row of one table. A row only ever verifies with keys of its own family, whatever a token or a
key document claims, so that a header can never choose how a key is used (RFC 8725 §3.1, security R01, R02).
There is no MAC here: public keys have nothing to be confused with (security R06, A06-A09).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MIN_RSA_BITS = 2048  # RFC 7518 §3.3

DEFAULT_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What a profile that lists no algorithms accepts (decisions D8)."""

FAMILIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        "P-256": frozenset({"ES256"}),
        "P-384": frozenset({"ES384"}),
        "P-521": frozenset({"ES512"}),
        "Ed25519": frozenset({"EdDSA"}),
        "Ed448": frozenset({"EdDSA"}),
    }
)
"""Key family → the algorithms that its keys can verify. EC and Edwards families go by the JWK name of the curve."""

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class VerificationKey(msgspec.Struct, frozen=True):
    """A public key and what it may be used for.

    ``algorithms`` holds the key's own ``alg`` alone, or its family's algorithms when it names none (decisions D8).
    """

    kid: str | None
    algorithms: frozenset[str]
    public_key: PublicKeyTypes


def family_of(public_key: PublicKeyTypes) -> str | None:
    """Name the row of ``FAMILIES`` that the key belongs to; None for a kind of key that verifies nothing here."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return "RSA"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _CURVES.get(public_key.curve.name)
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return "Ed448" if isinstance(public_key, ed448.Ed448PublicKey) else None


def algorithms_of(public_key: PublicKeyTypes) -> frozenset[str]:
    """Every algorithm that the key can verify; empty for a kind of key that verifies nothing here."""
    return FAMILIES.get(family_of(public_key) or "", frozenset())


def verify(algorithm: str, key: VerificationKey, signature: bytes, signed: bytes) -> bool:
    """Whether ``signature`` (as a JWS carries it) is the key's signature over ``signed`` under ``algorithm``.

    Never raises for what a token or a key document holds: whatever cannot be verified is not verified.
    """
    check = _CHECKS.get(algorithm)
    if check is None or algorithm not in key.algorithms:
        return False
    try:
        return check(key.public_key, signature, signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        # ValueError and UnsupportedAlgorithm speak of an odd key. It is the issuer's fault, and still no signature.
        return False


# Each check looks at the kind of key and the exact length of the signature first, raises InvalidSignature or
# returns False for a wrong signature, and returns True only after the primitive has accepted it.
_Check = Callable[[PublicKeyTypes, bytes, bytes], bool]


def _rsa_fits(key: rsa.RSAPublicKey, signature: bytes) -> bool:
    """RSA signatures are exactly as long as the modulus (RFC 8017 §8.1.2, §8.2.2); short keys are no keys (R30)."""
    return key.key_size >= MIN_RSA_BITS and len(signature) == (key.key_size + 7) // 8


def _pkcs1v15(digest: hashes.HashAlgorithm, key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 (RFC 7518 §3.3)."""
    if not isinstance(key, rsa.RSAPublicKey) or not _rsa_fits(key, signature):
        return False
    key.verify(signature, signed, padding.PKCS1v15(), digest)
    return True


def _pss(digest: hashes.HashAlgorithm, key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """RSASSA-PSS: MGF1 with the same hash, and a salt exactly as long as the hash (RFC 7518 §3.5, security A67)."""
    if not isinstance(key, rsa.RSAPublicKey) or not _rsa_fits(key, signature):
        return False
    scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    key.verify(signature, signed, scheme, digest)
    return True


def _ecdsa(
    curve: ec.EllipticCurve, digest: hashes.HashAlgorithm, key: PublicKeyTypes, signature: bytes, signed: bytes
) -> bool:
    """ECDSA with r and s side by side, each as long as the curve's order (RFC 7518 §3.4).

    The range of r and s is checked here, although the primitive does it too: a verifier without that check takes
    zeros for a signature of anything (CVE-2022-21449, security A61).
    """
    size = (curve.key_size + 7) // 8
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != curve.name or len(signature) != 2 * size:
        return False
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    if not (0 < r < curve.group_order and 0 < s < curve.group_order):
        return False
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    return True


def _eddsa(key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """Ed25519 or Ed448, whichever the key is (RFC 8037 §3.1); their signatures have 64 and 114 bytes."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        size = 64
    elif isinstance(key, ed448.Ed448PublicKey):
        size = 114
    else:
        return False
    if len(signature) != size:
        return False
    key.verify(signature, signed)
    return True


_CHECKS: Mapping[str, _Check] = MappingProxyType(
    {
        "RS256": partial(_pkcs1v15, hashes.SHA256()),
        "RS384": partial(_pkcs1v15, hashes.SHA384()),
        "RS512": partial(_pkcs1v15, hashes.SHA512()),
        "PS256": partial(_pss, hashes.SHA256()),
        "PS384": partial(_pss, hashes.SHA384()),
        "PS512": partial(_pss, hashes.SHA512()),
        "ES256": partial(_ecdsa, ec.SECP256R1(), hashes.SHA256()),
        "ES384": partial(_ecdsa, ec.SECP384R1(), hashes.SHA384()),
        "ES512": partial(_ecdsa, ec.SECP521R1(), hashes.SHA512()),
        "EdDSA": _eddsa,
    }
)
