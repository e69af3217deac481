"""Cursors: where a page ended, authenticated, so that nobody can make one up (decisions D30)."""

from __future__ import annotations

import base64
import binascii
import hmac

import msgspec

from assay import errors

MAC_BYTES = 32


def binding(*parts: object) -> bytes:
    """What a cursor belongs to. JSON keeps the parts apart: no two lists of parts give the same bytes."""
    return msgspec.json.encode(parts)


def make(key: bytes, bound_to: bytes, last_id: str) -> str:
    """A cursor after the record ``last_id``: base64url of a MAC and the id."""
    position = last_id.encode()
    return base64.urlsafe_b64encode(_mac(key, bound_to, position) + position).decode().rstrip("=")


def read(key: bytes, bound_to: bytes, cursor: str) -> str:
    """The id after which the next page begins. Raises InvalidCursor."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise errors.InvalidCursor from None
    mac, position = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, bound_to, position)):
        raise errors.InvalidCursor
    return position.decode()


def _mac(key: bytes, bound_to: bytes, position: bytes) -> bytes:
    return hmac.digest(key, msgspec.json.encode([bound_to, position]), "sha256")
