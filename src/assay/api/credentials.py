"""Who calls: Basic credentials and member-session headers, read before anything else of a request."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import NamedTuple

from assay import errors

AUTHORIZATION = b"authorization"
CONTENT_LENGTH = b"content-length"
MEMBER_SESSION = b"x-stytch-member-session"
MEMBER_SESSION_JWT = b"x-stytch-member-sessionjwt"
TRACEPARENT = b"traceparent"

_READ = frozenset({AUTHORIZATION, CONTENT_LENGTH, MEMBER_SESSION, MEMBER_SESSION_JWT, TRACEPARENT})

Headers = dict[bytes, list[bytes]]


class Credentials(NamedTuple):
    """What a caller shows: the id of a project environment and one of its secrets, or a workspace key and its own."""

    caller_id: str
    secret: str


def collect(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers that Assay reads, each with all its values, in one pass over what came."""
    found: Headers = {}
    for name, value in headers:
        if name in _READ:
            found.setdefault(name, []).append(value)
    return found


def basic(headers: Headers) -> Credentials | None:
    """The Basic credentials (RFC 7617 §2), or None when there are none, more than one, or malformed ones."""
    values = headers.get(AUTHORIZATION, ())
    if len(values) != 1:
        return None
    scheme, _, encoded = values[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        caller_id, colon, secret = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credentials(caller_id, secret) if colon and caller_id and secret else None


def member_session(headers: Headers) -> tuple[str | None, str | None] | None:
    """(session token, session JWT) as the member-session headers give them, or None when there are none.

    Raises TooManySessionArguments when more than one of them came.
    """
    tokens = headers.get(MEMBER_SESSION, [])
    jwts = headers.get(MEMBER_SESSION_JWT, [])
    if not tokens and not jwts:
        return None
    if len(tokens) + len(jwts) > 1:
        raise errors.TooManySessionArguments("Send only one of the member session headers.")
    token, jwt = (values[0].decode("latin-1") if values else None for values in (tokens, jwts))
    return token, jwt
