"""Which session JWTs of a moment ago may be handed out again."""

from __future__ import annotations

import pytest

from assay.keys.recent_jwts import REUSED_FOR_SECONDS, RecentJwts, Signed
from assay.rules.session_jwt import LIFETIME_SECONDS

START = 1_800_000_000
SESSION = 7


def contents() -> bytes:
    return b"contents"


def other_contents() -> bytes:
    return b"other contents"


def signed(jwt: str = "jwt", issued_at: int = START) -> Signed:
    return Signed(jwt, issued_at, contents)


@pytest.mark.parametrize(
    ("age", "found"),
    [(0, True), (0.9, True), (29.999, True), (30, False), (300, False), (-0.001, False), (-60, False)],
)
def test_one_is_reused_for_thirty_seconds_and_never_before_it_was_issued(age: float, found: bool) -> None:
    recent = RecentJwts()
    recent.put(SESSION, signed())
    assert recent.get(SESSION, contents, START + age) == (signed() if found else None)


def test_what_is_handed_out_has_four_and_a_half_minutes_to_live() -> None:
    assert LIFETIME_SECONDS - REUSED_FOR_SECONDS >= 4.5 * 60


def test_other_contents_and_other_sessions_are_not_found() -> None:
    recent = RecentJwts()
    recent.put(SESSION, signed())
    assert recent.get(SESSION, other_contents, START) is None
    assert recent.get(SESSION + 1, contents, START) is None


def test_a_newer_one_takes_the_place_of_an_older_one() -> None:
    recent = RecentJwts()
    recent.put(SESSION, signed("old"))
    recent.put(SESSION, signed("new", START + 20))
    assert recent.get(SESSION, contents, START + 40) == signed("new", START + 20)
    assert len(recent) == 1


def test_what_is_too_old_is_forgotten_as_new_ones_come() -> None:
    recent = RecentJwts()
    for second in range(100):
        recent.put(second, signed(issued_at=START + second))
    assert len(recent) == REUSED_FOR_SECONDS
    assert recent.get(99, contents, START + 99) is not None


@pytest.mark.parametrize("step", [0, -1], ids=["at one moment", "while the clock is set back"])
def test_there_are_never_more_than_were_allowed(step: int) -> None:
    recent = RecentJwts(3)
    for number in range(9):
        recent.put(number, signed(issued_at=START + step * number))
    assert len(recent) == 3
    assert recent.get(8, contents, START) == signed(issued_at=START + step * 8)
    assert recent.get(5, contents, START) is None


def test_one_that_is_old_from_the_start_is_not_found() -> None:
    recent = RecentJwts()
    recent.put(1, signed())
    recent.put(2, signed(issued_at=START - 100))
    assert recent.get(2, contents, START) is None
    assert recent.get(1, contents, START) == signed()
