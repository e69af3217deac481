"""What issuers publish → keys: JSON Web Keys, sets of them, and PEM text.

A key that cannot be trusted to do its work is left out, with a sentence that says why, and never costs the others
their use (RFC 7517 §5, security R28). Nothing here opens a connection.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import PublicKeyAlgorithmOID

from assay import jsontext
from assay.keys.admission import UnusableKey, admit, check_rsa
from assay.rules.algorithms import VerificationKey, algorithms_of, named

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "MAX_KEYS",
    "UnusableKey",
    "from_jwk",
    "from_jwks",
    "from_pem",
    "holds_private_key",
    "kids",
    "pem_problems",
    "unambiguous",
]

MAX_KEYS = 100
MAX_DOCUMENT_BYTES = 524_288
"""Members of a set that are looked at, and bytes of a set that are read (security A79, A88)."""

# What only the owner of a key has, over all key types: RSA, EC and OKP, oct, AKP (RFC 7518 §6, RFC 9964 §3).
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
_MLDSA: dict[str, type[mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey]] = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}
_EDWARDS: dict[str, type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey]] = {
    "Ed25519": ed25519.Ed25519PublicKey,
    "Ed448": ed448.Ed448PublicKey,
}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_PRIVATE_PEM = re.compile(r"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File", re.IGNORECASE)
_PRIVATE_JWK = re.compile(r'"(?:d|p|q|k|priv)"\s*:\s*"')
_SHOWN_KID_CHARACTERS = 80

# A key that says of itself that it is for RSASSA-PSS alone (RFC 4055 §1.2), in the DER of a SubjectPublicKeyInfo.
# ``cryptography`` reads it as any RSA key.
_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_SPKI_HEAD_BYTES = 24
_PSS_ALGORITHMS = frozenset({"PS256", "PS384", "PS512"})


# ---------------------------------------------------------------- JSON Web Keys


def from_jwks(document: bytes, *, spiffe: bool = False) -> tuple[list[VerificationKey], list[str]]:
    """The usable keys of a JWK set (RFC 7517 §5), and a sentence for each thing that is wrong with it.

    Judged by the body alone: whatever is not a JSON object with a list ``keys`` has no key (security A98). A SPIFFE
    bundle (``spiffe``) has keys for several kinds of document, and only those of ``use`` jwt-svid are ours.
    """
    try:
        members = _members(document)
    except (jsontext.JsonFault, UnusableKey) as fault:
        return [], [f"The key set cannot be read: {fault}."]
    keys: list[VerificationKey] = []
    problems: list[str] = []
    if len(members) > MAX_KEYS:
        problems.append(f"The key set has {len(members)} keys; only the first {MAX_KEYS} are considered.")
    use = _SPIFFE_USE if spiffe else _SIGNATURE_USE
    for position, member in enumerate(members[:MAX_KEYS], start=1):
        if spiffe and _is_for_x509(member):
            continue
        try:
            keys.append(from_jwk(member, use=use))
        except UnusableKey as fault:
            problems.append(f"{_name(position, member)} is not used: {fault}.")
    return unambiguous(keys, problems), problems


_SIGNATURE_USE = "sig"
_SPIFFE_USE = "jwt-svid"


def from_jwk(jwk: object, *, use: str = _SIGNATURE_USE) -> VerificationKey:
    """One JWK (RFC 7517 §4). With a member ``alg`` the key verifies that alone (decisions D8). Raises UnusableKey.

    ``use`` is what the key's own ``use`` must say. Only "sig" may also be left out (RFC 7517 §4.2).
    """
    if not isinstance(jwk, dict):
        raise UnusableKey("it is not a JSON object")
    if jwk.get("kty") == "oct":
        # Whoever can read the set could make tokens with it, and every key of the set is public (security A76).
        raise UnusableKey("it is a shared secret among public keys, so it is no secret")
    if _PRIVATE_MEMBERS & jwk.keys():
        # Whoever reads the set can sign as the issuer.
        raise UnusableKey("it has private members: the issuer publishes a private key, which must be replaced")
    _check_purpose(jwk, use)
    public_key = _public_key(jwk)
    return VerificationKey(_kid(jwk), _algorithms(jwk, public_key), public_key, _issuer(jwk))


def _members(document: bytes) -> list[Any]:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise UnusableKey(f"it has more than {MAX_DOCUMENT_BYTES} bytes")
    whole = jsontext.loads(document)
    keys = whole.get("keys") if isinstance(whole, dict) else None
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


def _issuer(jwk: dict[str, Any]) -> str | None:
    """Whose key it is, where the set says so: one set of keys may serve several issuers (Entra)."""
    issuer = jwk.get("issuer")
    if issuer is not None and not isinstance(issuer, str):
        raise UnusableKey("its issuer is not a string")
    return issuer


def _is_for_x509(member: object) -> bool:
    """Whether a member of a SPIFFE bundle is there for X.509 documents, which is as it should be."""
    return isinstance(member, dict) and member.get("use") == "x509-svid"


def _check_purpose(jwk: dict[str, Any], use: str) -> None:
    """RFC 7517 §4.2, §4.3: a key for encryption never verifies (security R27)."""
    if jwk.get("use") != use and (use != _SIGNATURE_USE or jwk.get("use") is not None):
        raise UnusableKey(f'its use is not "{use}"')
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
    return named(algorithm)


def _public_key(jwk: dict[str, Any]) -> PublicKeyTypes:
    kty = jwk.get("kty")
    reader = _READERS.get(kty) if isinstance(kty, str) else None
    if reader is None:
        raise UnusableKey("its kty is not RSA, EC, OKP or AKP")
    try:
        public_key = reader(jwk)
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("its numbers are not those of a valid key") from None
    admit(public_key)
    return public_key


def _rsa(jwk: dict[str, Any]) -> PublicKeyTypes:
    n, e = (int.from_bytes(_bytes(jwk, name), "big") for name in ("n", "e"))
    check_rsa(n, e)
    return rsa.RSAPublicNumbers(e, n).public_key()


def _ec(jwk: dict[str, Any]) -> PublicKeyTypes:
    curve = _CURVES.get(_text(jwk, "crv"))
    if curve is None:
        raise UnusableKey("its curve is not P-256, P-384, P-521 or secp256k1")
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


def _akp(jwk: dict[str, Any]) -> PublicKeyTypes:
    """RFC 9964 §3: ``alg`` is required, because it alone says what kind of key ``pub`` is."""
    kind = _MLDSA.get(_text(jwk, "alg"))
    if kind is None:
        raise UnusableKey("its alg is not ML-DSA-44, ML-DSA-65 or ML-DSA-87")
    return kind.from_public_bytes(_bytes(jwk, "pub"))


_READERS: dict[str, Callable[[dict[str, Any]], PublicKeyTypes]] = {"RSA": _rsa, "EC": _ec, "OKP": _okp, "AKP": _akp}


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


def unambiguous(keys: Iterable[VerificationKey], problems: list[str]) -> list[VerificationKey]:
    """Collapse identical keys, and drop kids that name different ones, with a sentence added to ``problems``.

    Whoever signs under such a kid chooses which key judges the token, so none does (security R29, A77).
    """
    distinct = {(key.kid, key.algorithms, _der(key.public_key)): key for key in keys}
    uses = Counter(key.kid for key in distinct.values() if key.kid is not None)
    ambiguous = {kid for kid, count in uses.items() if count > 1}
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

    An RSA key that says it is for RSASSA-PSS (RFC 4055) verifies PS256, PS384 and PS512 alone. A certificate only
    carries the key here: its dates and its issuer are not looked at, because the operator chose the key itself.
    Raises UnusableKey.
    """
    if holds_private_key(text):
        raise UnusableKey("it is a private key")
    labels = _PEM_BLOCK.findall(text)
    if len(labels) > 1:
        raise UnusableKey("it holds more than one PEM block")
    try:
        public_key, for_pss = _load(labels[0] if labels else "", text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("it cannot be parsed as a PEM public key or certificate") from None
    admit(public_key)
    return VerificationKey(kid, _PSS_ALGORITHMS if for_pss else algorithms_of(public_key), public_key)


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


def _load(label: str, pem: bytes) -> tuple[PublicKeyTypes, bool]:
    """The key, and whether it is for RSASSA-PSS alone."""
    if label == "CERTIFICATE":
        certificate = x509.load_pem_x509_certificate(pem)
        return certificate.public_key(), certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
    public_key = serialization.load_pem_public_key(pem)
    body = pem.partition(b"-----BEGIN PUBLIC KEY-----")[2].partition(b"-----")[0]
    return public_key, _PSS_OID in binascii.a2b_base64(body)[:_SPKI_HEAD_BYTES]


def kids(keys: Iterable[VerificationKey]) -> tuple[str, ...]:
    """The key ids of the keys that have one."""
    return tuple(key.kid for key in keys if key.kid is not None)
