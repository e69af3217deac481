"""How one of our own signing keys comes into being: an RSA key, a certificate around it, and its published form."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from assay.keys.sealing import RootKey, signing_key_purpose
from assay.model import Environment, KeyState, SigningKey

RSA_BITS = 2048
_EXPONENT = 65537
_CERTIFICATE_DAYS = 3652


def mint(environment: Environment, state: KeyState, root_key: RootKey, now: int) -> SigningKey:
    """A fresh RS256 key of the environment, its private half sealed; takes some 100 ms of processor time."""
    kid = f"jwk-{environment.kind}-{uuid.uuid4()}"
    private_key = rsa.generate_private_key(_EXPONENT, RSA_BITS)
    plaintext = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(
        environment_id=environment.environment_id,
        kid=kid,
        state=state,
        algorithm="RS256",
        public_jwk=_public_jwk(private_key, kid, now),
        sealed_private_key=root_key.seal(plaintext, signing_key_purpose(environment.environment_id, kid)),
        created_at=now,
        activated_at=now if state == "active" else None,
    )


def private_key_of(key: SigningKey, root_key: RootKey) -> rsa.RSAPrivateKey:
    """Unseal the private half. Raises WrongRootKey."""
    plaintext = root_key.open(key.sealed_private_key, signing_key_purpose(key.environment_id, key.kid))
    private_key = serialization.load_der_private_key(plaintext, password=None)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise TypeError(f"signing key {key.kid} is not an RSA key")
    return private_key


def rsa_jwk(public_key: rsa.RSAPublicKey, kid: str) -> dict[str, Any]:
    """The public key as a JWK for RS256 signatures (RFC 7517 §4, RFC 7518 §6.3)."""
    numbers = public_key.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "key_ops": ["verify"],
        "alg": "RS256",
        "kid": kid,
        "n": _base64url_number(numbers.n),
        "e": _base64url_number(numbers.e),
    }


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _base64url_number(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _public_jwk(private_key: rsa.RSAPrivateKey, kid: str, now: int) -> dict[str, Any]:
    """The JWK with the certificate, which the official typed clients demand.

    ``x5tS256`` is their spelling of ``x5t#S256`` (contract §5.2). ``x5c`` is plain base64 (RFC 7517 §4.7).
    """
    certificate = _certificate(private_key, kid, now).public_bytes(serialization.Encoding.DER)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate)
    return {
        **rsa_jwk(private_key.public_key(), kid),
        "x5c": [base64.b64encode(certificate).decode()],
        "x5tS256": base64url(digest.finalize()),
    }


def _certificate(private_key: rsa.RSAPrivateKey, kid: str, now: int) -> x509.Certificate:
    """Self-signed: it proves nothing, and is there for clients that read keys out of certificates."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kid)])
    start = dt.datetime.fromtimestamp(now, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=_CERTIFICATE_DAYS))
        .sign(private_key, hashes.SHA256())
    )
