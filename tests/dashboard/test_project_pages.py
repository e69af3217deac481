"""Projects and environments are made, renamed and deleted by forms."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from assay.stories import projects, workspace
from tests.calls import OPERATOR
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.world import World


@pytest_asyncio.fixture
async def editor(world: World) -> AsyncIterator[Visitor]:
    async with await signed_in(world, "editor") as visitor:
        yield visitor


@pytest_asyncio.fixture
async def viewer(world: World) -> AsyncIterator[Visitor]:
    async with await signed_in(world, "viewer") as visitor:
        yield visitor


async def names(world: World) -> list[str]:
    return [each.project.name for each in await projects.list_projects(world.context)]


async def test_a_project_is_made_with_two_environments_and_its_secret_is_shown_once(
    editor: Visitor, world: World
) -> None:
    answer = await editor.post("projects-new", name="Third", vertical="consumer")
    made = (await projects.list_projects(world.context))[-1]
    assert (made.project.name, made.project.vertical) == ("Third", "consumer")
    assert {each.kind for each in made.environments} == {"live", "test"}
    secret = next(word for word in text_of(answer).split() if word.startswith("secret-test-"))
    test = next(each for each in made.environments if each.kind == "test")
    await projects.authenticate_caller(world.context, test.environment_id, secret)
    again = await editor.get(f"projects/{made.project.slug}")
    assert again.status_code == 200
    assert secret not in again.text


async def test_a_project_without_a_name_is_not_made(editor: Visitor, world: World) -> None:
    before = await names(world)
    answer = await editor.post("projects-new", name=" ", vertical="b2b")
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert await names(world) == before


async def test_a_project_is_renamed_and_keeps_its_slug(editor: Visitor, world: World) -> None:
    slug = editor.place.partition("/")[0]
    answer = await editor.post(f"projects/{slug}", name="Other")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard/projects/{slug}")
    assert "Other" in await names(world)


async def test_a_project_is_deleted_only_when_its_slug_is_typed(editor: Visitor, world: World) -> None:
    slug = editor.place.partition("/")[0]
    asked = text_of(await editor.get(f"projects-delete/{slug}"))
    assert "1 profile, 1 organization, 1 live secret" in asked
    assert (await editor.post(f"projects-delete/{slug}", name="Test b2b")).status_code == 400
    assert "Test b2b" in await names(world)
    assert (await editor.post(f"projects-delete/{slug}", name=slug)).status_code == 303
    assert await names(world) == ["Test consumer"]


async def test_an_environment_is_made_renamed_and_deleted(editor: Visitor, world: World) -> None:
    slug = editor.place.partition("/")[0]
    answer = await editor.post(f"environments-new/{slug}", name="Staging", slug="staging", kind="TEST")
    assert answer.headers["location"] == f"/dashboard/{slug}/staging/keys"
    await editor.post(f"{slug}/staging/environment", name="Rehearsal")
    assert "Rehearsal" in text_of(await editor.get(f"{slug}/staging/environment"))
    assert (await editor.post(f"{slug}/staging/environment/delete", name="Rehearsal")).status_code == 400
    assert (await editor.post(f"{slug}/staging/environment/delete", name="staging")).status_code == 303
    found = next(each for each in await projects.list_projects(world.context) if each.project.slug == slug)
    assert "staging" not in {each.slug for each in found.environments}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"name": "", "kind": "TEST"}, "name", id="no name"),
        pytest.param({"name": "A", "slug": "a b", "kind": "TEST"}, "slug", id="a slug with a space"),
        pytest.param({"name": "A", "slug": "test", "kind": "TEST"}, "slug", id="a slug that is taken"),
        pytest.param({"name": "A", "kind": "LIVE"}, "kind", id="a second live one"),
    ],
)
async def test_what_is_wrong_with_an_environment_stands_beside_the_field(
    fields: dict[str, str], field: str, editor: Visitor
) -> None:
    slug = editor.place.partition("/")[0]
    answer = await editor.post(f"environments-new/{slug}", **fields)
    assert answer.status_code == 400
    assert f'id="{field}-fault"' in answer.text


async def test_the_live_environment_goes_only_with_its_project(editor: Visitor) -> None:
    slug = editor.place.partition("/")[0]
    answer = await editor.post(f"{slug}/production/environment/delete", name="production")
    assert answer.status_code == 400
    assert (await editor.get(f"{slug}/production/environment")).status_code == 200


@pytest.mark.parametrize("path", ["projects/_assay", "projects-delete/_assay", "environments-new/_assay"])
async def test_the_project_of_the_operators_is_out_of_reach(path: str, world: World) -> None:
    async with await signed_in(world, "owner") as owner:
        assert (await owner.get(path)).status_code == 404
        assert (await owner.post(path, name="_assay", kind="TEST")).status_code == 404
        assert "_assay" not in (await owner.get("projects")).text


async def test_a_viewer_sees_projects_and_changes_none(viewer: Visitor, world: World) -> None:
    slug = viewer.place.partition("/")[0]
    for path in ("projects", f"projects/{slug}", f"{viewer.place}/environment"):
        page = await viewer.get(path)
        assert page.status_code == 200
        assert not any(word in text_of(page) for word in ("Rename", "New project", "New environment", "Delete"))
    for path in ("projects-new", f"environments-new/{slug}", f"projects-delete/{slug}"):
        assert (await viewer.get(path)).status_code == 403
    for path in ("projects-new", f"projects/{slug}", f"projects-delete/{slug}", f"{viewer.place}/environment"):
        assert (await viewer.post(path, name=slug, vertical="b2b")).status_code == 403
    assert await names(world) == ["Test b2b", "Test consumer"]


async def test_script_in_the_name_of_a_project_is_shown_as_text(editor: Visitor, world: World) -> None:
    await workspace.update(
        world.context, OPERATOR, workspace.ProjectUpdate(editor.place.partition("/")[0], "<script>x</script>")
    )
    page = await editor.get("projects")
    assert "&lt;script&gt;x&lt;/script&gt;" in page.text
    assert "<script>x" not in page.text
