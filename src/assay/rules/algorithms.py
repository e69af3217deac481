"""The signature algorithms that trusted auth tokens may use, verified with ``cryptography``'s primitives directly.

Each algorithm is one row of one table. A row only ever verifies with keys of its own family, whatever a token or a
key document claims, so that a header can never choose how a key is used (RFC 8725 §3.1, security R01, R02). Public
keys and shared secrets are different types, and no row takes both: a public key is never bytes to compute a MAC with,
and a MAC is never a signature (security R06, A06-A09).

The names ``Ed25519`` and ``Ed448`` (RFC 9864) are the signatures of ``EdDSA`` by a key of that curve. A profile takes
a name in a token's header only when it lists that very name; ``EdDSA`` is listed by default, the new names are not.
A key whose own ``alg`` is ``Ed25519`` or ``Ed448`` also verifies ``EdDSA``, because the two are one algorithm there
and default profiles would else lose the key; a key whose ``alg`` is ``EdDSA`` verifies ``EdDSA`` alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, TypeGuard

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MIN_RSA_BITS = 2048  # RFC 7518 §3.3

DEFAULT_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What a profile that lists no algorithms accepts (decisions D8)."""

HMAC_ALGORITHMS = ("HS256", "HS384", "HS512")
"""Algorithms of shared secrets; a profile that lists one takes no public keys (decisions D8)."""

OPT_IN_ALGORITHMS = ("Ed25519", "Ed448", "ES256K", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87", *HMAC_ALGORITHMS)
"""What a profile accepts only when it says so (decisions D8, security R32)."""

FAMILIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        "P-256": frozenset({"ES256"}),
        "P-384": frozenset({"ES384"}),
        "P-521": frozenset({"ES512"}),
        "secp256k1": frozenset({"ES256K"}),
        "Ed25519": frozenset({"EdDSA", "Ed25519"}),
        "Ed448": frozenset({"EdDSA", "Ed448"}),
        "ML-DSA-44": frozenset({"ML-DSA-44"}),
        "ML-DSA-65": frozenset({"ML-DSA-65"}),
        "ML-DSA-87": frozenset({"ML-DSA-87"}),
    }
)
"""Key family → the algorithms that its keys can verify. EC and Edwards families go by the JWK name of the curve."""

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
_OTHER_FAMILIES: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, "RSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
    (mldsa.MLDSA44PublicKey, "ML-DSA-44"),
    (mldsa.MLDSA65PublicKey, "ML-DSA-65"),
    (mldsa.MLDSA87PublicKey, "ML-DSA-87"),
)


class VerificationKey(msgspec.Struct, frozen=True):
    """A public key and what it may be used for.

    ``algorithms`` holds the key's own ``alg`` alone, or its family's algorithms when it names none (decisions D8).
    ``issuer`` is whose the key says it is, perhaps with a placeholder (Entra's key sets), or None.
    """

    kid: str | None
    algorithms: frozenset[str]
    public_key: PublicKeyTypes
    issuer: str | None = None


class SharedSecret(msgspec.Struct, frozen=True):
    """A secret that the issuer shares with one profile, for MACs alone. ``algorithms`` are out of HMAC_ALGORITHMS."""

    kid: str | None
    algorithms: frozenset[str]
    secret: bytes
    issuer: None = None

    def __repr__(self) -> str:
        """Show nothing, because whatever shows this would show the secret."""
        return "<SharedSecret>"


AnyKey = VerificationKey | SharedSecret


