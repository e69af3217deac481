"""Projects in the management API, and the look-up of what its first version called them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from assay import model
from assay.api.calls import Route, managed
from assay.api.management.paths import LEGACY_PROJECTS, PROJECT, PROJECTS
from assay.api.wire.answers import Answer, done, time
from assay.stories import workspace

_VERTICALS: dict[model.Vertical, Literal["CONSUMER", "B2B"]] = {"consumer": "CONSUMER", "b2b": "B2B"}


class Project(msgspec.Struct):
    """A project (contract, management 1.7)."""

    project_slug: str
    name: str
    vertical: Literal["CONSUMER", "B2B"]
    created_at: datetime


class LegacyProject(msgspec.Struct):
    """A project under its old and its new names; what there is not is empty (contract, management 1.1)."""

    live_project_id: str
    test_project_id: str
    live_project_slug: str
    test_project_slug: str
    project_slug: str
    name: str
    vertical: Literal["CONSUMER", "B2B"]
    created_at: datetime


class ProjectAnswer(Answer, kw_only=True):
    """One project."""

    project: Project


class ProjectsAnswer(Answer, kw_only=True):
    """All projects."""

    projects: list[Project]


class LegacyProjectAnswer(Answer, kw_only=True):
    """One project under all its names."""

    project: LegacyProject


class LegacyProjectsAnswer(Answer, kw_only=True):
    """All projects under all their names."""

    projects: list[LegacyProject]


def one(found: model.Project, request_id: str) -> ProjectAnswer:
    """Answer to a call about one project."""
    return ProjectAnswer(request_id=request_id, project=_project(found))


def several(found: list[model.Project], request_id: str) -> ProjectsAnswer:
    """Answer to the call for all projects."""
    return ProjectsAnswer(request_id=request_id, projects=[_project(each) for each in found])


def one_legacy(found: workspace.LegacyProject, request_id: str) -> LegacyProjectAnswer:
    """Answer to the look-up of one project by its old name."""
    return LegacyProjectAnswer(request_id=request_id, project=_legacy(found))


def several_legacy(found: list[workspace.LegacyProject], request_id: str) -> LegacyProjectsAnswer:
    """Answer to the look-up of all projects."""
    return LegacyProjectsAnswer(request_id=request_id, projects=[_legacy(each) for each in found])


def _project(found: model.Project) -> Project:
    return Project(
        project_slug=found.slug,
        name=found.name,
        vertical=_VERTICALS[found.vertical],
        created_at=time(found.created_at),
    )


def _legacy(found: workspace.LegacyProject) -> LegacyProject:
    live, test = found.live, found.test
    return LegacyProject(
        live_project_id=live.environment_id if live else "",
        test_project_id=test.environment_id if test else "",
        live_project_slug=live.slug if live else "",
        test_project_slug=test.slug if test else "",
        project_slug=found.project.slug,
        name=found.project.name,
        vertical=_VERTICALS[found.project.vertical],
        created_at=time(found.project.created_at),
    )


ROUTES: tuple[Route, ...] = (
    managed("POST", PROJECTS, workspace.ProjectCreate, workspace.create, one),
    managed("GET", PROJECTS, workspace.Nothing, workspace.list_all, several),
    managed("GET", PROJECT, workspace.ProjectRef, workspace.get, one),
    managed("PATCH", PROJECT, workspace.ProjectUpdate, workspace.update, one),
    managed("DELETE", PROJECT, workspace.ProjectRef, workspace.delete, done),
    managed("GET", LEGACY_PROJECTS, workspace.Nothing, workspace.legacy_projects, several_legacy),
    managed("GET", f"{LEGACY_PROJECTS}/{{project_id}}", workspace.LegacyRef, workspace.legacy_project, one_legacy),
)
