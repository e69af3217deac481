"""Whether what a step was decided upon is still so when the step is made."""

from __future__ import annotations

import msgspec

from assay import errors
from assay.model import Environment, Profile
from assay.store import Configuration, Store
from assay.stories.declared.steps import (
    ChangeEnvironment,
    ChangeProfile,
    DeleteProfile,
    DeleteRedirectUrl,
    DeleteTemplate,
    InEnvironment,
    RenameProject,
    SetPolicy,
    SetRedirectUrl,
    SetTemplate,
    Step,
)


async def check(store: Store, step: Step) -> None:
    """Raises ConfigurationChangedMeanwhile when somebody else has changed the entry since the plan was made.

    New entries need no look: the write itself finds out whether the name is free.
    """
    if not await _as_planned(store, step):
        raise errors.ConfigurationChangedMeanwhile


async def _as_planned(store: Store, step: Step) -> bool:
    if isinstance(step, RenameProject):
        return await store.project_by_slug(step.before.slug) == step.before
    if isinstance(step, ChangeEnvironment):
        found = await store.environment_by_slug(step.project_slug, step.before.slug)
        return found is not None and _without_revision(found) == _without_revision(step.before)
    if not isinstance(step, InEnvironment):
        return True
    environment = await store.environment_by_slug(step.project_slug, step.environment_slug)
    if environment is None:
        return True  # the story says that it is gone
    if isinstance(step, ChangeProfile | DeleteProfile):
        profile = await store.profile(environment.environment_id, step.before.profile_id)
        return profile is not None and _content(profile) == _content(step.before)
    _, configuration = await store.configuration(environment.environment_id)
    return _configured_as_planned(configuration, step)


def _configured_as_planned(configuration: Configuration, step: InEnvironment) -> bool:
    if isinstance(step, SetPolicy):
        return configuration.policy == step.before
    if isinstance(step, SetTemplate | DeleteTemplate):
        wanted = step.template if isinstance(step, SetTemplate) else step.before
        found = (each for each in configuration.jwt_templates if each.template_type == wanted.template_type)
        return next(found, None) == step.before
    if isinstance(step, SetRedirectUrl | DeleteRedirectUrl):
        url = step.wanted.url if isinstance(step, SetRedirectUrl) else step.before.url
        found_url = next((each for each in configuration.redirect_urls if each.url == url), None)
        return found_url == step.before
    return True


def _without_revision(environment: Environment) -> Environment:
    # The policy and the rest of the configuration count in the same revision.
    return msgspec.structs.replace(environment, revision=0)


def _content(profile: Profile) -> Profile:
    return msgspec.structs.replace(profile, revision=0)
