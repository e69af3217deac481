"""Operators: who may use the dashboard, for owners alone."""

from __future__ import annotations

from typing import cast, get_args

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get, post
from assay.model import User
from assay.stories import internal, operators
from assay.stories.operators import Invitation, Role

ROLES: tuple[tuple[Role, str], ...] = (
    ("viewer", "Viewer: looks at everything, changes nothing"),
    ("editor", "Editor: changes everything but operators"),
    ("owner", "Owner: also invites and removes operators"),
)


async def list_operators(page: Page) -> Answer:
    """All operators."""
    found, own = await operators.list_all(page.ctx), await internal.ensured(page.ctx)
    return page.render("operators/list.html", found=found, own=own)


async def ask_invite(page: Page) -> Answer:
    """The form to invite somebody."""
    return page.render("operators/invite.html", roles=ROLES, fault="")


async def invite(page: Page) -> Answer:
    """Make a one-time link, and show it this once."""
    email, role = page.form.text("email"), _role(page)
    try:
        made = await operators.invite(page.ctx, email, role, by=page.by)
    except (errors.InvalidEmail, errors.LastOwner) as fault:
        return page.render("operators/invite.html", 400, roles=ROLES, fault=fault.message)
    return _invited(page, email, made)


async def show(page: Page) -> Answer:
    """One operator: the role, a new link, and the way to remove."""
    return _show(page, await operators.require(page.ctx, page.parameters["operator_id"]))


async def change(page: Page) -> Answer:
    """Do what the button of the form says."""
    operator_id = page.parameters["operator_id"]
    user = await operators.require(page.ctx, operator_id)
    email = user.email or operator_id
    try:
        if page.form.text("do") == "link":
            role = operators.greatest(user.roles) or "viewer"
            return _invited(page, email, await operators.invite(page.ctx, email, role, by=page.by))
        await operators.change_role(page.ctx, operator_id, _role(page), by=page.by)
    except errors.LastOwner as fault:
        return _show(page, user, 400, fault=fault.message)
    return page.redirect(page.at("operators"), f"Changed the role of {email}. They have to sign in again.")


async def ask_remove(page: Page) -> Answer:
    """What removing somebody means, and the form that does it."""
    user = await operators.require(page.ctx, page.parameters["operator_id"])
    return page.render("operators/remove.html", user=user, fault="")


async def remove(page: Page) -> Answer:
    """Let somebody in no longer."""
    user = await operators.require(page.ctx, page.parameters["operator_id"])
    try:
        await operators.remove(page.ctx, user.user_id, by=page.by)
    except errors.LastOwner as fault:
        return page.render("operators/remove.html", 400, user=user, fault=fault.message)
    return page.redirect(page.at("operators"), f"Removed {user.email or user.user_id}.")


def _show(page: Page, user: User, status: int = 200, *, fault: str = "") -> Answer:
    role = operators.greatest(user.roles) or ""
    return page.render("operators/show.html", status, user=user, role=role, roles=ROLES, fault=fault)


def _invited(page: Page, email: str, made: Invitation) -> Answer:
    # Straight from the post, for nothing may keep the link: neither a cookie nor the address of a page.
    path = page.at("welcome", token=made.token)
    return page.render("operators/invited.html", email=email, url=f"{page.origin}{path}", expires_at=made.expires_at)


def _role(page: Page) -> Role:
    role = page.form.text("role")
    if role not in get_args(Role):
        raise errors.BadRequest("Choose a role.")
    return cast("Role", role)


PAGES: tuple[Row, ...] = (
    get("operators", list_operators, "operators", role="owner"),
    get("operators-invite", ask_invite, "operators", role="owner"),
    post("operators-invite", invite, role="owner"),
    get("operators/{operator_id}", show, "operators", role="owner"),
    post("operators/{operator_id}", change, role="owner"),
    get("operators-remove/{operator_id}", ask_remove, "operators", role="owner"),
    post("operators-remove/{operator_id}", remove, role="owner"),
)
