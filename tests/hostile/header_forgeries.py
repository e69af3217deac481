"""Catalogue rows A01-A26: algorithms and headers that must not decide anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.hostile.forging import INVALID, PINNED, Case, Forge, pkcs1, secp256k1, spki, stranger
from tests.issuer import ABSENT, encode, make_key, sign


def _none(algorithm: str, made: bytes = b"") -> Case:
    return Case(lambda forge: forge.unsigned({"alg": algorithm, "typ": "JWT"}, made))


def _header(**members: Any) -> Case:
    """A token that is genuine but for these members of its header."""
    return Case(lambda forge: forge.mint(header=members))


def _header_text(text: bytes) -> Case:
    return Case(lambda forge: forge.signed(text))


def _by_stranger(**members: Any) -> Case:
    """Signed by a stranger whose header says where its key is to be had; ``TRAP`` stands for a server that counts."""

    def forge_it(forge: Forge) -> str:
        header = json.loads(json.dumps(members).replace("TRAP", forge.trap))
        return forge.mint(header=header, key=stranger())

    return Case(forge_it)


def _json_form(*, general: bool, unprotected: bool) -> Case:
    def forge_it(forge: Forge) -> str:
        protected, payload, made = forge.mint().split(".")
        one: dict[str, Any] = {"protected": protected, "signature": made}
        if unprotected:
            one["header"] = {"alg": "none", "kid": forge.rsa.kid}
        return json.dumps({"payload": payload} | ({"signatures": [one]} if general else one))

    return Case(forge_it)


def _unencoded(forge: Forge) -> str:
    """RFC 7797: the payload is signed as it is, not as base64url."""
    header = encode({"alg": "RS256", "kid": forge.rsa.kid, "b64": False, "crit": ["b64"]})
    claims = json.dumps(forge.claims(), separators=(",", ":"))
    made = sign({"alg": "RS256"}, claims.encode(), "RS256", forge.rsa.private_key).rpartition(".")[2]
    return f"{header}.{claims}.{made}"


def _nested(forge: Forge) -> str:
    return forge.signed({"alg": "RS256", "kid": forge.rsa.kid, "cty": "JWT"}, forge.mint().encode())


def _with_secret(take: Any, algorithm: str = "HS256") -> Case:
    """HMAC with what the attacker knows: the public key in one of its spellings."""
    return Case(lambda forge: forge.hmac(take(forge.rsa), algorithm))


def _cases() -> Iterator[tuple[str, Case]]:
    yield "A01 alg none", _none("none")
    yield "A01 alg none with a left-over signature", _none("none", b"\x01" * 256)
    yield "A01 alg none with a kid", Case(lambda forge: forge.unsigned({"alg": "none", "kid": forge.rsa.kid}))
    for spelling in ("None", "NONE", "nOnE", "none ", "", "\u0274one"):
        yield f"A02 alg {spelling!a}", _none(spelling)
        yield f"A02 alg {spelling!a} with a signature", _none(spelling, b"\x01" * 256)
    for name, value in {"missing": ABSENT, "null": None, "zero": 0, "list": ["RS256"], "object": {"a": 1}}.items():
        yield f"A03 alg {name}", _header(alg=value)
    yield "A04 ALG alone", _header(alg=ABSENT, ALG="RS256")
    yield "A04 Alg alone", _header(alg=ABSENT, Alg="RS256")
    yield "A05 alg twice", _header_text(b'{"alg":"none","kid":"rsa","alg":"RS256"}')
    yield "A05 alg twice, good first", _header_text(b'{"alg":"RS256","kid":"rsa","alg":"none"}')
    yield "A05 alg twice, escaped", _header_text(b'{"alg":"none","kid":"rsa","\\u0061lg":"RS256"}')
    yield from _confusion()
    yield from _other_algorithms()
    yield from _foreign_keys()
    yield from _kids()
    yield from _criticals()


def _confusion() -> Iterator[tuple[str, Case]]:
    pem = {
        "SPKI": spki,
        "PKCS#1": pkcs1,
        "CRLF": lambda key: spki(key).replace(b"\n", b"\r\n"),
        "no last line break": lambda key: spki(key).strip(),
        "byte order mark": lambda key: b"\xef\xbb\xbf" + spki(key),
        "leading space": lambda key: b" " + spki(key),
    }
    for name, take in pem.items():
        yield f"A06 HS256 with the PEM, {name}", _with_secret(take)
    yield "A06 HS384 with the PEM", _with_secret(spki, "HS384")
    yield "A06 HS512 with the PEM", _with_secret(spki, "HS512")
    yield "A07 HS256 with the JWK", _with_secret(lambda key: json.dumps(key.jwk()).encode())
    yield "A07 HS256 with the JWK set", _with_secret(lambda key: json.dumps({"keys": [key.jwk()]}).encode())
    yield "A07 HS256 with an array of JWKs", _with_secret(lambda key: json.dumps([key.jwk()]).encode())
    yield "A07 HS256 with n", _with_secret(lambda key: key.jwk()["n"].encode())
    yield "A08 HS256 with the DER, SPKI", _with_secret(lambda key: spki(key, "DER"))
    yield "A08 HS256 with the DER, PKCS#1", _with_secret(lambda key: pkcs1(key, "DER"))
    yield "A09 HS256 with an empty secret", _with_secret(lambda _key: b"")
    yield "A09 HS256 with no signature", Case(lambda forge: forge.unsigned({"alg": "HS256", "kid": forge.rsa.kid}))


def _other_algorithms() -> Iterator[tuple[str, Case]]:
    def pinned(alg: str) -> Case:
        key = make_key("RSA", PINNED, "RS256")
        return Case(lambda forge: forge.mint(alg=alg, key=key, header={"kid": PINNED}))

    for alg in ("RS384", "RS512", "PS256", "PS512"):
        yield f"A11 {alg} by a key that is for RS256", pinned(alg)
    yield (
        "A12 ES256 by a P-384 key",
        Case(lambda forge: sign({"alg": "ES256", "kid": "p-384"}, forge.claims(), "ES384", _p384(forge))),
    )
    yield (
        "A12 ES256 by a secp256k1 key",
        Case(lambda forge: sign({"alg": "ES256", "kid": forge.ec.kid}, forge.claims(), "ES256K", _k1())),
    )
    yield "A12 ES256K", Case(lambda forge: sign({"alg": "ES256K", "kid": "p-256"}, forge.claims(), "ES256K", _k1()))
    yield "A13 alg in an unprotected header, flattened", _json_form(general=False, unprotected=True)
    yield "A13 alg in an unprotected header, general", _json_form(general=True, unprotected=True)


def _p384(forge: Forge) -> Any:
    return forge.issuer.key_for("ES384").private_key


def _k1() -> ec.EllipticCurvePrivateKey:
    key = secp256k1().private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _foreign_keys() -> Iterator[tuple[str, Case]]:
    jwk = stranger().jwk()
    yield "A14 embedded jwk under our kid", _by_stranger(jwk=jwk)
    yield "A14 embedded jwk under its own kid", _by_stranger(jwk=jwk, kid=stranger().kid)
    yield "A14 embedded jwk, no kid", Case(lambda f: f.mint(header={"jwk": jwk, "kid": ABSENT}, key=stranger()))
    yield "A14 embedded jwk of an HMAC", Case(_embedded_secret)
    for member in ("jku", "x5u"):
        yield f"A15 {member} under our kid", _by_stranger(**{member: "TRAP/jwks"})
        yield f"A15 {member} under its own kid", _by_stranger(**{member: "TRAP/jwks"}, kid=stranger().kid)
    yield "A15 x5c", _by_stranger(x5c=["MIIBszCCAVmgAwIBAgIUTRAP"], x5t="TRAP")
    yield "A15 all of them", _by_stranger(jwk=jwk, jku="TRAP/jwks", x5u="TRAP/cert", kid="TRAP/kid")


def _embedded_secret(forge: Forge) -> str:
    secret = b"0123456789abcdef0123456789abcdef"
    header = {"alg": "HS256", "jwk": {"kty": "oct", "k": encode(secret)}}
    return sign(header, forge.claims(), "HS256", secret)


def _kids() -> Iterator[tuple[str, Case]]:
    kids = {
        "path": "../../../../../../dev/null",
        "SQL": "rsa' UNION SELECT 'secret' --",
        "shell": "rsa;touch /tmp/x",
        "URL": "http://127.0.0.1:1/jwks",
        "NUL": "rsa\x00",
        "lone surrogate": "\ud800",
        "70 kB": "k" * 70_000,
        "2000 characters": "k" * 2000,
        "empty": "",
        "another case": "RSA",
        "trailing space": "rsa ",
    }
    for name, kid in kids.items():
        yield f"A17 kid: {name}", _header(kid=kid)
    for name, value in {"number": 1, "list": ["rsa"], "null": None, "true": True, "object": {"rsa": 1}}.items():
        yield f"A18 kid: {name}", _header(kid=value)
    partner = make_key("RSA", "partner")
    yield "A19 another issuer's key and kid", Case(lambda f: f.mint(key=partner, header={"kid": partner.kid}))
    yield "A19 another issuer's key under our kid", Case(lambda f: f.mint(key=partner))


def _criticals() -> Iterator[tuple[str, Case]]:
    yield "A20 crit names what is there", _header(crit=["x-policy"], **{"x-policy": "strict"})
    yield "A20 crit names what is not there", _header(crit=["x-policy"])
    wrong: dict[str, Any] = {
        "empty": [],
        "null": None,
        "string": "exp",
        "numbers": [1],
        "twice": ["x", "x"],
        "alg": ["alg"],
        "{}": {},
    }
    for name, value in wrong.items():
        yield f"A21 crit: {name}", _header(crit=value)
    yield "A22 unencoded payload", Case(_unencoded)
    yield "A22 unencoded in name", _header(b64=False, crit=["b64"])
    yield "A23 unencoded without crit", _header(b64=False)
    yield "A23 b64 true", _header(b64=True)
    yield "A24 zip", _header(zip="DEF")
    yield "A24 enc", _header(enc="A256GCM")
    for kind in ("logout+jwt", "secevent+jwt", "dpop+jwt", "application/dpop+jwt", "JWE", ""):
        yield f"A25 typ {kind!r}", _header(typ=kind)
    for name, other in {"list": ["JWT"], "number": 1, "null": None}.items():
        yield f"A25 typ: {name}", _header(typ=other)
    yield "A26 a token within", Case(_nested)
    yield "A26 cty JWT", _header(cty="JWT")
    yield "A26 cty application/jwt", _header(cty="application/jwt")


FORGERIES: dict[str, Case] = dict(_cases())
assert {case.error for case in FORGERIES.values()} == {INVALID}
