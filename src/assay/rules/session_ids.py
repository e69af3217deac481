"""Session numbers, tokens and ids (decisions D14).

A session's *number* grows with time, so that its row lands at the end of the table; it is the primary key, and
it stands in the token and in the id, so that neither needs an index of its own. The *token* is what opens the
session: only its hash is kept. The *id* is a name: it tells nothing about the token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Callable
from functools import lru_cache

import msgspec

from assay import errors
from assay.model import Kind, Session, SubjectKind

EPOCH_MILLISECONDS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
TOKEN_BYTES = 33
SECRET_BYTES = 25
_JITTER_BYTES = 3
_NUMBER_CHARACTERS = 12
"""The first characters of a token stand for nine bytes, and the number takes eight."""
_STANDARD = str.maketrans("-_", "+/")
_IDS_KEPT = 1_024
"""A login names its session three times: in its record, in the JWT and in the answer."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{44}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PREFIX: dict[SubjectKind, str] = {"member": "member-session", "user": "session"}


class Minted(msgspec.Struct, frozen=True):
    """What a new session is made of. ``token`` is handed to the caller once and never stored."""

    number: int
    id_tail: int
    token: str
    token_hash: bytes


def mint(now: float, random_bytes: Callable[[int], bytes]) -> Minted:
    """A fresh number, token and id tail; ``now`` in seconds, ``random_bytes`` from a cryptographic source.

    41 bits of milliseconds and 22 random bits make the number: 63 in all, a positive 64-bit integer.
    """
    milliseconds = int(now * 1000) - EPOCH_MILLISECONDS
    random = random_bytes(_JITTER_BYTES + SECRET_BYTES)
    jitter = int.from_bytes(random[:_JITTER_BYTES], "big") & (1 << 22) - 1
    number = (milliseconds & (1 << 41) - 1) << 22 | jitter
    token = base64.urlsafe_b64encode(number.to_bytes(8, "big") + random[_JITTER_BYTES:]).decode()
    # Another domain than token_hash: whoever sees the id must learn nothing that opens the session.
    tail = hashlib.sha256(b"session id of " + token.encode()).digest()
    return Minted(number, int.from_bytes(tail[:8], "big") >> 6, token, hash_token(token))


def renewed(session: Session, random_bytes: Callable[[int], bytes]) -> tuple[str, bytes]:
    """Another token of the same session, and its hash; the session's id stays, and so does its number."""
    token = base64.urlsafe_b64encode(session.number.to_bytes(8, "big") + random_bytes(SECRET_BYTES)).decode()
    return token, hash_token(token)


def hash_token(token: str) -> bytes:
    """What is kept of a token: SHA-256 of the whole; 200 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def number_of_token(token: str) -> int:
    """The session number in a token. Raises InvalidSessionToken for anything that is not one."""
    if not _TOKEN.fullmatch(token):
        raise errors.InvalidSessionToken
    raw = binascii.a2b_base64(token[:_NUMBER_CHARACTERS].translate(_STANDARD))
    return _positive(int.from_bytes(raw[:8], "big"), errors.InvalidSessionToken)


def opens(session: Session, token: str) -> bool:
    """Whether this token is the session's, compared in constant time (security R45)."""
    return hmac.compare_digest(session.token_hash, hash_token(token))


def session_id(session: Session) -> str:
    """The id on the wire: prefix, kind, and a version 8 UUID (RFC 9562 §5.8) of the number and 58 bits of a hash."""
    return id_of(session.subject_kind, session.kind, session.number, session.id_tail)


@lru_cache(maxsize=_IDS_KEPT)
def id_of(subject_kind: SubjectKind, kind: Kind, number: int, id_tail: int) -> str:
    """The id of a session of which only these fields are at hand."""
    payload = number << 58 | id_tail
    value = payload >> 74 << 80 | 0x8 << 76 | (payload >> 62 & 0xFFF) << 64 | 0x2 << 62 | payload & (1 << 62) - 1
    digits = f"{value:032x}"
    form = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return f"{_PREFIX[subject_kind]}-{kind}-{form}"


def number_of_id(text: str, subject_kind: SubjectKind, kind: Kind) -> int:
    """The session number in an id; whoever looks it up compares the whole id afterwards.

    Raises InvalidSessionId for anything that is not an id of this vertical and environment kind.
    """
    prefix = f"{_PREFIX[subject_kind]}-{kind}-"
    if not text.startswith(prefix) or not _UUID.fullmatch(text.removeprefix(prefix)):
        raise errors.InvalidSessionId
    value = uuid.UUID(text.removeprefix(prefix)).int
    # The number's 64 bits stand before, between and after the version and the variant.
    return _positive(value >> 80 << 16 | (value >> 64 & 0xFFF) << 4 | value >> 58 & 0xF, errors.InvalidSessionId)


def time_of(number: int) -> int:
    """When a session with this number was started, in seconds since the epoch."""
    return ((number >> 22) + EPOCH_MILLISECONDS) // 1000


def first_number_at(seconds: int) -> int:
    """The smallest number of a session that starts at ``seconds``."""
    return max(0, seconds * 1000 - EPOCH_MILLISECONDS) << 22


def _positive(number: int, otherwise: type[errors.Error]) -> int:
    # The top bit is never set in a number of ours, and a store could not hold it.
    if number >> 63:
        raise otherwise
    return number
