"""The list of reasons says what the source says: no reason without a remedy, and no remedy for what cannot happen."""

from __future__ import annotations

import re

import pytest

from assay import errors
from assay.api.openapi import refusals
from assay.rules import reasons
from assay.rules.reasons import REASONS, Reason
from assay.stories import attest
from assay.stories.judging import STEPS
from tests.unit import details

MODULES = (
    "rules/jws.py",
    "rules/checks.py",
    "rules/tokens.py",
    "rules/conditions.py",
    "rules/mapping.py",
    "rules/mapped_values.py",
    "rules/identity.py",
    "keys/combined.py",
    "stories/judging.py",
    "stories/replays.py",
    "stories/provisioning.py",
    "stories/opening.py",
    "stories/attest.py",
    "stories/granting.py",
)
# No verdict about a token: the store was away, or nothing was decided.
NO_VERDICT = {"StoreUnavailable"}
FOUND = [each for module in MODULES for each in details.details(module) if each.error not in NO_VERDICT]


@pytest.mark.parametrize("found", FOUND, ids=lambda found: f"{found.module}: {found.text}")
def test_every_reason_of_the_source_is_listed_with_its_error(found: details.Detail) -> None:
    listed = [each for each in REASONS if each.says == found.text]
    assert listed, "add it to rules/reasons.toml"
    assert found.error is None or found.error in {name for each in listed for name in each.error_names}


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: f"{reason.step}: {reason.says or reason.error_names[0]}")
def test_every_listed_reason_is_one_of_the_source(reason: Reason) -> None:
    if reason.says:
        assert reason.says in {found.text for found in FOUND}
    assert reason.step in STEPS
    assert reason.do.endswith((".", "?"))
    assert all(issubclass(kind, errors.Error) for kind in reason.kinds)


def test_every_error_that_attest_declares_has_a_reason() -> None:
    declared = {error.__name__ for error in refusals.raised(attest.attest)}
    assert declared - NO_VERDICT <= {name for each in REASONS for name in each.error_names}


def test_no_reason_is_listed_twice() -> None:
    keys = [(each.step, name, each.says) for each in REASONS for name in each.error_names]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (errors.JwtInvalidIssuer(detail="iss must be 'a', but it is 'b'"), "iss must be …, but it is …"),
        (errors.JwtInvalidClaims(detail="the condition 'x' is of no use: why"), "the condition … is of no use: …"),
        (errors.JwtInvalidClaims(detail="the condition 'x' is false\n"), "the condition … is …"),
        (errors.TrustedTokenKeysUnavailable(detail="one; two"), "…"),
        (errors.OrganizationNotFound(), ""),
    ],
    ids=["values in it", "the longer one", "line ends in it", "anything at all", "the public sentence"],
)
def test_a_refusal_finds_its_reason(refusal: errors.Error, says: str) -> None:
    found = reasons.reason_of(refusal)
    assert found is not None
    assert (found.says, type(refusal) in found.kinds) == (says, True)


def test_what_no_judgement_says_has_no_reason() -> None:
    assert reasons.reason_of(errors.JwtInvalidIssuer(detail="made up")) is None
    assert reasons.reason_of(errors.InternalError()) is None


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.says or reason.error_names[0])
def test_every_reason_is_found_again_by_what_it_says(reason: Reason) -> None:
    detail = re.sub("…", "value", reason.says)
    for kind in reason.kinds:
        found = reasons.reason_of(kind(detail=detail))
        assert found is not None
        assert found.says == reason.says
