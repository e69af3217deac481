"""Explain shows the judgement of attest, step by step, and leaves no trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.key_sources import InlineJwksSource
from assay.store import Store
from assay.stories import explain as explaining
from assay.stories import jwt_templates
from assay.stories.attest import AttestRequest
from assay.stories.explain import Explanation
from assay.stories.judging import STEPS
from assay.stories.jwt_templates import JwtTemplateSet
from tests.calls import OPERATOR, Clock
from tests.explaining import ExplainedFirst
from tests.stories.attesting import ORGANIZATION_CLAIM, World, make_world, other_issuer

MAPPING = {"email": "email", "token_id": "jti", "external_member_id": "sub", "organization_id": ORGANIZATION_CLAIM}


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    world = await make_world(store, clock, "b2b")
    await world.add_profile(attribute_mapping=MAPPING)
    return world


@pytest.fixture
async def shop(store: Store, clock: Clock) -> World:
    world = await make_world(store, clock, "consumer")
    await world.add_profile()
    return world


async def explain(world: World, claims: dict[str, Any] | None = None, **request: Any) -> Explanation:
    body = {"profile_id": "partner", "token": world.token(claims)} | request
    return await explaining.explain(world.ctx, world.call, AttestRequest(**body))


def outcomes(found: Explanation) -> dict[str, str]:
    return {each.step: each.outcome for each in found.steps}


def contents(path: Path) -> dict[str, list[Any]]:
    """All rows of all tables but the keys that were fetched."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        tables = [name for name in tables if name != "kept_keys" and not name.startswith("sqlite_")]
        rows = {name: connection.execute(f"select * from {name}").fetchall() for name in tables}
        return {name: sorted(found, key=repr) for name, found in rows.items()}


# ---------------------------------------------------------------- what it shows


async def test_a_token_that_would_be_granted_passes_every_step_in_order(world: World) -> None:
    found = await explain(world, {"org": "acme"})
    assert found.refusal is None
    assert [each.step for each in found.steps] == list(STEPS)
    assert set(outcomes(found).values()) == {"passed"}
    assert (found.hints, found.remedy, found.verified) == ((), "", True)


async def test_people_who_would_be_made_have_no_id_and_a_reason(world: World) -> None:
    found = await explain(world, {"org": "acme"})
    assert found.organization is not None
    assert found.person is not None
    assert (found.organization.id, found.organization.name) == (None, "acme")
    assert found.person.id is None
    assert "may make" in found.person.reason
    assert found.session == explaining.SessionToCome(
        action="start", expires_at=int(world.ctx.clock()) + 3600, roles=("stytch_member",)
    )


@pytest.mark.parametrize(
    ("known_by", "reason"),
    [
        ({"external_id": "subject-1", "email": "else@where.example"}, "found by external id"),
        ({"email": "ada@example.com"}, "found by address; external id attached"),
    ],
    ids=["external id", "address"],
)
async def test_the_member_is_named_with_how_it_was_found(world: World, known_by: dict[str, Any], reason: str) -> None:
    acme = await world.add_organization(external_id="acme")
    member = await world.add_member(acme, **known_by)
    found = await explain(world, {"org": "acme", "sub": "subject-1", "email": "ada@example.com"})
    assert found.organization is not None
    assert found.person is not None
    assert (found.organization.id, found.organization.reason) == (
        acme.organization_id,
        "found by the external id in the token",
    )
    assert found.person.id == member.member_id
    assert found.person.reason.startswith(reason)


async def test_a_refusal_says_at_which_step_with_reason_and_remedy(world: World) -> None:
    found = await explain(world, {"aud": "somebody-else"})
    assert isinstance(found.refusal, errors.JwtInvalidAudience)
    position = STEPS.index("audience")
    assert set(list(outcomes(found).values())[:position]) == {"passed"}
    assert set(list(outcomes(found).values())[position + 1 :]) == {"not_reached"}
    failed = found.steps[position]
    assert (failed.outcome, failed.reason) == ("failed", found.refusal.detail)
    assert failed.came == "'somebody-else'"
    assert "audience" in found.remedy
    assert (found.verified, found.identity, found.person, found.session) == (False, None, None, None)
    assert found.unverified_claims["aud"] == "somebody-else"


