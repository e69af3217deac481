"""Catalogue rows A28-A46 and A80-A83: other spellings of a token, hostile JSON, and encrypted tokens."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from joserfc import jwe
from joserfc.jwk import RSAKey

from tests.hostile.forging import Case, Forge, decode
from tests.issuer import encode

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SEGMENTS = ("header", "claims", "signature")


def _padded(segment: str) -> str:
    return segment + "=" * (-len(segment) % 4 or 4)


def _stray_bits(segment: str) -> str:
    """Spell the same bytes with another last character."""
    return segment[:-1] + _ALPHABET[_ALPHABET.index(segment[-1]) + 1]


def _standard(segment: str) -> str:
    return base64.b64encode(decode(segment)).decode().rstrip("=")


def _whole(change: Callable[[str], str]) -> Case:
    return Case(lambda forge: change(forge.mint()))


def _payload(text: bytes) -> Case:
    return Case(lambda forge: forge.with_payload(text))


def _members(**replaced: str) -> Case:
    return Case(lambda forge: forge.with_payload(forge.members(**replaced)))


def _ending(text: bytes) -> Case:
    """The good claims, and this before the closing brace."""
    return Case(lambda forge: forge.with_payload(forge.members()[:-1] + text + b"}"))


def _recoded(change: Callable[[bytes], bytes]) -> Iterator[tuple[str, Case]]:
    yield "header", Case(lambda forge: forge.signed(change(b'{"alg":"RS256","kid":"rsa"}')))
    yield "claims", Case(lambda forge: forge.with_payload(change(forge.members())))


def _long_segments(forge: Forge) -> Iterator[str]:
    """A longer and longer claim until each remainder of a segment's length has come."""
    for length in range(4):
        yield forge.mint({"x": "x" * length})


def _with_stray_bits(position: int) -> Callable[[Forge], str]:
    def forge_it(forge: Forge) -> str:
        for token in (*_long_segments(forge), forge.mint(header={"x": "x"}), forge.mint(header={"x": "xx"})):
            segments = token.split(".")
            if len(segments[position]) % 4:
                segments[position] = _stray_bits(segments[position])
                return ".".join(segments)
        raise AssertionError("no token has bits to spare in this segment")

    return forge_it


def _with_standard_alphabet(position: int) -> Callable[[Forge], str]:
    def forge_it(forge: Forge) -> str:
        header = {"x": "\u00ff\u00fe\u00fb"} if position == 0 else {}
        for _ in range(200):
            raw = json.dumps(forge.claims(x="\u00ff~~~???>>>"), ensure_ascii=False).encode()
            segments = forge.signed(
                json.dumps({"alg": "RS256", "kid": "rsa", **header, "y": "???~~~>>>"}).encode(), raw
            ).split(".")
            standard = _standard(segments[position])
            if standard != segments[position]:
                segments[position] = standard
                return ".".join(segments)
        raise AssertionError("no token differs in the two alphabets")

    return forge_it


def _json(forge: Forge, *, general: bool) -> str:
    protected, payload, made = forge.mint().split(".")
    one: dict[str, Any] = {"protected": protected, "signature": made}
    return json.dumps({"payload": payload} | ({"signatures": [one]} if general else one))


def _json_with_two_dots(forge: Forge) -> str:
    """The trick that lets a JSON serialisation pass for the compact form: exactly two dots in it."""
    whole = json.loads(_json(forge, general=False))
    return json.dumps(whole | {"x": ".."})


def _encoding_cases() -> Iterator[tuple[str, Case]]:
    for position, name in enumerate(_SEGMENTS):
        yield f"A28 padding on the {name}", Case(lambda f, at=position: f.respelled(at, _padded))  # type: ignore[misc]
        yield (
            f"A29 excess padding on the {name}",
            Case(
                lambda f, at=position: f.respelled(at, lambda text: text + "=====")  # type: ignore[misc]
            ),
        )
        yield f"A30 standard alphabet in the {name}", Case(_with_standard_alphabet(position))
        for junk in ("!", " ", "%", "\u00e9"):
            yield (
                f"A31 {junk!r} inside the {name}",
                Case(
                    lambda f, at=position, j=junk: f.respelled(at, lambda text: f"{text[:8]}{j}{text[8:]}")  # type: ignore[misc]
                ),
            )
        yield f"A32 stray bits in the {name}", Case(_with_stray_bits(position))
        yield (
            f"A33 line break in the {name}",
            Case(
                lambda f, at=position: f.respelled(at, lambda text: f"{text[:9]}\n{text[9:]}")  # type: ignore[misc]
            ),
        )
    around = {"line break": "\n", "tab": "\t", "byte order mark": "\ufeff", "space": " ", "CRLF": "\r\n"}
    for name, text in around.items():
        yield f"A33 {name} before", _whole(lambda token, t=text: t + token)  # type: ignore[misc]
        yield f"A33 {name} after", _whole(lambda token, t=text: token + t)  # type: ignore[misc]
    yield "A33 full-width dots", _whole(lambda token: token.replace(".", "\uff0e"))
    yield "A33 the scheme before", _whole(lambda token: "Bearer " + token)
    yield "A34 empty", _whole(lambda _token: "")
    yield "A34 one segment", _whole(lambda token: token.split(".", maxsplit=1)[0])
    yield "A34 two segments", _whole(lambda token: token.rpartition(".")[0])
    yield "A34 four segments", _whole(lambda token: token + ".AAAA")
    yield "A34 five segments", _whole(lambda token: token + ".AAAA.AAAA")
    yield "A34 two dots", _whole(lambda _token: "..")
    yield "A34 a million dots", _whole(lambda _token: "." * 1_000_000)
    yield "A35 flattened JSON", Case(lambda forge: _json(forge, general=False))
    yield "A35 general JSON", Case(lambda forge: _json(forge, general=True))
    yield "A35 JSON with two dots", Case(_json_with_two_dots)
    yield "A36 header of 100 kB", Case(lambda forge: forge.mint(header={"x": "x" * 100_000}))
    yield "A36 claims of 500 kB", Case(lambda forge: forge.mint({"x": "x" * 500_000}))
    yield "A36 claims a little too long", Case(lambda forge: forge.mint({"x": "x" * 12_000}))
    yield "A36 signature of 500 kB", _whole(lambda token: token + "A" * 500_000)
    yield "A37 EC signature of 200 bytes", Case(lambda f: f.resigned("ES256", lambda made: made + bytes(136)))
    yield "A37 EC signature of 10 kB", Case(lambda f: f.resigned("ES256", lambda made: made + bytes(10_000)))


