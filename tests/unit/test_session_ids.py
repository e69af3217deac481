"""Session numbers, tokens and ids (decisions D14)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid

import msgspec
import pytest

from assay import errors
from assay.model import Session
from assay.rules import session_ids

NOW = 1_790_000_000.123


def session(token_hash: bytes = b"h", number: int = 7, id_tail: int = 9) -> Session:
    return Session(
        number=number,
        id_tail=id_tail,
        environment_id="e",
        kind="test",
        token_hash=token_hash,
        subject_kind="member",
        subject_id="member-a",
        organization_id="o",
        factors=(),
        started_at=1,
        last_accessed_at=1,
        expires_at=2,
    )


def test_a_token_is_44_characters_of_which_only_the_hash_is_kept() -> None:
    minted = session_ids.mint(NOW, secrets.token_bytes)
    raw = base64.urlsafe_b64decode(minted.token)
    assert len(minted.token) == 44
    assert len(raw) == 33
    assert minted.token_hash == hashlib.sha256(minted.token.encode()).digest()
    assert session_ids.number_of_token(minted.token) == minted.number


def test_a_number_is_milliseconds_and_22_random_bits() -> None:
    """A known answer: the layout is part of what is stored, and may never change."""
    asked: list[int] = []

    def ones(count: int) -> bytes:
        asked.append(count)
        return b"\xfe" + b"\xff" * (count - 1)

    minted = session_ids.mint(session_ids.EPOCH_MILLISECONDS / 1000 + 5, ones)
    assert asked == [3 + 25]
    assert minted.number == 5000 << 22 | 0x3EFFFF
    assert base64.urlsafe_b64decode(minted.token) == minted.number.to_bytes(8, "big") + b"\xff" * 25
    tail = hashlib.sha256(b"session id of " + minted.token.encode()).digest()
    assert minted.id_tail == int.from_bytes(tail[:8], "big") >> 6


def test_the_number_wraps_after_41_bits_of_milliseconds() -> None:
    late = session_ids.mint((session_ids.EPOCH_MILLISECONDS + 2**41 + 7) / 1000, bytes)
    assert late.number == 7 << 22


def test_numbers_are_positive_and_grow_with_time() -> None:
    numbers = [session_ids.mint(NOW + step, secrets.token_bytes).number for step in range(5)]
    far = session_ids.mint(session_ids.EPOCH_MILLISECONDS / 1000 + 2**41 / 1000 - 1, secrets.token_bytes).number
    assert numbers == sorted(numbers)
    assert min(numbers) > 0
    assert far < 2**63


def test_the_secret_part_of_every_token_is_fresh() -> None:
    tokens = {session_ids.mint(NOW, secrets.token_bytes).token[11:] for _ in range(2000)}
    assert len(tokens) == 2000


def test_an_id_holds_the_number_and_is_a_version_8_uuid() -> None:
    minted = session_ids.mint(NOW, secrets.token_bytes)
    name = session_ids.session_id(session(number=minted.number, id_tail=minted.id_tail))
    parsed = uuid.UUID(name.removeprefix("member-session-test-"))
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122
    assert session_ids.number_of_id(name, "member", "test") == minted.number


@pytest.mark.parametrize("number", [0b1111, 0b10000, 2**63 - 1])
def test_every_bit_of_a_number_keeps_out_of_version_and_variant(number: int) -> None:
    name = session_ids.session_id(session(number=number, id_tail=2**58 - 1))
    parsed = uuid.UUID(name.removeprefix("member-session-test-"))
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)
    assert session_ids.number_of_id(name, "member", "test") == number


@pytest.mark.parametrize("bit", [0, 57])
def test_ids_of_one_number_differ_by_their_hash_bits(bit: int) -> None:
    assert session_ids.session_id(session()) != session_ids.session_id(session(id_tail=9 ^ 1 << bit))


def test_the_id_tells_nothing_that_opens_the_session() -> None:
    minted = session_ids.mint(NOW, secrets.token_bytes)
    assert minted.id_tail != int.from_bytes(minted.token_hash[:8], "big") >> 6


@pytest.mark.parametrize(
    "token",
    ["", "a" * 43, "a" * 45, "a" * 43 + "=", "a" * 43 + "+", " " + "a" * 43, "_" * 44, "é" * 44, "a" * 43 + "\n"],
    ids=["empty", "short", "long", "padded", "alphabet", "space", "top bit set", "not ascii", "newline"],
)
def test_malformed_tokens_are_refused(token: str) -> None:
    with pytest.raises(errors.InvalidSessionToken):
        session_ids.number_of_token(token)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "session-test-",
        "session-test-01a208a2-7775-8816-9c49-01fdb697237e",
        "member-session-live-01a208a2-7775-8816-9c49-01fdb697237e",
        "member-session-test-01A208A2-7775-8816-9C49-01FDB697237E",
        "member-session-test-01a208a277758816 9c4901fdb697237e",
        "member-session-test-ffffffff-ffff-8fff-bfff-ffffffffffff",
    ],
    ids=["empty", "no uuid", "consumer", "live", "upper case", "no dashes", "top bit set"],
)
def test_malformed_ids_are_refused(name: str) -> None:
    with pytest.raises(errors.InvalidSessionId):
        session_ids.number_of_id(name, "member", "test")


def test_a_session_opens_by_its_own_token_only() -> None:
    minted = session_ids.mint(NOW, secrets.token_bytes)
    mine = session(token_hash=minted.token_hash)
    assert session_ids.opens(mine, minted.token)
    assert not session_ids.opens(mine, minted.token.swapcase())
    assert not session_ids.opens(msgspec.structs.replace(mine, token_hash=b""), minted.token)
