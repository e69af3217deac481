"""Ending many sessions at once: whose end, whose live on, and what stands in the audit record."""

from __future__ import annotations

from typing import Any

import pytest

from assay import errors
from assay.stories import ending, profiles
from assay.stories.ending import Ending
from assay.stories.references import PersonRef
from tests.calls import OPERATOR
from tests.issuer import AUDIENCE
from tests.world import World


async def log_in(world: World, **members: Any) -> dict[str, Any]:
    async with world.client(world.b2b) as client:
        answer = await client.post("/v1/b2b/sessions/attest", json=world.attest_body(**members))
    body: dict[str, Any] = answer.json()
    assert body["status_code"] == 200, body
    return body


async def is_alive(world: World, session: dict[str, Any]) -> bool:
    async with world.client(world.b2b) as client:
        body = {"session_token": session["session_token"]}
        return (await client.post("/v1/b2b/sessions/authenticate", json=body)).status_code == 200


async def second_profile(world: World) -> None:
    request = profiles.ProfileCreate(
        profile_id="other",
        name="Other",
        issuer=world.issuer.url,
        audience=AUDIENCE,
        pem_files=(world.issuer.keys[0].pem(),),
        attribute_mapping={"email": "email", "token_id": "jti"},
        can_jit_provision=True,
    )
    await profiles.create_profile(world.context, world.b2b.project_id, request, by=OPERATOR, allow_problems=False)


async def newest(world: World) -> tuple[str, str, dict[str, Any]]:
    (event, *_) = await world.context.store.events(world.b2b.project_id, 1)
    return event.action, event.target, event.details


async def test_the_sessions_of_one_member_end(world: World) -> None:
    ada, again = await log_in(world), await log_in(world)
    bob = await log_in(world, token=world.token(email="bob@example.com"))
    member_id = ada["member_id"]
    ended = await ending.of_person(world.context, world.b2b.project_id, PersonRef(member=member_id), by=OPERATOR)
    assert ended == Ending(scope="member", target=member_id, sessions=2)
    assert await newest(world) == ("member.sessions_revoked", member_id, {"sessions": 2})
    assert [await is_alive(world, each) for each in (ada, again, bob)] == [False, False, True]


async def test_the_sessions_of_one_user_end(world: World) -> None:
    async with world.client(world.consumer) as client:
        ada = (await client.post("/v1/sessions/attest", json=world.consumer_attest_body())).json()
        reference = PersonRef(user=ada["user_id"])
        ended = await ending.of_person(world.context, world.consumer.project_id, reference, by=OPERATOR)
        body = {"session_token": ada["session_token"]}
        refused = await client.post("/v1/sessions/authenticate", json=body)
    assert ended == Ending(scope="user", target=ada["user_id"], sessions=1)
    assert refused.json()["error_type"] == "session_not_found"


async def test_the_sessions_of_one_organization_end(world: World) -> None:
    async with world.client(world.b2b) as client:
        await client.post("/v1/b2b/organizations", json={"organization_name": "Globex", "organization_slug": "globex"})
    inside, outside = await log_in(world), await log_in(world, organization_id="globex")
    ended = await ending.of_organization(world.context, world.b2b.project_id, "acme", by=OPERATOR)
    assert ended == Ending(scope="organization", target=world.acme.organization_id, sessions=1)
    assert [await is_alive(world, each) for each in (inside, outside)] == [False, True]
    assert await newest(world) == ("organization.sessions_revoked", world.acme.organization_id, {"sessions": 1})


async def test_the_sessions_that_rest_on_a_profile_end_even_when_it_is_deleted(world: World) -> None:
    await second_profile(world)
    by_idp, by_other = await log_in(world), await log_in(world, profile_id="other")
    with_both = await log_in(world, profile_id="other")
    await log_in(world, session_token=with_both["session_token"])
    await profiles.delete_profile(world.context, world.b2b.project_id, "idp", by=OPERATOR)
    ended = await ending.of_profile(world.context, world.b2b.project_id, "idp", by=OPERATOR)
    assert ended == Ending(scope="profile", target="idp", sessions=2)
    assert [await is_alive(world, each) for each in (by_idp, with_both, by_other)] == [False, False, True]
    assert await newest(world) == ("profile.sessions_revoked", "idp", {"sessions": 2})


async def test_all_sessions_of_one_environment_or_of_all_end(world: World) -> None:
    session = await log_in(world)
    ended = await ending.of_environments(world.context, world.consumer.project_id, by=OPERATOR)
    assert ended == [Ending(scope="environment", target=world.consumer.project_id, sessions=0)]
    assert await is_alive(world, session)
    everywhere = await ending.of_environments(world.context, None, by=OPERATOR)
    assert {each.target: each.sessions for each in everywhere}[world.b2b.project_id] == 1
    assert len(everywhere) == 4, "each project has two environments"
    assert not await is_alive(world, session)


async def test_sessions_that_ended_before_are_not_counted(world: World) -> None:
    await log_in(world)
    world.clock.turn(3_700)
    assert (await ending.of_environments(world.context, world.b2b.project_id, by=OPERATOR))[0].sessions == 0


async def test_whose_sessions_are_not_known_is_refused(world: World) -> None:
    ctx, project_id = world.context, world.b2b.project_id
    with pytest.raises(errors.OrganizationNotFound):
        await ending.of_organization(ctx, project_id, "globex", by=OPERATOR)
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await ending.of_profile(ctx, project_id, "idq", by=OPERATOR)
    with pytest.raises(errors.MemberNotFound):
        await ending.of_person(ctx, project_id, PersonRef(member="nobody"), by=OPERATOR)
    for end in (ending.of_organization, ending.of_profile):
        with pytest.raises(errors.ProjectNotFound):
            await end(ctx, "project-test-0", "x", by=OPERATOR)
    with pytest.raises(errors.ProjectNotFound):
        await ending.of_environments(ctx, "project-test-0", by=OPERATOR)
