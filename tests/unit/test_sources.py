"""What issuers publish, and what of it is believed."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.x509.oid import NameOID

from assay.keys import sources
from assay.rules.algorithms import FAMILIES, algorithms_of
from tests import issuer

GOOD = issuer.make_key("P-256", "good").jwk()
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
FAMILY_NAMES = list(FAMILIES)

SMALL_PRIMES = math.prod(number for number in range(2, 1_000) if all(number % each for each in range(2, number)))

Change = Callable[[dict[str, Any]], dict[str, Any]]


def document(*members: object) -> bytes:
    return json.dumps({"keys": list(members)}).encode()


def b64(number: int, size: int | None = None) -> str:
    data = number.to_bytes(size or (number.bit_length() + 7) // 8 or 1, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def rsa_jwk(n: int, e: int = 65537) -> dict[str, Any]:
    return {"kty": "RSA", "kid": "bad", "n": b64(n), "e": b64(e)}


def okp(number: int, size: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(size, "little")).rstrip(b"=").decode()


def odd(bits: int) -> int:
    """An odd number of exactly so many bits that no small prime divides."""
    number = (1 << bits - 1) | 1
    while math.gcd(number, SMALL_PRIMES) != 1:
        number += 2
    return number


def kids(keys: list[Any]) -> list[str | None]:
    return [key.kid for key in keys]


# ---------------------------------------------------------------- JWK


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_key_without_alg_verifies_its_familys_algorithms(family: str) -> None:
    own = issuer.make_key(family, "k")
    keys, problems = sources.from_jwks(document(own.jwk()))

    assert problems == []
    assert [(key.kid, key.algorithms) for key in keys] == [("k", FAMILIES[family])]
    assert keys[0].public_key == own.private_key.public_key()


@pytest.mark.parametrize(
    ("family", "algorithm"),
    [("RSA", "PS256"), ("P-384", "ES384"), ("Ed448", "EdDSA"), ("secp256k1", "ES256K"), ("ML-DSA-65", "ML-DSA-65")],
)
def test_a_key_with_alg_verifies_that_alone(family: str, algorithm: str) -> None:
    key = sources.from_jwk(issuer.make_key(family).jwk() | {"alg": algorithm})
    assert key.algorithms == {algorithm}


@pytest.mark.parametrize("curve", ["Ed25519", "Ed448"])
def test_a_key_with_the_new_name_of_eddsa_verifies_both_names(curve: str) -> None:
    assert sources.from_jwk(issuer.make_key(curve).jwk() | {"alg": curve}).algorithms == {curve, "EdDSA"}


def test_a_key_without_kid_or_purpose_is_taken() -> None:
    jwk = {name: GOOD[name] for name in ("kty", "crv", "x", "y")}
    assert sources.from_jwk(jwk).kid is None


UNUSABLE: dict[str, tuple[object, str]] = {
    "null": (None, "not a JSON object"),
    "string": ("key", "not a JSON object"),
    "empty": ({}, "kty"),
    "unknown kty": ({"kty": "LMS", "alg": "LMS", "pub": "AA"}, "kty"),
    "ML-DSA short": ({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, "valid key"),
    "ML-DSA of another size": (issuer.make_key("ML-DSA-44").jwk() | {"alg": "ML-DSA-65"}, "valid key"),
    "AKP without alg": ({"kty": "AKP", "pub": "AA"}, "member alg"),
    "AKP of an unknown alg": ({"kty": "AKP", "alg": "SLH-DSA-SHA2-128s", "pub": "AA"}, "not ML-DSA"),
    "private AKP": (issuer.make_key("ML-DSA-44").jwk() | {"priv": "AA"}, "private key"),
    "secret member in a public key": (GOOD | {"k": "AA"}, "private key"),
    "use for SPIFFE": (GOOD | {"use": "jwt-svid"}, "use"),
    "Ed25519 identity": ({"kty": "OKP", "crv": "Ed25519", "x": okp(1, 32)}, "small order"),
    "Ed25519 zero": ({"kty": "OKP", "crv": "Ed25519", "x": okp(0, 32)}, "small order"),
    "Ed25519 not canonical": ({"kty": "OKP", "crv": "Ed25519", "x": okp(2**255 - 18, 32)}, "one valid way"),
    "Ed448 identity": ({"kty": "OKP", "crv": "Ed448", "x": okp(1, 57)}, "small order"),
    "Ed448 short": ({"kty": "OKP", "crv": "Ed448", "x": okp(1, 56)}, "valid key"),
    "alg of the other Edwards curve": (issuer.make_key("Ed25519").jwk() | {"alg": "Ed448"}, "alg"),
    "RSA with a small factor": (rsa_jwk(odd(2041) * 251), "easily factored"),
    "RSA e of 33 bits": (rsa_jwk(odd(2048), odd(33)), "exponent"),
    "kty of a wrong type": ({"kty": ["RSA"]}, "kty"),
    "shared secret": ({"kty": "oct", "k": "c2VjcmV0"}, "shared secret"),
    "private EC": (GOOD | {"d": "AA"}, "private key"),
    "private RSA factor": (issuer.make_key("RSA").jwk() | {"p": "AA"}, "private key"),
    "use enc": (GOOD | {"use": "enc"}, "use"),
    "use of a wrong type": (GOOD | {"use": ["sig"]}, "use"),
    "key_ops encrypt": (GOOD | {"key_ops": ["encrypt"]}, "key_ops"),
    "key_ops empty": (GOOD | {"key_ops": []}, "key_ops"),
    "key_ops string": (GOOD | {"key_ops": "verify"}, "key_ops"),
    "alg for encryption": (issuer.make_key("RSA").jwk() | {"alg": "RSA-OAEP"}, "alg"),
    "alg of another family": (GOOD | {"alg": "RS256"}, "alg"),
    "alg of another curve": (GOOD | {"alg": "ES384"}, "alg"),
    "alg for MAC": (issuer.make_key("RSA").jwk() | {"alg": "HS256"}, "alg"),
    "alg none": (GOOD | {"alg": "none"}, "alg"),
    "alg of a wrong type": (GOOD | {"alg": ["ES256"]}, "alg"),
    "alg in lower case": (GOOD | {"alg": "es256"}, "alg"),
    "kid a number": (GOOD | {"kid": 7}, "kid"),
    "RSA 1024": (rsa_jwk(odd(1024)), "1024 bits"),
    "RSA 2047": (rsa_jwk(odd(2047)), "2047 bits"),
    "RSA 16384": (rsa_jwk(odd(16384)), "16384 bits"),
    "RSA e 1": (rsa_jwk(odd(2048), 1), "exponent"),
    "RSA e even": (rsa_jwk(odd(2048), 65536), "exponent"),
    "RSA e huge": (rsa_jwk(odd(2048), odd(65)), "exponent"),
    "RSA n even": (rsa_jwk(odd(2048) + 1), "easily factored"),
    "RSA n missing": ({"kty": "RSA", "e": "AQAB"}, "member n"),
    "RSA n padded": ({"kty": "RSA", "n": b64(odd(2048)) + "==", "e": "AQAB"}, "base64url"),
    "RSA n standard base64": ({"kty": "RSA", "n": "+/" + b64(odd(2048)), "e": "AQAB"}, "base64url"),
    "RSA n cut off": ({"kty": "RSA", "n": "AAAAA", "e": "AQAB"}, "base64url"),
    "RSA n a number": ({"kty": "RSA", "n": 5, "e": "AQAB"}, "not a string"),
    "EC off the curve": (GOOD | {"y": b64(5, 32)}, "valid key"),
    "EC zero": (GOOD | {"x": b64(0, 32), "y": b64(0, 32)}, "valid key"),
    "EC short": (GOOD | {"x": b64(5, 31)}, "32 bytes"),
    "EC long": (GOOD | {"x": b64(5, 33)}, "32 bytes"),
    "EC on another curve": (GOOD | {"crv": "secp256k1"}, "valid key"),
    "EC brainpool": (GOOD | {"crv": "BP-256"}, "curve"),
    "EC without curve": ({"kty": "EC", "x": "AA", "y": "AA"}, "crv"),
    "OKP X25519": ({"kty": "OKP", "crv": "X25519", "x": b64(9, 32)}, "curve"),
    "OKP short": ({"kty": "OKP", "crv": "Ed25519", "x": b64(9, 31)}, "valid key"),
}


@pytest.mark.parametrize(("member", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_member_is_skipped_with_a_sentence_and_the_good_one_works(member: object, reason: str) -> None:
    keys, problems = sources.from_jwks(document(member, GOOD | {"kid": "other"}))

    assert kids(keys) == ["other"]
    assert len(problems) == 1
    assert problems[0].startswith("Key 1")
    assert problems[0].endswith(".")
    assert reason in problems[0]


@pytest.mark.parametrize("bits", [2048, 3072, 8192])
def test_rsa_sizes_from_2048_to_8192_bits_are_taken(bits: int) -> None:
    assert sources.from_jwk(rsa_jwk(odd(bits))).algorithms == FAMILIES["RSA"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"null",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": null}',
        b'{"keys": [], "keys": []}',
        b'\xef\xbb\xbf{"keys": []}',
        "{}".encode("utf-16"),
        b"[" * 100_000,
    ],
    ids=["empty", "html", "list", "null", "no keys", "object", "null keys", "twice", "bom", "utf-16", "deep"],
)
def test_a_document_that_is_no_key_set_has_one_problem_and_no_key(text: bytes) -> None:
    keys, problems = sources.from_jwks(text)
    assert keys == []
    assert len(problems) == 1
    assert problems[0].startswith("The key set cannot be read: it ")


def test_an_empty_set_has_no_key_and_no_problem() -> None:
    assert sources.from_jwks(b'{"keys": [], "extra": 1}') == ([], [])


def test_different_keys_under_one_kid_make_that_kid_unusable() -> None:
    twins = [issuer.make_key("P-256", "twin").jwk(), issuer.make_key("RSA", "twin").jwk()]
    keys, problems = sources.from_jwks(document(twins[0], GOOD, twins[1]))

    assert kids(keys) == ["good"]
    assert problems == ["The kid 'twin' names different keys, so none of them is used."]


def test_one_key_for_two_algorithms_under_one_kid_is_ambiguous() -> None:
    jwk = issuer.make_key("RSA", "k").jwk()
    keys, problems = sources.from_jwks(document(jwk | {"alg": "RS256"}, jwk | {"alg": "PS256"}))
    assert keys == []
    assert len(problems) == 1


def test_identical_keys_collapse() -> None:
    keys, problems = sources.from_jwks(document(GOOD, GOOD, GOOD))
    assert kids(keys) == ["good"]
    assert problems == []


def test_an_encryption_key_under_the_same_kid_does_not_spoil_the_signature_key() -> None:
    other = issuer.make_key("RSA", "good").jwk() | {"use": "enc"}
    keys, _ = sources.from_jwks(document(other, GOOD))
    assert kids(keys) == ["good"]


def test_keys_without_kid_live_side_by_side() -> None:
    members = [issuer.make_key(family).jwk() for family in ("P-256", "P-384")]
    for member in members:
        del member["kid"]
    assert kids(sources.from_jwks(document(*members))[0]) == [None, None]


def test_only_a_hundred_members_are_looked_at() -> None:
    keys, problems = sources.from_jwks(document(*[None] * 99, GOOD, GOOD | {"kid": "late"}))
    assert kids(keys) == ["good"]
    assert "101 keys; only the first 100" in problems[0]


def test_problems_quote_little_of_a_long_kid() -> None:
    _, problems = sources.from_jwks(document(GOOD | {"kid": "x" * 10_000, "use": "enc"}))
    assert len(problems[0]) < 200


def test_a_document_of_more_than_half_a_megabyte_is_not_read() -> None:
    padding = b" " * (sources.MAX_DOCUMENT_BYTES - len(document(GOOD)))
    assert kids(sources.from_jwks(document(GOOD) + padding)[0]) == ["good"]
    keys, problems = sources.from_jwks(document(GOOD) + padding + b" ")
    assert (keys, problems) == ([], ["The key set cannot be read: it has more than 524288 bytes."])


def test_only_keys_for_tokens_count_in_a_spiffe_bundle() -> None:
    ours = GOOD | {"use": "jwt-svid", "kid": "ours"}
    plain = {name: value for name, value in GOOD.items() if name != "use"}
    keys, problems = sources.from_jwks(document(GOOD | {"use": "x509-svid"}, plain, GOOD, ours), spiffe=True)
    assert kids(keys) == ["ours"]
    assert problems == [f"Key {place} (kid 'good') is not used: its use is not \"jwt-svid\"." for place in (2, 3)]


def test_a_spiffe_bundle_may_be_empty() -> None:
    assert sources.from_jwks(b'{"keys": [], "spiffe_sequence": 1}', spiffe=True) == ([], [])


# ---------------------------------------------------------------- PEM


def certificate_pem(private_key: rsa.RSAPrivateKey) -> str:
    """Expired long ago: its dates do not matter."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    start = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, private_key.public_key(), 1, start, start + dt.timedelta(days=1))
    return builder.sign(private_key, hashes.SHA256()).public_bytes(PEM).decode()


