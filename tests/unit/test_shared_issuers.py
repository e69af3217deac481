"""What is known of issuers that everybody shares (rules/shared_issuers.toml) warns of profiles that pin nothing."""

from __future__ import annotations

import pytest

from assay.key_sources import JwksSource
from assay.model import Profile
from assay.rules import checks, conditions
from assay.rules.conditions import SHARED_ISSUERS, SharedIssuer
from assay.rules.expressions import compile_expression

each_issuer = pytest.mark.parametrize("shared", SHARED_ISSUERS, ids=lambda shared: shared.name)
WITH_KEYS = [shared for shared in SHARED_ISSUERS if shared.key_urls]
with_keys = pytest.mark.parametrize("shared", WITH_KEYS, ids=lambda shared: shared.name)


def profile(shared: SharedIssuer, *texts: str, issuer: str = "") -> Profile:
    """A profile of a shared issuer; under another name it is only told by its keys."""
    name = issuer or shared.issuers[0]
    exact = not issuer and checks.placeholder(name) is None
    return Profile(
        environment_id="environment",
        profile_id="profile",
        name="Profile",
        issuer=name,
        issuer_check="exact" if exact else "none",
        audience="https://api.example.com",
        public_key_type="JWK",
        key_sources=tuple(JwksSource(url=f"{url}keys") for url in shared.key_urls[:1]),
        conditions=texts,
        created_at=0,
        updated_at=0,
    )


def is_warned_of(shared: SharedIssuer, made: Profile) -> bool:
    return any(problem.startswith(shared.why) for problem in conditions.problems(made))


@each_issuer
def test_a_profile_without_a_pin_has_a_problem(shared: SharedIssuer) -> None:
    assert is_warned_of(shared, profile(shared))


@each_issuer
def test_a_condition_that_a_stranger_meets_is_no_pin(shared: SharedIssuer) -> None:
    assert is_warned_of(shared, profile(shared, 'claims.sub != ""'))


@each_issuer
def test_the_pin_that_is_proposed_is_one(shared: SharedIssuer) -> None:
    assert compile_expression(shared.pin).reads_token
    assert not is_warned_of(shared, profile(shared, shared.pin))


@with_keys
def test_its_keys_tell_it_under_another_name(shared: SharedIssuer) -> None:
    assert is_warned_of(shared, profile(shared, 'claims.sub != ""', issuer="https://mine.example.com"))


@each_issuer
def test_a_stranger_has_a_subject_and_an_issuer(shared: SharedIssuer) -> None:
    assert isinstance(shared.stranger["sub"], str)
    assert isinstance(shared.stranger["iss"], str)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GitHub Actions", 'claims.ref == "refs/heads/main"'),
        ("GitHub Actions", 'claims.repository_visibility == "private"'),
        ("GitHub Actions", 'claims.ref_protected == "true"'),
        ("GitHub Actions", 'claims.runner_environment == "github-hosted"'),
        ("GitLab.com", 'claims.ref_protected == "true"'),
        ("GitLab.com", 'claims.user_access_level == "owner"'),
        ("GitLab.com", 'claims.environment_protected == "true"'),
        ("GitLab.com", 'claims.project_visibility == "private"'),
        ("Buildkite", 'claims.build_branch == "main"'),
        ("Buildkite", 'claims.runner_environment == "buildkite-hosted"'),
        ("Buildkite", 'claims.cluster_name == "default"'),
        ("CircleCI", 'claims["oidc.circleci.com/vcs-ref"] == "refs/heads/main"'),
        ("CircleCI", 'claims["oidc.circleci.com/ssh-rerun"] == false'),
    ],
)
def test_what_anybody_can_arrange_is_no_pin(name: str, text: str) -> None:
    [shared] = [each for each in SHARED_ISSUERS if each.name == name]
    assert is_warned_of(shared, profile(shared, text))
