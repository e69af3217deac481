"""What opens, names and signs for an environment is made and ended by forms, by whom it is for to do so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from assay import errors
from assay.stories import projects, public_tokens, workspace_keys
from assay.stories.environments import EnvironmentRef
from tests.calls import OPERATOR
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.dashboard.running import Served
from tests.world import World


@pytest_asyncio.fixture
async def editor(world: World) -> AsyncIterator[Visitor]:
    async with await signed_in(world, "editor") as visitor:
        yield visitor


@pytest_asyncio.fixture
async def visitors(world: World) -> AsyncIterator[dict[str, Visitor]]:
    async with (
        await signed_in(world, "owner") as owner,
        await signed_in(world, "editor") as editor,
        await signed_in(world, "viewer") as viewer,
    ):
        yield {"owner": owner, "editor": editor, "viewer": viewer}


def secret_in(page: httpx.Response) -> str:
    return next(word for word in text_of(page).split() if word.startswith("secret-"))


async def test_a_new_secret_opens_the_environment_and_is_shown_this_once(editor: Visitor, world: World) -> None:
    answer = await editor.post(f"{editor.place}/keys/secrets")
    secret = secret_in(answer)
    await projects.authenticate_caller(world.context, world.b2b.project_id, secret)
    listed = await editor.get(f"{editor.place}/keys")
    assert secret not in listed.text
    assert f"…{secret[-4:]}" in text_of(listed)
    assert secret.encode() not in world.log_bytes()
    assert secret not in str(answer.headers)


async def test_a_secret_is_revoked_after_a_question(editor: Visitor, world: World) -> None:
    secret, plain = await projects.create_secret(world.context, world.b2b.project_id, by=OPERATOR)
    path = f"{editor.place}/keys/secrets/{secret.secret_id}"
    assert secret.last_four in text_of(await editor.get(path))
    await projects.authenticate_caller(world.context, world.b2b.project_id, plain)
    assert (await editor.post(path)).status_code == 303
    with pytest.raises(errors.UnauthorizedCredentials):
        await projects.authenticate_caller(world.context, world.b2b.project_id, plain)
    assert (await editor.get(path)).status_code == 404


async def test_the_only_live_secret_is_called_that(editor: Visitor, world: World) -> None:
    [secret] = await projects.list_secrets(world.context, world.b2b.project_id)
    path = f"{editor.place}/keys/secrets/{secret.secret_id}"
    assert "only live secret" in text_of(await editor.get(path))
    await projects.create_secret(world.context, world.b2b.project_id, by=OPERATOR)
    assert "only live secret" not in text_of(await editor.get(path))


async def test_credentials_of_another_environment_are_not_found(editor: Visitor, world: World) -> None:
    [secret] = await projects.list_secrets(world.context, world.consumer.project_id)
    project_slug, environment_slug = editor.consumer_place.split("/")
    there = EnvironmentRef(project_slug=project_slug, environment_slug=environment_slug)
    token = await public_tokens.create(world.context, OPERATOR, there)
    for path in (f"secrets/{secret.secret_id}", f"public-tokens/{token.public_token}"):
        assert (await editor.get(f"{editor.place}/keys/{path}")).status_code == 404
        assert (await editor.post(f"{editor.place}/keys/{path}")).status_code == 404
    assert (await projects.list_secrets(world.context, world.consumer.project_id))[0].revoked_at is None
    assert token in await public_tokens.list_all(world.context, OPERATOR, there)


async def test_public_tokens_are_made_and_deleted_but_for_the_last(editor: Visitor, world: World) -> None:
    project_slug, environment_slug = editor.place.split("/")
    here = EnvironmentRef(project_slug=project_slug, environment_slug=environment_slug)
    [first] = await public_tokens.list_all(world.context, OPERATOR, here)
    await editor.post(f"{editor.place}/keys/public-tokens")
    first_path = f"{editor.place}/keys/public-tokens/{first.public_token}"
    assert (await editor.post(first_path)).status_code == 303
    [second] = await public_tokens.list_all(world.context, OPERATOR, here)
    assert second != first
    last = await editor.post(f"{editor.place}/keys/public-tokens/{second.public_token}")
    assert last.status_code == 400
    assert "only public token" in text_of(last)


async def test_signing_keys_are_rotated_after_a_question(world: World) -> None:
    await projects.jwks(world.context, world.b2b.project_id)
    world.clock.turn(3 * 86_400)
    before = {each.state: each.kid for each in await projects.list_keys(world.context, world.b2b.project_id)}
    async with await signed_in(world, "editor") as editor:
        assert "stays published for 30 days" in text_of(await editor.get(f"{editor.place}/keys/rotate"))
        assert (await editor.post(f"{editor.place}/keys/rotate")).status_code == 303
        page = text_of(await editor.get(f"{editor.place}/keys"))
    after = {each.state: each.kid for each in await projects.list_keys(world.context, world.b2b.project_id)}
    assert (after["active"], after["retired"]) == (before["next"], before["active"])
    assert "3 days" in page
    assert "in 30 days" in page
    world.clock.turn(31 * 86_400)
    async with await signed_in(world, "viewer") as later:
        assert "no longer published" in text_of(await later.get(f"{later.place}/keys"))


async def test_session_jwts_are_signed_with_the_algorithm_that_is_chosen(editor: Visitor, world: World) -> None:
    await projects.jwks(world.context, world.b2b.project_id)
    path = f"{editor.place}/keys"
    page = await editor.get(path)
    assert '<option value="RS256" selected>' in page.text
    assert (await editor.post(f"{path}/algorithm", algorithm="EdDSA")).status_code == 303
    page = await editor.get(path)
    assert '<option value="EdDSA" selected>' in page.text
    assert "Session JWTs are signed with EdDSA." in text_of(page)
    keys = await projects.list_keys(world.context, world.b2b.project_id)
    assert sorted((each.algorithm, each.state) for each in keys) == [
        ("EdDSA", "active"),
        ("EdDSA", "next"),
        ("RS256", "retired"),
        ("RS256", "retired"),
    ]
    await editor.post(f"{path}/algorithm", algorithm="EdDSA")
    assert (await editor.post(f"{path}/algorithm", algorithm="HS256")).status_code == 400
    assert await projects.list_keys(world.context, world.b2b.project_id) == keys


async def test_a_viewer_sees_keys_and_makes_none(visitors: dict[str, Visitor], world: World) -> None:
    viewer = visitors["viewer"]
    [secret] = await projects.list_secrets(world.context, world.b2b.project_id)
    page = await viewer.get(f"{viewer.place}/keys")
    assert page.status_code == 200
    assert not any(word in text_of(page) for word in ("New secret", "Revoke", "Rotate", "New public token"))
    assert "Sign with another algorithm" not in text_of(page)
    for path in ("secrets", f"secrets/{secret.secret_id}", "public-tokens", "rotate", "algorithm"):
        assert (await viewer.post(f"{viewer.place}/keys/{path}")).status_code == 403
    assert (await viewer.get(f"{viewer.place}/keys/secrets/{secret.secret_id}")).status_code == 403
    assert await projects.list_secrets(world.context, world.b2b.project_id) == [secret]


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_workspace_keys_are_for_owners_alone(role: str, visitors: dict[str, Visitor], world: World) -> None:
    key, _ = await workspace_keys.create(world.context, "ours", by=OPERATOR)
    visitor = visitors[role]
    assert "Workspace keys" not in text_of(await visitor.get("projects"))
    for path in ("workspace-keys", f"workspace-keys/{key.workspace_key_id}"):
        assert (await visitor.get(path)).status_code == 403
        assert (await visitor.post(path, name="x")).status_code == 403
    assert await workspace_keys.list_all(world.context) == [key]


async def test_an_owner_makes_a_workspace_key_that_is_shown_once_and_revokes_it(
    visitors: dict[str, Visitor], world: World
) -> None:
    owner = visitors["owner"]
    secret = secret_in(await owner.post("workspace-keys", name="Deployment"))
    [key] = await workspace_keys.list_all(world.context)
    await workspace_keys.authenticate_operator(world.context, key.workspace_key_id, secret)
    listed = await owner.get("workspace-keys")
    assert "Deployment" in text_of(listed)
    assert secret not in listed.text
    assert (await owner.post(f"workspace-keys/{key.workspace_key_id}")).status_code == 303
    with pytest.raises(errors.UnauthorizedCredentials):
        await workspace_keys.authenticate_operator(world.context, key.workspace_key_id, secret)
    assert (await owner.get(f"workspace-keys/{key.workspace_key_id}")).status_code == 404


async def test_redirect_urls_are_added_and_deleted(editor: Visitor) -> None:
    url = "https://app.example/login"
    path = f"{editor.place}/redirect-urls"
    assert (await editor.post(path, url=url, use=["LOGIN", "SIGNUP"])).status_code == 303
    assert "Login, default" in text_of(await editor.get(path))
    assert (await editor.post(path, url="nowhere", use=["LOGIN"])).status_code == 400
    assert (await editor.post(f"{path}/delete", url=url)).status_code == 303
    assert "No redirect URL" in text_of(await editor.get(path))


async def test_the_policy_is_changed_as_json_and_read_back_as_it_was_written(editor: Visitor) -> None:
    resource = {"resource_id": "report", "description": "", "available_actions": ["read", "write"]}
    role = {"role_id": "auditor", "description": "Reads.", "permissions": [{"resource_id": "report", "actions": ["*"]}]}
    text = json.dumps({"custom_roles": [role], "custom_resources": [resource]})
    assert (await editor.post(f"{editor.place}/policy/edit", policy=text)).status_code == 303
    assert "auditor Reads. report : everything" in text_of(await editor.get(f"{editor.place}/policy"))
    form = text_of(await editor.get(f"{editor.place}/policy/edit"))
    kept = json.loads(form[form.index("{") : form.rindex("}") + 1])
    assert (kept["custom_roles"], kept["custom_resources"]) == ([role], [resource])
    assert (await editor.post(f"{editor.place}/policy/edit", policy=json.dumps(kept))).status_code == 303


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{", "not a policy", id="no JSON"),
        pytest.param("[]", "not a policy", id="no object"),
        pytest.param('{"roles": []}', "unknown field `roles`", id="an unknown member"),
        pytest.param('{"project_slug": "other"}', "unknown field", id="another project"),
        pytest.param('{"custom_roles": [{"role_id": "a"}]}', "permission", id="a role without permissions"),
    ],
)
async def test_a_policy_with_a_fault_is_not_saved_and_stays_in_the_form(text: str, says: str, editor: Visitor) -> None:
    answer = await editor.post(f"{editor.place}/policy/edit", policy=text)
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert text in text_of(answer)


async def test_a_jwt_template_is_set_and_taken_away(editor: Visitor) -> None:
    path = f"{editor.place}/jwt-templates"
    content = '{"plan": "gold"}'
    assert (await editor.post(f"{path}/SESSION", content=content, audience="us")).status_code == 303
    assert content in text_of(await editor.get(path))
    assert (await editor.post(f"{path}/SESSION", content='{"iss": "x"}')).status_code == 400
    assert (await editor.post(f"{path}/SESSION", do="delete")).status_code == 303
    assert content not in text_of(await editor.get(path))
    assert (await editor.get(f"{path}/OTHER")).status_code == 404


@pytest.mark.parametrize("path", ["policy/edit", "jwt-templates/SESSION", "redirect-urls"])
async def test_a_viewer_configures_nothing(path: str, visitors: dict[str, Visitor]) -> None:
    viewer = visitors["viewer"]
    answer = await viewer.post(f"{viewer.place}/{path}", policy="{}", content="{}", url="https://a.example")
    assert answer.status_code == 403


async def test_a_secret_is_made_and_revoked_in_a_browser(dashboard: Page, server: Served) -> None:
    await dashboard.goto(f"{server.place}/keys")
    await dashboard.get_by_role("button", name="New secret").click()
    secret = await dashboard.locator("dd code").nth(1).inner_text()
    project_id = await dashboard.locator("dd code").nth(0).inner_text()
    whoami = f"{server.server.url}/v1/debug/whoami"
    async with httpx.AsyncClient(auth=(project_id, secret)) as backend:
        assert (await backend.get(whoami)).status_code == 200
        await dashboard.get_by_role("link", name="It is stored").click()
        await dashboard.get_by_role("link", name=f"Revoke the secret that ends in {secret[-4:]}").click()
        await dashboard.get_by_role("button", name="Revoke the secret").click()
        await expect(dashboard.get_by_role("status").first).to_contain_text("Revoked the secret")
        assert (await backend.get(whoami)).status_code == 401