async def test_what_is_not_reached_shows_nothing(world: World) -> None:
    found = await explain(world, token="not a token")
    assert all(not (each.expected or each.came) for each in found.steps if each.outcome == "not_reached")
    assert (found.unverified_header, found.unverified_claims) == ({}, {})


async def test_an_unknown_profile_fails_the_step_of_the_profile(world: World) -> None:
    found = await explain(world, profile_id="nobody")
    assert isinstance(found.refusal, errors.TrustedTokenProfileNotFound)
    assert outcomes(found)["profile"] == "failed"
    assert outcomes(found)["shape"] == "not_reached"


async def test_a_key_that_another_profile_knows_is_told(world: World) -> None:
    stranger = other_issuer()
    source = InlineJwksSource(jwks=stranger.jwks())
    await world.add_profile(profile_id="other", key_sources=(source,), public_key_type="UNSPECIFIED", pem_files=())
    await world.add_profile(
        profile_id="mine",
        key_sources=(InlineJwksSource(jwks=world.issuer.jwks()),),
        public_key_type="UNSPECIFIED",
        pem_files=(),
    )
    token = stranger.mint({"iss": world.issuer.url}, now=world.ctx.clock())
    found = await explain(world, profile_id="mine", token=token)
    assert outcomes(found)["signature"] == "failed"
    assert "Another profile knows the key 'other': other." in found.hints


async def test_neither_the_token_nor_its_signature_is_part_of_an_explanation(world: World) -> None:
    inner = world.token()
    for claims in (
        {"org": "acme", "act": {"token": inner}},
        {"org": inner},
        {"aud": inner},
        {"sub": inner, "org": "a"},
    ):
        token = world.token(claims)
        found = await explain(world, token=token)
        told = msgspec.json.encode(msgspec.structs.asdict(found) | {"refusal": str(vars(found.refusal or object))})
        for secret in (token, inner):
            assert secret.rpartition(".")[2].encode() not in told


# ---------------------------------------------------------------- sessions


async def test_the_session_passed_in_would_gain_a_factor(world: World) -> None:
    granted = await world.attest({"org": "acme"})
    assert granted.details is not None
    found = await explain(world, {"org": "acme"}, session_token=granted.session_token)
    assert found.session is not None
    assert (found.session.action, found.session.session_id) == ("add_factor", granted.details.session_id)


async def test_a_consumer_without_a_duration_gets_no_session(shop: World) -> None:
    found = await explain(shop)
    assert found.session == explaining.SessionToCome(action="none")
    assert found.organization is None
    assert found.vertical == "consumer"


async def test_a_session_that_the_jwt_template_makes_too_large_is_refused_by_both(
    world: World, explained: ExplainedFirst
) -> None:
    await world.add_organization(external_id="acme", trusted_metadata={"big": "x" * 3_900})
    request = JwtTemplateSet(
        project_slug="project-b2b",
        environment_slug="test",
        jwt_template_type="SESSION",
        template_content='{"a": {{ organization.trusted_metadata }}, "b": {{ organization.trusted_metadata }}}',
    )
    await jwt_templates.set_template(world.ctx, OPERATOR, request)
    environment = await world.ctx.store.environment(world.environment_id)
    assert environment is not None
    caller = msgspec.structs.replace(world.call.caller, environment=environment)
    world.call = msgspec.structs.replace(world.call, caller=caller)
    found = await explain(world, {"org": "acme"})
    assert isinstance(found.refusal, errors.CustomClaimsTooLarge)
    assert outcomes(found)["session JWT"] == "failed"
    assert "JWT template" in found.remedy
    with pytest.raises(errors.CustomClaimsTooLarge):
        await world.attest({"org": "acme"})
    assert explained.compared == 1


# ---------------------------------------------------------------- it agrees with attest, and leaves no trace


