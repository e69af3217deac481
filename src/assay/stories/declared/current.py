"""What there is, read for a comparison with what a file wants."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from assay.model import Environment, Profile, Project
from assay.store import Configuration, Store
from assay.stories import internal


class CurrentEnvironment(msgspec.Struct, frozen=True):
    """An environment, what is set for it, and whom it trusts."""

    environment: Environment
    configuration: Configuration
    profiles: tuple[Profile, ...]


class CurrentProject(msgspec.Struct, frozen=True):
    """A project and its environments."""

    project: Project
    environments: tuple[CurrentEnvironment, ...]

    def environment(self, slug: str) -> CurrentEnvironment | None:
        """The environment with this slug."""
        return next((each for each in self.environments if each.environment.slug == slug), None)


class Current(msgspec.Struct, frozen=True):
    """All projects."""

    projects: tuple[CurrentProject, ...] = ()

    def project(self, slug: str) -> CurrentProject | None:
        """The project with this slug."""
        return next((each for each in self.projects if each.project.slug == slug), None)

    def environment_id(self, project_slug: str, environment_slug: str) -> str | None:
        """The id of the environment that these slugs name."""
        project = self.project(project_slug)
        found = project.environment(environment_slug) if project else None
        return found.environment.environment_id if found else None

    def slugs(self) -> dict[str, tuple[str, str]]:
        """Environment id → the slugs of its project and its own."""
        return {
            each.environment.environment_id: (project.project.slug, each.environment.slug)
            for project in self.projects
            for each in project.environments
        }


class Holdings(msgspec.Struct, frozen=True):
    """What would go with an environment."""

    users: int
    organizations: int
    members: int
    sessions: int


async def read(store: Store) -> Current:
    """Everything that a file can configure, in the order in which it was made."""
    return Current(tuple([await _project(store, project) for project in internal.shown(await store.projects())]))


async def holdings(store: Store, environments: Iterable[Environment], now: int) -> dict[str, Holdings]:
    """What these environments hold, by id. Live sessions are counted at ``now``."""
    alive = await store.sessions_alive(now)
    found = {}
    for each in environments:
        counts = await store.environment_counts(each.environment_id)
        sessions = alive.get(each.environment_id, 0)
        found[each.environment_id] = Holdings(counts.users, counts.organizations, counts.members, sessions)
    return found


async def _project(store: Store, project: Project) -> CurrentProject:
    environments = [await _environment(store, each) for each in await store.environments(project.project_id)]
    return CurrentProject(project, tuple(environments))


async def _environment(store: Store, environment: Environment) -> CurrentEnvironment:
    _, configuration = await store.configuration(environment.environment_id)
    profiles = await store.profiles(environment.environment_id)
    return CurrentEnvironment(environment, configuration, tuple(profiles))
