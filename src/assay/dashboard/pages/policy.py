"""Roles: the RBAC policy of the environment, shown as tables and changed as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors, jsontext
from assay.dashboard.page import Answer, Page
from assay.dashboard.pages.environments import reference
from assay.dashboard.table import Row, get, post
from assay.stories import rbac_policies
from assay.stories.rbac_policies import PolicySet, PolicyView

_HERE = "{project_slug}/{environment_slug}/policy"


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """The members that the JSON may have. An unknown one is a slip of the pen, which must not clear a whole part."""

    stytch_member: Any = None
    stytch_admin: Any = None
    stytch_user: Any = None
    custom_roles: Any = ()
    custom_resources: Any = ()
    custom_scopes: Any = ()


async def show(page: Page) -> Answer:
    """What each role permits."""
    view = await rbac_policies.get_policy(page.ctx, page.by, reference(page))
    return page.render("policy/show.html", view=view, defaults=view.parts.default_roles())


async def edit(page: Page) -> Answer:
    """The policy as JSON."""
    view = await rbac_policies.get_policy(page.ctx, page.by, reference(page))
    return page.render("policy/edit.html", text=_text(view), fault="")


async def save(page: Page) -> Answer:
    """Put another policy in its place, if it is a good one."""
    text = page.form.text("policy")
    try:
        await rbac_policies.set_policy(page.ctx, page.by, _read(page, text))
    except errors.Error as fault:
        if fault.kind != "invalid":
            raise
        return page.render("policy/edit.html", 400, text=text, fault=fault.message)
    return page.redirect(page.within("policy"), "Saved. The policy counts from the next request on.")


def _read(page: Page, text: str) -> PolicySet:
    """The JSON as the story takes it. Raises BadRequest."""
    here = reference(page)
    try:
        given = msgspec.structs.asdict(msgspec.convert(jsontext.loads(text.encode()), _Given))
        slugs = {"project_slug": here.project_slug, "environment_slug": here.environment_slug}
        return msgspec.convert(given | slugs, PolicySet)
    except (jsontext.JsonFault, msgspec.ValidationError) as fault:
        raise errors.BadRequest(f"This is not a policy: {fault}") from None


def _text(view: PolicyView) -> str:
    """The policy in the form that :func:`_read` takes, which is that of the management API."""
    parts = msgspec.to_builtins(view.parts)
    for resource in parts["custom_resources"]:
        resource["available_actions"] = resource.pop("actions")
    named = {role_id: {"permissions": parts[role_id]} for role_id in view.parts.default_roles()}
    rest = {name: parts[name] for name in ("custom_roles", "custom_resources", "custom_scopes")}
    return msgspec.json.format(msgspec.json.encode(named | rest), indent=2).decode()


PAGES: tuple[Row, ...] = (
    get(_HERE, show, "environment"),
    get(f"{_HERE}/edit", edit, "environment", role="editor"),
    post(f"{_HERE}/edit", save),
)
