"""Profiles: what is refused whatever the operator allows, and what a change leaves as it was (decisions D7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay import errors
from assay.store import Store
from assay.stories import profiles
from assay.stories.profiles import ProfileCreate, ProfileReport, ProfileUpdate
from tests.calls import OPERATOR, Clock
from tests.issuer import make_key
from tests.stories.attesting import World, make_world

URL = "https://issuer.example/keys"
RSA, EC = make_key("RSA"), make_key("P-256")


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    return await make_world(store, clock, "b2b")


async def create(world: World, **members: Any) -> ProfileReport:
    usual: dict[str, Any] = {"name": "P", "issuer": "https://issuer.example", "audience": "a", "profile_id": "p"}
    keys = {} if members.keys() & {"jwks_url", "pem_files"} else {"jwks_url": URL}
    request = ProfileCreate(**(usual | keys | members))
    return await profiles.create_profile(world.ctx, world.environment_id, request, by=OPERATOR, allow_problems=True)


async def update(world: World, **members: Any) -> ProfileReport:
    change = ProfileUpdate(**members)
    return await profiles.update_profile(world.ctx, world.environment_id, "p", change, by=OPERATOR, allow_problems=True)


Invalid = errors.TrustedTokenProfileInvalidRequest
REFUSED: dict[str, tuple[dict[str, Any], type[errors.Error], str]] = {
    "id with a slash": ({"profile_id": "a/b"}, Invalid, "profile_id"),
    "id that is too long": ({"profile_id": "p" * 129}, Invalid, "profile_id"),
    "no name": ({"name": ""}, Invalid, "name"),
    "no issuer": ({"issuer": ""}, Invalid, "issuer"),
    "audience that is too long": ({"audience": "a" * 2049}, Invalid, "audience"),
    "negative leeway": ({"leeway_seconds": -1}, Invalid, "leeway_seconds"),
    "leeway that is too long": ({"leeway_seconds": 301}, Invalid, "leeway_seconds"),
    "age of nothing": ({"max_age_seconds": 0}, Invalid, "max_age_seconds must be from 1"),
    "age beyond all measure": ({"max_age_seconds": 2**62}, Invalid, "max_age_seconds"),
    "lifetime of nothing": ({"max_lifetime_seconds": 0}, Invalid, "max_lifetime_seconds must be from 1"),
    "token without any end": ({"require_exp": False}, Invalid, "require_exp false needs max_age_seconds"),
    "empty typ": ({"typ": ()}, Invalid, "to accept tokens without a typ, say absent"),
    "typ of no known form": ({"typ": ("JWT", "a b")}, Invalid, "neither absent nor a media type"),
    "audience without a place": ({"audience_claim": ""}, Invalid, "audience_claim is a claim name"),
    "audience in no header": ({"audience_claim": "header:"}, Invalid, "the name after header: is missing"),
    "audience behind a bad pointer": ({"audience_claim": "/a/~2"}, Invalid, "~ stands only before 0 or 1"),
    "additional audience of nothing": ({"additional_audiences": ("",)}, Invalid, "additional_audiences"),
    "too many audiences": ({"additional_audiences": tuple(map(str, range(51)))}, Invalid, "at most 50 values"),
    "too many conditions": ({"conditions": ("claims.a == 1",) * 21}, Invalid, "conditions has at most 20 values"),
    "condition that is too long": ({"conditions": ("a" * 2_049,)}, Invalid, "1 to 2048 characters"),
    "empty condition": ({"conditions": ("",)}, Invalid, "1 to 2048 characters"),
    "too many organizations": ({"organizations": tuple(map(str, range(101)))}, Invalid, "at most 100 values"),
    "too many kept claims": ({"kept_claims": tuple(map(str, range(51)))}, Invalid, "at most 50 values"),
    "unspecified keys": ({"public_key_type": "UNSPECIFIED"}, Invalid, "needs key_sources"),
    "JWK without address": (
        {"public_key_type": "JWK", "pem_files": (RSA.pem(),)},
        errors.MustHaveJwksUrl,
        "",
    ),
    "JWK with PEM files": ({"jwks_url": URL, "pem_files": (RSA.pem(),)}, errors.CannotAddPemFile, ""),
    "PEM with an address": (
        {"public_key_type": "PEM", "jwks_url": URL, "pem_files": (RSA.pem(),)},
        Invalid,
        "takes no jwks_url",
    ),
    "PEM without files": ({"public_key_type": "PEM", "pem_files": ()}, errors.MustHavePemFiles, ""),
    "six PEM files": ({"pem_files": (RSA.pem(),) * 6}, errors.TooManyPemFiles, ""),
    "two external ids": (
        {"attribute_mapping": {"external_member_id": "sub", "external_user_id": "sub"}},
        errors.MultipleExternalIds,
        "",
    ),
    "empty address": ({"public_key_type": "JWK", "jwks_url": ""}, errors.MustHaveJwksUrl, ""),
    "mapping that is too long": ({"attribute_mapping": {"email": "e" * 20_000}}, Invalid, "attribute_mapping"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_must_not_be_stored_is_refused_whatever_is_allowed(world: World, name: str) -> None:
    members, error, words = REFUSED[name]
    with pytest.raises(error) as refused:
        await create(world, **members)
    assert words in refused.value.message
    assert await world.ctx.store.profiles(world.environment_id) == []


async def test_an_id_is_taken_once(world: World) -> None:
    await create(world)
    with pytest.raises(errors.TrustedTokenProfileIdAlreadyUsed):
        await create(world, name="Another")


async def test_a_jwks_url_may_change_and_the_key_type_may_not(world: World) -> None:
    await create(world)
    assert (await update(world, jwks_url=URL + "/new")).profile.jwks_url == URL + "/new"
    with pytest.raises(errors.CannotAddPemFile):
        await update(world, pem_files=(RSA.pem(),))


async def test_new_pem_files_replace_the_old_ones_under_new_ids(world: World) -> None:
    before = (await create(world, pem_files=(RSA.pem(),))).profile
    await update(world, pem_files=(EC.pem(), RSA.pem()))
    after = (await profiles.show_profile(world.ctx, world.environment_id, "p")).profile
    assert [each.public_key for each in after.pem_files] == [EC.pem(), RSA.pem()]
    assert before.pem_files[0].pem_file_id not in {each.pem_file_id for each in after.pem_files}
    with pytest.raises(Invalid, match="takes no jwks_url"):
        await update(world, jwks_url=URL)


async def test_two_changes_at_once_both_count(world: World) -> None:
    await create(world)
    await asyncio.gather(update(world, name="New"), update(world, audience="other"))
    profile = (await profiles.show_profile(world.ctx, world.environment_id, "p")).profile
    assert (profile.name, profile.audience, profile.revision) == ("New", "other", 3)


async def test_a_change_of_nothing_that_exists_is_not_found(world: World) -> None:
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await update(world, name="New")


async def test_an_empty_jwks_url_counts_as_none(world: World) -> None:
    made = (await create(world, jwks_url="", pem_files=(RSA.pem(),))).profile
    assert (made.public_key_type, made.jwks_url) == ("PEM", None)
    assert (await update(world, jwks_url="", name="New")).profile.jwks_url is None
    await create(world, profile_id="other")
    change = ProfileUpdate(jwks_url="", name="New")
    other = await profiles.update_profile(
        world.ctx, world.environment_id, "other", change, by=OPERATOR, allow_problems=True
    )
    assert (other.profile.jwks_url, other.profile.name) == (URL, "New")


async def test_an_empty_mapping_clears_and_none_leaves_it(world: World) -> None:
    await create(world, attribute_mapping={"email": "mail"})
    assert (await update(world, attribute_mapping=None)).profile.attribute_mapping == {"email": "mail"}
    assert (await update(world, attribute_mapping={"email": "upn"})).profile.attribute_mapping == {"email": "upn"}
    assert (await update(world, attribute_mapping={})).profile.attribute_mapping == {}


async def test_organizations_have_no_meaning_where_there_are_none(store: Store, clock: Clock) -> None:
    consumer = await make_world(store, clock, "consumer")
    with pytest.raises(Invalid, match="organizations has no meaning in a consumer project"):
        await create(consumer, organizations=("acme",))


async def test_an_age_limit_is_taken_away_by_zero_and_left_by_none(world: World) -> None:
    await create(world, max_age_seconds=60)
    assert (await update(world, name="New")).profile.max_age_seconds == 60
    assert (await update(world, max_age_seconds=0)).profile.max_age_seconds is None


async def test_the_age_limit_stays_while_it_is_the_only_end_of_a_token(world: World) -> None:
    await create(world, max_age_seconds=60, require_exp=False)
    with pytest.raises(Invalid, match="require_exp false needs max_age_seconds"):
        await update(world, max_age_seconds=0)
    with pytest.raises(Invalid, match="require_exp false needs max_age_seconds"):
        await create(world, profile_id="other", require_exp=False)


async def test_nothing_keeps_an_operator_from_switching_a_profile_off(world: World) -> None:
    await create(world, attribute_mapping={"email": "email"}, conditions=("claims.a = 1",))
    off, on = ProfileUpdate(enabled=False), ProfileUpdate(enabled=True)
    for change, refused in ((ProfileUpdate(name="New"), True), (off, False), (on, True)):
        changing = profiles.update_profile(
            world.ctx, world.environment_id, "p", change, by=OPERATOR, allow_problems=False
        )
        if refused:
            with pytest.raises(errors.TrustedTokenProfileHasProblems, match="Condition 1 cannot be compiled"):
                await changing
        else:
            assert (await changing).profile.enabled is False


def _mapped(**members: Any) -> dict[str, Any]:
    return {"attribute_mapping": {"email": "email"}} | members


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "one audience of none": (
        _mapped(audience_claim="none", single_audience=True, conditions=("claims.a == 'b'",)),
        "single_audience has no meaning",
    ),
    "further audiences of none": (
        _mapped(audience_claim="none", additional_audiences=("b",), conditions=("claims.a == 'b'",)),
        "additional_audiences have no meaning",
    ),
    "the audience once more": (_mapped(additional_audiences=("a",)), "additional_audiences has the audience itself"),
    "an audience twice": (_mapped(additional_audiences=("b", "b")), "the same audience twice"),
    "an audience for all": (_mapped(additional_audiences=("*",)), "compared whole"),
    "no audience and no condition": (_mapped(audience_claim="none"), "audience_claim none needs a condition"),
    "no issuer and no condition": (_mapped(issuer_check="none"), "issuer_check none needs a condition"),
    "a template without a placeholder": (
        _mapped(issuer_check="template", conditions=("claims.tid == 'a'",)),
        "holds exactly one {claim}",
    ),
    "a template that nothing pins": (
        _mapped(issuer_check="template", issuer="https://i.example/{tid}", conditions=("claims.a == 'b'",)),
        "which values of tid may log in",
    ),
    "a placeholder that is not filled in": (
        _mapped(issuer="https://i.example/{tid}"),
        "only filled in with issuer_check template",
    ),
    "an issuer with a star": (_mapped(issuer="https://*.i.example"), "character by character"),
    "a condition with a slip": (_mapped(conditions=("claims.a = 'b'",)), "Condition 1 cannot be compiled: line 1"),
    "a mapping with a slip": (
        {"attribute_mapping": {"email": {"cel": "claim.mail"}}},
        "line 1, column 6: undeclared reference to 'claim.mail'",
    ),
    "an issuer that everybody shares": (
        _mapped(issuer="https://accounts.google.com"),
        "No condition tells yours from theirs",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
async def test_what_cannot_work_or_is_too_broad_is_the_one_problem(world: World, name: str) -> None:
    members, words = PROBLEMS[name]
    [problem] = (await create(world, **members)).problems
    assert words in problem
    assert problem.endswith(".") or "add one such as" in problem


FINE: dict[str, dict[str, Any]] = {
    "a token without end that ages": {"max_age_seconds": 60, "require_exp": False, "session_ends_with_token": True},
    "no audience with a condition": {"audience_claim": "none", "conditions": ("claims.client == 'a'",)},
    "no issuer with a condition": {"issuer_check": "none", "conditions": ("claims.sub.startsWith('spiffe://a/')",)},
    "a template that is pinned": {
        "issuer": "https://i.example/{tid}/v2.0",
        "issuer_check": "template",
        "conditions": ("claims.tid in ['a', 'b']",),
    },
    "everything once": {
        "additional_audiences": ("b",),
        "single_audience": True,
        "audience_claim": "header:client",
        "typ": ("application/at+jwt", "absent"),
        "replay": "fingerprint",
        "organizations": ("acme",),
        "kept_claims": ("sub",),
    },
}


@pytest.mark.parametrize("name", FINE)
async def test_what_can_work_has_no_problem(world: World, name: str) -> None:
    assert (await create(world, **_mapped(**FINE[name]))).problems == []
