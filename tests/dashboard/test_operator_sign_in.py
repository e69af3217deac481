"""Operators: links, passwords, tokens, roles, and sessions that end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay import errors
from assay.app import open_context
from assay.stories import environments, internal, operators, profiles, projects, signing_in, workspace
from assay.stories.declared import current
from assay.stories.signing_in import FREE_TRIES, FREE_TRIES_OF_ADDRESS, IDLE_SECONDS
from tests.calls import OPERATOR
from tests.dashboard.browsing import PASSWORD, Visitor, signed_in, text_of
from tests.issuer import AUDIENCE
from tests.world import World

ADA = "ada@example.com"
ANOTHER = "another password altogether"


async def link_of(world: World, email: str = ADA, role: operators.Role = "owner") -> str:
    return (await operators.invite(world.context, email, role, by=OPERATOR)).token


async def join(world: World, token: str, **fields: str) -> Any:
    visitor = Visitor(world)
    given = {"token": token, "email": ADA, "password": PASSWORD, "repeated": PASSWORD} | fields
    return await visitor.post("welcome", **given), visitor


# ---------------------------------------------------------------- links


async def test_the_first_operator_comes_by_the_first_link_and_owns_everything(world: World) -> None:
    made = await operators.first_link(world.context, by=OPERATOR)
    assert made is not None
    answer, visitor = await join(world, made.token)
    assert answer.status_code == 303
    assert ADA in text_of(await visitor.get("operators"))
    assert await operators.first_link(world.context, by=OPERATOR) is None


async def test_each_start_ends_the_first_link_of_the_one_before(world: World) -> None:
    old, new = [await operators.first_link(world.context, by=OPERATOR) for _ in range(2)]
    assert old is not None
    assert new is not None
    assert (await Visitor(world).get("welcome", token=old.token)).status_code == 404
    assert (await Visitor(world).get("welcome", token=new.token)).status_code == 200


async def test_a_link_works_once(world: World) -> None:
    token = await link_of(world)
    first, _ = await join(world, token)
    again = await Visitor(world).get("welcome", token=token)
    assert (first.status_code, again.status_code) == (303, 404)
    with pytest.raises(errors.OperatorLinkNotFound):
        await signing_in.with_link(world.context, token, "", PASSWORD, "request-id-test-1")


async def test_a_link_works_for_a_day(world: World) -> None:
    token = await link_of(world)
    world.clock.turn(operators.LINK_SECONDS - 1)
    assert (await Visitor(world).get("welcome", token=token)).status_code == 200
    world.clock.turn(1)
    assert (await Visitor(world).get("welcome", token=token)).status_code == 404


async def test_a_new_link_ends_the_old_one(world: World) -> None:
    old = await link_of(world)
    await link_of(world)
    assert (await Visitor(world).get("welcome", token=old)).status_code == 404


async def test_looking_at_a_link_does_not_use_it_up(world: World) -> None:
    token = await link_of(world)
    for _ in range(3):
        assert (await Visitor(world).get("welcome", token=token)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"password": "short", "repeated": "short"}, "12 to 256 characters"),
        ({"password": ADA, "repeated": ADA}, "not your address"),
        ({"repeated": "something else"}, "The two passwords differ"),
    ],
)
async def test_a_password_must_be_good_and_typed_twice(world: World, fields: dict[str, str], sentence: str) -> None:
    token = await link_of(world)
    answer, _ = await join(world, token, **fields)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert (await join(world, token))[0].status_code == 303


async def test_what_is_kept_of_password_and_link_is_neither_of_them(world: World, tmp_path: Path) -> None:
    token = await link_of(world)
    await join(world, token)
    files = b"".join((tmp_path / f"assay.db{end}").read_bytes() for end in ("", "-wal"))
    assert b"$argon2id$v=19$m=19456,t=2,p=1$" in files
    assert PASSWORD.encode() not in files
    assert token.encode() not in files


# ---------------------------------------------------------------- passwords


async def test_an_operator_signs_in_and_out(world: World) -> None:
    await signed_in(world, email=ADA)
    visitor = Visitor(world)
    assert (await visitor.sign_in(ADA)).status_code == 303
    session = visitor.client.cookies["assay_session"]
    assert (await visitor.get("account")).status_code == 200
    assert (await visitor.post("sign-out")).status_code == 303
    visitor.carry("assay_session", session)
    assert (await visitor.get("account")).status_code == 303


async def test_a_wrong_password_and_an_unknown_address_are_told_alike(world: World) -> None:
    await signed_in(world, email=ADA)
    visitor = Visitor(world)
    wrong = await visitor.sign_in(ADA, "not the right one")
    unknown = await visitor.sign_in("nobody@example.com", "not the right one")
    assert wrong.status_code == unknown.status_code == 401
    assert text_of(wrong) == text_of(unknown)


async def test_somebody_who_was_invited_and_never_came_cannot_sign_in(world: World) -> None:
    await link_of(world)
    assert (await Visitor(world).sign_in(ADA, "")).status_code == 401


async def test_guessing_at_an_account_is_slowed_wherever_it_comes_from(world: World) -> None:
    await signed_in(world, email=ADA)
    for number in range(FREE_TRIES + 1):
        guess = await Visitor(world, f"198.51.100.{number}").sign_in(ADA, "a guess")
        assert guess.status_code == 401
    right = await Visitor(world, "198.51.100.200").sign_in(ADA)
    assert right.status_code == 429
    world.clock.turn(2)
    assert (await Visitor(world, "198.51.100.201").sign_in(ADA)).status_code == 303


async def test_guessing_from_an_address_is_slowed_whomever_it_is_about(world: World) -> None:
    visitor = Visitor(world)
    for number in range(FREE_TRIES_OF_ADDRESS + 1):
        assert (await visitor.sign_in(f"{number}@example.com", "a guess")).status_code == 401
    assert (await visitor.sign_in("one-more@example.com", "a guess")).status_code == 429
    assert (await Visitor(world, "198.51.100.1").sign_in("one-more@example.com", "a guess")).status_code == 401


async def test_the_neighbours_of_one_ipv6_network_count_as_one(world: World) -> None:
    for number in range(FREE_TRIES_OF_ADDRESS + 1):
        await Visitor(world, f"2001:db8::{number:x}").sign_in(f"{number}@example.com", "a guess")
    assert (await Visitor(world, "2001:db8::ffff").sign_in("x@example.com", "a guess")).status_code == 429


async def test_each_guess_too_many_waits_twice_as_long_up_to_a_minute(world: World) -> None:
    waited = []
    for number in range(FREE_TRIES + 8):
        seconds = 0
        while (await Visitor(world, f"192.0.{number}.{seconds}").sign_in(ADA, "a guess")).status_code == 429:
            world.clock.turn(1)
            seconds += 1
        waited.append(seconds)
    assert waited[FREE_TRIES:] == [0, 2, 4, 8, 16, 32, 60, 60]


async def test_what_was_counted_outlives_the_process(world: World) -> None:
    for _ in range(FREE_TRIES + 1):
        await Visitor(world).sign_in(ADA, "a guess")
    async with open_context(world.context.settings, clock=world.clock, monotonic=world.clock) as again:
        with pytest.raises(errors.TooManySignIns):
            await signing_in.with_password(again, ADA, PASSWORD, "198.51.100.9", "request-id-test-1")


async def test_signing_in_forgets_the_tries_before(world: World) -> None:
    await signed_in(world, email=ADA)
    for _ in range(FREE_TRIES + 2):
        await Visitor(world).sign_in(ADA, "a guess")
        assert (await Visitor(world).sign_in(ADA)).status_code == 303


async def test_a_new_password_ends_all_other_sessions(world: World) -> None:
    here, there = await signed_in(world, email=ADA), Visitor(world)
    await there.sign_in(ADA)
    answer = await here.post("account", old=PASSWORD, password=ANOTHER, repeated=ANOTHER)
    assert answer.status_code == 303
    assert "Your password is changed" in (await here.get("account")).text
    assert (await there.get("account")).status_code == 303
    assert (await Visitor(world).sign_in(ADA)).status_code == 401
    assert (await Visitor(world).sign_in(ADA, ANOTHER)).status_code == 303


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"old": "wrong"}, "This is not your password"),
        ({"password": "short", "repeated": "short"}, "12 to 256 characters"),
        ({"repeated": "different"}, "The two passwords differ"),
    ],
)
async def test_a_password_is_changed_only_by_who_knows_it(world: World, fields: dict[str, str], sentence: str) -> None:
    here = await signed_in(world, email=ADA)
    answer = await here.post("account", **{"old": PASSWORD, "password": ANOTHER, "repeated": ANOTHER} | fields)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert (await Visitor(world).sign_in(ADA)).status_code == 303


# ---------------------------------------------------------------- sessions


async def test_a_session_ends_when_nobody_uses_it(world: World) -> None:
    visitor = await signed_in(world)
    for _ in range(3):
        world.clock.turn(IDLE_SECONDS - 1)
        assert (await visitor.get("account")).status_code == 200
    world.clock.turn(IDLE_SECONDS)
    assert (await visitor.get("account")).status_code == 303


async def test_a_session_ends_after_half_a_day_however_much_it_is_used(world: World) -> None:
    visitor = await signed_in(world)
    for _ in range(12 * 3 - 1):
        world.clock.turn(20 * 60)
        assert (await visitor.get("account")).status_code == 200
    world.clock.turn(20 * 60)
    assert (await visitor.get("account")).status_code == 303


async def test_another_role_ends_all_sessions(world: World) -> None:
    owner, viewer = await signed_in(world), await signed_in(world, "viewer")
    answer = await owner.post(f"operators/{viewer.operator_id}", do="role", role="editor")
    assert answer.status_code == 303
    assert (await viewer.get("account")).status_code == 303
    assert (await Visitor(world).sign_in("viewer@example.com")).status_code == 303


async def test_who_is_removed_is_out_at_once(world: World) -> None:
    owner, viewer = await signed_in(world), await signed_in(world, "viewer")
    await owner.post(f"operators-remove/{viewer.operator_id}")
    assert (await viewer.get("account")).status_code == 303
    assert (await Visitor(world).sign_in("viewer@example.com")).status_code == 401


@pytest.mark.parametrize("path", ["operators-remove", "operators"])
async def test_the_last_owner_stays(world: World, path: str) -> None:
    owner = await signed_in(world)
    await operators.invite(world.context, "invited@example.com", "owner", by=OPERATOR)
    answer = await owner.post(f"{path}/{owner.operator_id}", do="role", role="viewer")
    assert answer.status_code == 400
    assert "This is the only owner" in answer.text
    assert (await owner.get("operators")).status_code == 200


async def test_a_session_of_a_product_opens_no_dashboard(world: World) -> None:
    async with world.client(world.consumer) as client:
        answer = await client.post("/v1/sessions/attest", json=world.consumer_attest_body())
    visitor = Visitor(world)
    visitor.carry("assay_session", answer.json()["session_token"])
    assert (await visitor.get("account")).status_code == 303


@pytest.mark.parametrize("token", ["", "x", "A" * 44, "é" * 44])
async def test_a_malformed_session_token_is_nobody(world: World, token: str) -> None:
    await signed_in(world)
    assert await signing_in.recognize(world.context, token) is None


# ---------------------------------------------------------------- trusted auth tokens


async def operator_profile(world: World, **fields: Any) -> None:
    environment = await internal.ensured(world.context)
    request: dict[str, Any] = {
        "profile_id": "workforce",
        "name": "Workforce",
        "issuer": world.issuer.url,
        "audience": AUDIENCE,
        "pem_files": (world.issuer.keys[0].pem(),),
        "attribute_mapping": {"email": "email", "token_id": "jti", "role_ids": "roles"},
        "can_jit_provision": False,
    }
    create = profiles.ProfileCreate(**request | fields)
    await profiles.create_profile(world.context, environment.environment_id, create, by=OPERATOR, allow_problems=False)


async def by_token(world: World, **claims: Any) -> Any:
    visitor = Visitor(world)
    token = world.token(**claims)
    return await visitor.post("sign-in/token", profile_id="workforce", token=token), visitor


async def test_an_operator_signs_in_with_a_token(world: World) -> None:
    await operator_profile(world)
    await signed_in(world, "editor", email=ADA)
    answer, visitor = await by_token(world, email=ADA, email_verified=True)
    assert answer.status_code == 303
    assert "editor" in text_of(await visitor.get("account"))


@pytest.mark.parametrize(
    ("roles", "status"), [(["viewer"], 303), (["owner", "viewer"], 303), (["admin"], 403), ([], 403)]
)
async def test_a_token_can_bring_the_role(world: World, roles: list[str], status: int) -> None:
    await operator_profile(world, can_jit_provision=True)
    answer, visitor = await by_token(world, email="new@example.com", email_verified=True, roles=roles)
    assert answer.status_code == status
    assert ("assay_session" in visitor.client.cookies) == (status == 303)


async def test_a_token_of_somebody_unknown_opens_nothing(world: World) -> None:
    await operator_profile(world)
    answer, visitor = await by_token(world, email="unknown@example.com", email_verified=True)
    assert answer.status_code == 400
    assert "assay_session" not in visitor.client.cookies


async def test_a_token_of_a_product_profile_opens_nothing(world: World) -> None:
    await signed_in(world, email=ADA)
    answer = await Visitor(world).post("sign-in/token", profile_id="idp", token=world.token(email=ADA))
    assert answer.status_code == 400


# ---------------------------------------------------------------- Assay's own environment


async def test_no_list_shows_the_project_of_the_operators(world: World) -> None:
    owner = await signed_in(world)
    ctx = world.context
    own = await internal.ensured(ctx)
    slugs = {listing.project.slug for listing in await projects.list_projects(ctx)}
    slugs |= {project.slug for project in await workspace.list_all(ctx, OPERATOR, workspace.Nothing())}
    slugs |= {each.project.slug for each in await workspace.legacy_projects(ctx, OPERATOR, workspace.Nothing())}
    slugs |= {each.project.slug for each in (await current.read(ctx.store)).projects}
    assert slugs
    assert internal.PROJECT_SLUG not in slugs
    assert internal.PROJECT_SLUG not in (await owner.get("projects")).text
    for refused in (
        workspace.require_project(ctx, internal.PROJECT_SLUG),
        workspace.legacy_project(ctx, OPERATOR, workspace.LegacyRef(own.environment_id)),
        environments.resolve(ctx, internal.PROJECT_SLUG, internal.ENVIRONMENT_SLUG),
    ):
        with pytest.raises(errors.ProjectNotFound):
            await refused


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("editor", 404), ("viewer", 404)])
async def test_only_owners_reach_the_environment_of_the_operators(
    world: World, role: operators.Role, status: int
) -> None:
    visitor = await signed_in(world, role)
    answer = await visitor.get(f"{internal.PROJECT_SLUG}/{internal.ENVIRONMENT_SLUG}/profiles")
    assert answer.status_code == status


@pytest.mark.parametrize("section", ["users", "keys"])
async def test_operators_are_not_edited_as_users_are(world: World, section: str) -> None:
    owner = await signed_in(world)
    answer = await owner.get(f"{internal.PROJECT_SLUG}/{internal.ENVIRONMENT_SLUG}/{section}")
    assert answer.status_code == 404


async def test_all_that_happens_to_operators_is_an_audit_event(world: World) -> None:
    await operators.first_link(world.context, by=OPERATOR)
    owner, viewer = await signed_in(world), await signed_in(world, "viewer")
    await Visitor(world).sign_in("viewer@example.com", "wrong")
    await owner.post(f"operators/{viewer.operator_id}", do="role", role="editor")
    await owner.post(f"operators-remove/{viewer.operator_id}")
    await owner.post("account", old=PASSWORD, password=ANOTHER, repeated=ANOTHER)
    await owner.post("sign-out")
    own = await internal.ensured(world.context)
    found = await world.context.store.newest_events(own.environment_id, 100)
    assert {each.event.action for each in found} == {
        "operator.first_link_made",
        "operator.invited",
        "operator.joined",
        "operator.signed_in",
        "operator.sign_in_refused",
        "operator.role_changed",
        "operator.removed",
        "operator.password_changed",
        "operator.signed_out",
    }
    by_owner = {each.event.action for each in found if each.event.actor == "owner@example.com"}
    assert {"operator.role_changed", "operator.removed", "operator.password_changed"} <= by_owner
