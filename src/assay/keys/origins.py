"""What each kind of fetched key source is: where its document lies, and which keys that document gives."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from assay.key_sources import DiscoverySource, JwksSource, KeySource, PemMapSource, SpiffeSource, X509MapSource
from assay.keys import documents, sources
from assay.keys.documents import DocumentKind
from assay.keys.fetch import Fetched, FetchFault
from assay.model import Profile
from assay.rules.algorithms import VerificationKey

SHORTEST_FRESH_SECONDS = 5 * 60
LONGEST_FRESH_SECONDS = 24 * 3600

_DOCUMENTS: dict[type[KeySource], DocumentKind] = {
    JwksSource: "jwks",
    DiscoverySource: "jwks",
    X509MapSource: "x509_map",
    PemMapSource: "pem_map",
    SpiffeSource: "spiffe",
}


class Fetch(Protocol):
    """``Fetcher.fetch``, or what stands for it in tests."""

    def __call__(self, url: str, ca_pem: str | None = None) -> Awaitable[Fetched]:
        """The document at ``url``. Raises FetchFault."""


class Parsed(msgspec.Struct, frozen=True):
    """What a document gives. ``is_good`` is whether it may replace an older one (security A97)."""

    keys: Sequence[VerificationKey]
    problems: Sequence[str]
    is_good: bool


class Origin(Protocol):
    """One document that is fetched again and again."""

    @property
    def kind(self) -> str:
        """The kind of key source that it belongs to (decisions D8)."""

    @property
    def url(self) -> str:
        """What is fetched first."""

    @property
    def fetches(self) -> int:
        """How many fetches, one after the other, it takes."""

    @property
    def digest(self) -> str:
        """Tells it from every other: all that decides what is fetched and whom that is believed from."""

    async def fetch(self, fetch: Fetch) -> Fetched:
        """The document as it is now. Raises FetchFault."""

    def parse(self, document: bytes) -> Parsed:
        """The document's keys. Never raises for what is in it."""


class DocumentOrigin:
    """A document with all keys of an issuer."""

    def __init__(self, source: KeySource, issuer: str) -> None:
        self.kind = str(source.__struct_config__.tag)
        self._parsed_as = _DOCUMENTS[type(source)]
        self._ca_pem: str | None = getattr(source, "ca_pem", None)
        self._discovers = isinstance(source, DiscoverySource)
        self.fetches = 2 if self._discovers else 1
        self._issuer = issuer
        url: str | None = getattr(source, "url", None)
        self.url = documents.discovery_url(issuer) if url is None else url
        parts = [self.kind, self.url, self._ca_pem, issuer if self._discovers else None]
        self.digest = hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    async def fetch(self, fetch: Fetch) -> Fetched:
        """As ``Origin.fetch`` says; discovery takes two steps, of which the second brings the keys."""
        first = await fetch(self.url, self._ca_pem)
        if not self._discovers:
            return first
        try:
            url = documents.jwks_url_of(first.document, self._issuer)
        except documents.UnusableDocument as fault:
            raise FetchFault(str(fault)) from None
        return await fetch(url, self._ca_pem)

    def parse(self, document: bytes) -> Parsed:
        """As ``Origin.parse`` says."""
        keys, problems = documents.parse(self._parsed_as, document)
        is_revocation = self._parsed_as == "spiffe" and not problems
        return Parsed(keys, problems, bool(keys) or is_revocation)


class AlbOrigin:
    """The PEM of one key of the load balancers of a region."""

    kind = "alb"
    fetches = 1

    def __init__(self, source_digest: str, base_url: str, kid: str) -> None:
        self.url = f"{base_url}/{kid}"
        self.digest = f"{source_digest}/{kid}"
        self._kid = kid

    async def fetch(self, fetch: Fetch) -> Fetched:
        """As ``Origin.fetch`` says."""
        return await fetch(self.url)

    def parse(self, document: bytes) -> Parsed:
        """As ``Origin.parse`` says."""
        try:
            key = sources.from_pem(document.decode("utf-8", "replace"), self._kid)
        except sources.UnusableKey as fault:
            return Parsed((), (f"The key {self._kid} is not used: {fault}.",), is_good=False)
        return Parsed((key,), (), is_good=True)


def is_document(source: KeySource) -> bool:
    """Whether the source is one document that is fetched."""
    return type(source) in _DOCUMENTS


def origin_of(source: KeySource, profile: Profile) -> DocumentOrigin:
    """The origin of a source for which ``is_document`` holds."""
    return DocumentOrigin(source, profile.issuer)


def fresh_seconds(max_age: int | None, stale_limit: int) -> int:
    """How long a document serves before it is fetched again: what it says, within five minutes and a day.

    Never longer than the profile lets keys serve at all, if that is five minutes or more.
    """
    asked = SHORTEST_FRESH_SECONDS if max_age is None else min(max_age, stale_limit, LONGEST_FRESH_SECONDS)
    return max(asked, SHORTEST_FRESH_SECONDS)
