"""What judging a token costs, beside what the bare signature costs: ``.venv/bin/python bench/verify.py``.

First table: reading and verifying a good token, everything checked, with the key admitted beforehand, over the raw
``cryptography`` verify of the same signature. At most 2.0, 1.5 and 1.3 for RS256, ES256 and Ed25519.

Second table: the worst tokens of full size (16,384 characters), accepted and refused, over a good token: one of
ordinary size, and one that is as long as they are. At most 2.0 of the latter. RS256, because its signature is the
cheapest to verify, so that all else weighs most.

Rounds are interleaved, so that a busy machine slows all of them alike; each figure is the median over the rounds of
the fastest repetition within a round.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from assay import errors
from assay.model import Profile
from assay.rules import tokens
from assay.rules.algorithms import DEFAULT_ALGORITHMS, VerificationKey, algorithms_of
from assay.rules.jws import MAX_TOKEN_CHARACTERS

NOW = 1_800_000_000
REPETITIONS = 20
LIMITS = {"RS256": 2.0, "ES256": 1.5, "EdDSA": 1.3}
WORST_LIMIT = 2.0

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Work = Callable[[], object]

KEYS: dict[str, PrivateKey] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
VERIFICATION_KEYS = {
    name: VerificationKey(name, algorithms_of(key.public_key()), key.public_key()) for name, key in KEYS.items()
}
PROFILE = Profile(
    environment_id="project-test-1",
    profile_id="bench",
    name="Bench",
    issuer="https://issuer.example",
    audience="bench",
    public_key_type="JWK",
    algorithms=DEFAULT_ALGORITHMS,
    created_at=0,
    updated_at=0,
)
CLAIMS = {
    "iss": PROFILE.issuer,
    "aud": PROFILE.audience,
    "sub": "auth0|65f1c2d3e4a5b6c7d8e9f0a1",
    "jti": "5f0c1b2a-3d4e-4f50-8a9b-0c1d2e3f4a5b",
    "email": "ada@example.com",
    "email_verified": True,
    "org_id": "org_7f3c2b1a",
    "roles": ["admin", "editor"],
    "iat": NOW,
    "exp": NOW + 300,
}


# ---------------------------------------------------------------- tokens


def encode(part: bytes | Mapping[str, Any]) -> str:
    """One segment of a token."""
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signature(algorithm: str, signed: bytes) -> bytes:
    """Sign as a JWS does."""
    key = KEYS[algorithm]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return key.sign(signed)


def token(payload: bytes | Mapping[str, Any], header: bytes | None = None, algorithm: str = "RS256") -> str:
    """A signed token."""
    head = header if header is not None else json.dumps({"alg": algorithm, "kid": algorithm, "typ": "JWT"}).encode()
    signed = f"{encode(head)}.{encode(payload)}"
    return f"{signed}.{encode(signature(algorithm, signed.encode()))}"


def judge(text: str, algorithm: str = "RS256") -> bool:
    """Read and verify; whether it was accepted."""
    try:
        tokens.verify(tokens.read(text, PROFILE, NOW), [VERIFICATION_KEYS[algorithm]])
    except errors.Error:
        return False
    return True


# ---------------------------------------------------------------- the bare signature


def raw_verify(text: str, algorithm: str) -> Work:
    """The ``cryptography`` call that the token's signature needs, with all its arguments made beforehand."""
    head, _, tail = text.rpartition(".")
    signed, made = head.encode(), base64.urlsafe_b64decode(tail + "==")
    public_key = KEYS[algorithm].public_key()
    if isinstance(public_key, rsa.RSAPublicKey):
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        return lambda: public_key.verify(made, signed, scheme, digest)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        der, ecdsa = _der(made), ec.ECDSA(hashes.SHA256())
        return lambda: public_key.verify(der, signed, ecdsa)
    return lambda: public_key.verify(made, signed)


