"""Makes the steps of a plan, each by the story that makes it for every other caller too."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from assay import errors
from assay.model import Environment, EnvironmentSettings
from assay.rules.permissions import Permission
from assay.rules.policies import PolicyParts
from assay.stories import environments, jwt_templates, profiles, rbac_policies, redirect_urls, workspace
from assay.stories.context import Context, Operator
from assay.stories.declared import meanwhile
from assay.stories.declared.planning_profiles import SOURCES, resolved
from assay.stories.declared.steps import (
    ChangeEnvironment,
    ChangeProfile,
    DeleteEnvironment,
    DeleteProfile,
    DeleteProject,
    DeleteRedirectUrl,
    DeleteTemplate,
    InEnvironment,
    MakeEnvironment,
    MakeProfile,
    MakeProject,
    Plan,
    RenameProject,
    SetPolicy,
    SetRedirectUrl,
    SetTemplate,
    Step,
)
from assay.stories.declared.wanted import PLAIN_FIELDS, ProjectReference, SharedSecret, WantedProfile, WantedSource
from assay.stories.key_sources import GivenSource, HmacGiven
from assay.stories.profiles import NO_LIMIT, ProfileCreate, ProfileUpdate
from assay.stories.rbac_policies import GivenDefaultRole, GivenPermission, GivenResource, GivenRole, GivenScope
from assay.stories.redirect_urls import GivenType

Problems = tuple[str, ...]
"""What keeps a profile that was made or changed from working, a sentence each."""

AnyStep = TypeVar("AnyStep", bound=Step)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """How far a plan was carried out. ``fault`` is why the first step of ``left`` could not be made."""

    done: tuple[Step, ...] = ()
    left: tuple[Step, ...] = ()
    fault: errors.Error | None = None


async def apply(ctx: Context, by: Operator, plan: Plan) -> Applied:
    """Make the steps, one after the other, up to the first that cannot be made. What was done stays done."""
    for number, step in enumerate(plan.steps):
        try:
            await meanwhile.check(ctx.store, step)
            await make(ctx, by, step)
        except errors.Error as fault:
            return Applied(done=plan.steps[:number], left=plan.steps[number:], fault=fault)
    return Applied(done=plan.steps)


async def make(ctx: Context, by: Operator, step: Step) -> Problems:
    """Make one step. Raises whatever its story raises."""
    return await _MAKERS[type(step)](ctx, by, step)


# ---------------------------------------------------------------- projects and environments


async def _make_project(ctx: Context, by: Operator, step: MakeProject) -> None:
    vertical: workspace.WireVertical = "B2B" if step.wanted.vertical == "b2b" else "CONSUMER"
    request = workspace.ProjectCreate(name=step.wanted.name, vertical=vertical, project_slug=step.wanted.slug)
    await workspace.create(ctx, by, request)


async def _rename_project(ctx: Context, by: Operator, step: RenameProject) -> None:
    await workspace.update(ctx, by, workspace.ProjectUpdate(project_slug=step.before.slug, name=step.name))


async def _delete_project(ctx: Context, by: Operator, step: DeleteProject) -> None:
    await workspace.delete(ctx, by, workspace.ProjectRef(project_slug=step.before.slug))


async def _make_environment(ctx: Context, by: Operator, step: MakeEnvironment) -> None:
    request = environments.EnvironmentCreate(
        project_slug=step.project_slug,
        environment_slug=step.wanted.slug,
        name=step.wanted.name,
        type="LIVE" if step.wanted.kind == "live" else "TEST",
        **_settings(step.wanted.settings),
    )
    await environments.create(ctx, by, request)


async def _change_environment(ctx: Context, by: Operator, step: ChangeEnvironment) -> None:
    request = environments.EnvironmentUpdate(
        project_slug=step.project_slug,
        environment_slug=step.before.slug,
        name=step.wanted.name,
        **_settings(step.wanted.settings),
    )
    await environments.update(ctx, by, request)


async def _delete_environment(ctx: Context, by: Operator, step: DeleteEnvironment) -> None:
    request = environments.EnvironmentRef(project_slug=step.project_slug, environment_slug=step.before.slug)
    await environments.delete(ctx, by, request)


def _settings(settings: EnvironmentSettings | None) -> dict[str, Any]:
    return msgspec.structs.asdict(settings) if settings else {}


# ---------------------------------------------------------------- policy, templates, redirect URLs


async def _set_policy(ctx: Context, by: Operator, step: SetPolicy) -> None:
    parts = step.parts
    defaults = {name: GivenDefaultRole(permissions=_given(each)) for name, each in parts.default_roles().items()}
    given: dict[str, Any] = {**_names(step), **defaults, **_custom(parts)}
    await rbac_policies.set_policy(ctx, by, rbac_policies.PolicySet(**given))


def _custom(parts: PolicyParts) -> dict[str, Any]:
    return {
        "custom_roles": tuple(
            GivenRole(role_id=each.role_id, description=each.description, permissions=_given(each.permissions))
            for each in parts.custom_roles
        ),
        "custom_resources": tuple(
            GivenResource(resource_id=each.resource_id, description=each.description, available_actions=each.actions)
            for each in parts.custom_resources
        ),
        "custom_scopes": tuple(
            GivenScope(scope=each.scope, description=each.description, permissions=_given(each.permissions))
            for each in parts.custom_scopes
        ),
    }


def _given(permissions: tuple[Permission, ...]) -> tuple[GivenPermission, ...]:
    return tuple(GivenPermission(resource_id=each.resource_id, actions=each.actions) for each in permissions)


async def _set_template(ctx: Context, by: Operator, step: SetTemplate) -> None:
    template = step.template
    request = jwt_templates.JwtTemplateSet(
        **_names(step),
        jwt_template_type=template.template_type,
        template_content=template.template_content,
        custom_audience=template.custom_audience,
    )
    await jwt_templates.set_template(ctx, by, request)


async def _delete_template(ctx: Context, by: Operator, step: DeleteTemplate) -> None:
    request = jwt_templates.JwtTemplateRef(**_names(step), jwt_template_type=step.before.template_type)
    await jwt_templates.delete_template(ctx, by, request)


async def _set_redirect_url(ctx: Context, by: Operator, step: SetRedirectUrl) -> None:
    # The file says which URL is the default for what, so none becomes one by itself.
    given: dict[str, Any] = {
        **_names(step),
        "url": step.wanted.url,
        "valid_types": tuple(GivenType(type=each.type, is_default=each.is_default) for each in step.wanted.valid_types),
        "do_not_promote_defaults": True,
    }
    if step.before is None:
        await redirect_urls.create_redirect_url(ctx, by, redirect_urls.RedirectUrlCreate(**given))
    else:
        await redirect_urls.update_redirect_url(ctx, by, redirect_urls.RedirectUrlUpdate(**given))


async def _delete_redirect_url(ctx: Context, by: Operator, step: DeleteRedirectUrl) -> None:
    request = redirect_urls.RedirectUrlDelete(**_names(step), url=step.before.url, do_not_promote_defaults=True)
    await redirect_urls.delete_redirect_url(ctx, by, request)


def _names(step: InEnvironment) -> dict[str, str]:
    return {"project_slug": step.project_slug, "environment_slug": step.environment_slug}


# ---------------------------------------------------------------- profiles


async def _make_profile(ctx: Context, by: Operator, step: MakeProfile) -> Problems:
    environment = await _environment(ctx, step)
    wanted = await _resolved(ctx, step.wanted)
    request = ProfileCreate(
        profile_id=wanted.profile_id,
        **_plain(wanted, PLAIN_FIELDS),
        public_key_type=wanted.public_key_type,
        key_sources=tuple(_given_source(each) for each in wanted.sources),
    )
    # Problems were looked at before the first step, and it was decided then whether they are meant.
    report = await profiles.create_profile(ctx, environment.environment_id, request, by=by, allow_problems=True)
    return tuple(report.problems)


async def _change_profile(ctx: Context, by: Operator, step: ChangeProfile) -> Problems:
    environment = await _environment(ctx, step)
    wanted = await _resolved(ctx, step.wanted)
    given = _plain(wanted, [name for name in step.fields if name != SOURCES])
    if given.get("max_age_seconds", NO_LIMIT) is None:
        given["max_age_seconds"] = NO_LIMIT
    if SOURCES in step.fields or _secret_at_hand(wanted):
        given[SOURCES] = tuple(_given_source(each) for each in wanted.sources)
    report = await profiles.update_profile(
        ctx, environment.environment_id, wanted.profile_id, ProfileUpdate(**given), by=by, allow_problems=True
    )
    return tuple(report.problems)


async def _delete_profile(ctx: Context, by: Operator, step: DeleteProfile) -> None:
    environment = await _environment(ctx, step)
    await profiles.delete_profile(ctx, environment.environment_id, step.before.profile_id, by=by)


def _plain(wanted: WantedProfile, names: Any) -> dict[str, Any]:  # noqa: ANN401 - names of fields
    return {name: getattr(wanted, name) for name in names}


def _secret_at_hand(wanted: WantedProfile) -> bool:
    """Another algorithm is only taken together with a secret that is long enough for it."""
    return any(isinstance(each, SharedSecret) and each.secret is not None for each in wanted.sources)


def _given_source(source: WantedSource) -> GivenSource:
    if isinstance(source, SharedSecret):
        text = base64.urlsafe_b64encode(source.secret or b"").rstrip(b"=").decode()
        return HmacGiven(secret_base64url=text)
    if isinstance(source, ProjectReference):
        raise errors.EnvironmentNotFound(
            f"There is no environment {source.environment_slug} of a project {source.project_slug}."
        )
    return source


async def _resolved(ctx: Context, wanted: WantedProfile) -> WantedProfile:
    """With the ids of environments that a step before this one may have made."""
    found: dict[tuple[str, str], str] = {}
    for each in wanted.sources:
        if isinstance(each, ProjectReference):
            slugs = each.project_slug, each.environment_slug
            environment = await ctx.store.environment_by_slug(*slugs)
            if environment is not None:
                found[slugs] = environment.environment_id
    return resolved(wanted, lambda *slugs: found.get(slugs), ctx.settings.public_url)


async def _environment(ctx: Context, step: InEnvironment) -> Environment:
    return await environments.resolve(ctx, step.project_slug, step.environment_slug)


# ---------------------------------------------------------------- which story makes which step


def _without_problems(
    story: Callable[[Context, Operator, AnyStep], Awaitable[None]],
) -> Callable[[Context, Operator, AnyStep], Awaitable[Problems]]:
    async def make_it(ctx: Context, by: Operator, step: AnyStep) -> Problems:
        await story(ctx, by, step)
        return ()

    return make_it


_MAKERS: dict[type[Step], Callable[[Context, Operator, Any], Awaitable[Problems]]] = {
    MakeProject: _without_problems(_make_project),
    RenameProject: _without_problems(_rename_project),
    DeleteProject: _without_problems(_delete_project),
    MakeEnvironment: _without_problems(_make_environment),
    ChangeEnvironment: _without_problems(_change_environment),
    DeleteEnvironment: _without_problems(_delete_environment),
    SetPolicy: _without_problems(_set_policy),
    SetTemplate: _without_problems(_set_template),
    DeleteTemplate: _without_problems(_delete_template),
    SetRedirectUrl: _without_problems(_set_redirect_url),
    DeleteRedirectUrl: _without_problems(_delete_redirect_url),
    MakeProfile: _make_profile,
    ChangeProfile: _change_profile,
    DeleteProfile: _without_problems(_delete_profile),
}