async def test_every_attest_of_these_tests_is_compared_with_its_explanation(
    world: World, explained: ExplainedFirst
) -> None:
    await world.attest({"org": "acme"})
    with pytest.raises(errors.JwtInvalidIssuer):
        await world.attest({"iss": "https://nobody.example"})
    assert explained.compared == 2


async def test_a_wrong_explanation_would_fail_the_test(
    world: World, explained: ExplainedFirst, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert explained.compared == 0
    true = explaining.explain

    async def wrong(*arguments: Any) -> Explanation:
        return msgspec.structs.replace(await true(*arguments), refusal=errors.InvalidTrustedAuthToken())

    monkeypatch.setattr("tests.explaining.explain", wrong)
    with pytest.raises(AssertionError, match="refuses what attest grants"):
        await world.attest({"org": "acme"})


async def test_an_explanation_changes_no_row_of_any_table(world: World, tmp_path: Path) -> None:
    await world.attest({"org": "acme", "sub": "subject-9", "email": "grace@example.com"})
    before = contents(tmp_path / "assay.db")
    assert before["attempts"]
    for claims in (
        {"org": "acme"},
        {"org": "new"},
        {"aud": "x"},
        {"org": "acme", "sub": "subject-9", "email": "g@x.example"},
    ):
        await explain(world, claims)
    await explain(world, token="nonsense")
    assert contents(tmp_path / "assay.db") == before


@pytest.mark.parametrize("replay", ["token_id", "fingerprint"])
async def test_a_token_that_works_once_works_after_it_was_explained(world: World, clock: Clock, replay: str) -> None:
    await world.add_profile(profile_id="once", replay=replay, attribute_mapping=MAPPING)
    token = world.token({"org": "acme"})
    for _ in range(2):
        assert (await explain(world, profile_id="once", token=token)).refusal is None
    await world.attest(profile_id="once", token=token)
    again = await explain(world, profile_id="once", token=token)
    assert again.refusal is None
    assert again.session is not None
    assert again.session.action == "answer_again"
    clock.turn(11)
    used = await explain(world, profile_id="once", token=token)
    assert isinstance(used.refusal, errors.InvalidTrustedAuthToken)
    assert outcomes(used)["replay"] == "failed"


async def test_a_store_that_is_away_explains_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise errors.StoreUnavailable

    monkeypatch.setattr(type(world.ctx.store), "profile", away)
    with pytest.raises(errors.StoreUnavailable):
        await explain(world)


# ---------------------------------------------------------------- operators


async def test_operators_see_what_callers_see(world: World) -> None:
    token = world.token({"org": "acme"})
    request = AttestRequest(profile_id="partner", token=token)
    theirs = await explain(world, token=token)
    assert await explaining.operators_explain(world.ctx, OPERATOR, world.environment_id, request) == theirs
    managed = explaining.ManagedExplainRequest(
        profile_id="partner", token=token, project_slug="project-b2b", environment_slug="test"
    )
    assert await explaining.managed_explain(world.ctx, OPERATOR, managed) == theirs


async def test_to_an_operator_a_used_token_is_used_however_soon_it_asks(world: World) -> None:
    await world.add_profile(profile_id="once", replay="token_id", attribute_mapping=MAPPING)
    token = world.token({"org": "acme"})
    await world.attest(profile_id="once", token=token)
    request = AttestRequest(profile_id="once", token=token)
    found = await explaining.operators_explain(world.ctx, OPERATOR, world.environment_id, request)
    assert outcomes(found)["replay"] == "failed"


async def test_an_operator_must_name_an_environment_that_exists(world: World) -> None:
    request = AttestRequest(profile_id="partner", token="x")
    with pytest.raises(errors.ProjectNotFound):
        await explaining.operators_explain(world.ctx, OPERATOR, "project-test-none", request)
    managed = explaining.ManagedExplainRequest(
        profile_id="partner", token="x", project_slug="project-b2b", environment_slug="none"
    )
    with pytest.raises(errors.EnvironmentNotFound):
        await explaining.managed_explain(world.ctx, OPERATOR, managed)
