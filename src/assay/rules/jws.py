"""The compact form of a JWS (RFC 7515 §3.1), read under a strict gate: size, alphabet, canonical base64url, header.

Nothing here says whether a token is genuine; it only makes sure that there is one way to read it. Each refusal is
made before the next, dearer step, so that a token built to be costly costs nothing (security A34-A36).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from assay import errors, jsontext

MAX_TOKEN_CHARACTERS = 16_384
MAX_KID_CHARACTERS = 1_024
MAX_SHOWN_CHARACTERS = 200

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STRANGE = b"!"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# Writes base64url as the plain base64 that decoders read, and everything that has no place in a token as one mark.
_PLAIN = bytes(_TO_STANDARD[byte] if byte in _ALPHABET + b"." else _STRANGE[0] for byte in range(256))
_PLAIN_OR_PADDED = bytes(b"="[0] if byte == b"="[0] else _PLAIN[byte] for byte in range(256))

# Which last characters leave no stray bits behind, by the length of the last group of four (RFC 4648 §3.5).
# Without this rule one signature has several spellings (security A32). One character alone holds no byte.
_CANONICAL_ENDINGS = {1: b"", 2: b"AQgw", 3: b"AEIMQUYcgkosw048"}

# msgspec's decoder of base64 is three times as fast as the standard library's. It reads a JSON string, of which only
# characters of plain base64 are left when it is called.
_BASE64 = msgspec.json.Decoder(bytes)

# Header members that would change how the rest is to be read, each with the reason it is refused.
_REFUSED_MEMBERS = {
    "crit": "names extensions that must be understood, and none are (RFC 7515 §4.1.11)",
    "b64": "would change what is signed (RFC 7797)",
    "zip": "belongs to encrypted tokens",
    "enc": "belongs to encrypted tokens",
}


class Jws(msgspec.Struct, frozen=True):
    """A token taken apart. ``signed`` is the text that the signature is over; nothing is verified yet."""

    header: dict[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes

    def __repr__(self) -> str:
        """Show nothing, because whatever shows this would show a token."""
        return "<Jws>"


def parse(token: str, *, padded: bool = False) -> Jws:
    """Take a token in compact form apart. Raises errors.InvalidTrustedAuthToken, whose detail says why.

    The header is an object with a string ``alg``, perhaps a string ``kid`` of at most 1,024 characters and a string
    ``typ``. Members that name keys (``jwk``, ``jku``, ``x5u``, ``x5c``) and unknown ones are left alone: keys come
    from the profile only (security A14-A16, A27).

    With ``padded`` each segment may end in the ``=`` that its length asks for, as the tokens of AWS load balancers do
    (security A28), and in no other; what is signed is the text as it was sent.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise errors.InvalidTrustedAuthToken(detail=f"the token has more than {MAX_TOKEN_CHARACTERS} characters")
    segments = _segments(token, padded=padded)
    if segments is None:
        raise errors.InvalidTrustedAuthToken(detail=_shape_fault(token))
    header, payload, signature = segments
    return Jws(
        _read_header(header, padded=padded),
        _decode(payload, "payload", padded=padded),
        _decode(signature, "signature", padded=padded),
        token[: -1 - len(signature)].encode(),
    )


def _segments(token: str, *, padded: bool) -> list[bytes] | None:
    """The three segments in plain base64, none of them empty; None for a text with anything else in it."""
    if not token.isascii():
        return None
    text = token.encode().translate(_PLAIN_OR_PADDED if padded else _PLAIN)
    segments = text.split(b".")
    if _STRANGE in text or len(segments) != _SEGMENTS or not all(segments):
        return None
    # Where padding is tolerated, each segment says for itself whether it is right.
    return None if padded and text.count(b"=") > _MOST_PADDING else segments


_SEGMENTS = 3  # RFC 7515 §3.1
_MOST_PADDING = 3 * 2  # at most two in each segment


def shown(value: object) -> str:
    """Write a value out of a token for a detail: control characters escaped, at most 200 characters (A111).

    A token inside the token is left out: whoever reads details must not be able to use it.
    """
    text = repr(_brief(value, MAX_SHOWN_CHARACTERS + 1) if isinstance(value, str) else _excerpt(value))
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"


def without_tokens(text: str) -> str:
    """The text with words in the place of everything in it that looks like a JWT."""
    # Hardly any text holds the beginning of one, and looking for that costs a fraction of the search.
    return _TOKEN.sub("(a token, left out)", text) if "eyJ" in text else text


# The first segment of a JWT begins so, because its header is a JSON object. Linear on hostile text: no part of it is
# looked at twice.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)++")


