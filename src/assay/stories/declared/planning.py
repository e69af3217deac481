"""From what a file wants and what there is to the steps between them: pure, and nothing is changed.

An entry that the file names becomes what the file says; a field that the file leaves out gets its default. What the
file does not name is left alone, unless ``prune`` is asked for; people, sessions and secrets are never touched but
with the environment or project that holds them, which needs ``delete_projects`` as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from assay.model import Environment, EnvironmentSettings, Project
from assay.stories.declared import planning_entries, planning_policies
from assay.stories.declared.current import Current, CurrentEnvironment, CurrentProject, Holdings
from assay.stories.declared.planning_profiles import Known, Profiles
from assay.stories.declared.showing import short
from assay.stories.declared.steps import (
    Change,
    ChangeEnvironment,
    DeleteEnvironment,
    DeleteProject,
    FieldChange,
    MakeEnvironment,
    MakeProject,
    Plan,
    RenameProject,
    Step,
)
from assay.stories.declared.wanted import Wanted, WantedEnvironment, WantedProject


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """``prune`` deletes what the file does not name, within the environments that it names.

    With ``delete_projects`` it also deletes the environments and projects that the file does not name.
    """

    prune: bool = False
    delete_projects: bool = False


def plan(wanted: Wanted, current: Current, options: Options, known: Known, holdings: dict[str, Holdings]) -> Plan:
    """The steps, in an order in which each finds what it needs. ``holdings`` are needed for pruning alone."""
    return _Planner(wanted, current, options, known, holdings).plan()


class _Planner:
    def __init__(
        self, wanted: Wanted, current: Current, options: Options, known: Known, holdings: dict[str, Holdings]
    ) -> None:
        self._wanted = wanted
        self._current = current
        self._options = options
        self._holdings = holdings
        self._profiles = Profiles(current, known, prune=options.prune)
        self._refusals: list[str] = []
        self._notes: list[str] = []

    def plan(self) -> Plan:
        # A profile may name another environment of the file, so all environments come before all profiles.
        steps = [
            *chain.from_iterable(map(self._project, self._wanted.projects)),
            *chain.from_iterable(map(self._configuration, self._wanted.projects)),
            *chain.from_iterable(map(self._trust, self._wanted.projects)),
            *(self._deleted() if self._options.prune else ()),
        ]
        return Plan(
            steps=tuple(steps),
            refusals=(*self._refusals, *self._profiles.refusals),
            notes=(*self._profiles.notes, *self._notes),
        )

    # ---------------------------------------------------------------- projects and environments

    def _project(self, wanted: WantedProject) -> Iterator[Step]:
        current = self._current.project(wanted.slug)
        if current is None:
            made = Change(
                action="create",
                kind="project",
                place=(wanted.slug,),
                fields=_made(name=wanted.name, vertical=wanted.vertical),
            )
            yield MakeProject(changes=(made,), wanted=wanted)
        else:
            yield from self._existing_project(wanted, current.project)
        for environment in sorted(wanted.environments, key=lambda each: each.kind != "live"):
            found = current.environment(environment.slug) if current else None
            yield from self._environment(wanted.slug, environment, found)

    def _existing_project(self, wanted: WantedProject, project: Project) -> Iterator[Step]:
        if wanted.vertical != project.vertical:
            self._refusals.append(
                f"projects.{wanted.slug}: it is a {project.vertical} project, and the vertical never changes."
            )
        if wanted.name != project.name:
            fields = (FieldChange("name", project.name, wanted.name),)
            change = Change(action="change", kind="project", place=(wanted.slug,), fields=fields)
            yield RenameProject(changes=(change,), before=project, name=wanted.name)

    def _environment(
        self, project_slug: str, wanted: WantedEnvironment, found: CurrentEnvironment | None
    ) -> Iterator[Step]:
        place = (project_slug, wanted.slug)
        if found is None:
            fields = (*_made(type=wanted.kind, name=wanted.name), *_settings(None, wanted.settings))
            made = Change(action="create", kind="environment", place=place, fields=fields)
            yield MakeEnvironment(changes=(made,), project_slug=project_slug, wanted=wanted)
            return
        before = found.environment
        if wanted.kind != before.kind:
            self._refusals.append(
                f"projects.{project_slug}.environments.{wanted.slug}:"
                f" it is a {before.kind} environment, and the type never changes."
            )
        fields = tuple(_environment_fields(before, wanted))
        if fields:
            change = Change(action="change", kind="environment", place=place, fields=fields)
            yield ChangeEnvironment(changes=(change,), project_slug=project_slug, before=before, wanted=wanted)

    # ---------------------------------------------------------------- what is within environments

    def _configuration(self, wanted: WantedProject) -> Iterator[Step]:
        for environment, found in self._pairs(wanted):
            names = {"project_slug": wanted.slug, "environment_slug": environment.slug}
            configuration = found.configuration if found else None
            prune = self._options.prune
            policy = configuration.policy if configuration else None
            yield from planning_policies.steps(environment, wanted.vertical, policy, names, prune=prune)
            yield from planning_entries.templates(environment, configuration, names, prune=prune)
            yield from planning_entries.redirect_urls(environment, configuration, names, prune=prune)

    def _trust(self, wanted: WantedProject) -> Iterator[Step]:
        for environment, found in self._pairs(wanted):
            yield from self._profiles.steps(wanted.slug, environment, found)

    def _pairs(self, wanted: WantedProject) -> Iterator[tuple[WantedEnvironment, CurrentEnvironment | None]]:
        current = self._current.project(wanted.slug)
        for environment in wanted.environments:
            yield environment, current.environment(environment.slug) if current else None

    # ---------------------------------------------------------------- what the file does not name

    def _deleted(self) -> Iterator[Step]:
        named = {project.slug: {each.slug for each in project.environments} for project in self._wanted.projects}
        for project in self._current.projects:
            slug = project.project.slug
            if slug not in named:
                yield from self._deleted_project(project)
                continue
            for environment in (each.environment for each in project.environments):
                if environment.slug not in named[slug]:
                    yield from self._deleted_environment(slug, environment)

    def _deleted_project(self, project: CurrentProject) -> Iterator[Step]:
        slug = project.project.slug
        notes = tuple(
            f"with the environment {each.environment.slug}: {self._held(each.environment)}"
            for each in project.environments
        )
        if not self._options.delete_projects:
            held = "; ".join(notes) or "it is empty"
            self._notes.append(f"The project {slug} is not in the file and stays ({held}). {_DELETES}")
            return
        change = Change(action="delete", kind="project", place=(slug,), notes=notes)
        yield DeleteProject(changes=(change,), before=project.project)

    def _deleted_environment(self, project_slug: str, environment: Environment) -> Iterator[Step]:
        name = f"The environment {environment.slug} of {project_slug} is not in the file and stays"
        if environment.kind == "live":
            self._notes.append(f"{name}: a live environment goes only with its project.")
        elif not self._options.delete_projects:
            self._notes.append(f"{name} ({self._held(environment)}). {_DELETES}")
        else:
            place = (project_slug, environment.slug)
            notes = (f"with {self._held(environment)}",)
            change = Change(action="delete", kind="environment", place=place, notes=notes)
            yield DeleteEnvironment(changes=(change,), project_slug=project_slug, before=environment)

    def _held(self, environment: Environment) -> str:
        found = self._holdings.get(environment.environment_id, Holdings(0, 0, 0, 0))
        return (
            f"{found.users} users, {found.organizations} organizations, {found.members} members,"
            f" {found.sessions} live sessions"
        )


_DELETES = "--delete-projects would delete it."


def _environment_fields(before: Environment, wanted: WantedEnvironment) -> Iterator[FieldChange]:
    if wanted.name != before.name:
        yield FieldChange("name", before.name, wanted.name)
    yield from _settings(before.settings, wanted.settings)


def _settings(before: EnvironmentSettings | None, wanted: EnvironmentSettings | None) -> Iterator[FieldChange]:
    """The settings in which the two differ; without ``before`` those that differ from the defaults."""
    usual = before or EnvironmentSettings()
    for name in EnvironmentSettings.__struct_fields__ if wanted else ():
        old, new = getattr(usual, name), getattr(wanted, name)
        if old != new:
            yield FieldChange(f"settings.{name}", short(old) if before else None, short(new))


def _made(**values: object) -> tuple[FieldChange, ...]:
    return tuple(FieldChange(name, None, value) for name, value in values.items())
