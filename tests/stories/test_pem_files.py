"""PEM files one at a time: kept byte for byte, five at most, never a private key (decisions D7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay import errors
from assay.key_sources import PemSource
from assay.model import PemFile, Profile
from assay.store import Store
from assay.stories import pem_files, profiles
from assay.stories.pem_files import PemFileCreate, PemFileRef, PemFileReport
from assay.stories.profiles import ProfileUpdate
from tests.calls import OPERATOR, Clock
from tests.issuer import Issuer, IssuerKey, make_key
from tests.stories.attesting import World, make_world

WHERE: dict[str, Any] = {"project_slug": "project-consumer", "environment_slug": "test", "profile_id": "partner"}
SECOND = make_key("RSA", "second")


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    """A profile ``partner`` that believes one key, which is a PEM file."""
    made = await make_world(store, clock, "consumer")
    await made.add_profile()
    return made


async def add(world: World, text: str, **where: Any) -> PemFileReport:
    request = PemFileCreate(**(WHERE | where), public_key=text)
    return await pem_files.create_pem_file(world.ctx, OPERATOR, request)


async def delete(world: World, pem_file_id: str, **where: Any) -> PemFileReport:
    request = PemFileRef(**(WHERE | where), pem_file_id=pem_file_id)
    return await pem_files.delete_pem_file(world.ctx, OPERATOR, request)


async def stored(world: World) -> Profile:
    return (await profiles.show_profile(world.ctx, world.environment_id, "partner")).profile


async def files(world: World) -> tuple[PemFile, ...]:
    return (await stored(world)).pem_files


def partner_token_issuer(key: IssuerKey) -> Issuer:
    """The same issuer, signing with another key."""
    return Issuer(keys=[key])


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n  text behind it"])
async def test_the_text_is_kept_byte_for_byte(world: World, end: str) -> None:
    text = SECOND.pem().replace("\n", "\r\n") + end
    made = (await add(world, text)).pem_file
    request = PemFileRef(**WHERE, pem_file_id=made.pem_file_id)
    assert (await pem_files.get_pem_file(world.ctx, OPERATOR, request)).pem_file == made
    assert (await files(world))[1] == PemFile(pem_file_id=made.pem_file_id, public_key=text)


async def test_text_that_is_no_key_is_kept_and_told_of(world: World) -> None:
    report = await add(world, "not a key")
    assert report.problems == (await profiles.show_profile(world.ctx, world.environment_id, "partner")).problems
    assert any(problem.startswith("PEM file 2: ") for problem in report.problems)
    request = PemFileRef(**WHERE, pem_file_id=report.pem_file.pem_file_id)
    assert (await pem_files.get_pem_file(world.ctx, OPERATOR, request)).problems == report.problems


async def test_the_same_text_twice_is_two_files(world: World) -> None:
    first = (await add(world, SECOND.pem())).pem_file
    second = (await add(world, SECOND.pem())).pem_file
    assert first.pem_file_id != second.pem_file_id
    await delete(world, second.pem_file_id)
    assert [each.pem_file_id for each in await files(world)][1:] == [first.pem_file_id]


async def test_a_key_counts_from_its_first_moment_to_its_last(world: World) -> None:
    issuer = partner_token_issuer(SECOND)
    with pytest.raises(errors.InvalidTrustedAuthToken):
        await world.attest(issuer=issuer)
    made = (await add(world, SECOND.pem())).pem_file
    await world.attest(issuer=issuer)
    await delete(world, made.pem_file_id)
    with pytest.raises(errors.InvalidTrustedAuthToken):
        await world.attest(issuer=issuer)
    await world.attest()


async def test_the_last_one_may_go_and_then_every_token_is_refused(world: World) -> None:
    await world.attest()
    report = await delete(world, (await files(world))[0].pem_file_id)
    assert report.problems == ["There is no PEM file, so every token is refused."]
    with pytest.raises(errors.InvalidTrustedAuthToken):
        await world.attest()
    assert (await stored(world)).public_key_type == "PEM"
    assert (await add(world, world.issuer.key_for("RS256").pem())).problems == []
    await world.attest()


async def test_a_profile_without_a_key_can_still_be_changed(world: World) -> None:
    await delete(world, (await files(world))[0].pem_file_id)

    async def update(**members: Any) -> None:
        change = ProfileUpdate(**members)
        await profiles.update_profile(
            world.ctx, world.environment_id, "partner", change, by=OPERATOR, allow_problems=True
        )

    await update(name="Still without")
    assert (await stored(world)).name == "Still without"
    await update(pem_files=(SECOND.pem(),))
    await world.attest(issuer=partner_token_issuer(SECOND))
    for members in ({"pem_files": ()}, {"key_sources": (PemSource(public_keys=()),)}):
        with pytest.raises(errors.MustHavePemFiles):
            await update(**members)


async def test_there_are_five_at_most_however_many_come_at_once(world: World) -> None:
    done = await asyncio.gather(*(add(world, SECOND.pem()) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(each, PemFileReport) for each in done) == 4
    assert sum(isinstance(each, errors.TooManyPemFiles) for each in done) == 4
    assert len(await files(world)) == 5


async def test_a_private_key_is_refused_and_not_stored(world: World) -> None:
    private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
    with pytest.raises(errors.InvalidPublicKey):
        await add(world, SECOND.pem() + private)
    assert len(await files(world)) == 1


async def test_text_that_is_too_long_is_refused(world: World) -> None:
    with pytest.raises(errors.TrustedTokenProfileInvalidRequest, match="longer than"):
        await add(world, "x" * 70_000)
    assert len(await files(world)) == 1


@pytest.mark.parametrize(
    "keys",
    [
        {"public_key_type": "JWK", "jwks_url": "https://issuer.example/keys"},
        {"public_key_type": "UNSPECIFIED", "key_sources": (PemSource(public_keys=(SECOND.pem(),)),) * 2},
    ],
    ids=["jwks_url", "key_sources"],
)
async def test_only_a_profile_of_pem_files_takes_one(world: World, keys: dict[str, Any]) -> None:
    await world.add_profile(profile_id="other", pem_files=(), **keys)
    with pytest.raises(errors.CannotAddPemFile):
        await add(world, SECOND.pem(), profile_id="other")


async def test_what_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await add(world, SECOND.pem(), profile_id="nobody")
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await add(world, SECOND.pem(), environment_slug="live")
    with pytest.raises(errors.PemFileNotFound):
        await delete(world, "pem-file-test-none")
    mine = (await files(world))[0].pem_file_id
    await world.add_profile(profile_id="other")
    for profile_id in ("other", "partner"):
        request = PemFileRef(**(WHERE | {"profile_id": profile_id}), pem_file_id=mine)
        if profile_id == "partner":
            assert (await pem_files.get_pem_file(world.ctx, OPERATOR, request)).pem_file.pem_file_id == mine
            continue
        for story in (pem_files.get_pem_file, pem_files.delete_pem_file):
            with pytest.raises(errors.PemFileNotFound):
                await story(world.ctx, OPERATOR, request)


async def test_each_change_is_an_event_that_holds_no_key(world: World) -> None:
    made = (await add(world, SECOND.pem())).pem_file
    await delete(world, made.pem_file_id)
    events = [*await world.events("pem_file.created"), *await world.events("pem_file.deleted")]
    assert [(each.target, each.actor, each.details) for each in events] == [
        (f"partner/{made.pem_file_id}", "tests", {})
    ] * 2