def _der(made: bytes) -> bytes:
    def integer(raw: bytes) -> bytes:
        value = int.from_bytes(raw, "big")
        body = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return bytes([2, len(body)]) + body

    body = integer(made[:32]) + integer(made[32:])
    return bytes([0x30, len(body)]) + body


# ---------------------------------------------------------------- worst tokens


def filled(piece: str, before: str = "", after: str = "", separator: str = "") -> bytes:
    """Good claims and a member ``x``: ``piece`` as often as a token of full size has room for it."""
    start = json.dumps(CLAIMS, separators=(",", ":"))[:-1] + ',"x":' + before
    end = after + "}"
    # Header, signature and dots take 420 characters; four characters carry three bytes.
    room = (MAX_TOKEN_CHARACTERS - 420) * 3 // 4 - len((start + end).encode())
    count = room // len((piece + separator).encode())
    return (start + separator.join([piece] * count) + end).encode()


def claims_with(text: str) -> bytes:
    """Good claims and a member ``x`` with this JSON text."""
    return (json.dumps(CLAIMS, separators=(",", ":"))[:-1] + ',"x":' + text + "}").encode()


def members(make: Callable[[int], str]) -> bytes:
    """Good claims and as many more members as fit."""
    text = json.dumps(CLAIMS, separators=(",", ":"))[:-1]
    parts, size, number = [text], len(text), 0
    while size < (MAX_TOKEN_CHARACTERS - 430) * 3 // 4:
        parts.append("," + make(number))
        size += len(parts[-1].encode())
        number += 1
    return ("".join(parts[:-1]) + "}").encode()


def replaced(name: str, value: object) -> bytes:
    """Good claims with one of another kind."""
    return json.dumps(CLAIMS | {name: value}, separators=(",", ":")).encode()


def long_header(member: str) -> bytes:
    """A header of nearly full size."""
    return ('{"alg":"RS256","kid":"RS256",' + member + "}").encode()


ROOM = 11_000
DEEP = "[" * 30 + "]" * 30


def worst() -> Iterator[tuple[str, str]]:
    """Name and text of each token built to be dear."""
    yield from strings()
    yield from values()
    yield from malformed()
    yield from refused_claims()
    yield from headers()
    yield from spellings()


def strings() -> Iterator[tuple[str, str]]:
    """Long strings, plain and escaped."""
    yield "long string", token(filled("a", '"', '"'))
    yield "string of other letters", token(filled("é", '"', '"'))
    yield "string of emoji", token(filled("\U0001f600", '"', '"'))
    yield "short escapes", token(filled("\\n", '"', '"'))
    yield "unicode escapes", token(filled("\\u0041", '"', '"'))
    yield "surrogate escapes", token(filled("\\ud83d\\ude00", '"', '"'))
    yield "half surrogate at the end", token(filled("\\u0041", '"', '\\ud800"'))
    yield "escaped quotes and brackets", token(filled('\\"[', '"', '"'))
    yield "brackets in a string", token(filled("[", '"', '"'))


def values() -> Iterator[tuple[str, str]]:
    """Many numbers, lists, objects and members."""
    yield "numbers", token(filled("1", "[", "]", ","))
    yield "long numbers", token(filled("9" * 64, "[", "]", ","))
    yield "numbers of 18 digits", token(filled("9" * 18, "[", "]", ","))
    yield "floats", token(filled("1.5", "[", "]", ","))
    yield "exponents", token(filled("1e300", "[", "]", ","))
    yield "one long number", token(filled("9"))
    yield "words", token(filled("null", "[", "]", ","))
    yield "empty strings", token(filled('""', "[", "]", ","))
    yield "short strings", token(filled('"a"', "[", "]", ","))
    yield "empty lists", token(filled("[]", "[", "]", ","))
    yield "empty objects", token(filled("{}", "[", "]", ","))
    yield "small objects", token(filled('{"a":1}', "[", "]", ","))
    yield "deep lists again and again", token(filled(DEEP, "[", "]", ","))


