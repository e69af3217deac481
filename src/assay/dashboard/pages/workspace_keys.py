"""Workspace keys: what opens the management API for all projects, for owners alone."""

from __future__ import annotations

from assay import errors
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get, post
from assay.model import WorkspaceKey
from assay.stories import workspace_keys


async def list_keys(page: Page) -> Answer:
    """All workspace keys, and the form for one more."""
    return await _list(page)


async def create(page: Page) -> Answer:
    """One more key, and its secret, shown this once."""
    try:
        key, plain = await workspace_keys.create(page.ctx, page.form.text("name"), by=page.by)
    except errors.InvalidWorkspaceKeyName as fault:
        return await _list(page, 400, fault=fault.message)
    return page.render("workspace_keys/made.html", key=key, plain=plain)


async def ask_revoke(page: Page) -> Answer:
    """The form that revokes one."""
    return page.render("workspace_keys/revoke.html", key=await _live_key(page))


async def revoke(page: Page) -> Answer:
    """From now on the key opens nothing."""
    key = await _live_key(page)
    await workspace_keys.revoke(page.ctx, key.workspace_key_id, by=page.by)
    return page.redirect(page.at("workspace-keys"), f"Revoked the key “{key.name or key.workspace_key_id}”.")


async def _live_key(page: Page) -> WorkspaceKey:
    key_id = page.parameters["workspace_key_id"]
    for key in await workspace_keys.list_all(page.ctx):
        if key.workspace_key_id == key_id and key.revoked_at is None:
            return key
    raise errors.WorkspaceKeyNotFound


async def _list(page: Page, status: int = 200, *, fault: str = "") -> Answer:
    found = list(reversed(await workspace_keys.list_all(page.ctx)))
    live = [each for each in found if each.revoked_at is None]
    revoked = [each for each in found if each.revoked_at is not None]
    return page.render("workspace_keys/list.html", status, live=live, revoked=revoked, fault=fault)


PAGES: tuple[Row, ...] = (
    get("workspace-keys", list_keys, "workspace-keys", role="owner"),
    post("workspace-keys", create, role="owner"),
    get("workspace-keys/{workspace_key_id}", ask_revoke, "workspace-keys", role="owner"),
    post("workspace-keys/{workspace_key_id}", revoke, role="owner"),
)
