"""Where Assay and the two oracles differ about a token, and why that is meant.

A difference explains a case only if the token has what the difference speaks of, as an independent lenient reading of
it shows, and the stricter judge says so in its own words. Whatever is not on the list fails the differential test.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.hostile.mutations import NOW
from tests.hostile.oracles import Verdict

ASSAY = "Assay"
BOTH = ("PyJWT", "joserfc")

_YEAR = 366 * 86_400
_TYPES = {"jwt", "at+jwt", "id_token+jwt"}
_TIMES = ("exp", "nbf", "iat")


class Seen(NamedTuple):
    """A token as a lenient reader sees it: the texts of header and claims, and their values where they have any."""

    token: str
    texts: tuple[bytes, bytes]
    header: dict[str, Any]
    claims: dict[str, Any]


class Difference(NamedTuple):
    """``stricter`` refuses what the other grants, in words that contain ``says``; ``reason`` names the rule."""

    name: str
    oracles: tuple[str, ...]
    stricter: str
    says: str
    holds: Callable[[Seen], bool]
    reason: str


def explanation(token: str, ours: Verdict, oracle: str, theirs: Verdict) -> str | None:
    """The name of the difference that explains two verdicts that are not alike; None when none does."""
    seen = read(token)
    refusal = theirs if ours.granted else ours
    stricter = oracle if ours.granted else ASSAY
    for each in DIFFERENCES:
        if stricter == each.stricter and oracle in each.oracles and each.says in refusal.why and each.holds(seen):
            return each.name
    return None


def read(token: str) -> Seen:
    """Read a token as kindly as can be."""
    segments = [*token.split("."), "", ""]
    texts = _decoded(segments[0]), _decoded(segments[1])
    header, claims = (_object(text) for text in texts)
    return Seen(token, texts, header, claims)


def _decoded(segment: str) -> bytes:
    kept = "".join(
        character for character in segment if character.isascii() and (character.isalnum() or character in "-_")
    )
    return base64.urlsafe_b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + "=" * (-len(kept) % 4))


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# ---------------------------------------------------------------- what a token has


def _other_encoding(seen: Seen) -> bool:
    return any(json.detect_encoding(text) != "utf-8" for text in seen.texts) or not all(map(_is_utf8, seen.texts))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return False
    return True


def _repeats(seen: Seen) -> bool:
    found: list[bool] = []

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len(dict(members)) != len(members))
        return dict(members)

    for text in seen.texts:
        try:
            json.loads(text, object_pairs_hook=pairs)
        except (ValueError, RecursionError):
            continue
    return any(found)


def _numbers(seen: Seen) -> Iterator[str]:
    for text in seen.texts:
        found: list[str] = []

        def keep(number: str, found: list[str] = found) -> int:
            found.append(number)
            return 0

        try:
            json.loads(text, parse_int=keep, parse_float=keep, parse_constant=keep)
        except (ValueError, RecursionError):
            continue
        yield from found


def _odd_number(seen: Seen) -> bool:
    return any(len(number) > 64 or not math.isfinite(float(number)) for number in _numbers(seen))


def _odd_string(seen: Seen) -> bool:
    return any("\0" in text or any("\ud800" <= character <= "\udfff" for character in text) for text in _strings(seen))


def _strings(seen: Seen) -> Iterator[str]:
    waiting: list[Any] = [seen.header, seen.claims]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value


def _deep(seen: Seen) -> bool:
    return any(_depth(value) > 32 for value in (seen.header, seen.claims))


def _depth(value: Any) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, inner), default=0)
    return 0


def _odd_type(seen: Seen) -> bool:
    kind = seen.header.get("typ", "JWT")
    return not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES


def _odd_content(seen: Seen) -> bool:
    content = seen.header.get("cty", "x")
    return not isinstance(content, str) or content.lower().removeprefix("application/") == "jwt"


def _has(*names: str) -> Callable[[Seen], bool]:
    return lambda seen: bool(set(names) & seen.header.keys())


def _long_life(seen: Seen) -> bool:
    expires, begins = seen.claims.get("exp"), seen.claims.get("iat", NOW)
    return isinstance(expires, int | float) and isinstance(begins, int | float) and expires - begins > _YEAR


def _far_time(seen: Seen) -> bool:
    times = (seen.claims.get(name) for name in _TIMES)
    return any(isinstance(time, int | float) and abs(time) > 2**53 for time in times)


def _time_is(*kinds: type) -> Callable[[Seen], bool]:
    return lambda seen: any(isinstance(seen.claims.get(name), kinds) for name in _TIMES if name in seen.claims)


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "padding",
        ("PyJWT",),
        ASSAY,
        "outside the base64url alphabet",
        lambda seen: "=" in seen.token,
        "RFC 7515 §2 leaves padding out, and two spellings of one token are one too many (R20, A28); PyJWT takes it"
        " for the sake of AWS load balancers, whose key source alone tolerates it here.",
    ),
    Difference(
        "text encoding",
        BOTH,
        ASSAY,
        "cannot be read",
        _other_encoding,
        "RFC 8725 §3.7 and RFC 8259 §8.1: UTF-8 without byte order mark, strictly (R07, A42, A43). Python's json.loads"
        " guesses UTF-16 and UTF-32, drops the mark, and lets raw surrogates pass.",
    ),
    Difference(
        "repeated members",
        BOTH,
        ASSAY,
        "cannot be read",
        _repeats,
        "RFC 7515 §4 and RFC 7519 §4 leave it to refuse or to take the last; a reader that takes the first would see"
        " another token (R18, A05, A38).",
    ),
    Difference(
        "numbers",
        BOTH,
        ASSAY,
        "cannot be read",
        _odd_number,
        "NaN, Infinity and 1e400 are no JSON (RFC 8259 §6), and no claim needs 65 digits (A39, A40).",
    ),
    Difference(
        "strings",
        BOTH,
        ASSAY,
        "cannot be read",
        _odd_string,
        "RFC 7493 §2.1: such strings cannot be written as UTF-8 or kept by a database (A44, A45).",
    ),
    Difference("depth", BOTH, ASSAY, "cannot be read", _deep, "A reader's stack is no claim's to spend (A41)."),
    Difference(
        "typ",
        BOTH,
        ASSAY,
        "typ is",
        _odd_type,
        "RFC 8725 §3.11: logout tokens, DPoP proofs and other kinds are no logins, though the same key signs them"
        " (R14, A25; decisions D8).",
    ),
    Difference(
        "cty",
        BOTH,
        ASSAY,
        "cty",
        _odd_content,
        "A token within the token would be judged by nobody (RFC 7519 §5.2, A26).",
    ),
    Difference(
        "members of encrypted tokens",
        BOTH,
        ASSAY,
        "belongs to encrypted tokens",
        _has("zip", "enc"),
        "Only signed tokens are taken (R04, A24, A81).",
    ),
    Difference(
        "b64",
        BOTH,
        ASSAY,
        "has b64",
        _has("b64"),
        "RFC 7797 changes what is signed; a value that other readers ignore is refused too (A22, A23).",
    ),
    Difference(
        "crit",
        BOTH,
        ASSAY,
        "has crit",
        _has("crit"),
        "RFC 7515 §4.1.11: no extension is understood, so any crit ends it. joserfc counts registered names such as"
        " alg, which crit must not name (R19, A20, A21).",
    ),
    Difference(
        "long kid",
        BOTH,
        ASSAY,
        "kid is no string, or too long",
        lambda seen: len(str(seen.header.get("kid", ""))) > 1024,
        "A key id of more than 1,024 characters names nothing (A17).",
    ),
    Difference(
        "lifetime",
        BOTH,
        ASSAY,
        "lives longer than",
        _long_life,
        "A token that lives for ever is a password (R25, A58; decisions D8: 366 days).",
    ),
    Difference(
        "times far away",
        BOTH,
        ASSAY,
        "is out of range",
        _far_time,
        "RFC 7493 §2.2: beyond 2⁵³ a second is no whole number to every reader, and no time that anybody means (R22).",
    ),
    Difference(
        "times as text",
        ("PyJWT",),
        ASSAY,
        "must be a number",
        _time_is(str, bool, type(None)),
        "RFC 7519 §2: a NumericDate is a number. PyJWT takes what int() takes (R22, A53, A54).",
    ),
    Difference(
        "fractions of a second, ours stricter",
        ("PyJWT",),
        ASSAY,
        "not yet valid",
        _time_is(float),
        "RFC 7519 §2 allows fractions; they count here, while PyJWT cuts them off.",
    ),
    Difference(
        "fractions of a second, PyJWT stricter",
        ("PyJWT",),
        "PyJWT",
        "Signature has expired",
        _time_is(float),
        "As above, for exp.",
    ),
    Difference(
        "length",
        BOTH,
        ASSAY,
        "more than 16384 characters",
        lambda seen: len(seen.token) > 16_384,
        "Longer tokens are refused unread (A36).",
    ),
    Difference(
        "types of ignored header members",
        ("joserfc",),
        "joserfc",
        "invalid_header_value",
        _has("jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"),
        "Members that offer keys are ignored and noted, never read, so their form is no matter (A15, A16, A27).",
    ),
)
