"""The memories of what was made of rows, which must not grow for ever."""

from __future__ import annotations

from assay.keys.recent import Kept


def test_there_are_never_more_than_were_allowed_and_the_oldest_goes() -> None:
    kept: Kept[int, str] = Kept(3)
    for number in range(9):
        assert kept.keep(number, f"value {number}") == f"value {number}"
        assert len(kept) <= 3
    assert dict(kept) == {6: "value 6", 7: "value 7", 8: "value 8"}


def test_a_newer_value_takes_the_place_of_an_older_one_and_drives_out_no_other() -> None:
    kept: Kept[int, str] = Kept(2)
    kept.keep(1, "one")
    kept.keep(2, "two")
    kept.keep(1, "another")
    assert dict(kept) == {1: "another", 2: "two"}
