"""Tries a plan on a copy of what there is, so that every refusal is known before anything is changed.

The copy holds the configuration alone: no people, sessions or credentials. The steps are made there by the same
stories, so nothing that is refused later can be missed here.
"""

from __future__ import annotations

import msgspec

from assay import errors, store
from assay.stories.configured import Configurations
from assay.stories.context import Context, Operator
from assay.stories.declared.applying import make
from assay.stories.declared.current import Current, CurrentEnvironment, CurrentProject
from assay.stories.declared.showing import entry
from assay.stories.declared.steps import MakeEnvironment, MakeProject, Plan, Step

_NOBODY = Operator(name="rehearsal")


class Rehearsal(msgspec.Struct, frozen=True):
    """What would be refused, and what would keep profiles from working, a sentence each."""

    refusals: tuple[str, ...]
    problems: tuple[str, ...]


async def rehearse(ctx: Context, scratch: store.Store, current: Current, plan: Plan) -> Rehearsal:
    """Make every step of the plan in ``scratch``, an empty store. Raises errors.StoreUnavailable."""
    for project in current.projects:
        await _copy(scratch, project)
    copy = msgspec.structs.replace(ctx, store=scratch, configured=Configurations())
    refusals: list[str] = []
    problems: list[str] = []
    missing: list[tuple[str, ...]] = []
    for step in plan.steps:
        place = step.changes[0].place
        if any(place[: len(each)] == each for each in missing):
            continue  # it is below something that was refused, which is enough to be said
        try:
            problems += [f"{entry(step.changes[0])}: {each}" for each in await make(copy, _NOBODY, step)]
        except errors.Error as fault:
            refusals.append(_refusal(step, fault))
            if isinstance(step, MakeProject | MakeEnvironment):
                missing.append(place)
    return Rehearsal(tuple(refusals), tuple(problems))


def _refusal(step: Step, fault: errors.Error) -> str:
    if fault.kind == "unavailable":
        raise fault
    # One step may set several entries; its story's sentence names the one that is meant.
    return f"{entry(step.changes[0]) if len(step.changes) == 1 else 'RBAC policy'}: {fault.message}"


async def _copy(scratch: store.Store, project: CurrentProject) -> None:
    environments = tuple(each.environment for each in project.environments)
    await scratch.write(store.CreateProject(project=project.project, environments=environments))
    for each in project.environments:
        await _copy_configuration(scratch, each)
        for profile in each.profiles:
            await scratch.write(store.CreateProfile(profile=profile))


async def _copy_configuration(scratch: store.Store, found: CurrentEnvironment) -> None:
    made = await scratch.environment(found.environment.environment_id)
    if made is None:
        raise errors.StoreUnavailable(detail="an environment could not be copied for the rehearsal")
    configuration = found.configuration
    write = store.ConfigureEnvironment(
        environment=msgspec.structs.replace(found.environment, revision=made.revision),
        policy=configuration.policy,
        jwt_templates=configuration.jwt_templates,
        redirect_urls=configuration.redirect_urls,
    )
    await scratch.write(write)
