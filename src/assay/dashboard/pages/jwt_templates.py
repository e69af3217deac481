"""JWT templates: what session JWTs carry beside their own claims."""

from __future__ import annotations

from typing import cast, get_args

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.pages.environments import reference
from assay.dashboard.table import Row, get, post
from assay.model import JwtTemplateType
from assay.stories import jwt_templates
from assay.stories.jwt_templates import JwtTemplateRef, JwtTemplateSet

TITLES: dict[str, str] = {"SESSION": "Session JWTs", "M2M": "Tokens of machines"}
_HERE = "{project_slug}/{environment_slug}/jwt-templates"


async def list_templates(page: Page) -> Answer:
    """Both templates."""
    found = await jwt_templates.list_templates(page.ctx, page.by, reference(page))
    return page.render("jwt_templates/list.html", templates=found, titles=TITLES, unset=jwt_templates.UNSET_CONTENT)


async def edit(page: Page) -> Answer:
    """The form for one of them."""
    template = await jwt_templates.get_template(page.ctx, page.by, _ref(page))
    is_set = template.template_content != jwt_templates.UNSET_CONTENT or bool(template.custom_audience)
    return _form(page, template.template_content, template.custom_audience, is_set=is_set)


async def save(page: Page) -> Answer:
    """Put another text in its place, or be rid of it."""
    ref, content, audience = _ref(page), page.form.text("content"), page.form.text("audience")
    if page.form.text("do") == "delete":
        await jwt_templates.delete_template(page.ctx, page.by, ref)
        return page.redirect(page.within("jwt-templates"), "The template is gone.")
    wanted = JwtTemplateSet(
        project_slug=ref.project_slug,
        environment_slug=ref.environment_slug,
        jwt_template_type=ref.jwt_template_type,
        template_content=content,
        custom_audience=audience,
    )
    try:
        await jwt_templates.set_template(page.ctx, page.by, wanted)
    except errors.Error as fault:
        if fault.kind != "invalid":
            raise
        return _form(page, content, audience, 400, fault=fault.message)
    return page.redirect(page.within("jwt-templates"), "Saved. Session JWTs made from now on follow the template.")


def _ref(page: Page) -> JwtTemplateRef:
    """The template that the path names. Raises RouteNotFound for a type that there is not."""
    template_type = page.parameters["template_type"]
    if template_type not in get_args(JwtTemplateType):
        raise errors.RouteNotFound("There is no such template.")
    here = reference(page)
    return JwtTemplateRef(
        project_slug=here.project_slug,
        environment_slug=here.environment_slug,
        jwt_template_type=cast("JwtTemplateType", template_type),
    )


def _form(
    page: Page, content: str, audience: str, status: int = 200, *, is_set: bool = False, fault: str = ""
) -> Answer:
    values = {"title": TITLES[page.parameters["template_type"]], "content": content, "audience": audience}
    return page.render("jwt_templates/edit.html", status, is_set=is_set, fault=fault, **values)


PAGES: tuple[Row, ...] = (
    get(_HERE, list_templates, "environment"),
    get(f"{_HERE}/{{template_type}}", edit, "environment", role="editor"),
    post(f"{_HERE}/{{template_type}}", save),
)