def _json_cases() -> Iterator[tuple[str, Case]]:
    for name, value in {"sub": '"root"', "exp": "9999999999", "iss": '"x"', "aud": '"x"'}.items():
        yield f"A38 {name} twice", _ending(f',"{name}":{value}'.encode())
    yield "A38 sub twice, escaped", _ending(b',"s\\u0075b":"root"')
    yield "A38 a member twice deep inside", _members(x='{"a":[{"b":1,"b":2}]}')
    for text in ("NaN", "Infinity", "-Infinity"):
        yield f"A39 {text} as a claim", _members(x=text)
        yield f"A39 {text} as exp", _members(exp=text)
    for name, text in {"1e400": "1e400", "400 digits": "9" * 400, "5000 digits": "9" * 5000}.items():
        yield f"A40 exp of {name}", _members(exp=text)
        yield f"A40 a claim of {name}", _members(x=text)
    for depth in (33, 1_000, 100_000):
        yield f"A41 lists {depth} deep", _members(x="[" * depth + "]" * depth)
        yield f"A41 never closed, {depth} deep", _payload(b"[" * depth)
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        for name, case in _recoded(lambda text, to=encoding: text.decode().encode(to)):  # type: ignore[misc]
            yield f"A42 {name} in {encoding}", case
    for name, octets in {"invalid": b"\xff", "overlong": b"\xc1\xa1", "raw surrogate": b"\xed\xa0\x80"}.items():
        yield f"A43 {name} UTF-8", Case(lambda f, o=octets: f.with_payload(f.members(x='"?"').replace(b"?", o)))  # type: ignore[misc]
    yield "A44 half a surrogate pair in sub", _members(sub='"\\ud800"')
    yield "A44 half a surrogate pair in a name", _ending(b',"\\udfff":1')
    yield "A45 NUL in sub", _members(sub='"a\\u0000"')
    wholes = {"array": b"[]", "string": b'"x"', "number": b"1", "null": b"null", "true": b"true", "a brace": b"{"}
    for name, whole in wholes.items():
        yield f"A46 claims are {name}", _payload(whole)
    yield "A46 no claims", _payload(b"")
    yield "A46 text after the claims", Case(lambda f: f.with_payload(f.members() + b"{}"))
    yield "A46 comment", Case(lambda f: f.with_payload(b"/* */" + f.members()))
    yield "A46 single quotes", Case(lambda f: f.with_payload(f.members().replace(b'"', b"'")))
    yield "A46 trailing comma", _ending(b",")


def _five(header: dict[str, Any], *parts: bytes) -> Case:
    whole = ".".join([encode(header), *(encode(part) for part in parts)])
    return Case(lambda _forge: whole)


def _encrypted(forge: Forge, payload: bytes) -> str:
    """Encrypted to the trusted issuer's own public key, as a library would."""
    key = RSAKey.import_key(forge.rsa.pem())
    return jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": forge.rsa.kid}, payload, key)


def _jwe_cases() -> Iterator[tuple[str, Case]]:
    rest = (bytes(40), bytes(12), bytes(64), bytes(16))
    slow = {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2s": "c2FsdA", "p2c": 2**31 - 1}
    yield "A80 PBES2 with two thousand million rounds", _five(slow, *rest)
    yield "A80 PBES2 in three segments", Case(lambda forge: forge.unsigned(slow, bytes(64)))
    bomb = zlib.compress(b"x" * 5_000_000)
    yield "A81 zip bomb", _five({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, b"\x00", bytes(12), bomb, bytes(16))
    yield "A81 zip bomb as claims", Case(lambda f: f.signed({"alg": "RS256", "kid": "rsa", "zip": "DEF"}, bomb))
    yield "A82 RSA1_5", _five({"alg": "RSA1_5", "enc": "A128CBC-HS256"}, bytes(256), *rest[1:])
    epk = {"kty": "EC", "crv": "P-256", "x": encode(bytes(32)), "y": encode(bytes(32))}
    yield "A82 point off the curve as epk", _five({"alg": "ECDH-ES", "enc": "A256GCM", "epk": epk}, *rest)
    yield "A83 encrypted claims", Case(lambda f: _encrypted(f, json.dumps(f.claims()).encode()))
    yield "A83 encrypted unsigned token", Case(lambda f: _encrypted(f, f.unsigned({"alg": "none"}).encode()))
    yield "A83 encrypted signed token", Case(lambda f: _encrypted(f, f.mint().encode()))


FORGERIES: dict[str, Case] = {**dict(_encoding_cases()), **dict(_json_cases()), **dict(_jwe_cases())}
