"""Erasing one person: nothing is left that tells of it, nothing of others goes, and a tombstone stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from assay import errors
from assay.model import PersonCounts
from assay.stories import erasure, members
from assay.stories.context import Call
from assay.stories.members import MemberRef
from assay.stories.references import PersonRef
from tests.calls import OPERATOR
from tests.world import World

EMAIL = "ada.lovelace@example.com"


async def log_in(world: World, **claims: Any) -> dict[str, Any]:
    """A session of whoever the token names, in the organization acme."""
    async with world.client(world.b2b) as client:
        answer = await client.post("/v1/b2b/sessions/attest", json=world.attest_body(token=world.token(**claims)))
    body: dict[str, Any] = answer.json()
    return body


async def log_in_consumer(world: World, **claims: Any) -> dict[str, Any]:
    async with world.client(world.consumer) as client:
        body = world.consumer_attest_body(token=world.token(**claims))
        answer: dict[str, Any] = (await client.post("/v1/sessions/attest", json=body)).json()
    return answer


def everything(folder: Path) -> str:
    """All that stands in the database, as text."""
    connection = sqlite3.connect(folder / "assay.db")
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


async def test_nothing_is_left_of_an_erased_member(world: World, tmp_path: Path) -> None:
    ada = await log_in(world, email=EMAIL)
    other = await log_in(world, email="bob@example.com")
    await log_in(world, email=EMAIL, aud="somebody-else")  # refused, and the record of it tells the subject
    async with world.client(world.b2b) as client:
        await client.post("/v1/b2b/sessions/authenticate", json={"session_token": ada["session_token"],
                                                                "session_duration_minutes": 60})  # fmt: skip
        await client.put(
            f"/v1/b2b/organizations/acme/members/{ada['member_id']}",
            json={"external_id": "ada-7", "email_address": "countess@example.com", "mfa_phone_number": "+12025550162"},
        )
    project_id, reference = world.b2b.project_id, PersonRef(member="ada-7", organization="acme")
    expected = await erasure.examine(world.context, project_id, reference)
    erased = await erasure.erase(world.context, project_id, reference, by=OPERATOR)
    assert erased.counts == expected.counts
    assert erased.counts == PersonCounts(sessions=1, attempts=2, events=4)
    left = everything(tmp_path)
    session_id = ada["member_session"]["member_session_id"]
    for trace in (EMAIL, "countess@example.com", "ada-7", "+12025550162", session_id):
        assert trace not in left, trace
    assert left.count(ada["member_id"]) == 1, "in the tombstone alone"
    assert other["member_id"] in left
    assert "bob@example.com" in left


async def test_the_tombstone_says_that_something_is_missing(world: World) -> None:
    ada = await log_in(world, email=EMAIL)
    reference = PersonRef(member=ada["member_id"])
    await erasure.erase(world.context, world.b2b.project_id, reference, by=OPERATOR)
    (tombstone, *_) = await world.context.store.events(world.b2b.project_id, 10)
    assert (tombstone.action, tombstone.target, tombstone.actor) == (erasure.ERASED, ada["member_id"], OPERATOR.name)
    assert tombstone.details == {"sessions": 1, "attempts": 1, "events": 2}


async def test_whoever_follows_the_events_sees_the_tombstone(world: World) -> None:
    """The newest events go with the person; their numbers must not be given out again."""
    ada = await log_in(world, email=EMAIL)
    store = world.context.store
    seen = (await store.newest_events(None, 1))[0].number
    await erasure.erase(world.context, world.b2b.project_id, PersonRef(member=ada["member_id"]), by=OPERATOR)
    following = await store.events_after(None, seen, 10)
    assert [each.event.action for each in following] == [erasure.ERASED]


async def test_the_session_of_an_erased_member_opens_nothing(world: World) -> None:
    ada = await log_in(world, email=EMAIL)
    await erasure.erase(world.context, world.b2b.project_id, PersonRef(member=ada["member_id"]), by=OPERATOR)
    async with world.client(world.b2b) as client:
        body = {"session_token": ada["session_token"]}
        answer = await client.post("/v1/b2b/sessions/authenticate", json=body)
    assert answer.json()["error_type"] == "session_not_found"


async def test_a_deleted_member_can_be_erased(world: World, tmp_path: Path) -> None:
    ada = await log_in(world, email=EMAIL)
    call = Call(caller=world.b2b.caller, request_id="test")
    await members.delete(world.context, call, MemberRef(organization_id="acme", member_id=ada["member_id"]))
    reference = PersonRef(member=ada["member_id"], organization="acme")
    await erasure.erase(world.context, world.b2b.project_id, reference, by=OPERATOR)
    assert EMAIL not in everything(tmp_path)


async def test_nothing_is_left_of_an_erased_user(world: World, tmp_path: Path) -> None:
    ada = await log_in_consumer(world, email=EMAIL)
    other = await log_in_consumer(world, email="bob@example.com")
    reference = PersonRef(user=ada["user_id"])
    erased = await erasure.erase(world.context, world.consumer.project_id, reference, by=OPERATOR)
    assert (erased.subject_kind, erased.counts.sessions) == ("user", 1)
    left = everything(tmp_path)
    assert EMAIL not in left
    assert ada["session"]["session_id"] not in left
    assert other["user_id"] in left


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        pytest.param(PersonRef(member="nobody"), errors.MemberNotFound, id="unknown member"),
        pytest.param(PersonRef(member="nobody", organization="acme"), errors.MemberNotFound, id="not in acme"),
        pytest.param(PersonRef(member="x", organization="x"), errors.OrganizationNotFound, id="unknown organization"),
        pytest.param(PersonRef(user="ada"), errors.WrongVertical, id="a user of a B2B project"),
    ],
)
async def test_who_is_not_there_cannot_be_erased(world: World, reference: PersonRef, error: type[errors.Error]) -> None:
    with pytest.raises(error):
        await erasure.erase(world.context, world.b2b.project_id, reference, by=OPERATOR)


async def test_a_person_of_another_environment_is_not_found(world: World) -> None:
    ada = await log_in_consumer(world, email=EMAIL)
    await world.context.store.user(world.consumer.project_id, ada["user_id"])
    with pytest.raises(errors.UserNotFound):
        await erasure.erase(world.context, await _other_consumer(world), PersonRef(user=ada["user_id"]), by=OPERATOR)


async def _other_consumer(world: World) -> str:
    """The LIVE environment beside the consumer one of the world."""
    for project in await world.context.store.projects():
        environments = await world.context.store.environments(project.project_id)
        ids = [each.environment_id for each in environments]
        if world.consumer.project_id in ids:
            return next(each for each in ids if each != world.consumer.project_id)
    raise AssertionError
