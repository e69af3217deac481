"""The JWT templates of an environment: one for session JWTs, one for tokens of machines.

Assay makes no tokens of machines. Their template is kept for the operator's tools, and checked for its form.
"""

from __future__ import annotations

from typing import get_args

from assay import store
from assay.model import JwtTemplate, JwtTemplateType
from assay.rules import names, templates
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator
from assay.stories.environments import EnvironmentRef, resolve

UNSET_CONTENT = "{}"
"""What a template reads as that was never set, and what official clients set to be rid of one."""


class JwtTemplateRef(EnvironmentRef, kw_only=True):
    """One of the two templates."""

    jwt_template_type: JwtTemplateType


class JwtTemplateSet(JwtTemplateRef, kw_only=True):
    """The text of a template, and one more audience for the tokens made by it; empty means none."""

    template_content: str
    custom_audience: str = ""


async def list_templates(ctx: Context, _by: Operator, request: EnvironmentRef) -> tuple[JwtTemplate, ...]:
    """Both templates, whether they were set or not. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    _, configuration = await ctx.store.configuration(environment.environment_id)
    return tuple(_found(configuration.jwt_templates, template_type) for template_type in get_args(JwtTemplateType))


async def get_template(ctx: Context, by: Operator, request: JwtTemplateRef) -> JwtTemplate:
    """One template, character by character as it was set. Raises ProjectNotFound, EnvironmentNotFound."""
    return _found(await list_templates(ctx, by, request), request.jwt_template_type)


async def set_template(ctx: Context, by: Operator, request: JwtTemplateSet) -> JwtTemplate:
    """Put a template in the place of the one there is. It shapes the session JWTs that are made from then on.

    Raises ProjectNotFound, EnvironmentNotFound, InvalidJwtTemplate, ReservedClaims, StytchClaims.
    """
    template = JwtTemplate(
        template_type=request.jwt_template_type,
        template_content=request.template_content,
        custom_audience=names.label("custom_audience", request.custom_audience),
    )
    await _configure(ctx, by, request, template)
    return template


async def delete_template(ctx: Context, by: Operator, request: JwtTemplateRef) -> None:
    """Be rid of a template, whether there was one or not. Raises ProjectNotFound, EnvironmentNotFound."""
    await _configure(ctx, by, request, None)


async def _configure(ctx: Context, by: Operator, request: JwtTemplateRef, template: JwtTemplate | None) -> None:
    async def change() -> None:
        environment = await resolve(ctx, request.project_slug, request.environment_slug)
        if template is not None:
            templates.compiled(environment.vertical, template.template_type, template.template_content)
        # Read after the environment: if it changed in between, the write carries a revision that is stale.
        _, configuration = await ctx.store.configuration(environment.environment_id)
        before = configuration.jwt_templates
        others = [each for each in before if each.template_type != request.jwt_template_type]
        after = tuple(others if template is None else [*others, template])
        if set(after) == set(before):
            return
        event = by.event(
            environment.environment_id,
            "jwt_template.deleted" if template is None else "jwt_template.updated",
            request.jwt_template_type,
            int(ctx.clock()),
        )
        write = store.ConfigureEnvironment(environment=environment, jwt_templates=after, events=(event,))
        await ctx.store.write(write)

    await until_current(change)


def _found(kept: tuple[JwtTemplate, ...], template_type: JwtTemplateType) -> JwtTemplate:
    unset = JwtTemplate(template_type=template_type, template_content=UNSET_CONTENT, custom_audience="")
    return next((each for each in kept if each.template_type == template_type), unset)
