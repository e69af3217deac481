"""A small real issuer: keys, tokens (good and malformed), a key document, and a server for it on loopback.

``Issuer().mint({...})`` gives a valid token; ``with serving() as issuer:`` also serves its keys over HTTP. PyJWT does
the signing and writes the key documents, so that what Assay verifies was not made by Assay.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

import jwt.algorithms
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from assay.rules.algorithms import VerificationKey, algorithms_of

AUDIENCE: Final = "assay-tests"
JWKS_PATH: Final = "/.well-known/jwks.json"
ABSENT: Final = object()
"""As a value of a claim or header member: leave it out."""

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)

_SIGNERS = jwt.algorithms.get_default_algorithms()


class IssuerKey(NamedTuple):
    """A key of an issuer. ``alg`` is what its JWK says it is for; None: any algorithm of its family."""

    kid: str
    private_key: PrivateKey
    alg: str | None = None

    @property
    def algorithms(self) -> frozenset[str]:
        """What it can sign with."""
        return algorithms_of(self.private_key.public_key())

    def jwk(self) -> dict[str, Any]:
        """The public half as a JWK for signatures."""
        if isinstance(self.private_key, mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey):
            return _akp_jwk(self)
        signer: Any = _SIGNERS[max(self.algorithms)]
        members = dict(signer.to_jwk(self.private_key.public_key(), as_dict=True))
        members.pop("key_ops", None)
        return members | {"kid": self.kid, "use": "sig"} | ({"alg": self.alg} if self.alg else {})

    def pem(self) -> str:
        """The public half as PEM (SubjectPublicKeyInfo)."""
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private_key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()

    def verification_key(self) -> VerificationKey:
        """The key as the rules of Assay take it."""
        algorithms = frozenset({self.alg}) if self.alg else self.algorithms
        return VerificationKey(kid=self.kid, algorithms=algorithms, public_key=self.private_key.public_key())


@cache
def make_key(family: str, kid: str | None = None, alg: str | None = None) -> IssuerKey:
    """Make the key of this family (``RSA``, ``P-256``, …, ``ML-DSA-87``) and kid; the same one all through a run."""
    return IssuerKey(kid or family.lower(), (_MAKERS | _OPT_IN_MAKERS)[family](), alg)


_MAKERS: dict[str, Any] = {
    "RSA": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}

# Families that profiles take only when they list their algorithm; an issuer has none of them by itself.
_OPT_IN_MAKERS: dict[str, Any] = {
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
}

_ALIASES = {"Ed25519": "EdDSA", "Ed448": "EdDSA"}


def _akp_jwk(key: IssuerKey) -> dict[str, Any]:
    """RFC 9964: the key type AKP, whose ``alg`` is required. PyJWT does not know it."""
    raw = key.private_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "AKP", "alg": min(key.algorithms), "pub": encode(raw), "kid": key.kid, "use": "sig"}


def encode(part: bytes | Mapping[str, Any]) -> str:
    """One segment: base64url of bytes as they are, or of a mapping as JSON."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signature(algorithm: str, key: object, signed: bytes) -> bytes:
    """Sign as a JWS does. HS256 takes bytes of any kind as ``key``, public keys in PEM included."""
    if isinstance(key, mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey):
        return key.sign(signed)
    made: bytes = _SIGNERS[_ALIASES.get(algorithm, algorithm)].sign(signed, key)
    return made


def sign(header: bytes | Mapping[str, Any], payload: bytes | Mapping[str, Any], algorithm: str, key: object) -> str:
    """Sign a token of any header and payload, JSON or not, whatever the header says about the algorithm."""
    signed = f"{encode(header)}.{encode(payload)}"
    return f"{signed}.{encode(signature(algorithm, key, signed.encode()))}"


class Issuer:
    """Signs tokens, publishes keys. ``keys`` may be changed at any time; ``failing`` is a status to answer with.

    ``documents`` are what is served at other paths than that of the key set: text as it is, all else as JSON.
    """

    def __init__(self, url: str = "https://issuer.example", keys: list[IssuerKey] | None = None) -> None:
        self.url = url
        self.keys = keys if keys is not None else [make_key(family) for family in _MAKERS]
        self.failing: int | None = None
        self.documents: dict[str, Any] = {}
        self.paths: list[str] = []

    @property
    def jwks_url(self) -> str:
        """Where :func:`serving` serves the keys."""
        return self.url + JWKS_PATH

    @property
    def requests(self) -> int:
        """How many requests the server has answered."""
        return len(self.paths)

    def jwks(self) -> dict[str, Any]:
        """The key document."""
        return {"keys": [key.jwk() for key in self.keys]}

    def key_for(self, algorithm: str) -> IssuerKey:
        """The first key that can sign with the algorithm."""
        return next(key for key in self.keys if algorithm in key.algorithms)

    def claims(self, now: float | None = None) -> dict[str, Any]:
        """Claims of a good token that lives for five minutes from ``now`` (seconds; None: the time it is)."""
        start = int(time.time() if now is None else now)
        return {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "subject-1",
            "jti": secrets.token_urlsafe(12),
            "email": "ada@example.com",
            "iat": start,
            "exp": start + 300,
        }

    def mint(
        self,
        claims: Mapping[str, Any] | None = None,
        *,
        now: float | None = None,
        alg: str = "RS256",
        header: Mapping[str, Any] | None = None,
        key: IssuerKey | None = None,
    ) -> str:
        """Sign a token: the claims of :meth:`claims` with ``claims`` over them, ``header`` over the usual header.

        ``key`` signs instead of the issuer's own key for ``alg``; the header still names the issuer's.
        """
        own = key if key is not None and key in self.keys else self.key_for(alg)
        whole = {"alg": alg, "kid": own.kid, "typ": "JWT"} | dict(header or {})
        payload = self.claims(now) | dict(claims or {})
        return sign(_present(whole), _present(payload), alg, (key or own).private_key)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


@contextmanager
def serving(keys: list[IssuerKey] | None = None) -> Iterator[Issuer]:
    """Serve an issuer's keys on loopback as long as the block runs; its ``url`` is the server's."""
    issuer = Issuer(keys=keys)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(issuer))
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.paths.append(self.path)
            documents = {JWKS_PATH: issuer.jwks()} | issuer.documents
            status = issuer.failing or (200 if self.path in documents else 404)
            document = documents[self.path] if status == 200 else {}
            body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """Keep quiet."""

    return Handler
