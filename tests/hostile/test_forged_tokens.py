"""Forged and altered tokens are refused; the same judge takes every good token that independent libraries take.

PyJWT and joserfc are the oracles: what Assay accepts, they accept too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from collections.abc import Callable
from typing import Any

import joserfc.jwk
import joserfc.jwt
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from assay import errors
from assay.keys import sources
from assay.model import Profile
from assay.rules import tokens
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from tests.issuer import ABSENT, AUDIENCE, Issuer, IssuerKey, encode, make_key, sign, signature

NOW = 1_800_000_000
OURS = Issuer("https://ours.example")
THEIRS = Issuer("https://theirs.example", [make_key("RSA", "theirs"), make_key("P-256", "theirs")])
RSA, EC = make_key("RSA"), make_key("P-256")
KEYS = {key.kid: key.verification_key() for key in OURS.keys}

PROFILE = Profile(
    environment_id="project-test-1",
    profile_id="ours",
    name="Ours",
    issuer=OURS.url,
    audience=AUDIENCE,
    public_key_type="JWK",
    algorithms=DEFAULT_ALGORITHMS,
    created_at=0,
    updated_at=0,
)


def judge(token: str, profile: Profile = PROFILE) -> tokens.Claims:
    """Read and verify as an attest does: the key of the token's kid, or every key when it names none."""
    unverified = tokens.read(token, profile, NOW)
    keys = list(KEYS.values()) if unverified.kid is None else [KEYS[unverified.kid]] if unverified.kid in KEYS else []
    return tokens.verify(unverified, keys)


def mint(claims: dict[str, Any] | None = None, **how: Any) -> str:
    return OURS.mint(claims, now=NOW, **how)


def payload(**claims: Any) -> dict[str, Any]:
    return OURS.claims(NOW) | claims


def with_payload(text: bytes) -> str:
    """Signed by the right key, so that only the text of the claims can be at fault."""
    return sign({"alg": "RS256", "kid": RSA.kid}, text, "RS256", RSA.private_key)


def with_header(text: bytes) -> str:
    return sign(text, payload(), "RS256", RSA.private_key)


def members(**replaced: str) -> bytes:
    """Claims as JSON text, with raw JSON in place of some values."""
    whole = {name: json.dumps(value) for name, value in payload().items()} | replaced
    return ("{" + ",".join(f'"{name}":{value}' for name, value in whole.items()) + "}").encode()


def respelled(segment: int, change: Callable[[str], str]) -> str:
    segments = mint().split(".")
    segments[segment] = change(segments[segment])
    return ".".join(segments)


def padded(segment: str) -> str:
    return segment + "=" * (-len(segment) % 4 or 4)


