"""Key documents → keys, for each kind of document that issuers publish (decisions D8).

A document is judged by its body alone: whatever content type came with it, HTML and anything else that is not the JSON
object expected gives no key (security A98). A member that cannot be used costs the others nothing (R28). Nothing here
opens a connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from cryptography import x509

from assay import jsontext
from assay.keys import sources
from assay.rules.algorithms import VerificationKey

DocumentKind = Literal["jwks", "spiffe", "x509_map", "pem_map"]
Parsed = tuple[list[VerificationKey], list[str]]

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_SHOWN_CHARACTERS = 80


class UnusableDocument(Exception):
    """The document does not say what it must; the message is a sentence that says why."""


def parse(kind: DocumentKind, document: bytes) -> Parsed:
    """The usable keys of a document, and a sentence for each thing that is wrong with it.

    Without keys and without problems a ``spiffe`` bundle says that all its keys are revoked (SPIFFE Trust Domain and
    Bundle); a document of another kind without keys says nothing (security A97).
    """
    return _PARSERS[kind](document)


def jwks_url_of(document: bytes, issuer: str) -> str:
    """Where the issuer with this discovery document keeps its key set (OpenID Connect Discovery 1.0 §3, §4.3).

    The document must name the issuer that was asked for, character by character: otherwise one tenant of a host could
    answer for another. The address is judged when it is fetched, as every other. Raises UnusableDocument.
    """
    members = _object(document, "discovery document")
    if members.get("issuer") != issuer:
        raise UnusableDocument(f"The discovery document is not that of the issuer {_shown(issuer)}.")
    url = members.get("jwks_uri")
    if not isinstance(url, str) or not url:
        raise UnusableDocument("The discovery document has no string jwks_uri.")
    return url


def discovery_url(issuer: str) -> str:
    """Where an issuer keeps its discovery document (OpenID Connect Discovery 1.0 §4.1)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def from_inline(jwks: dict[str, Any]) -> Parsed:
    """The usable keys of a JWK set that stands in a profile, and its problems."""
    return sources.from_jwks(json.dumps(jwks).encode())


def inline_holds_private_key(jwks: dict[str, Any]) -> bool:
    """Whether the set, or a key in place of a set, has a member that only a private or secret key has."""
    members = jwks.get("keys")
    candidates = [jwks, *(members if isinstance(members, list) else ())]
    return any(isinstance(each, dict) and _PRIVATE_MEMBERS & each.keys() for each in candidates)


def certificate_problems(text: str) -> list[str]:
    """A sentence if the text is not one or more PEM certificates, of authorities to trust; empty when it is."""
    if sources.holds_private_key(text):
        return ["The CA text holds a private key."]
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return ["The CA text cannot be parsed as PEM certificates."]
    return []


def _spiffe(document: bytes) -> Parsed:
    return sources.from_jwks(document, spiffe=True)


def _x509_map(document: bytes) -> Parsed:
    """Firebase's form. A certificate only carries its key: the address it came from, over TLS, is what is trusted."""
    return _pem_members(document, _certificate_key)


def _pem_map(document: bytes) -> Parsed:
    """Google IAP's form."""
    return _pem_members(document, sources.from_pem)


_PARSERS: dict[DocumentKind, Callable[[bytes], Parsed]] = {
    "jwks": sources.from_jwks,
    "spiffe": _spiffe,
    "x509_map": _x509_map,
    "pem_map": _pem_map,
}


def _certificate_key(text: str, kid: str) -> VerificationKey:
    if _CERTIFICATE not in text:
        raise sources.UnusableKey("it is not a PEM certificate")
    return sources.from_pem(text, kid)


def _pem_members(document: bytes, read: Callable[[str, str], VerificationKey]) -> Parsed:
    try:
        members = _object(document, "key document")
    except UnusableDocument as fault:
        return [], [str(fault)]
    keys: list[VerificationKey] = []
    problems: list[str] = []
    if len(members) > sources.MAX_KEYS:
        problems.append(f"The key document has {len(members)} keys; only the first {sources.MAX_KEYS} are considered.")
    for kid, text in list(members.items())[: sources.MAX_KEYS]:
        try:
            keys.append(_member_key(kid, text, read))
        except sources.UnusableKey as fault:
            problems.append(f"The key {_shown(kid)} is not used: {fault}.")
    return keys, problems


def _member_key(kid: str, text: object, read: Callable[[str, str], VerificationKey]) -> VerificationKey:
    if not isinstance(text, str):
        raise sources.UnusableKey("it is not a string")
    return read(text, kid)


def _object(document: bytes, name: str) -> dict[str, Any]:
    try:
        members = jsontext.loads(document)
    except jsontext.JsonFault as fault:
        raise UnusableDocument(f"The {name} cannot be read: {fault}.") from None
    if not isinstance(members, dict):
        raise UnusableDocument(f"The {name} cannot be read: it is not a JSON object.")
    return members


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARACTERS])
