"""Projects: which environment to work in, and what projects and environments there are."""

from __future__ import annotations

from typing import Any, get_args

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get, post
from assay.model import Project, Vertical
from assay.stories import environments, holdings, internal, projects, workspace
from assay.stories.environments import EnvironmentCreate

VERTICALS: tuple[tuple[Vertical, str], ...] = (
    ("b2b", "B2B: organizations with members"),
    ("consumer", "Consumer: users"),
)
KINDS = (("TEST", "TEST"), ("LIVE", "LIVE: one at most, and it comes first"))


async def home(page: Page) -> Answer:
    """Where ``/dashboard`` leads: the environment looked at last, else the list of projects."""
    return page.redirect(page.at("projects") if page.chosen is None else page.within("overview"))


async def list_projects(page: Page) -> Answer:
    """All projects with their environments."""
    found = await projects.list_projects(page.ctx)
    listings = [each for each in found if not internal.is_internal(each.project)]
    return page.render("projects/list.html", listings=listings)


async def ask_create(page: Page) -> Answer:
    """The form for a project."""
    return page.render("projects/new.html", verticals=VERTICALS, fault="")


async def create(page: Page) -> Answer:
    """Make a project with a LIVE and a TEST environment, and show the secret of the latter this once."""
    vertical: Vertical = "consumer" if page.form.text("vertical") == "consumer" else "b2b"
    if page.form.text("vertical") not in get_args(Vertical):
        raise errors.BadRequest("Choose what the project is for.")
    try:
        made = await projects.create_project(page.ctx, page.form.text("name"), vertical, by=page.by)
    except (errors.InvalidProjectName, errors.ProjectSlugAlreadyUsed) as fault:
        return page.render("projects/new.html", 400, verticals=VERTICALS, fault=fault.message)
    return page.render("projects/made.html", made=made)


async def show(page: Page) -> Answer:
    """One project and its environments."""
    return await _show(page, await _project(page))


async def rename(page: Page) -> Answer:
    """Give the project another name."""
    project, name = await _project(page), page.form.text("name")
    try:
        await workspace.update(page.ctx, page.by, workspace.ProjectUpdate(project.slug, name))
    except errors.InvalidProjectName as fault:
        return await _show(page, project, 400, name=name, fault=fault.message)
    return page.redirect(page.at("projects", project.slug), f"The project is now called “{name}”.")


async def ask_environment(page: Page) -> Answer:
    """The form for one more environment."""
    return _environment_form(page, await _project(page))


async def create_environment(page: Page) -> Answer:
    """Make an environment in the project."""
    project, form = await _project(page), page.form
    wanted = EnvironmentCreate(
        project_slug=project.slug,
        name=form.text("name"),
        type="LIVE" if form.text("kind") == "LIVE" else "TEST",
        environment_slug=form.text("slug") or None,
    )
    faults = {}
    try:
        made = await environments.create(page.ctx, page.by, wanted)
    except errors.InvalidEnvironmentName as fault:
        faults = {"name_fault": fault.message}
    except (errors.InvalidEnvironmentSlug, errors.EnvironmentSlugAlreadyUsed) as fault:
        faults = {"slug_fault": fault.message}
    except (errors.LiveEnvironmentRequired, errors.LiveEnvironmentAlreadyExists) as fault:
        faults = {"kind_fault": fault.message}
    else:
        notice = f"Made the environment “{made.environment.name}”. Next it needs a secret."
        return page.redirect(page.at(project.slug, made.environment.slug, "keys"), notice)
    return _environment_form(page, project, 400, **faults)


async def ask_delete(page: Page) -> Answer:
    """What deleting would take with it, and the form that does it."""
    return await _delete_form(page, await _project(page))


async def delete(page: Page) -> Answer:
    """Delete the project, if its slug was typed."""
    project = await _project(page)
    if page.form.text("name") != project.slug:
        return await _delete_form(page, project, 400, fault="This is not the slug of the project.")
    await workspace.delete(page.ctx, page.by, workspace.ProjectRef(project.slug))
    return page.redirect(page.at("projects"), f"Deleted the project “{project.name}”.")


async def _project(page: Page) -> Project:
    """The project that the path names; Assay's own is none. Raises ProjectNotFound."""
    project = await workspace.require_project(page.ctx, page.parameters["slug"])
    if internal.is_internal(project):
        raise errors.ProjectNotFound("There is no project with this slug.")
    return project


async def _show(page: Page, project: Project, status: int = 200, *, name: str = "", fault: str = "") -> Answer:
    placed = await environments.list_all(page.ctx, page.by, workspace.ProjectRef(project.slug))
    values: dict[str, Any] = {"name": name or project.name, "fault": fault}
    return page.render(
        "projects/show.html", status, shown=project, found=[each.environment for each in placed], **values
    )


def _environment_form(page: Page, project: Project, status: int = 200, **faults: str) -> Answer:
    values = {"name_fault": "", "slug_fault": "", "kind_fault": ""} | faults
    return page.render("projects/environment.html", status, shown=project, kinds=KINDS, **values)


async def _delete_form(page: Page, project: Project, status: int = 200, *, fault: str = "") -> Answer:
    placed = await environments.list_all(page.ctx, page.by, workspace.ProjectRef(project.slug))
    held = [(each.environment, await holdings.of_environment(page.ctx, each.environment)) for each in placed]
    return page.render("projects/delete.html", status, shown=project, held=held, fault=fault)


PAGES: tuple[Row, ...] = (
    get("", home),
    get("projects", list_projects, "projects"),
    get("projects-new", ask_create, "projects", role="editor"),
    post("projects-new", create),
    get("projects/{slug}", show, "projects"),
    post("projects/{slug}", rename),
    get("environments-new/{slug}", ask_environment, "projects", role="editor"),
    post("environments-new/{slug}", create_environment),
    get("projects-delete/{slug}", ask_delete, "projects", role="editor"),
    post("projects-delete/{slug}", delete),
)
