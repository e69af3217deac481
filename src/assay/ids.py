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
_SHORTEST = len("k-test-") + 36  # told before the pattern is tried, because hardly any external id is as long

_UUID_BYTES = 16
_TOGETHER = 256

# The digit that holds the variant: two fixed bits (10) and two random ones, which any digit gives.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

# Several threads may take from a list. A copy of this process must not hand out what its original does.
_waiting: list[str] = []
os.register_at_fork(after_in_child=_waiting.clear)


def uuid7() -> uuid.UUID:
    """A fresh version 7 UUID: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def random_uuid() -> str:
    """A fresh version 4 UUID (RFC 9562 §5.4) as text, for what every request needs; ``uuid.uuid4`` takes longer.

    It is a name and no secret: the bits of the next ones wait in memory, asked for together.
    """
    try:
        digits = _waiting.pop()
    except IndexError:
        digits = _refilled()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _refilled() -> str:
    """Ask the system for the bits of the next UUIDs, as hexadecimal digits, and return the first of them."""
    digits = os.urandom(_UUID_BYTES * _TOGETHER).hex()
    fresh = [digits[start : start + 2 * _UUID_BYTES] for start in range(0, len(digits), 2 * _UUID_BYTES)]
    first = fresh.pop()
    _waiting.extend(fresh)
    return first


def new(kind: str, environment_kind: str) -> str:
    """A fresh id, such as ``new("member", "test")``."""
    return f"{kind}-{environment_kind}-{uuid7()}"


def is_own_form(value: str) -> bool:
    """Whether ``value`` has the form of one of our ids; such values are never external ids (decisions D3, D21)."""
    return len(value) >= _SHORTEST and _OWN_ID.fullmatch(value) is not None