def read_object(text: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object strictly. ``what`` names it in the detail of errors.InvalidTrustedAuthToken."""
    try:
        return jsontext.loads_small(text)
    except jsontext.JsonFault as fault:
        raise errors.InvalidTrustedAuthToken(detail=f"the {what} cannot be read: {fault}") from None


def _excerpt(value: object) -> object:
    """As much of a list or an object as can be shown: writing all of it would cost more than judging the token."""
    if isinstance(value, list):
        return [_excerpt(item) if isinstance(item, list | dict) else _brief(item) for item in value[:_SHOWN_ITEMS]]
    if isinstance(value, dict):
        return {_brief(name): _excerpt(value[name]) for name in islice(value, _SHOWN_ITEMS)}
    return _brief(value)


_SHOWN_ITEMS = 20


def _brief(value: object, most: int = MAX_SHOWN_CHARACTERS) -> object:
    return without_tokens(value[:most]) if isinstance(value, str) else value


def _shape_fault(token: str) -> str:
    if token.lstrip().startswith("{"):
        return "the token is in a JSON serialisation; only the compact form is taken"
    count = token.count(".") + 1
    if count == 5:  # noqa: PLR2004 - the five parts of RFC 7516 §3.1
        return "the token has five segments, as encrypted tokens have; only signed ones are taken"
    if count != _SEGMENTS:
        return f"the token has {count} segments instead of three"
    names = ("header", "payload", "signature")
    for name, segment in zip(names, token.split("."), strict=True):
        if not segment:
            return f"the {name} segment is empty"
    return "the token has a character outside the base64url alphabet (padding included)"


def _decode(segment: bytes, name: str, *, padded: bool) -> bytes:
    text = _without_padding(segment) if padded else segment
    rest = len(text) % 4
    if rest and text[-1] not in _CANONICAL_ENDINGS[rest]:
        raise errors.InvalidTrustedAuthToken(detail=f"the {name} segment is not canonical base64url")
    return _BASE64.decode(b'"' + text + _MISSING[rest])


# What a JSON string of base64 lacks at its end, by the length of the last group of four.
_MISSING = (b'"', b'==="', b'=="', b'="')


def _without_padding(segment: bytes) -> bytes:
    """Take off the padding that makes the length a multiple of four, and refuse any other."""
    text = segment.rstrip(b"=")
    if not text or b"=" in text or len(segment) - len(text) not in {0, -len(text) % 4}:
        raise errors.InvalidTrustedAuthToken(detail="a segment has wrong padding")
    return text


def _read_header(segment: bytes, *, padded: bool) -> dict[str, Any]:
    """The header in this segment. One issuer's tokens share a few headers, so the short ones are remembered.

    What is remembered is how a text reads, never a verdict: a segment that is refused is read again each time.
    """
    if padded or len(segment) > _REMEMBERED_CHARACTERS:
        return _header(_decode(segment, "header", padded=padded))
    return _remembered_header(segment).copy()


_REMEMBERED_CHARACTERS = 512


@lru_cache(maxsize=512)
def _remembered_header(segment: bytes) -> dict[str, Any]:
    return _header(_decode(segment, "header", padded=False))


def _header(text: bytes) -> dict[str, Any]:
    header = read_object(text, "header")
    for member in (name for name in _REFUSED_MEMBERS if name in header):
        raise errors.InvalidTrustedAuthToken(detail=f"the header has {member}, which {_REFUSED_MEMBERS[member]}")
    _check_header_types(header)
    return header


def _check_header_types(header: dict[str, Any]) -> None:
    algorithm, kid, typ = header.get("alg"), header.get("kid", ""), header.get("typ", "")
    if not isinstance(algorithm, str) or not algorithm:
        raise errors.InvalidTrustedAuthToken(detail="the header's alg is not a string")
    # A kid that is no string must not fall back to "any key will do" (security R21, A18).
    if not isinstance(kid, str) or len(kid) > MAX_KID_CHARACTERS:
        raise errors.InvalidTrustedAuthToken(detail="the header's kid is no string, or too long")
    if not isinstance(typ, str):
        raise errors.InvalidTrustedAuthToken(detail="the header's typ is not a string")
    if "cty" in header:
        _check_content_type(header["cty"])


def _check_content_type(content: object) -> None:
    """Refuse a token inside the token: its claims would be judged by nobody (RFC 7519 §5.2, security A26)."""
    if not isinstance(content, str):
        raise errors.InvalidTrustedAuthToken(detail="the header's cty is not a string")
    if content.lower().removeprefix("application/") == "jwt":
        raise errors.InvalidTrustedAuthToken(detail="the header's cty says that the payload is another token")
