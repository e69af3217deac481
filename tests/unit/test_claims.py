from __future__ import annotations

from typing import Any

import pytest

from assay import errors
from assay.rules import claims


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"])
def test_a_reserved_claim_is_refused_whatever_its_value(name: str) -> None:
    values: tuple[object, ...] = ("x", None, {})
    for value in values:
        with pytest.raises(errors.ReservedClaims):
            claims.check_custom_claims({"harmless": 1, name: value})


def test_claims_of_our_own_namespace_are_refused() -> None:
    with pytest.raises(errors.StytchClaims):
        claims.check_custom_claims({"https://stytch.com/session": {}})


def test_other_claims_pass_and_reserved_names_may_stand_deeper() -> None:
    claims.check_custom_claims({"ISS": 1, "https://acme.example/": 1, "nested": {"iss": "x"}})


@pytest.mark.parametrize(
    ("current", "change", "merged"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"z": None}, {"a": 1}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": None, "z": 3}}, {"a": {"x": 1, "z": 3}}),
        ({"a": {"x": {"deep": 1}}}, {"a": {"x": {"er": 2}}}, {"a": {"x": {"deep": 1, "er": 2}}}),
        ({"a": [1]}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": [2]}, {"a": [2]}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
    ],
    ids=[
        "new",
        "replaced",
        "null deletes",
        "null of nothing",
        "objects merge",
        "deeply",
        "object for list",
        "list for object",
        "null in a new object",
    ],
)
def test_custom_claims_merge_objects_within_objects(
    current: dict[str, Any], change: dict[str, Any], merged: dict[str, Any]
) -> None:
    before = repr((current, change))
    assert claims.merge_custom_claims(current, change) == merged
    assert repr((current, change)) == before


def test_custom_claims_hold_4096_bytes_and_not_one_more() -> None:
    largest = {"a": "x" * (4096 - len('{"a":""}'))}
    assert claims.merge_custom_claims({}, largest) == largest
    with pytest.raises(errors.CustomClaimsTooLarge):
        claims.merge_custom_claims({}, {"a": largest["a"] + "x"})


def test_the_size_of_custom_claims_counts_what_was_there_before() -> None:
    with pytest.raises(errors.CustomClaimsTooLarge):
        claims.merge_custom_claims({"a": "x" * 3000}, {"b": "x" * 1200})
    assert claims.merge_custom_claims({"a": "x" * 3000}, {"a": None, "b": "x" * 1200}) == {"b": "x" * 1200}


def test_metadata_merges_at_the_top_level_only() -> None:
    current = {"a": {"x": 1}, "b": 2, "c": 3}
    assert claims.merge_metadata(current, {"a": {"y": 2}, "b": None}) == {"a": {"y": 2}, "c": 3}
    assert current == {"a": {"x": 1}, "b": 2, "c": 3}


def test_metadata_holds_twenty_keys_and_4096_bytes() -> None:
    twenty = {str(number): number for number in range(20)}
    assert claims.merge_metadata({}, twenty) == twenty
    assert len(claims.merge_metadata(twenty, {"0": None, "new": 1})) == 20
    with pytest.raises(errors.MetadataTooManyKeys):
        claims.merge_metadata(twenty, {"one more": 1})
    largest = {"a": "x" * (4096 - len('{"a":""}'))}
    assert claims.merge_metadata({}, largest) == largest
    with pytest.raises(errors.MetadataTooLarge):
        claims.merge_metadata({}, {"a": largest["a"] + "x"})
    with pytest.raises(errors.MetadataTooLarge):
        claims.merge_metadata({"a": "ü" * 2000}, {"b": "x" * 100})