def family_of(public_key: PublicKeyTypes) -> str | None:
    """Name the row of ``FAMILIES`` that the key belongs to; None for a kind of key that verifies nothing here."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _CURVES.get(public_key.curve.name)
    return next((family for kind, family in _OTHER_FAMILIES if isinstance(public_key, kind)), None)


def algorithms_of(public_key: PublicKeyTypes) -> frozenset[str]:
    """Every algorithm that the key can verify; empty for a kind of key that verifies nothing here."""
    return FAMILIES.get(family_of(public_key) or "", frozenset())


def named(algorithm: str) -> frozenset[str]:
    """What a key with this ``alg`` verifies: that alone (decisions D8), under both names where there are two."""
    return frozenset({algorithm, "EdDSA"}) if algorithm in {"Ed25519", "Ed448"} else frozenset({algorithm})


def hmac_algorithms_of(secret: bytes) -> frozenset[str]:
    """The MACs that the secret is long enough for: at least as long as their hash (RFC 7518 §3.2)."""
    return frozenset(name for name, (_, size) in _MACS.items() if len(secret) >= size)


def verify(algorithm: str, key: AnyKey, signature: bytes, signed: bytes) -> bool:
    """Whether ``signature`` (as a JWS carries it) is the key's signature or MAC over ``signed`` under ``algorithm``.

    Never raises for what a token or a key document holds: whatever cannot be verified is not verified.
    """
    if algorithm not in key.algorithms:
        return False
    if isinstance(key, SharedSecret):
        return _mac(algorithm, key.secret, signature, signed)
    check = _CHECKS.get(algorithm)
    if check is None:
        return False
    try:
        return check(key.public_key, signature, signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        # ValueError and UnsupportedAlgorithm speak of an odd key. It is the issuer's fault, and still no signature.
        return False


# MAC → its hash and the size of that hash in bytes.
_MACS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"HS256": ("sha256", 32), "HS384": ("sha384", 48), "HS512": ("sha512", 64)}
)


def _mac(algorithm: str, secret: bytes, signature: bytes, signed: bytes) -> bool:
    """HMAC (RFC 7518 §3.2). A secret shorter than the hash is refused: it could be found by trying."""
    digest, size = _MACS.get(algorithm, ("", 0))
    if not digest or len(secret) < size:
        return False
    return hmac.compare_digest(hmac.digest(secret, signed, digest), signature)


# Each check looks at the kind of key and the exact length of the signature first, raises InvalidSignature or
# returns False for a wrong signature, and returns True only after the primitive has accepted it.
_Check = Callable[[PublicKeyTypes, bytes, bytes], bool]


def _rsa_fits(key: Any, signature: bytes) -> TypeGuard[rsa.RSAPublicKey]:  # noqa: ANN401 - of any kind
    """RSA signatures are exactly as long as the modulus (RFC 8017 §8.1.2, §8.2.2); short keys are no keys (R30)."""
    kind: type = type(key)
    if not _is_rsa(kind):
        return False
    bits: int = key.key_size
    return bits >= MIN_RSA_BITS and len(signature) == (bits + 7) // 8


@lru_cache(maxsize=16)
def _is_rsa(kind: type) -> bool:
    """Whether keys of this type are RSA keys; asking an abstract class each time costs more than all other checks."""
    return issubclass(kind, rsa.RSAPublicKey)


_PKCS1V15 = padding.PKCS1v15()


def _pkcs1v15(digest: hashes.HashAlgorithm, key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 (RFC 7518 §3.3)."""
    if not _rsa_fits(key, signature):
        return False
    key.verify(signature, signed, _PKCS1V15, digest)
    return True


def _pss(digest: hashes.HashAlgorithm, key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """RSASSA-PSS: MGF1 with the same hash, and a salt exactly as long as the hash (RFC 7518 §3.5, security A67)."""
    if not _rsa_fits(key, signature):
        return False
    scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    key.verify(signature, signed, scheme, digest)
    return True


def _ecdsa(curve: ec.EllipticCurve, scheme: ec.ECDSA, key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
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
    key.verify(encode_dss_signature(r, s), signed, scheme)
    return True


def _ed25519(key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """Ed25519 (RFC 8032 §5.1.7): R and S in 64 bytes; the primitive refuses an S that is not below the order."""
    if not isinstance(key, ed25519.Ed25519PublicKey) or len(signature) != 64:  # noqa: PLR2004 - told above
        return False
    key.verify(signature, signed)
    return True


def _ed448(key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """Ed448 (RFC 8032 §5.2.7): R and S in 114 bytes."""
    if not isinstance(key, ed448.Ed448PublicKey) or len(signature) != 114:  # noqa: PLR2004 - told above
        return False
    key.verify(signature, signed)
    return True


def _eddsa(key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """Ed25519 or Ed448, whichever the key is (RFC 8037 §3.1)."""
    return _ed25519(key, signature, signed) or _ed448(key, signature, signed)


_MLDSA = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey


def _mldsa(kind: type[_MLDSA], size: int, key: PublicKeyTypes, signature: bytes, signed: bytes) -> bool:
    """ML-DSA with an empty context string (RFC 9964 §4); ``size`` is the length of its signatures (FIPS 204)."""
    if not isinstance(key, kind) or len(signature) != size:
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
        "ES256": partial(_ecdsa, ec.SECP256R1(), ec.ECDSA(hashes.SHA256())),
        "ES384": partial(_ecdsa, ec.SECP384R1(), ec.ECDSA(hashes.SHA384())),
        "ES512": partial(_ecdsa, ec.SECP521R1(), ec.ECDSA(hashes.SHA512())),
        "ES256K": partial(_ecdsa, ec.SECP256K1(), ec.ECDSA(hashes.SHA256())),
        "EdDSA": _eddsa,
        "Ed25519": _ed25519,
        "Ed448": _ed448,
        "ML-DSA-44": partial(_mldsa, mldsa.MLDSA44PublicKey, 2420),
        "ML-DSA-65": partial(_mldsa, mldsa.MLDSA65PublicKey, 3309),
        "ML-DSA-87": partial(_mldsa, mldsa.MLDSA87PublicKey, 4627),
    }
)
