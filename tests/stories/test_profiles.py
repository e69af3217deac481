"""Profiles: what is refused whatever the operator allows, and what a change leaves as it was (decisions D7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay import errors
from assay.model import Profile
from assay.store import Store
from assay.stories import profiles
from assay.stories.profiles import NotEnforced, ProfileCreate, ProfileReport, ProfileUpdate
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


@pytest.mark.parametrize("field", NotEnforced.__struct_fields__)
async def test_a_field_that_is_not_enforced_is_refused_and_never_ignored(world: World, field: str) -> None:
    with pytest.raises(Invalid, match=f"does not enforce {field}"):
        await create(world, **{field: False})
    assert await world.ctx.store.profiles(world.environment_id) == []
    await create(world, **{field: None})
    with pytest.raises(Invalid, match=f"does not enforce {field}"):
        await update(world, **{field: False}, name="New")
    assert (await update(world, **{field: None})).profile.name == "P"


def test_a_field_is_enforced_or_it_is_not() -> None:
    assert not set(NotEnforced.__struct_fields__) & set(Profile.__struct_fields__)


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
