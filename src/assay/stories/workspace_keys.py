"""Workspace keys: what opens the management API, for all projects."""

from __future__ import annotations

from assay import errors, ids, store
from assay.model import WorkspaceKey
from assay.stories import credentials, last_use
from assay.stories.context import Context, Operator

REFUSAL = "The workspace key id or its secret is wrong. Send both as HTTP Basic credentials."

_MAX_NAME = 128


async def authenticate_operator(ctx: Context, key_id: str, secret: str) -> Operator:
    """The operator whom these Basic credentials name. Raises UnauthorizedCredentials, alike for whatever is wrong."""
    key = await ctx.store.workspace_key(key_id)
    right = credentials.matches(key.secret_hash if key else None, credentials.hash_secret(secret))
    if key is None or not right:
        raise errors.UnauthorizedCredentials(REFUSAL)
    now = ctx.clock()
    if ctx.last_use.is_due(key.workspace_key_id, key.used_at, now):
        await last_use.note_workspace_key(ctx.store, key, now)
    return Operator(name=key.workspace_key_id)


async def create(ctx: Context, name: str = "", *, by: Operator) -> tuple[WorkspaceKey, str]:
    """One more key, and its secret, shown this once (decisions D27). Raises InvalidWorkspaceKeyName."""
    if len(name) > _MAX_NAME or not name.isprintable():
        raise errors.InvalidWorkspaceKeyName
    now = int(ctx.clock())
    plain = credentials.new_plain_secret("prod")
    key = WorkspaceKey(
        workspace_key_id=ids.new("workspace-key", "prod"),
        name=name,
        secret_hash=credentials.hash_secret(plain),
        last_four=plain[-4:],
        created_at=now,
    )
    event = by.event(None, "workspace_key.created", key.workspace_key_id, now, name=name)
    await ctx.store.write(store.CreateWorkspaceKey(key=key, events=(event,)))
    return key, plain


async def list_all(ctx: Context) -> list[WorkspaceKey]:
    """All workspace keys, oldest first, revoked ones included."""
    return await ctx.store.workspace_keys()


async def revoke(ctx: Context, key_id: str, *, by: Operator) -> None:
    """From now on the key opens nothing. Raises WorkspaceKeyNotFound."""
    now = int(ctx.clock())
    event = by.event(None, "workspace_key.revoked", key_id, now)
    try:
        await ctx.store.write(store.RevokeWorkspaceKey(workspace_key_id=key_id, revoked_at=now, events=(event,)))
    except store.Stale:
        raise errors.WorkspaceKeyNotFound from None
