"""Projects and environments through the management API: what is checked, what races, what goes with what."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.world import Tenant, World

PROJECTS = "/pwa/v3/projects"
LEGACY = "/web/v1/projects"
PROJECT = {"name": "Acme", "vertical": "B2B", "project_slug": "acme"}
LIVE = {"name": "Live", "type": "LIVE", "environment_slug": "live"}
TEST = {"name": "Test", "type": "TEST", "environment_slug": "test"}
ENVIRONMENTS = f"{PROJECTS}/acme/environments"

# Contract, management 1.7: the Python client's model demands all of these, and that none is null.
FIELDS = {
    "environment_slug",
    "project_slug",
    "name",
    "oauth_callback_id",
    "session_jwt_algorithm",
    "cross_org_passwords_enabled",
    "user_impersonation_enabled",
    "zero_downtime_session_migration_url",
    "use_custom_domain_in_magic_link_emails",
    "user_lock_self_serve_enabled",
    "user_lock_threshold",
    "user_lock_ttl",
    "idp_authorization_url",
    "idp_dynamic_client_registration_enabled",
    "idp_dynamic_client_registration_access_token_template_content",
    "project_id",
    "type",
    "created_at",
}


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    [record] = (value for value in answer.json().values() if isinstance(value, dict))
    found: dict[str, Any] = record
    return found


# ---------------------------------------------------------------- what is checked


BAD_PROJECTS: dict[str, tuple[dict[str, Any], str]] = {
    "empty name": ({"name": ""}, "invalid_project_name"),
    "blank name": ({"name": "  "}, "invalid_project_name"),
    "long name": ({"name": "x" * 129}, "invalid_project_name"),
    "control character": ({"name": "a\nb"}, "invalid_project_name"),
    "both verticals": ({"vertical": "ALL"}, "invalid_project_vertical"),
    "slug in capitals": ({"project_slug": "Acme"}, "invalid_project_slug"),
    "slug with a slash": ({"project_slug": "a/b"}, "invalid_project_slug"),
    "slug with a line end": ({"project_slug": "a\n"}, "invalid_project_slug"),
    "empty slug": ({"project_slug": ""}, "invalid_project_slug"),
    "long slug": ({"project_slug": "x" * 129}, "invalid_project_slug"),
}


@pytest.mark.parametrize(("change", "error_type"), BAD_PROJECTS.values(), ids=BAD_PROJECTS)
async def test_a_project_that_cannot_be_is_refused(world: World, change: dict[str, Any], error_type: str) -> None:
    before = await world.context.store.projects()
    async with world.client(await world.operator()) as client:
        answer = await client.post(PROJECTS, json=PROJECT | change)
    assert (answer.status_code, answer.json()["error_type"]) == (400, error_type)
    assert await world.context.store.projects() == before


async def test_a_project_is_not_renamed_to_what_no_project_is_called(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        answer = await client.patch(f"{PROJECTS}/acme", json={"name": "a\tb"})
        assert answer.json()["error_type"] == "invalid_project_name"
        assert (await client.get(f"{PROJECTS}/acme")).json()["project"]["name"] == "Acme"


BAD_ENVIRONMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "empty name": ({"name": ""}, "invalid_environment_name"),
    "long name": ({"name": "x" * 129}, "invalid_environment_name"),
    "slug in capitals": ({"environment_slug": "Live"}, "invalid_environment_slug"),
    "empty slug": ({"environment_slug": ""}, "invalid_environment_slug"),
    "unknown type": ({"type": "STAGING"}, "bad_request"),
    "negative number": ({"user_lock_threshold": -1}, "invalid_environment_setting"),
    "number of more than 32 bits": ({"user_lock_ttl": 2**31}, "invalid_environment_setting"),
    "number of many bits": ({"user_lock_ttl": 10**40}, "invalid_environment_setting"),
    "long text": ({"idp_authorization_url": "x" * 16_385}, "invalid_environment_setting"),
    "unknown algorithm": ({"session_jwt_algorithm": "HS256"}, "bad_request"),
    "setting of another type": ({"user_impersonation_enabled": "yes"}, "bad_request"),
}


@pytest.mark.parametrize(("change", "error_type"), BAD_ENVIRONMENTS.values(), ids=BAD_ENVIRONMENTS)
async def test_an_environment_that_cannot_be_is_refused(world: World, change: dict[str, Any], error_type: str) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        answer = await client.post(ENVIRONMENTS, json=LIVE | change)
        assert (answer.status_code, answer.json()["error_type"]) == (400, error_type)
        assert (await client.get(ENVIRONMENTS)).json()["environments"] == []


@pytest.mark.parametrize(
    ("change", "error_type"),
    [
        ({"name": "a\nb"}, "invalid_environment_name"),
        ({"user_lock_threshold": -1}, "invalid_environment_setting"),
        ({"idp_authorization_url": "x" * 16_385}, "invalid_environment_setting"),
    ],
    ids=["name", "number", "text"],
)
async def test_an_update_is_checked_as_a_creation_is(world: World, change: dict[str, Any], error_type: str) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        before = await made(client, ENVIRONMENTS, LIVE)
        answer = await client.patch(f"{ENVIRONMENTS}/live", json=change)
        assert (answer.status_code, answer.json()["error_type"]) == (400, error_type)
        assert (await client.get(f"{ENVIRONMENTS}/live")).json()["environment"] == before


async def test_every_field_of_an_environment_is_always_there(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        environment = await made(client, ENVIRONMENTS, LIVE)
    assert environment.keys() == FIELDS
    assert None not in environment.values()


async def test_a_slug_is_made_from_the_name_and_is_the_environments_own(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        await made(client, ENVIRONMENTS, LIVE)
        slugs = [
            (await made(client, ENVIRONMENTS, {"name": "Ünser Test", "type": "TEST"}))["environment_slug"]
            for _ in range(2)
        ]
        assert slugs[0] != slugs[1]
        assert all(slug.startswith("nser-test-") for slug in slugs)
        taken = await client.post(ENVIRONMENTS, json=TEST | {"environment_slug": slugs[0]})
    assert (taken.status_code, taken.json()["error_type"]) == (400, "environment_slug_already_used")


async def test_two_projects_may_have_environments_of_one_slug(world: World) -> None:
    async with world.client(await world.operator()) as client:
        ids = []
        for slug in ("one", "two"):
            await made(client, PROJECTS, PROJECT | {"project_slug": slug})
            ids.append((await made(client, f"{PROJECTS}/{slug}/environments", LIVE))["project_id"])
        shown = [(await client.get(f"{PROJECTS}/{slug}/environments/live")).json() for slug in ("one", "two")]
    assert [each["environment"]["project_id"] for each in shown] == ids
    assert ids[0] != ids[1]


# ---------------------------------------------------------------- races


async def test_of_two_live_environments_made_at_once_one_is_made(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        bodies = [LIVE | {"environment_slug": slug} for slug in ("a", "b")]
        answers = await asyncio.gather(*(client.post(ENVIRONMENTS, json=body) for body in bodies))
        assert sorted(each.status_code for each in answers) == [200, 400]
        [refused] = [each.json()["error_type"] for each in answers if each.status_code == 400]
        assert refused == "live_environment_already_exists"
        assert len((await client.get(ENVIRONMENTS)).json()["environments"]) == 1


async def test_updates_at_the_same_moment_all_happen(world: World) -> None:
    changes: list[dict[str, Any]] = [
        {"user_lock_threshold": 3},
        {"user_lock_ttl": 4},
        {"name": "Renamed"},
        {"user_impersonation_enabled": True},
    ]
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        await made(client, ENVIRONMENTS, LIVE)
        await asyncio.gather(*(client.patch(f"{ENVIRONMENTS}/live", json=change) for change in changes))
        after = (await client.get(f"{ENVIRONMENTS}/live")).json()["environment"]
    for change in changes:
        assert after.items() >= change.items()


async def test_of_the_last_public_tokens_deleted_at_once_one_stays(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        await made(client, ENVIRONMENTS, LIVE)
        path = f"{ENVIRONMENTS}/live/public_tokens"
        await client.post(path)
        tokens = [each["public_token"] for each in (await client.get(path)).json()["public_tokens"]]
        answers = await asyncio.gather(*(client.delete(f"{path}/{each}") for each in tokens))
        assert sorted(each.status_code for each in answers) == [200, 400]
        assert len((await client.get(path)).json()["public_tokens"]) == 1


async def test_a_public_token_deleted_twice_at_once_is_unknown_the_second_time(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        await made(client, ENVIRONMENTS, LIVE)
        path = f"{ENVIRONMENTS}/live/public_tokens"
        token = (await client.post(path)).json()["public_token"]["public_token"]
        answers = await asyncio.gather(*(client.delete(f"{path}/{token}") for _ in range(2)))
    found = sorted((each.status_code, each.json().get("error_type", "")) for each in answers)
    assert found == [(200, ""), (404, "public_token_not_found")]


# ---------------------------------------------------------------- what goes with a deletion


async def test_nothing_opens_a_deleted_environment_or_shows_its_keys(world: World) -> None:
    project = await _project_of(world, world.b2b)
    async with world.client(await world.operator()) as operator, world.client(world.b2b) as backend:
        assert (await backend.post("/v1/b2b/sessions/attest", json=world.attest_body())).status_code == 200
        assert (await operator.delete(f"{PROJECTS}/{project}/environments/test")).status_code == 200
        assert (await backend.get("/v1/debug/whoami")).status_code == 401
        keys = await operator.get(f"/v1/b2b/sessions/jwks/{world.b2b.project_id}")
        assert keys.json()["error_type"] == "project_not_found"
        assert (await operator.get(f"{PROJECTS}/{project}")).status_code == 200


async def test_a_deleted_project_takes_its_live_environment_along_and_leaves_the_others(world: World) -> None:
    project = await _project_of(world, world.b2b)
    async with world.client(await world.operator()) as operator:
        assert (await operator.delete(f"{PROJECTS}/{project}")).status_code == 200
        assert (await operator.get(f"{PROJECTS}/{project}/environments/production")).status_code == 404
    async with world.client(world.b2b) as gone, world.client(world.consumer) as other:
        assert (await gone.get("/v1/debug/whoami")).status_code == 401
        assert (await other.get("/v1/debug/whoami")).status_code == 200
    deleted = next(each for each in await world.context.store.events(None, 20) if each.action == "project.deleted")
    assert deleted.details == {"slug": project}


async def _project_of(world: World, tenant: Tenant) -> str:
    wanted = tenant.caller.environment.project_id
    return next(each.slug for each in await world.context.store.projects() if each.project_id == wanted)


# ---------------------------------------------------------------- what the first version called them


async def test_old_project_ids_lead_to_the_slugs(world: World) -> None:
    slug = await _project_of(world, world.b2b)
    async with world.client(await world.operator()) as client:
        listed = (await client.get(LEGACY)).json()["projects"]
        [project] = [each for each in listed if each["project_slug"] == slug]
        for name in ("live_project_id", "test_project_id"):
            assert (await client.get(f"{LEGACY}/{project[name]}")).json()["project"] == project
    assert project["test_project_id"] == world.b2b.project_id
    assert (project["live_project_slug"], project["test_project_slug"]) == ("production", "test")
    assert (project["name"], project["vertical"]) == ("Test b2b", "B2B")


async def test_of_several_test_environments_the_one_asked_for_is_shown(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        await made(client, ENVIRONMENTS, LIVE)
        await made(client, ENVIRONMENTS, TEST)
        other = await made(client, ENVIRONMENTS, TEST | {"environment_slug": "other"})
        shown = (await client.get(f"{LEGACY}/{other['project_id']}")).json()["project"]
    assert (shown["test_project_slug"], shown["live_project_slug"]) == ("other", "live")


async def test_a_project_without_environments_has_no_old_ids(world: World) -> None:
    async with world.client(await world.operator()) as client:
        await made(client, PROJECTS, PROJECT)
        listed = (await client.get(LEGACY)).json()["projects"]
        unknown = await client.get(f"{LEGACY}/project-live-unknown")
    [project] = [each for each in listed if each["project_slug"] == "acme"]
    assert (project["live_project_id"], project["test_project_id"], project["test_project_slug"]) == ("", "", "")
    assert (unknown.status_code, unknown.json()["error_type"]) == (404, "project_not_found")
