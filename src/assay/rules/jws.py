"""The compact form of a JWS (RFC 7515 §3.1), read under a strict gate: size, alphabet, canonical base64url, header.

Nothing here says whether a token is genuine; it only makes sure that there is one way to read it. Each refusal is
made before the next, dearer step, so that a token built to be costly costs nothing (security A34-A36).
"""

from __future__ import annotations

import binascii
import re
from typing import Any

import msgspec

from assay import errors, jsontext

MAX_TOKEN_CHARACTERS = 16_384
MAX_KID_CHARACTERS = 1_024
MAX_SHOWN_CHARACTERS = 200

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")

# Which last characters leave no stray bits behind, by the length of the last group of four (RFC 4648 §3.5).
# Without this rule one signature has several spellings (security A32). One character alone holds no byte.
_CANONICAL_ENDINGS = {1: "", 2: "AQgw", 3: "AEIMQUYcgkosw048"}

_TO_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")

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


def parse(token: str) -> Jws:
    """Take a token in compact form apart. Raises errors.InvalidTrustedAuthToken, whose detail says why.

    The header is an object with a string ``alg``, perhaps a string ``kid`` of at most 1,024 characters and a string
    ``typ``. Members that name keys (``jwk``, ``jku``, ``x5u``, ``x5c``) and unknown ones are left alone: keys come
    from the profile only (security A14-A16, A27).
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise errors.InvalidTrustedAuthToken(detail=f"the token has more than {MAX_TOKEN_CHARACTERS} characters")
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise errors.InvalidTrustedAuthToken(detail=_shape_fault(token))
    header, payload, signature = match.groups()
    return Jws(
        header=_header(_decode(header, "header")),
        payload=_decode(payload, "payload"),
        signature=_decode(signature, "signature"),
        signed=token[: match.end(2)].encode("ascii"),
    )


def shown(value: object) -> str:
    """Write a value out of a token for a detail: control characters escaped, at most 200 characters (A111)."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"


def read_object(text: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object strictly. ``what`` names it in the detail of errors.InvalidTrustedAuthToken."""
    try:
        value = jsontext.loads(text)
    except jsontext.JsonFault as fault:
        raise errors.InvalidTrustedAuthToken(detail=f"the {what} cannot be read: {fault}") from None
    if not isinstance(value, dict):
        raise errors.InvalidTrustedAuthToken(detail=f"the {what} is not a JSON object")
    return value


def _shape_fault(token: str) -> str:
    segments = token.split(".")
    if token.lstrip().startswith("{"):
        return "the token is in a JSON serialisation; only the compact form is taken"
    if len(segments) == 5:  # noqa: PLR2004 - the five parts of RFC 7516 §3.1
        return "the token has five segments, as encrypted tokens have; only signed ones are taken"
    if len(segments) != 3:  # noqa: PLR2004 - the three parts of RFC 7515 §3.1
        return f"the token has {len(segments)} segments instead of three"
    names = ("header", "payload", "signature")
    for name, segment in zip(names, segments, strict=True):
        if not segment:
            return f"the {name} segment is empty"
    return "the token has a character outside the base64url alphabet (padding included)"


def _decode(segment: str, name: str) -> bytes:
    rest = len(segment) % 4
    if rest and segment[-1] not in _CANONICAL_ENDINGS[rest]:
        raise errors.InvalidTrustedAuthToken(detail=f"the {name} segment is not canonical base64url")
    standard = segment.encode("ascii").translate(_TO_STANDARD_ALPHABET)
    return binascii.a2b_base64(standard + b"==="[: -rest % 4])


def _header(text: bytes) -> dict[str, Any]:
    header = read_object(text, "header")
    for member, reason in _REFUSED_MEMBERS.items():
        if member in header:
            raise errors.InvalidTrustedAuthToken(detail=f"the header has {member}, which {reason}")
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
