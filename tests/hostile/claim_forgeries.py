"""Catalogue rows A47-A64 and A66-A68: claims of somebody else's, and signatures that are none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.hostile.forging import (
    AUDIENCE_WRONG,
    CLAIMS,
    ISSUER,
    ORDERS,
    SHA256_INFO,
    Case,
    Forge,
    digest,
    numbers,
    pkcs1v15,
    rsa_raw,
)
from tests.issuer import ABSENT, AUDIENCE, Issuer, encode

_HOUR = 3600
_YEAR = 366 * 24 * _HOUR


def _claim(error: str, **changes: Any) -> Case:
    return Case(lambda forge: forge.mint(changes), error)


def _issuer(change: Callable[[str], object]) -> Case:
    return Case(lambda forge: forge.mint({"iss": change(forge.issuer.url)}), ISSUER)


def _times(**seconds: float) -> Case:
    """Times as so many seconds from now."""
    return Case(lambda forge: forge.mint({name: int(time.time() + much) for name, much in seconds.items()}), CLAIMS)


def _partner_s(forge: Forge) -> str:
    return forge.partner.mint(forge.claims(iss=forge.partner.url))


def _from_the_trap(forge: Forge) -> str:
    """The attacker runs an issuer at a URL of its own, with discovery and keys, and names it."""
    return Issuer(forge.trap).mint(forge.claims(iss=forge.trap))


def _claim_cases() -> Iterator[tuple[str, Case]]:
    spellings: dict[str, Callable[[str], object]] = {
        "missing": lambda _url: ABSENT,
        "prefix": lambda url: url[:-1],
        "suffix": lambda url: url + ".evil.example",
        "upper case": str.upper,
        "slash": lambda url: url + "/",
        "space after": lambda url: url + " ",
        "space before": lambda url: " " + url,
        "line break after": lambda url: url + "\n",
        "look-alike dots": lambda url: url.replace(".", "\uff0e"),
        "null": lambda _url: None,
    }
    for name, change in spellings.items():
        yield f"A47 iss: {name}", _issuer(change)
    yield "A48 iss in a list", _issuer(lambda url: [url])
    yield "A48 iss in a list with another", _issuer(lambda url: ["https://evil.example", url])
    yield "A48 iss in an object", _issuer(lambda url: {url: 1})
    yield "A49 iss of the attacker's server", Case(_from_the_trap, ISSUER)
    yield "A49 iss of another profile's issuer", Case(_partner_s, ISSUER)
    audiences: dict[str, Any] = {
        "A50 aud: missing": ABSENT,
        "A50 aud: prefix": AUDIENCE[:-1],
        "A50 aud: one character": AUDIENCE[0],
        "A50 aud: superstring": AUDIENCE + "-2",
        "A50 aud: upper case": AUDIENCE.upper(),
        "A50 aud: object": {AUDIENCE: 1},
        "A50 aud: nested list": [[AUDIENCE]],
        "A50 aud: empty list": [],
        "A50 aud: null": None,
        "A50 aud: number": 1,
        "A51 aud: null beside ours": [AUDIENCE, None],
        "A51 aud: number beside ours": [AUDIENCE, 1],
        "A51 aud: list beside ours": [AUDIENCE, ["x"]],
        "A52 aud of a sibling": "assay-tests-token-endpoint",
        "A52 aud of the issuer": "https://issuer.example",
    }
    for name, value in audiences.items():
        yield name, _claim(AUDIENCE_WRONG, aud=value)
    yield from _time_cases()
    for name, value in {"integer": 1, "list": ["a"], "object": {"a": 1}, "true": True, "null": None}.items():
        yield f"A57 sub: {name}", _claim(CLAIMS, sub=value)
        yield f"A57 jti: {name}", _claim(CLAIMS, jti=value)
    yield "A60 sub: empty", _claim(CLAIMS, sub="")
    yield "A60 sub: control characters", _claim(CLAIMS, sub="a\r\nSet-Cookie: x")
    yield "A60 sub: too long", _claim(CLAIMS, sub="s" * 8000)
    yield "A60 email: list of two", _claim(CLAIMS, email=["a@example.com", "b@example.com"])
    yield "A60 email not verified", _claim("trusted_auth_token_email_not_verified", email_verified=False)
    yield "A110 a token of the attacker's own account for another service", _claim(AUDIENCE_WRONG, aud="sts.example")


def _time_cases() -> Iterator[tuple[str, Case]]:
    now = int(time.time())
    yield "A53 exp as a string", _claim(CLAIMS, exp=str(now + _HOUR))
    yield "A53 exp as true", _claim(CLAIMS, exp=True)
    yield "A53 exp null", _claim(CLAIMS, exp=None)
    yield "A53 exp in a list", _claim(CLAIMS, exp=[now + _HOUR])
    yield "A53 no exp", _claim(CLAIMS, exp=ABSENT)
    for name in ("nbf", "iat"):
        yield f"A54 {name} as a string", _claim(CLAIMS, **{name: str(now)})
        yield f"A54 {name} as true", _claim(CLAIMS, **{name: True})
        yield f"A54 {name} null", _claim(CLAIMS, **{name: None})
    yield "A55 expired", _times(exp=-_HOUR)
    yield "A55 exp negative", _claim(CLAIMS, exp=-1)
    yield "A55 exp zero", _claim(CLAIMS, exp=0)
    yield "A56 nbf in an hour", _times(nbf=_HOUR)
    yield "A56 iat in an hour", _times(iat=_HOUR)
    yield "A58 exp in fifty years", _times(exp=50 * _YEAR)
    yield (
        "A58 exp in fifty years, no iat",
        Case(lambda f: f.mint({"exp": int(time.time()) + 50 * _YEAR, "iat": ABSENT}), CLAIMS),
    )
    yield (
        "A58 exp in fifty years, iat too",
        Case(lambda f: f.mint({"exp": int(time.time()) + 50 * _YEAR, "iat": 0}), CLAIMS),
    )


# ---------------------------------------------------------------- signatures


def _es256(made: bytes) -> Case:
    return Case(lambda forge: forge.unsigned({"alg": "ES256", "kid": forge.ec.kid}, made))


def _ed25519(change: Callable[[bytes], bytes]) -> Case:
    return Case(lambda forge: forge.resigned("EdDSA", change))


def _rs256(make: Callable[[Forge, str], bytes]) -> Case:
    """The signature is computed from the signing input."""

    def forge_it(forge: Forge) -> str:
        signed = f"{encode({'alg': 'RS256', 'kid': forge.rsa.kid})}.{encode(forge.claims())}"
        return f"{signed}.{encode(make(forge, signed))}"

    return Case(forge_it)


def _padded(encoded: Callable[[bytes], bytes]) -> Case:
    """An encoded message that is not the standard one, under the right private key."""
    return _rs256(lambda forge, signed: rsa_raw(forge.rsa, encoded(digest(signed))))


def _pss(salt: int | Any, digest_of: hashes.HashAlgorithm, mask: hashes.HashAlgorithm) -> Case:
    def forge_it(forge: Forge) -> str:
        signed = f"{encode({'alg': 'PS256', 'kid': forge.rsa.kid})}.{encode(forge.claims())}"
        assert isinstance(forge.rsa.private_key, rsa.RSAPrivateKey)
        scheme = padding.PSS(mgf=padding.MGF1(mask), salt_length=salt)
        return f"{signed}.{encode(forge.rsa.private_key.sign(signed.encode(), scheme, digest_of))}"

    return Case(forge_it)


def _ecdsa_der(forge: Forge) -> str:
    signed = f"{encode({'alg': 'ES256', 'kid': forge.ec.kid})}.{encode(forge.claims())}"
    assert isinstance(forge.ec.private_key, ec.EllipticCurvePrivateKey)
    return f"{signed}.{encode(forge.ec.private_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"


def _signature_cases() -> Iterator[tuple[str, Case]]:
    n = ORDERS["P-256"].to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    yield "A61 r = s = 0", _es256(bytes(64))
    yield "A61 DER of zeros", _es256(bytes.fromhex("3006020100020100"))
    yield "A61 r = n", _es256(n + one)
    yield "A61 s = n", _es256(one + n)
    yield "A61 r = s = n", _es256(n + n)
    yield "A61 r = 0, s = 1", _es256(bytes(32) + one)
    yield "A61 r = s = 1", _es256(one + one)
    yield "A61 all ones", _es256(b"\xff" * 64)
    yield "A62 DER", Case(_ecdsa_der)
    changes: dict[str, Callable[[bytes], bytes]] = {
        "leading zeros": lambda made: b"\0" + made[:32] + b"\0" + made[32:],
        "trailing byte": lambda made: made + b"\0",
        "truncated": lambda made: made[:-1],
        "r alone": lambda made: made[:32],
        "swapped": lambda made: made[32:] + made[:32],
        "s + n": lambda made: made[:32] + (int.from_bytes(made[32:], "big") + ORDERS["P-256"]).to_bytes(33, "big"),
        "one bit": lambda made: bytes([made[0] ^ 1]) + made[1:],
    }
    for name, change in changes.items():
        yield f"A62 {name}", Case(lambda f, c=change: f.resigned("ES256", c))  # type: ignore[misc]
    yield "A64 S + L", _ed25519(_s_plus_l)
    yield "A64 all zero", _ed25519(lambda _made: bytes(64))
    yield "A64 63 bytes", _ed25519(lambda made: made[:-1])
    yield "A64 65 bytes", _ed25519(lambda made: made + b"\0")
    yield "A64 identity and zero", _ed25519(lambda _made: b"\1" + bytes(63))
    yield "A64 an Ed448 signature", _ed25519(lambda _made: bytes(114))
    yield from _rsa_cases()


def _s_plus_l(made: bytes) -> bytes:
    return made[:32] + (int.from_bytes(made[32:], "little") + ORDERS["Ed25519"]).to_bytes(32, "little")


def _rsa_cases() -> Iterator[tuple[str, Case]]:
    size = 256
    sha1 = bytes.fromhex("3021300906052b0e03021a05000414")
    no_null = bytes.fromhex("302f300b0609608648016503040201" + "0420")
    long_length = bytes.fromhex("308131300d060960864801650304020105000420")
    encodings: dict[str, Callable[[bytes], bytes]] = {
        "no DigestInfo": lambda h: pkcs1v15(size, h),
        "no NULL": lambda h: pkcs1v15(size, no_null + h),
        "BER length": lambda h: pkcs1v15(size, long_length + h),
        "digest of another": lambda _h: pkcs1v15(size, SHA256_INFO + bytes(32)),
        "SHA-1 in name": lambda h: pkcs1v15(size, sha1 + h[:20]),
        "zeros for padding": lambda h: pkcs1v15(size, SHA256_INFO + h, padding=0),
        "block type 2": lambda h: pkcs1v15(size, SHA256_INFO + h, start=b"\x00\x02"),
        "block type 0": lambda h: pkcs1v15(size, SHA256_INFO + h, start=b"\x00\x00"),
        "garbage after the digest": lambda h: pkcs1v15(60, SHA256_INFO + h).ljust(size, b"\xab"),
        "no padding": lambda h: (b"\x00\x01\x00" + SHA256_INFO + h).ljust(size, b"\xab"),
        "seven bytes of padding": lambda h: (b"\x00\x01" + b"\xff" * 7 + b"\x00" + SHA256_INFO + h).ljust(size, b"\0"),
        "the digest alone": lambda h: h.rjust(size, b"\0"),
        "digest truncated": lambda h: pkcs1v15(size, SHA256_INFO[:-1] + b"\x1f" + h[:31]),
    }
    for name, encoded in encodings.items():
        yield f"A66 {name}", _padded(encoded)
    yield "A67 salt of 0", _pss(0, hashes.SHA256(), hashes.SHA256())
    yield "A67 salt of 20", _pss(20, hashes.SHA256(), hashes.SHA256())
    yield "A67 longest salt", _pss(padding.PSS.MAX_LENGTH, hashes.SHA256(), hashes.SHA256())
    yield "A67 another hash", _pss(32, hashes.SHA512(), hashes.SHA512())
    yield "A67 another mask", _pss(32, hashes.SHA256(), hashes.SHA1())
    yield "A67 PKCS#1 v1.5 as PS256", Case(lambda f: f.mint(header={"alg": "PS256"}))
    yield "A67 PS256 as RS256", Case(lambda f: f.mint(alg="PS256", header={"alg": "RS256"}))
    yield "A68 signature + n", Case(lambda f: f.resigned("RS256", lambda made: _plus_n(f, made)))
    yield "A68 leading zero", Case(lambda f: f.resigned("RS256", lambda made: b"\0" + made))
    yield "A68 truncated", Case(lambda f: f.resigned("RS256", lambda made: made[:-1]))
    yield "A68 first byte gone", Case(lambda f: f.resigned("RS256", lambda made: made[1:]))
    values: dict[str, Callable[[int], int]] = {"0": lambda _n: 0, "1": lambda _n: 1, "n-1": lambda n: n - 1}
    for name, value in values.items():
        yield f"A68 {name}", _rs256(lambda f, _s, v=value: v(numbers(f.rsa)[0]).to_bytes(size, "big"))  # type: ignore[misc]
    yield "A68 one bit", Case(lambda f: f.resigned("RS256", lambda made: bytes([made[0] ^ 1]) + made[1:]))
    yield "A68 all bits", _rs256(lambda _f, _s: b"\xff" * size)


def _plus_n(forge: Forge, made: bytes) -> bytes:
    """Often one byte longer than the modulus; then the length alone gives it away."""
    value = int.from_bytes(made, "big") + numbers(forge.rsa)[0]
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


FORGERIES: dict[str, Case] = {**dict(_claim_cases()), **dict(_signature_cases())}
