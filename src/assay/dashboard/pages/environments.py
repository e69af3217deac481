"""Environment: the name of the one chosen, what configures it, and deleting it."""

from __future__ import annotations

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get, post
from assay.stories import environments, holdings
from assay.stories.environments import EnvironmentRef, EnvironmentUpdate

_HERE = "{project_slug}/{environment_slug}/environment"


def reference(page: Page) -> EnvironmentRef:
    """The environment that the path names, as stories of operators' tools name it."""
    return EnvironmentRef(project_slug=page.project.slug, environment_slug=page.environment.slug)


async def show(page: Page) -> Answer:
    """What there is to know and to change about the environment."""
    return page.render("environments/show.html", name=page.environment.name, fault="")


async def rename(page: Page) -> Answer:
    """Give the environment another name."""
    name, slugs = page.form.text("name"), reference(page)
    wanted = EnvironmentUpdate(project_slug=slugs.project_slug, environment_slug=slugs.environment_slug, name=name)
    try:
        await environments.update(page.ctx, page.by, wanted)
    except errors.InvalidEnvironmentName as fault:
        return page.render("environments/show.html", 400, name=name, fault=fault.message)
    return page.redirect(page.within("environment"), f"The environment is now called “{name}”.")


async def ask_delete(page: Page) -> Answer:
    """What deleting would take with it, and the form that does it."""
    return await _delete_form(page)


async def delete(page: Page) -> Answer:
    """Delete the environment, if its slug was typed."""
    if page.form.text("name") != page.environment.slug:
        return await _delete_form(page, 400, fault="This is not the slug of the environment.")
    await environments.delete(page.ctx, page.by, reference(page))
    return page.redirect(page.at("projects", page.project.slug), f"Deleted the environment “{page.environment.name}”.")


async def _delete_form(page: Page, status: int = 200, *, fault: str = "") -> Answer:
    held = await holdings.of_environment(page.ctx, page.environment)
    return page.render("environments/delete.html", status, held=held, fault=fault)


PAGES: tuple[Row, ...] = (
    get(_HERE, show, "environment"),
    post(_HERE, rename),
    get(f"{_HERE}/delete", ask_delete, "environment", role="editor"),
    post(f"{_HERE}/delete", delete),
)