def rsa_private() -> rsa.RSAPrivateKey:
    private_key = issuer.make_key("RSA").private_key
    assert isinstance(private_key, rsa.RSAPrivateKey)
    return private_key


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_public_key_in_pem_verifies_its_familys_algorithms(family: str) -> None:
    own = issuer.make_key(family)
    key = sources.from_pem(own.pem(), "name")
    assert (key.kid, key.algorithms, key.public_key) == ("name", FAMILIES[family], own.private_key.public_key())
    assert sources.pem_problems(own.pem()) == []


@pytest.mark.parametrize(
    "text",
    [
        rsa_private().public_key().public_bytes(PEM, PKCS1).decode(),
        certificate_pem(rsa_private()),
        issuer.make_key("RSA").pem().replace("\n", "\r\n"),
        issuer.make_key("RSA").pem().rstrip(),
        "\n\n" + issuer.make_key("RSA").pem() + "\n\n",
    ],
    ids=["PKCS #1", "certificate", "CRLF", "no last newline", "blank lines"],
)
def test_other_spellings_of_a_public_key_are_read(text: str) -> None:
    assert sources.from_pem(text).public_key == rsa_private().public_key()
    assert sources.holds_private_key(text) is False


PSS_OID, RSA_OID = bytes.fromhex("2a864886f70d01010a"), bytes.fromhex("2a864886f70d010101")