def malformed() -> Iterator[tuple[str, str]]:
    """Texts that are refused when the claims are read."""
    yield "deeper than allowed", token(filled("["))
    yield "deep objects", token(filled('{"a":', "", ""))
    yield "as many floats as allowed", token(claims_with("[" + ",".join(["1.2345e-7"] * 980) + "]"))
    yield "as many members as allowed", token(claims_with("{" + ",".join(f'"{n:08x}":0' for n in range(490)) + "}"))
    yield "as many objects as allowed", token(claims_with("[" + ",".join(["{}"] * 250) + "]"))
    yield "as many deep lists as allowed", token(claims_with("[" + ",".join([DEEP] * 8) + "]"))
    yield "as many strings as allowed", token(claims_with("[" + ",".join(['"abcdefgh"'] * 980) + "]"))
    yield (
        "as many members as allowed, one repeated",
        token(claims_with("{" + ",".join(f'"{n % 489:x}":1.5' for n in range(490)) + "}")),
    )
    yield "short members", token(members(lambda n: f'"{n:x}":0'))
    yield "escaped members", token(members(lambda n: f'"\\u{n:04x}a":0'))
    yield "repeated members", token(members(lambda _: '"a":0'))
    yield "repeated member at the end", token(filled("a", '"', '","x":1'))
    yield "strings, one repeated member", token(members(lambda n: f'"{n:x}":""')[:-1] + b',"iss":1}')
    yield "spaces", token(filled(" ", "", "1"))
    yield "line breaks", token(filled("\n", "[", "]"))
    yield "text after the end", token(json.dumps(CLAIMS).encode() + b" " * ROOM + b"x")
    yield "UTF-16", token(("{" + " " * (ROOM // 2)).encode("utf-16"))
    yield "invalid UTF-8 at the end", token(filled("é", '"', '"')[:-3] + b"\xff" + b'"}')


def refused_claims() -> Iterator[tuple[str, str]]:
    """Claims whose refusal has something long to show."""
    yield "many audiences", token(replaced("aud", ["a" * 4] * 1_300 + ["bench"]))
    yield "many short audiences", token(replaced("aud", ["a"] * 2_700 + ["bench"]))
    yield "audiences of others", token(replaced("aud", ["a"] * 2_700))
    yield "audience in lists", token(replaced("aud", [["bench"]] * 1_000))
    yield "long issuer", token(replaced("iss", "a" * ROOM))
    yield "issuer in a list", token(replaced("iss", [PROFILE.issuer] * 400))
    yield "issuer of control characters", token(replaced("iss", "\x01" * 1_800))
    yield "issuer of other letters", token(filled("é", '"', '"').replace(b'"iss"', b'"was"').replace(b'"x"', b'"iss"'))
    yield "subject of numbers", token(replaced("sub", [1] * 5_000))
    yield "expiry of numbers", token(replaced("exp", [1] * 5_000))


def headers() -> Iterator[tuple[str, str]]:
    """Long headers."""
    yield "long string in the header", token(CLAIMS, long_header(f'"x":"{"k" * ROOM}"'))
    yield "kid too long", token(CLAIMS, ('{"alg":"RS256","kid":"' + "k" * ROOM + '"}').encode())
    yield "algorithm too long", token(CLAIMS, ('{"alg":"' + "R" * ROOM + '"}').encode())
    yield "typ too long", token(CLAIMS, long_header('"typ":"' + "J" * ROOM + '"'))
    yield "numbers in the header", token(CLAIMS, long_header('"x":[' + ",".join(["1"] * (ROOM // 2)) + "]"))
    yield "objects in the header", token(CLAIMS, long_header('"x":[' + ",".join(["{}"] * (ROOM // 3)) + "]"))


def spellings() -> Iterator[tuple[str, str]]:
    """Texts that are no tokens."""
    yield "long signature", f"{token(CLAIMS).rpartition('.')[0]}.{'A' * 15_600}"
    yield "wrong character at the end", token(filled("a", '"', '"'))[:-1] + "="
    yield "wrong character at the start", "=" + token(filled("a", '"', '"'))[1:]
    yield "stray bits at the end", token(filled("a", '"', '"'))[:-1] + "B"
    yield "only dots", "." * MAX_TOKEN_CHARACTERS
    yield "no dot", "a" * MAX_TOKEN_CHARACTERS
    yield "braces", "{" + "." * (MAX_TOKEN_CHARACTERS - 1)
    yield "spaces before a brace", " " * (MAX_TOKEN_CHARACTERS - 1) + "{"
    yield "too long by one", "a" * (MAX_TOKEN_CHARACTERS + 1)
    yield "ten million characters", "a" * 10_000_000


# ---------------------------------------------------------------- measuring


def fastest(work: Work) -> float:
    """Microseconds of the fastest of a few repetitions."""
    best = float("inf")
    for _ in range(REPETITIONS):
        start = time.perf_counter_ns()
        work()
        best = min(best, time.perf_counter_ns() - start)
    return best / 1_000


def measure(works: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Microseconds of each work: the median over interleaved rounds."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(fastest(work))
    return {name: statistics.median(figures) for name, figures in found.items()}


def signatures(rounds: int) -> bool:
    """Print the first table; whether each ratio is within its limit."""
    good = {algorithm: token(CLAIMS, algorithm=algorithm) for algorithm in LIMITS}
    works: dict[str, Work] = {}
    for algorithm, text in good.items():
        works[f"raw {algorithm}"] = raw_verify(text, algorithm)
        works[f"all {algorithm}"] = judging(text, algorithm)
    found = measure(works, rounds)
    print(f"{'':8} {'raw µs':>8} {'all µs':>8} {'ratio':>6} {'limit':>6}")
    within = True
    for algorithm, limit in LIMITS.items():
        raw, whole = found[f"raw {algorithm}"], found[f"all {algorithm}"]
        print(f"{algorithm:8} {raw:8.1f} {whole:8.1f} {whole / raw:6.2f} {limit:6.1f}")
        within = within and judge(good[algorithm], algorithm) and whole / raw <= limit
    return within


def judging(text: str, algorithm: str) -> Work:
    """The work of judging a token."""
    return lambda: judge(text, algorithm)


def shapes(rounds: int, *, every: bool) -> bool:
    """Print the second table, dearest first; whether the dearest is within the limit."""
    texts = dict(worst())
    good = {f"good {name}": token(CLAIMS, algorithm=name) for name in LIMITS}
    good |= {f"full-size {name}": token(filled("a" * 30, '["', '"]', '","'), algorithm=name) for name in LIMITS}
    works = {name: judging(text, "RS256") for name, text in texts.items()}
    found = measure(works | {name: judging(text, name.split()[1]) for name, text in good.items()}, rounds)
    print()
    for name, text in good.items():
        print(f"{name:40} {found[name]:8.1f} µs  {len(text)} characters")
    print(f"{'':40} {'RS256':>8}    {'of good':>8} {'of full':>8}")
    dearest = sorted(texts, key=lambda name: -found[name])
    for name in dearest if every else dearest[:8]:
        verdict = "accepted" if judge(texts[name]) else "refused"
        ratios = (found[name] / found["good RS256"], found[name] / found["full-size RS256"])
        print(f"{name:40} {found[name]:8.1f} µs {ratios[0]:8.2f} {ratios[1]:8.2f} {verdict}")
    return found[dearest[0]] / found["full-size RS256"] <= WORST_LIMIT


def main() -> None:
    """Measure and print; the exit code is 1 when a limit is passed."""
    options = argparse.ArgumentParser(description="What judging a token costs.")
    options.add_argument("--rounds", type=int, default=25, help="interleaved rounds")
    options.add_argument("--all", action="store_true", help="show every shape of token, not only the dearest")
    chosen = options.parse_args()
    results = [signatures(chosen.rounds), shapes(chosen.rounds, every=chosen.all)]
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
