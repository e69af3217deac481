"""Key documents of each kind give the keys that can be used, and a sentence for each thing that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from assay.keys import documents
from assay.keys.documents import DocumentKind, UnusableDocument
from tests.certificates import certificate
from tests.issuer import IssuerKey, make_key

KINDS: tuple[DocumentKind, ...] = ("jwks", "spiffe", "x509_map", "pem_map")
RSA, EC = make_key("RSA", "rsa"), make_key("P-256", "ec")


def private_pem(key: IssuerKey) -> str:
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()).decode()


def weak_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


def parse(kind: DocumentKind, document: object) -> tuple[set[str | None], list[str]]:
    keys, problems = documents.parse(kind, json.dumps(document).encode())
    return {key.kid for key in keys}, problems


def test_an_x509_map_gives_the_key_of_each_certificate_whatever_its_dates() -> None:
    raw = json.dumps({"one": certificate(RSA), "two": certificate(EC)}).encode()
    keys, problems = documents.parse("x509_map", raw)
    assert problems == []
    assert [(key.kid, key.public_key) for key in keys] == [
        ("one", RSA.verification_key().public_key),
        ("two", EC.verification_key().public_key),
    ]
    assert keys[1].algorithms == {"ES256"}


def test_a_pem_map_gives_each_key_under_its_kid() -> None:
    assert parse("pem_map", {"one": RSA.pem(), "two": EC.pem()}) == ({"one", "two"}, [])


BROKEN: dict[str, Any] = {
    "a number": 1,
    "null": None,
    "an object": {},
    "nothing": "",
    "text": "no key",
    "a truncated key": RSA.pem()[:200],
    "two keys": RSA.pem() + EC.pem(),
    "a private key": private_pem(EC),
    "a short key": weak_pem(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_member_of_a_map_costs_the_others_nothing(name: str) -> None:
    assert parse("pem_map", {name: BROKEN[name], "good": RSA.pem()})[0] == {"good"}
    kids, problems = parse("x509_map", {name: BROKEN[name], "good": certificate(RSA)})
    assert kids == {"good"}
    assert len(problems) == 1
    assert name in problems[0]


def test_an_x509_map_takes_certificates_only() -> None:
    kids, problems = parse("x509_map", {"bare": RSA.pem()})
    assert kids == set()
    assert "not a PEM certificate" in problems[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>Sign in</body></html>", id="HTML"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"keys": [], "keys": []}', id="repeated member"),
        pytest.param('{"keys": []}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"keys": []} x', id="more after the document"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
    ],
)
def test_what_is_not_the_json_object_expected_has_no_key_and_a_problem(kind: DocumentKind, body: bytes) -> None:
    keys, problems = documents.parse(kind, body)
    assert keys == []
    assert len(problems) == 1


@pytest.mark.parametrize("kind", ["x509_map", "pem_map"])
def test_a_map_is_looked_at_to_a_limit(kind: DocumentKind) -> None:
    text = certificate(EC) if kind == "x509_map" else EC.pem()
    kids, problems = parse(kind, {f"kid-{number}": text for number in range(5_000)})
    assert len(kids) == 100
    assert len(problems) == 1


def test_the_kid_of_a_broken_member_is_shortened_in_its_sentence() -> None:
    [problem] = parse("pem_map", {"k" * 10_000: 1})[1]
    assert len(problem) < 200


def test_a_jwks_gives_its_keys() -> None:
    assert parse("jwks", {"keys": [RSA.jwk(), EC.jwk()]}) == ({"rsa", "ec"}, [])


def test_a_spiffe_bundle_gives_its_keys_for_tokens_alone() -> None:
    keys = [RSA.jwk() | {"use": "jwt-svid"}, EC.jwk() | {"use": "x509-svid"}, EC.jwk() | {"kid": "none"}]
    assert parse("spiffe", {"keys": keys, "spiffe_sequence": 1})[0] == {"rsa"}
    assert parse("jwks", {"keys": keys})[0] == {"none"}


@pytest.mark.parametrize("keys", [[], [EC.jwk() | {"use": "x509-svid"}]], ids=["no key", "no key for tokens"])
def test_a_spiffe_bundle_without_keys_for_tokens_is_told_from_one_that_cannot_be_read(keys: list[Any]) -> None:
    assert parse("spiffe", {"keys": keys}) == (set(), [])
    assert parse("spiffe", {"keys": "none"})[1] != []


# ---------------------------------------------------------------- discovery

ISSUER = "https://issuer.example/tenant"
JWKS_URL = "https://keys.example/jwks"


def discovered(document: object, issuer: str = ISSUER) -> str:
    return documents.jwks_url_of(json.dumps(document).encode(), issuer)


def test_a_discovery_document_names_the_key_set() -> None:
    assert discovered({"issuer": ISSUER, "jwks_uri": JWKS_URL, "token_endpoint": "https://x.example"}) == JWKS_URL


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({"jwks_uri": JWKS_URL}, "not that of the issuer", id="no issuer"),
        pytest.param({"issuer": ISSUER + "/", "jwks_uri": JWKS_URL}, "not that of the issuer", id="a slash more"),
        pytest.param({"issuer": ISSUER.upper(), "jwks_uri": JWKS_URL}, "not that of the issuer", id="other case"),
        pytest.param({"issuer": [ISSUER], "jwks_uri": JWKS_URL}, "not that of the issuer", id="list of issuers"),
        pytest.param({"issuer": ISSUER}, "jwks_uri", id="no key set"),
        pytest.param({"issuer": ISSUER, "jwks_uri": [JWKS_URL]}, "jwks_uri", id="list of key sets"),
        pytest.param({"issuer": ISSUER, "jwks_uri": ""}, "jwks_uri", id="empty key set"),
        pytest.param([], "not a JSON object", id="list"),
    ],
)
def test_a_discovery_document_of_somebody_else_or_without_keys_is_refused(document: object, words: str) -> None:
    with pytest.raises(UnusableDocument, match=words):
        discovered(document)


def test_html_is_no_discovery_document() -> None:
    with pytest.raises(UnusableDocument, match="not JSON"):
        documents.jwks_url_of(b"<html></html>", ISSUER)


@pytest.mark.parametrize("issuer", ["https://issuer.example", "https://issuer.example/"])
def test_the_discovery_document_is_below_the_issuer(issuer: str) -> None:
    assert documents.discovery_url(issuer) == "https://issuer.example/.well-known/openid-configuration"


# ---------------------------------------------------------------- inside a profile


def test_an_inline_set_gives_its_keys_and_problems() -> None:
    keys, problems = documents.from_inline({"keys": [RSA.jwk(), None]})
    assert [key.kid for key in keys] == ["rsa"]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("jwks", "private"),
    [
        pytest.param({"keys": [RSA.jwk()]}, False, id="public RSA key"),
        pytest.param({"keys": [RSA.jwk(), EC.jwk() | {"d": "AA"}]}, True, id="private EC key among public ones"),
        pytest.param({"keys": [RSA.jwk() | {"p": "AA"}]}, True, id="half of an RSA private key"),
        pytest.param({"keys": [{"kty": "oct", "k": "AA"}]}, True, id="shared secret"),
        pytest.param({"keys": [{"kty": "AKP", "priv": "AA"}]}, True, id="ML-DSA seed"),
        pytest.param(EC.jwk() | {"d": "AA"}, True, id="private key in place of a set"),
        pytest.param({"keys": "d"}, False, id="no list of keys"),
    ],
)
def test_a_private_key_in_an_inline_set_is_seen(jwks: dict[str, Any], private: bool) -> None:
    assert documents.inline_holds_private_key(jwks) is private


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(certificate(RSA), None, id="certificate"),
        pytest.param(certificate(RSA) + certificate(EC), None, id="two certificates"),
        pytest.param(RSA.pem(), "cannot be parsed", id="bare key"),
        pytest.param("", "cannot be parsed", id="nothing"),
        pytest.param("CA", "cannot be parsed", id="text"),
        pytest.param(certificate(RSA) + private_pem(RSA), "private key", id="certificate and private key"),
    ],
)
def test_a_ca_is_certificates_and_nothing_else(text: str, words: str | None) -> None:
    problems = documents.certificate_problems(text)
    assert len(problems) == (words is not None)
    assert all(words in problem for problem in problems if words)
