"""How one of our own signing keys comes into being: a key, a certificate around it, and its published form."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import uuid
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from assay.keys import own_algorithms
from assay.keys.own_algorithms import PrivateKey, base64url
from assay.keys.sealing import RootKey, signing_key_purpose
from assay.model import Environment, KeyState, SessionJwtAlgorithm, SigningKey

_CERTIFICATE_DAYS = 3652


def mint(
    environment: Environment,
    state: KeyState,
    root_key: RootKey,
    now: int,
    algorithm: SessionJwtAlgorithm | None = None,
) -> SigningKey:
    """A fresh key of the environment, its private half sealed; takes some 100 ms of processor time for RS256.

    Without an ``algorithm`` it has that of the environment.
    """
    algorithm = algorithm or environment.settings.session_jwt_algorithm
    kid = f"jwk-{environment.kind}-{uuid.uuid4()}"
    private_key = own_algorithms.make(algorithm)
    plaintext = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(
        environment_id=environment.environment_id,
        kid=kid,
        state=state,
        algorithm=algorithm,
        public_jwk=_public_jwk(private_key, algorithm, kid, now),
        sealed_private_key=root_key.seal(plaintext, signing_key_purpose(environment.environment_id, kid)),
        created_at=now,
        activated_at=now if state == "active" else None,
    )


def private_key_of(key: SigningKey, root_key: RootKey) -> PrivateKey:
    """Unseal the private half. Raises WrongRootKey."""
    plaintext = root_key.open(key.sealed_private_key, signing_key_purpose(key.environment_id, key.kid))
    private_key = serialization.load_der_private_key(plaintext, password=None)
    if not isinstance(private_key, PrivateKey):
        raise TypeError(f"signing key {key.kid} is of a kind that signs no session JWTs")
    return private_key


def rsa_jwk(public_key: rsa.RSAPublicKey, kid: str) -> dict[str, Any]:
    """The public key as a JWK for RS256 signatures."""
    return own_algorithms.public_jwk(public_key, "RS256", kid)


def _public_jwk(private_key: PrivateKey, algorithm: SessionJwtAlgorithm, kid: str, now: int) -> dict[str, Any]:
    """The JWK with the certificate, which the official typed clients demand.

    ``x5tS256`` is their spelling of ``x5t#S256`` (contract §5.2). ``x5c`` is plain base64 (RFC 7517 §4.7).
    """
    certificate = _certificate(private_key, algorithm, kid, now).public_bytes(serialization.Encoding.DER)
    return {
        **own_algorithms.public_jwk(private_key.public_key(), algorithm, kid),
        "x5c": [base64.b64encode(certificate).decode()],
        "x5tS256": base64url(hashlib.sha256(certificate).digest()),
    }


def _certificate(private_key: PrivateKey, algorithm: SessionJwtAlgorithm, kid: str, now: int) -> x509.Certificate:
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
        .sign(private_key, own_algorithms.certificate_hash(algorithm))
    )
