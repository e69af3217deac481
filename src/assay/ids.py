"""Ids of records: ``<kind>-<test|live>-<uuid>``, as the contract (§1) shows them.

Record ids carry a version 7 UUID (RFC 9562 §5.7), so that they grow with time: new rows land at the end of
the table, and a page of a search can follow the id. They are names, not secrets.
"""

from __future__ import annotations

import os
import re
import secrets
import time
import uuid

_OWN_ID = re.compile(
    r"[a-z]+(?:-[a-z]+)*-(?:test|live)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.ASCII | re.IGNORECASE,
)

_VERSION_4 = 0x4 << 76 | 0x2 << 62
_RANDOM_BITS = (1 << 128) - 1 & ~(0xF << 76 | 0x3 << 62)


def uuid7() -> uuid.UUID:
    """A fresh version 7 UUID: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def random_uuid() -> str:
    """A fresh version 4 UUID (RFC 9562 §5.4) as text, for what every request needs: ``uuid.uuid4`` takes twice as long.

    Each one asks the system for its bits, so that processes that began as copies of each other never share any.
    """
    bits = int.from_bytes(os.urandom(16)) & _RANDOM_BITS | _VERSION_4
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new(kind: str, environment_kind: str) -> str:
    """A fresh id, such as ``new("member", "test")``."""
    return f"{kind}-{environment_kind}-{uuid7()}"


def is_own_form(value: str) -> bool:
    """Whether ``value`` has the form of one of our ids; such values are never external ids (decisions D3, D21)."""
    return _OWN_ID.fullmatch(value) is not None