def stray_bits(segment: str) -> str:
    """Spell the same bytes with another last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(segment) % 4, "bytes that fill their last group have one spelling only"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]


def altered(**claims: object) -> str:
    """Claims changed after signing."""
    header, _, made = mint().split(".")
    return f"{header}.{encode(payload(**claims))}.{made}"


def unsigned(algorithm: str, made: str = "") -> str:
    return f"{encode({'alg': algorithm, 'typ': 'JWT'})}.{encode(payload())}.{made}"


def confused(key: bytes, algorithm: str = "HS256") -> str:
    """HS256 with a public key for a secret."""
    signed = f"{encode({'alg': algorithm, 'kid': RSA.kid})}.{encode(payload())}"
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def ecdsa(made: bytes) -> str:
    """An ES256 token with any bytes for a signature."""
    return f"{encode({'alg': 'ES256', 'kid': EC.kid})}.{encode(payload())}.{encode(made)}"


def ecdsa_good() -> bytes:
    return base64.urlsafe_b64decode(mint(alg="ES256").rpartition(".")[2] + "==")


def ecdsa_der() -> str:
    signed = f"{encode({'alg': 'ES256', 'kid': EC.kid})}.{encode(payload())}"
    assert isinstance(EC.private_key, ec.EllipticCurvePrivateKey)
    return f"{signed}.{encode(EC.private_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"


def json_serialisation(*, flattened: bool) -> str:
    protected, body, made = mint().split(".")
    one = {"protected": protected, "signature": made}
    return json.dumps({"payload": body} | (one if flattened else {"signatures": [one]}))


def resigned(algorithm: str, change: Callable[[bytes], bytes]) -> str:
    """A good token whose signature was changed as bytes."""
    signed, _, made = mint(alg=algorithm).rpartition(".")
    return f"{signed}.{encode(change(base64.urlsafe_b64decode(made + '==')))}"


def ed25519_malleable(made: bytes) -> bytes:
    order = 2**252 + 27742317777372353535851937790883648493
    return made[:32] + (int.from_bytes(made[32:], "little") + order).to_bytes(32, "little")


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def pss(digest: hashes.HashAlgorithm, salt: int) -> str:
    """A PS256 token made with another hash or salt."""
    signed = f"{encode({'alg': 'PS256', 'kid': RSA.kid})}.{encode(payload())}"
    assert isinstance(RSA.private_key, rsa.RSAPrivateKey)
    scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=salt)
    return f"{signed}.{encode(RSA.private_key.sign(signed.encode(), scheme, digest))}"


PEM = RSA.pem()
PUBLIC = RSA.private_key.public_key()
DER = PUBLIC.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
PKCS1 = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
JWK = RSA.jwk()
N_SIZE = 256
N = int.from_bytes(base64.urlsafe_b64decode(JWK["n"] + "=="), "big")
SHORT_P384 = make_key("P-384", EC.kid)

BAD = errors.InvalidTrustedAuthToken
ISSUER, AUD, CLAIMS = errors.JwtInvalidIssuer, errors.JwtInvalidAudience, errors.JwtInvalidClaims

FORGED: dict[str, tuple[Callable[[], str], type[errors.Error]]] = {
    # keys
    "another key under the same kid": (lambda: mint(key=make_key("RSA", "stranger")), BAD),
    "another EC key under the same kid": (lambda: mint(alg="ES256", key=make_key("P-256", "stranger")), BAD),
    "another key and no kid": (lambda: mint(key=make_key("RSA", "stranger"), header={"kid": ABSENT}), BAD),
    "an unknown kid": (lambda: mint(header={"kid": "unknown"}), BAD),
    "the kid of a key of another family": (lambda: mint(header={"kid": EC.kid}), BAD),
    "another profile's key": (lambda: THEIRS.mint({"iss": OURS.url}, now=NOW), BAD),
    "another profile's key under our kid": (
        lambda: THEIRS.mint({"iss": OURS.url}, now=NOW, header={"kid": RSA.kid}),
        BAD,
    ),
    "another profile's token": (lambda: THEIRS.mint(now=NOW), ISSUER),
    "embedded jwk": (
        lambda: mint(key=make_key("RSA", "stranger"), header={"jwk": make_key("RSA", "stranger").jwk()}),
        BAD,
    ),
    "jku and x5u": (
        lambda: mint(key=make_key("RSA", "stranger"), header={"jku": "https://x.example", "x5u": "https://x.example"}),
        BAD,
    ),
    # no signature
    "no signature": (lambda: mint().rpartition(".")[0] + ".", BAD),
    "no third segment": (lambda: mint().rpartition(".")[0], BAD),
    "half a signature": (lambda: mint()[:-172], BAD),
    "a longer signature": (lambda: mint(alg="ES256") + "AAAA", BAD),
    "the signature of another token": (lambda: altered(jti="another"), BAD),
    "a signature of zeros": (lambda: f"{mint().rpartition('.')[0]}.{encode(bytes(N_SIZE))}", BAD),
    "altered subject": (lambda: altered(sub="somebody-else"), BAD),
    "altered email": (lambda: altered(email="root@example.com"), BAD),
    "altered life": (lambda: altered(exp=NOW + 3600), BAD),
    "altered header": (lambda: ".".join([encode({"alg": "RS256", "kid": RSA.kid}), *mint().split(".")[1:]]), BAD),
    "another algorithm in the header": (lambda: mint(header={"alg": "PS256"}), BAD),
    # confusion of public keys with secrets
    "HS256 with the PEM": (lambda: confused(PEM.encode()), BAD),
    "HS256 with the PEM, CRLF": (lambda: confused(PEM.replace("\n", "\r\n").encode()), BAD),
    "HS256 with the PEM, no last line break": (lambda: confused(PEM.strip().encode()), BAD),
    "HS256 with the PEM, leading space": (lambda: confused(b" " + PEM.encode()), BAD),
    "HS256 with the PEM, byte order mark": (lambda: confused(b"\xef\xbb\xbf" + PEM.encode()), BAD),
    "HS256 with the PKCS#1 PEM": (lambda: confused(PKCS1), BAD),
    "HS256 with the DER": (lambda: confused(DER), BAD),
    "HS256 with the JWK": (lambda: confused(json.dumps(JWK).encode()), BAD),
    "HS256 with the modulus": (lambda: confused(JWK["n"].encode()), BAD),
    "HS256 with nothing": (lambda: confused(b""), BAD),
    # ECDSA
    "ECDSA as DER": (ecdsa_der, BAD),
    "ECDSA r = s = 0": (lambda: ecdsa(bytes(64)), BAD),
    "ECDSA r = s = n": (lambda: ecdsa(2 * ec.SECP256R1().group_order.to_bytes(32, "big")), BAD),
    "ECDSA DER of zeros": (lambda: ecdsa(bytes.fromhex("3006020100020100")), BAD),
    "ECDSA with leading zeros": (
        lambda: (
            mint(alg="ES256").rpartition(".")[0] + "." + encode(b"\0" + ecdsa_good()[:32] + b"\0" + ecdsa_good()[32:])
        ),
        BAD,
    ),
    "ES256 by a P-384 key": (
        lambda: sign({"alg": "ES256", "kid": EC.kid}, payload(), "ES384", SHORT_P384.private_key),
        BAD,
    ),
    "ES384 named, P-256 key": (lambda: mint(alg="ES256", header={"alg": "ES384"}), BAD),
    "ES256 by a secp256k1 key": (
        lambda: sign({"alg": "ES256", "kid": EC.kid}, payload(), "ES256K", make_key("secp256k1").private_key),
        BAD,
    ),
    "ES256K, which the profile does not list": (
        lambda: sign({"alg": "ES256K", "kid": "koblitz"}, payload(), "ES256K", make_key("secp256k1").private_key),
        BAD,
    ),
    "Ed25519 by that name, which the profile does not list": (
        lambda: mint(alg="EdDSA", header={"alg": "Ed25519"}),
        BAD,
    ),
    "ML-DSA, which the profile does not list": (
        lambda: sign({"alg": "ML-DSA-44", "kid": "pq"}, payload(), "ML-DSA-44", make_key("ML-DSA-44").private_key),
        BAD,
    ),
    "ECDSA far too long": (lambda: ecdsa(bytes(1_000)), BAD),
    "ECDSA with a byte more": (lambda: ecdsa(ecdsa_good() + b"\0"), BAD),
    "ECDSA with a byte less": (lambda: ecdsa(ecdsa_good()[:-1]), BAD),
    "ECDSA r = 1, s = 1": (lambda: ecdsa((b"\0" * 31 + b"\1") * 2), BAD),
    # EdDSA
    "Ed25519 with S + L": (lambda: resigned("EdDSA", ed25519_malleable), BAD),
    "Ed25519 of zeros": (lambda: resigned("EdDSA", lambda made: bytes(len(made))), BAD),
    "Ed25519 with a byte less": (lambda: resigned("EdDSA", lambda made: made[:-1]), BAD),
    "Ed25519 with a byte more": (lambda: resigned("EdDSA", lambda made: made + b"\0"), BAD),
    "Ed25519 R of the identity": (lambda: resigned("EdDSA", lambda _: b"\1" + bytes(63)), BAD),
    # RSA numbers
    "RSA signature plus modulus": (
        lambda: resigned("RS256", lambda made: number(int.from_bytes(made, "big") + N)),
        BAD,
    ),
    "RSA with a leading zero": (lambda: resigned("RS256", lambda made: b"\0" + made), BAD),
    "RSA with a byte less": (lambda: resigned("RS256", lambda made: made[1:]), BAD),
    "RSA one": (lambda: resigned("RS256", lambda _: (1).to_bytes(N_SIZE, "big")), BAD),
    "RSA modulus less one": (lambda: resigned("RS256", lambda _: (N - 1).to_bytes(N_SIZE, "big")), BAD),
    "RSA modulus": (lambda: resigned("RS256", lambda _: N.to_bytes(N_SIZE, "big")), BAD),
    "PSS without salt": (lambda: pss(hashes.SHA256(), 0), BAD),
    "PSS with the longest salt": (lambda: pss(hashes.SHA256(), 222), BAD),
    "PSS with another hash": (lambda: pss(hashes.SHA384(), 48), BAD),
    "PSS named RS256": (lambda: sign({"alg": "RS256", "kid": RSA.kid}, payload(), "PS256", RSA.private_key), BAD),
    "RS512 named RS256": (lambda: sign({"alg": "RS256", "kid": RSA.kid}, payload(), "RS512", RSA.private_key), BAD),
    # issuer and audience
    "no issuer": (lambda: mint({"iss": ABSENT}), ISSUER),
    "issuer with a slash": (lambda: mint({"iss": OURS.url + "/"}), ISSUER),
    "issuer that is a prefix": (lambda: mint({"iss": OURS.url[:-1]}), ISSUER),
    "issuer that goes on": (lambda: mint({"iss": OURS.url + ".evil.example"}), ISSUER),
    "issuer in another case": (lambda: mint({"iss": OURS.url.upper()}), ISSUER),
    "issuer in a list": (lambda: mint({"iss": [OURS.url]}), ISSUER),
    "no audience": (lambda: mint({"aud": ABSENT}), AUD),
    "another audience": (lambda: mint({"aud": "somebody-else"}), AUD),
    "audience that is a prefix": (lambda: mint({"aud": AUDIENCE[:-1]}), AUD),
    "audience that goes on": (lambda: mint({"aud": [AUDIENCE + "-2"]}), AUD),
    "audience beside a number": (lambda: mint({"aud": [AUDIENCE, 1]}), AUD),
    # times
    "expired": (lambda: mint({"exp": NOW - 31}), CLAIMS),
    "minted an hour ago": (lambda: OURS.mint(now=NOW - 3600), CLAIMS),
    "no expiry": (lambda: mint({"exp": ABSENT}), CLAIMS),
    "expiry in fifty years": (lambda: mint({"exp": NOW + 50 * 366 * 24 * 3600}), CLAIMS),
    "not yet valid": (lambda: mint({"nbf": NOW + 3600}), CLAIMS),
    "issued in the future": (lambda: mint({"iat": NOW + 3600}), CLAIMS),
    "expiry as a string": (lambda: mint({"exp": str(NOW + 300)}), CLAIMS),
    "subject as a number": (lambda: mint({"sub": 1}), CLAIMS),
    # JSON
    "repeated subject": (lambda: with_payload(members()[:-1] + b',"sub":"root"}'), BAD),
    "repeated subject, escaped": (lambda: with_payload(members()[:-1] + b',"s\\u0075b":"root"}'), BAD),
    "repeated member deep inside": (lambda: with_payload(members(x='{"a":1,"a":2}')), BAD),
    "repeated alg": (lambda: with_header(b'{"alg":"none","kid":"rsa","alg":"RS256"}'), BAD),
    "NaN": (lambda: with_payload(members(exp="NaN")), BAD),
    "Infinity in a free claim": (lambda: with_payload(members(x="Infinity")), BAD),
    "1e400": (lambda: with_payload(members(exp="1e400")), BAD),
    "five thousand digits": (lambda: with_payload(members(exp="9" * 5000)), BAD),
    "NUL in the subject": (lambda: with_payload(members(sub='"a\\u0000"')), BAD),
    "half a surrogate pair in the subject": (lambda: with_payload(members(sub='"\\ud800"')), BAD),
    "nested a thousand deep": (lambda: with_payload(members(x="[" * 1000 + "]" * 1000)), BAD),
    "claims in UTF-16": (lambda: with_payload(members().decode().encode("utf-16")), BAD),
    "claims with a byte order mark": (lambda: with_payload(b"\xef\xbb\xbf" + members()), BAD),
    "claims in a list": (lambda: with_payload(b"[" + members() + b"]"), BAD),
    "text after the claims": (lambda: with_payload(members() + b"{}"), BAD),
    "repeated subject behind an escaped colon": (
        lambda: with_payload(members(sub='"\\u003a"')[:-1] + b',"sub":"a"}'),
        BAD,
    ),
    "UTF-32 claims": (lambda: with_payload(members().decode().encode("utf-32")), BAD),
    "overlong UTF-8": (lambda: with_payload(members(x='"?"').replace(b"?", b"\xc0\xaf")), BAD),
    "raw surrogate": (lambda: with_payload(members(x='"?"').replace(b"?", b"\xed\xa0\x80")), BAD),
    "free claim of 400 digits": (lambda: with_payload(members(x="9" * 400)), BAD),
    "expiry of 400 digits": (lambda: with_payload(members(exp="9" * 400)), BAD),
    "claims with a comment": (lambda: with_payload(members() + b"//"), BAD),
    "more members than a token needs": (
        lambda: with_payload(members()[:-1] + b"".join(b',"%x":0' % each for each in range(1_200)) + b"}"),
        BAD,
    ),
    "four thousand numbers": (lambda: with_payload(members(x=str([1] * 4_000).replace(" ", ""))), BAD),
    # header
    "crit with an unknown name": (lambda: mint(header={"crit": ["x"], "x": 1}), BAD),
    "crit empty": (lambda: mint(header={"crit": []}), BAD),
    "crit null": (lambda: mint(header={"crit": None}), BAD),
    "unencoded payload": (lambda: mint(header={"crit": ["b64"], "b64": False}), BAD),
    "unencoded payload without crit": (lambda: mint(header={"b64": False}), BAD),
    "compressed": (lambda: mint(header={"zip": "DEF"}), BAD),
    "encrypted in name": (lambda: mint(header={"enc": "A256GCM"}), BAD),
    "token in a token": (lambda: mint(header={"cty": "JWT"}), BAD),
    "logout token": (lambda: mint(header={"typ": "logout+jwt"}), BAD),
    "DPoP proof": (lambda: mint(header={"typ": "dpop+jwt"}), BAD),
    "crit of numbers": (lambda: mint(header={"crit": [1]}), BAD),
    "crit that names alg": (lambda: mint(header={"crit": ["alg"]}), BAD),
    "alg in another case": (lambda: mint(header={"alg": "rs256"}), BAD),
    "alg with a space": (lambda: mint(header={"alg": "RS256 "}), BAD),
    "ALG alone": (lambda: mint(header={"alg": ABSENT, "ALG": "RS256"}), BAD),
    "typ as a list": (lambda: mint(header={"typ": ["JWT"]}), BAD),
    "security event": (lambda: mint(header={"typ": "secevent+jwt"}), BAD),
    "kid that is a path": (lambda: mint(header={"kid": "../../dev/null"}), BAD),
    "kid that is SQL": (lambda: mint(header={"kid": "rsa' OR '1'='1"}), BAD),
    "kid with NUL": (lambda: mint(header={"kid": "rsa\x00"}), BAD),
    "kid with half a surrogate pair": (lambda: with_header(b'{"alg":"RS256","kid":"\\ud800"}'), BAD),
    "kid of many characters": (lambda: mint(header={"kid": "k" * 1_025}), BAD),
    "kid in a list": (lambda: mint(header={"kid": ["rsa"]}), BAD),
    "header in UTF-16": (lambda: with_header('{"alg":"RS256","kid":"rsa"}'.encode("utf-16")), BAD),
    "header nested a hundred deep": (
        lambda: with_header(b'{"alg":"RS256","kid":"rsa","x":' + b"[" * 100 + b"]" * 100 + b"}"),
        BAD,
    ),
    "key wrapped by a password": (
        lambda: ".".join([encode({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31 - 1}), *["AAAA"] * 4]),
        BAD,
    ),
    "encrypted header, three segments": (
        lambda: ".".join([encode({"alg": "RSA1_5", "enc": "A128GCM", "zip": "DEF"}), *mint().split(".")[1:]]),
        BAD,
    ),
    "kid that is no string": (lambda: mint(header={"kid": 1}), BAD),
    "null kid": (lambda: mint(header={"kid": None}), BAD),
    # serialisation
    "padded header": (lambda: respelled(0, padded), BAD),
    "padded claims": (lambda: respelled(1, padded), BAD),
    "padded signature": (lambda: respelled(2, padded), BAD),
    "stray bits in the signature": (lambda: respelled(2, stray_bits), BAD),
    "line break in the signature": (lambda: respelled(2, lambda text: f"{text[:76]}\n{text[76:]}"), BAD),
    "standard base64": (lambda: respelled(2, lambda text: text[:-4] + "+/+/"), BAD),
    "line break after the token": (lambda: mint() + "\n", BAD),
    "space before the token": (lambda: " " + mint(), BAD),
    "the scheme before the token": (lambda: "Bearer " + mint(), BAD),
    "flattened JSON": (lambda: json_serialisation(flattened=True), BAD),
    "general JSON": (lambda: json_serialisation(flattened=False), BAD),
    "excess padding": (lambda: respelled(2, lambda text: text + "===="), BAD),
    "percent-encoded padding": (lambda: respelled(2, lambda text: text + "%3D"), BAD),
    "NUL in a segment": (lambda: respelled(1, lambda text: text[:8] + "\x00" + text[8:]), BAD),
    "byte order mark": (lambda: "\ufeff" + mint(), BAD),
    "full-width dot": (lambda: mint().replace(".", "\uff0e", 1), BAD),
    "four segments": (lambda: mint() + ".AAAA", BAD),
    "a million dots": (lambda: "." * 1_000_000, BAD),
    "ten megabytes": (lambda: "a" * 10_000_000, BAD),
    "five segments": (lambda: mint() + ".AAAA.AAAA", BAD),
    "too long": (lambda: mint({"x": "x" * 16_384}), BAD),
}

NONES = ["none", "None", "NONE", "nOnE", "none ", "", "null", "\u0274one"]


@pytest.mark.parametrize(("forge", "error"), FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(forge: Callable[[], str], error: type[errors.Error]) -> None:
    token = forge()
    with pytest.raises(error) as raised:
        judge(token)
    assert type(raised.value) is error
    assert raised.value.message == error.default_message
    assert raised.value.detail
    assert not [part for part in token.split(".") if len(part) > 12 and part in raised.value.detail]


@pytest.mark.parametrize("algorithm", NONES, ids=ascii)
@pytest.mark.parametrize("made", ["", "AAAA"], ids=["no signature", "some signature"])
def test_alg_none_is_refused_in_every_spelling(algorithm: str, made: str) -> None:
    with pytest.raises(errors.InvalidTrustedAuthToken):
        judge(unsigned(algorithm, made))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512"])
def test_listing_the_algorithm_in_the_profile_does_not_help_the_forger(algorithm: str) -> None:
    """A profile stored by another version may list what this one cannot verify."""
    lax = msgspec.structs.replace(PROFILE, algorithms=(*DEFAULT_ALGORITHMS, algorithm))
    for token in (unsigned(algorithm, "AAAA"), confused(PEM.encode(), algorithm)):
        with pytest.raises(errors.InvalidTrustedAuthToken):
            judge(token, lax)


OPTED_IN = {
    "ES256K": ("secp256k1", None),
    "ML-DSA-44": ("ML-DSA-44", None),
    "ML-DSA-65": ("ML-DSA-65", None),
    "ML-DSA-87": ("ML-DSA-87", None),
    "Ed25519": ("Ed25519", "Ed25519"),
    "Ed448": ("Ed448", None),
}


@pytest.mark.parametrize(
    ("algorithm", "key"), [(name, make_key(*key[:1], alg=key[1])) for name, key in OPTED_IN.items()]
)
def test_an_algorithm_that_the_profile_lists_is_taken_and_its_forgeries_are_not(algorithm: str, key: IssuerKey) -> None:
    profile = msgspec.structs.replace(PROFILE, algorithms=(algorithm,))
    admitted = [sources.from_jwk(key.jwk())]
    token = sign({"alg": algorithm, "kid": key.kid}, payload(), algorithm, key.private_key)
    assert tokens.verify(tokens.read(token, profile, NOW), admitted).values["sub"] == "subject-1"
    stranger = make_key(*OPTED_IN[algorithm][:1], "stranger").private_key
    signed, _, made = token.rpartition(".")
    cut, zeros = base64.urlsafe_b64decode(made + "==")[:-1], bytes(len(base64.urlsafe_b64decode(made + "==")))
    forged = [sign({"alg": algorithm}, payload(), algorithm, stranger), f"{signed}.{encode(cut)}"]
    for each in (*forged, f"{signed}.{encode(zeros)}"):
        with pytest.raises(errors.InvalidTrustedAuthToken):
            tokens.verify(tokens.read(each, profile, NOW), admitted)


def test_a_key_for_eddsa_alone_does_not_verify_the_new_name() -> None:
    profile = msgspec.structs.replace(PROFILE, algorithms=("Ed25519", "EdDSA"))
    key = make_key("Ed25519", alg="EdDSA")
    token = sign({"alg": "Ed25519", "kid": key.kid}, payload(), "Ed25519", key.private_key)
    with pytest.raises(errors.InvalidTrustedAuthToken):
        tokens.verify(tokens.read(token, profile, NOW), [sources.from_jwk(key.jwk())])


@pytest.mark.parametrize("embedded", [{"jwk": make_key("RSA", "stranger").jwk()}, {"jku": "https://x.example"}])
def test_a_genuine_token_that_offers_keys_is_judged_by_ours(embedded: dict[str, Any]) -> None:
    assert judge(mint(header=embedded)).values["iss"] == OURS.url


def test_the_other_half_of_an_ecdsa_signature_is_the_same_signature() -> None:
    """s and n - s both verify, by the mathematics (A63): a token is therefore never remembered by its spelling."""
    token = mint(alg="ES256")
    signed, _, made = token.rpartition(".")
    raw = base64.urlsafe_b64decode(made + "==")
    twin = raw[:32] + (ec.SECP256R1().group_order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert judge(f"{signed}.{encode(twin)}").token_hash == judge(token).token_hash


@pytest.mark.parametrize("algorithm", DEFAULT_ALGORITHMS)
def test_good_tokens_are_taken_by_us_and_by_both_oracles(algorithm: str) -> None:
    token = mint(alg=algorithm)
    key = OURS.key_for(algorithm)
    claims = judge(token).values
    assert claims == jwt.decode(
        token,
        key.pem(),
        algorithms=[algorithm],
        audience=AUDIENCE,
        issuer=OURS.url,
        options={"verify_exp": False, "verify_iat": False},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns of algorithm names it finds dated, such as EdDSA
        public_key = joserfc.jwk.import_key(key.jwk())
        assert claims == joserfc.jwt.decode(token, public_key, algorithms=[algorithm]).claims


def test_a_signature_from_the_test_issuer_is_what_the_oracle_makes() -> None:
    """The table above stands on ``sign``; a mistake there would let each forgery fail for the wrong reason."""
    assert judge(sign({"alg": "RS256", "kid": RSA.kid}, payload(), "RS256", RSA.private_key)).values["sub"]
    assert judge(with_payload(members())).header == {"alg": "RS256", "kid": "rsa"}
    assert judge(with_header(b'{"alg":"RS256","kid":"rsa"}')).values["email"] == "ada@example.com"
    signed = mint().rpartition(".")[0].encode()
    assert len(signature("RS256", RSA.private_key, signed)) == N_SIZE
