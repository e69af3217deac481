"""Tokens of a dialect and the key documents that go with them, made by keys of ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from assay.key_sources import (
    AlbSource,
    DiscoverySource,
    HmacSource,
    InlineJwksSource,
    JwksSource,
    KeySource,
    PemMapSource,
    PemSource,
    ProjectSource,
    SpiffeSource,
    X509MapSource,
)
from assay.keys import alb
from assay.keys.documents import discovery_url
from assay.keys.fetch import Fetched, FetchFault
from tests.certificates import certificate
from tests.dialects.dialect import ABSENT, JWKS, PEM, SECRET, Change, Dialect, filled_in
from tests.issuer import IssuerKey, make_key, signature

SECRET_TEXT = "a-shared-secret-of-sixty-four-bytes-so-that-even-HS512-may-use-it"
STRANGERS_SECRET_TEXT = "another-shared-secret-of-sixty-four-bytes-which-nobody-has-told-us"

_WITHOUT_DOCUMENT = (PemSource, InlineJwksSource, ProjectSource, HmacSource)


def key_of(dialect: Dialect) -> IssuerKey:
    """The issuer's key."""
    return make_key(dialect.family, dialect.kid)


def values_of(dialect: Dialect, **made: str) -> dict[str, str]:
    """What the stand-ins of a dialect stand for."""
    return {PEM: key_of(dialect).pem(), JWKS: _jwks(dialect).decode(), SECRET: SECRET_TEXT} | made


def token_of(dialect: Dialect, change: Change, values: dict[str, str]) -> str:
    """The good token with a change, signed."""
    claims = claims_of(dialect, change, values)
    alg = change.alg or dialect.alg
    header = _laid_over({"alg": alg, "kid": dialect.kid} | dialect.header, change.header)
    padded = dialect.padded if change.padded is None else change.padded
    signed = f"{_segment(_json(filled_in(header, values)), padded)}.{_segment(_json(claims), padded)}"
    return f"{signed}.{_segment(signature(alg, _signing_key(dialect, change, alg), signed.encode()), padded)}"


def claims_of(dialect: Dialect, change: Change, values: dict[str, str]) -> dict[str, Any]:
    """The claims of that token."""
    found: dict[str, Any] = filled_in(_laid_over(dialect.claims, change.claims), values)
    return found


def _signing_key(dialect: Dialect, change: Change, alg: str) -> object:
    is_own = change.signed_by == "issuer"
    if alg.startswith("HS"):
        return (SECRET_TEXT if is_own else STRANGERS_SECRET_TEXT).encode()
    return (key_of(dialect) if is_own else make_key(dialect.family, "stranger")).private_key


def _laid_over(members: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | change).items() if value is not ABSENT}


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps(members).encode()


def _segment(raw: bytes, padded: bool) -> str:
    text = base64.urlsafe_b64encode(raw).decode()
    return text if padded else text.rstrip("=")


# ---------------------------------------------------------------- key documents


class Web:
    """What the issuer publishes: each document at its URL, and nothing anywhere else."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.fetched: list[str] = []

    async def fetch(self, url: str, ca_pem: str | None = None) -> Fetched:
        del ca_pem
        self.fetched.append(url)
        if url not in self.documents:
            raise FetchFault("the answer has status 404, not 200", 404)
        return Fetched(self.documents[url])


def documents_of(dialect: Dialect, sources: Sequence[KeySource], issuer: str) -> dict[str, bytes]:
    """Every key document of the dialect by its URL; ``issuer`` is that of the profile."""
    found: dict[str, bytes] = {}
    for source in sources:
        found |= _documents(dialect, source, issuer)
    return found


def _documents(dialect: Dialect, source: KeySource, issuer: str) -> dict[str, bytes]:
    key = key_of(dialect)
    if isinstance(source, _WITHOUT_DOCUMENT):
        return {}
    if isinstance(source, DiscoverySource):
        jwks_uri = dialect.jwks_uri or issuer.removesuffix("/") + "/.well-known/jwks.json"
        metadata = _json({"issuer": issuer, "jwks_uri": jwks_uri})
        return {source.url or discovery_url(issuer): metadata, jwks_uri: _jwks(dialect)}
    if isinstance(source, X509MapSource):
        return {source.url: _json({key.kid: certificate(key)} | dialect.document)}
    if isinstance(source, PemMapSource):
        return {source.url: _json({key.kid: key.pem()} | dialect.document)}
    if isinstance(source, AlbSource):
        return {f"{alb.base_url(source)}/{key.kid}": key.pem().encode()}
    assert isinstance(source, JwksSource | SpiffeSource)
    return {source.url: _jwks(dialect)}


def _jwks(dialect: Dialect) -> bytes:
    return _json({"keys": [_laid_over(key_of(dialect).jwk(), dialect.jwk)]} | dialect.document)
