"""Our own keys of every algorithm: what they sign and publish, as libraries that we do not use see it."""

from __future__ import annotations

import base64
from typing import Any, get_args

import joserfc.jwk
import joserfc.jws
import jwt
import pytest
from cryptography import x509
from msgspec.structs import replace

from assay.keys import own_algorithms, sources
from assay.keys.minting import mint, private_key_of
from assay.keys.sealing import RootKey
from assay.keys.signing import compact
from assay.model import Environment, EnvironmentSettings, SessionJwtAlgorithm, SigningKey
from tests import records

ROOT_KEY = RootKey(b"r" * 32)
ALGORITHMS: tuple[SessionJwtAlgorithm, ...] = get_args(SessionJwtAlgorithm)
MEMBERS = {
    "RS256": {"kty": "RSA", "e": "AQAB"},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}
SIZES = {"RS256": {"n": 256, "e": 3}, "ES256": {"x": 32, "y": 32}, "EdDSA": {"x": 32}}


def environment(algorithm: SessionJwtAlgorithm) -> Environment:
    settings = EnvironmentSettings(session_jwt_algorithm=algorithm)
    return replace(records.new_project().environments[1], settings=settings)


def minted(algorithm: SessionJwtAlgorithm) -> SigningKey:
    return mint(environment(algorithm), "active", ROOT_KEY, records.NOW)


def token_of(key: SigningKey) -> str:
    return compact(key.kid, {"sub": "ada", "größe": 1}, private_key_of(key, ROOT_KEY), key.algorithm)


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(params=ALGORITHMS)
def key(request: pytest.FixtureRequest) -> SigningKey:
    return minted(request.param)


def test_a_key_has_the_algorithm_of_its_environment_and_says_so(key: SigningKey) -> None:
    jwk = key.public_jwk
    assert (jwk["alg"], jwk["use"], jwk["key_ops"], jwk["kid"]) == (key.algorithm, "sig", ["verify"], key.kid)
    assert {name: jwk[name] for name in MEMBERS[key.algorithm]} == MEMBERS[key.algorithm]
    assert {name: len(raw(jwk[name])) for name in SIZES[key.algorithm]} == SIZES[key.algorithm]
    assert not {"d", "p", "q"} & jwk.keys()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 would have the name of the curve instead
def test_other_libraries_verify_what_it_signs(key: SigningKey) -> None:
    token = token_of(key)
    assert jwt.get_unverified_header(token) == {"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}
    claims = jwt.decode(token, jwt.PyJWK(key.public_jwk).key, algorithms=[key.algorithm])
    assert claims == {"sub": "ada", "größe": 1}
    published = {name: value for name, value in key.public_jwk.items() if name != "x5tS256"}
    imported: Any = joserfc.jwk.import_key(published)
    assert joserfc.jws.deserialize_compact(token, imported, algorithms=[key.algorithm]).payload


def test_our_own_verifier_takes_it_for_that_algorithm_alone(key: SigningKey) -> None:
    assert sources.from_jwk(key.public_jwk).algorithms == {key.algorithm}


def test_the_certificate_is_the_keys_own(key: SigningKey) -> None:
    certificate = x509.load_der_x509_certificate(base64.b64decode(key.public_jwk["x5c"][0]))
    certificate.verify_directly_issued_by(certificate)
    assert certificate.public_key() == private_key_of(key, ROOT_KEY).public_key()


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_the_signature_is_64_bytes_and_hangs_on_no_random_number(algorithm: SessionJwtAlgorithm) -> None:
    sign = own_algorithms.signing(own_algorithms.make(algorithm), algorithm)
    for number in range(300):  # one in 256 halves of an ES256 signature begins with a zero byte
        message = b"message %d" % number
        assert len(sign(message)) == 64
        assert sign(message) == sign(message)


@pytest.mark.parametrize(("of", "used_for"), [(a, b) for a in ALGORITHMS for b in ALGORITHMS if a != b], ids=str)
def test_no_key_is_used_for_two_algorithms(of: SessionJwtAlgorithm, used_for: SessionJwtAlgorithm) -> None:
    with pytest.raises(TypeError):
        own_algorithms.signing(own_algorithms.make(of), used_for)


def test_the_private_half_is_sealed(key: SigningKey) -> None:
    assert key.sealed_private_key[:1] == b"\x01"
    assert private_key_of(key, ROOT_KEY).public_key() is not None