def pss_pem() -> str:
    """The test issuer's RSA key, said to be for RSASSA-PSS."""
    der = rsa_private().public_key().public_bytes(serialization.Encoding.DER, SPKI)
    key = der.partition(bytes.fromhex("300d0609") + RSA_OID + bytes.fromhex("0500"))[2]
    algorithm = bytes.fromhex("300b0609") + PSS_OID
    whole = bytes.fromhex("3082") + len(algorithm + key).to_bytes(2, "big") + algorithm + key
    body = base64.b64encode(whole).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def test_a_key_for_pss_alone_verifies_pss_alone() -> None:
    key = sources.from_pem(pss_pem())
    assert key.algorithms == {"PS256", "PS384", "PS512"}
    assert key.public_key == rsa_private().public_key()


def small_rsa_pem() -> str:
    return rsa.generate_private_key(65537, 1024).public_key().public_bytes(PEM, SPKI).decode()


def spki(public_key: dsa.DSAPublicKey | ec.EllipticCurvePublicKey | x25519.X25519PublicKey) -> str:
    return public_key.public_bytes(PEM, SPKI).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "parsed"),
        ("hello", "parsed"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "parsed"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "parsed"),
        (issuer.make_key("RSA").pem() * 2, "more than one"),
        (small_rsa_pem(), "1024 bits, fewer than 2048"),
        (spki(ec.generate_private_key(ec.BrainpoolP256R1()).public_key()), "kind"),
        (spki(x25519.X25519PrivateKey.generate().public_key()), "kind"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key"),
    ],
    ids=["empty", "text", "broken", "broken certificate", "two", "RSA 1024", "brainpool", "X25519", "private"],
)
def test_pem_text_that_gives_no_key_has_a_problem(text: str, reason: str) -> None:
    problems = sources.pem_problems(text)
    assert len(problems) == 1
    assert reason in problems[0]
    assert problems[0].startswith("The PEM text gives no key: it")
    assert problems[0].endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        rsa_private().private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode(),
        rsa_private()
        .private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
        .decode(),
        rsa_private().private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"pass")).decode(),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nbroken",
        "-----BEGIN EC PRIVATE KEY-----",
        issuer.make_key("RSA").pem() + "-----begin private key-----\nAAAA",
        "PuTTY-User-Key-File-3: ssh-rsa\n",
        json.dumps({"kty": "EC", "crv": "P-256", "d": "AA"}),
        ' {"kty":"oct","k" : "AA"}',
        '{"kty":"AKP","priv":"AA"}',
    ],
    ids=[
        "PKCS #8",
        "PKCS #1",
        "encrypted",
        "OpenSSH",
        "EC cut off",
        "after a public one",
        "PuTTY",
        "JWK",
        "oct",
        "AKP",
    ],
)
def test_a_private_key_is_recognized_without_being_parsed(text: str) -> None:
    assert sources.holds_private_key(text) is True


@pytest.mark.parametrize(
    "text", ["", "my private key is elsewhere", json.dumps(GOOD), issuer.make_key("Ed25519").pem()]
)
def test_other_text_is_not_taken_for_a_private_key(text: str) -> None:
    assert sources.holds_private_key(text) is False


def test_every_family_of_the_test_issuer_is_covered() -> None:
    assert {algorithms_of(issuer.make_key(name).private_key.public_key()) for name in FAMILY_NAMES} == set(
        FAMILIES.values()
    )
