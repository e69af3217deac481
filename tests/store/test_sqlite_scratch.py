"""What an import remembers of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from assay.store.sqlite_scratch import Scratch


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    with closing(Scratch()) as opened:
        yield opened


def test_a_value_belongs_to_whoever_claimed_it_first(scratch: Scratch) -> None:
    assert scratch.claim("email", "acme", "ada@acme.example", 2) == 2
    assert scratch.claim("email", "acme", "ada@acme.example", 7) == 2
    assert scratch.claim("email", "acme", "ada@acme.example", 2) == 2


@pytest.mark.parametrize(
    "other",
    [("external_id", "acme", "ada"), ("email", "globex", "ada"), ("email", "acme", "bob"), ("email", "acm", "eada")],
)
def test_kinds_scopes_and_values_are_kept_apart(scratch: Scratch, other: tuple[str, str, str]) -> None:
    scratch.claim("email", "acme", "ada", 2)
    assert scratch.claim(*other, 7) == 7


def test_a_verdict_is_kept_by_line(scratch: Scratch) -> None:
    assert scratch.verdict(3) is None
    scratch.judge(3, "same")
    scratch.judge(3, "faulty")
    assert (scratch.verdict(3), scratch.verdict(4)) == ("faulty", None)
