"""The factors of a session (decisions D6, D15)."""

from __future__ import annotations

import pytest

from assay.model import Factor, Member, Organization, OrganizationSettings
from assay.rules import factors

ACME = Organization(environment_id="e", organization_id="o", name="A", slug="a", created_at=1, updated_at=1)


def test_a_token_seen_again_refreshes_its_factor() -> None:
    once = factors.add((), "p", "t", 100)
    twice = factors.add(once, "p", "t", 200)
    assert once == (Factor(profile_id="p", token_id="t", created_at=100, last_authenticated_at=100, updated_at=100),)
    assert twice == (Factor(profile_id="p", token_id="t", created_at=100, last_authenticated_at=200, updated_at=200),)


def test_the_same_token_id_of_another_profile_is_another_factor() -> None:
    held = factors.add(factors.add((), "p", "t", 100), "q", "t", 100)
    assert [factor.profile_id for factor in held] == ["p", "q"]
    assert factors.are_multiple(held)


def test_the_newest_ten_of_each_profile_are_kept() -> None:
    held = factors.add((), "q", "other", 0)
    for number in range(12):
        held = factors.add(held, "p", f"t{number}", number)
    assert [factor.token_id for factor in held] == ["other", *(f"t{number}" for number in range(2, 12))]


def test_a_refreshed_factor_counts_as_new() -> None:
    held: tuple[Factor, ...] = ()
    for number in range(10):
        held = factors.add(held, "p", f"t{number}", number)
    held = factors.add(held, "p", "t0", 100)
    held = factors.add(held, "p", "t10", 101)
    assert "t0" in {factor.token_id for factor in held}
    assert "t1" not in {factor.token_id for factor in held}


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param((), 1000, id="no factors"),
        pytest.param((None,), 1000, id="a factor that ends nothing"),
        pytest.param((900,), 900, id="one that ends sooner"),
        pytest.param((1100,), 1000, id="one that ends later"),
        pytest.param((None, 900, 800, 1100), 800, id="the first end counts"),
    ],
)
def test_a_session_ends_with_the_first_factor_that_ends_it(ends: tuple[int | None, ...], expected: int) -> None:
    held: tuple[Factor, ...] = ()
    for number, ends_at in enumerate(ends):
        held = factors.add(held, "p", f"t{number}", 100, ends_at=ends_at)
    assert factors.end(held, 1000) == expected


@pytest.mark.parametrize("ends_at", [None, 900, 300])
def test_a_token_seen_again_brings_its_own_end(ends_at: int | None) -> None:
    [factor] = factors.add(factors.add((), "p", "t", 100, ends_at=500), "p", "t", 200, ends_at=ends_at)
    assert factor.ends_at == ends_at


def test_one_profile_alone_is_not_multi_factor() -> None:
    held = factors.add(factors.add((), "p", "t1", 1), "p", "t2", 1)
    assert not factors.are_multiple(held)


def test_multi_factor_is_due_by_organization_or_member() -> None:
    strict = Organization(
        environment_id="e",
        organization_id="o",
        name="A",
        slug="a",
        settings=OrganizationSettings(mfa_policy="REQUIRED_FOR_ALL"),
        created_at=1,
        updated_at=1,
    )
    enrolled = Member(
        environment_id="e",
        organization_id="o",
        member_id="m",
        email=None,
        mfa_enrolled=True,
        created_at=1,
        updated_at=1,
    )
    assert factors.mfa_due(strict, None)
    assert factors.mfa_due(ACME, enrolled)
    assert not factors.mfa_due(ACME, None)
