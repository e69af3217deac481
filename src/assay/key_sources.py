"""Where a profile's keys come from: the kinds of key source an operator can name (decisions D8)."""

from __future__ import annotations

from typing import Any

import msgspec


class Source(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """Base of all key sources of a profile (decisions D8). ``ca_pem`` is a private CA for this source alone.

    A field that this version does not know may be a restriction, so a source that has one is not read without it.
    """


class JwksSource(Source, frozen=True, kw_only=True, tag="jwks"):
    """A JWK set at an https URL."""

    url: str
    ca_pem: str | None = None


class DiscoverySource(Source, frozen=True, kw_only=True, tag="discovery"):
    """OpenID Connect discovery; without ``url`` it is below the profile's issuer."""

    url: str | None = None
    ca_pem: str | None = None


class PemSource(Source, frozen=True, kw_only=True, tag="pem"):
    """One to five public keys or certificates as PEM text."""

    public_keys: tuple[str, ...]


class InlineJwksSource(Source, frozen=True, kw_only=True, tag="inline_jwks"):
    """A JWK set as given, never fetched: for issuers that cannot be reached from here."""

    jwks: dict[str, Any]


class X509MapSource(Source, frozen=True, kw_only=True, tag="x509_map"):
    """A JSON object kid → certificate at an https URL (Firebase)."""

    url: str


class PemMapSource(Source, frozen=True, kw_only=True, tag="pem_map"):
    """A JSON object kid → public key PEM at an https URL (Google IAP)."""

    url: str


class AlbSource(Source, frozen=True, kw_only=True, tag="alb"):
    """AWS load balancers: one PEM per kid below a regional URL; ``signer`` is the ARN the header must name."""

    signer: str
    region: str | None = None
    url: str | None = None


class SpiffeSource(Source, frozen=True, kw_only=True, tag="spiffe"):
    """A SPIFFE bundle: keys of ``use`` jwt-svid, and an empty set revokes them all."""

    url: str
    ca_pem: str | None = None


class ProjectSource(Source, frozen=True, kw_only=True, tag="project"):
    """The session JWT keys of another environment of this server, named by its project id; no network."""

    project_id: str


class HmacSource(Source, frozen=True, kw_only=True, tag="hmac"):
    """A shared secret, sealed and never shown; the profile has no other source then."""

    sealed_secret: bytes


KeySource = (
    JwksSource
    | DiscoverySource
    | PemSource
    | InlineJwksSource
    | X509MapSource
    | PemMapSource
    | AlbSource
    | SpiffeSource
    | ProjectSource
    | HmacSource
)
