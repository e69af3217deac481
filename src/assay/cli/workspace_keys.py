"""``assay workspace-key``: the keys that open the management API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import OPERATOR, perform
from assay.model import WorkspaceKey
from assay.stories import workspace_keys

app = typer.Typer(
    help="Make, list and revoke the keys of the management API, which manages all projects of this database.",
    no_args_is_help=True,
)


@app.command("create")
def create(
    *,
    name: Annotated[str, typer.Option("--name", help="Whose key it is, or what it is for.")] = "",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a workspace key, and show its secret this once.

    It can read and change every project, so keep it as you keep the root key.
    """
    key, plain = perform(database, lambda ctx: workspace_keys.create(ctx, name, by=OPERATOR))
    shown = {"workspace_key_id": key.workspace_key_id, "workspace_key_secret": plain}
    lines = ["Created a workspace key. Its secret is shown only now:", "", *output.fields(shown)]
    output.show(shown | _key(key), lines, as_json=as_json)


@app.command("list")
def list_all(*, database: Database = None, as_json: Json = False) -> None:
    """List all workspace keys, revoked ones included. The last use is noted at most every five minutes."""
    found = perform(database, workspace_keys.list_all)
    titles = ("WORKSPACE KEY ID", "NAME", "SECRET", "CREATED", "LAST USED", "REVOKED")
    output.show(
        {"workspace_keys": [_key(each) for each in found]}, output.table(titles, map(_row, found)), as_json=as_json
    )


@app.command("revoke")
def revoke(
    workspace_key_id: Annotated[str, typer.Argument(help="The key's id, as `assay workspace-key list` shows it.")],
    *,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Revoke a workspace key: from now on it opens nothing, on every server at once."""
    perform(database, lambda ctx: workspace_keys.revoke(ctx, workspace_key_id, by=OPERATOR))
    document = {"workspace_key_id": workspace_key_id, "revoked": True}
    output.show(document, [f"Revoked the workspace key {workspace_key_id}."], as_json=as_json)


def _key(key: WorkspaceKey) -> dict[str, Any]:
    """What may be shown of a workspace key at any time."""
    return {
        "workspace_key_id": key.workspace_key_id,
        "name": key.name,
        "last_four": key.last_four,
        "created_at": output.time(key.created_at),
        "used_at": output.time(key.used_at),
        "revoked_at": output.time(key.revoked_at),
    }


def _row(key: WorkspaceKey) -> tuple[str, ...]:
    times = (output.time(each) or "-" for each in (key.created_at, key.used_at, key.revoked_at))
    return key.workspace_key_id, key.name or "-", f"…{key.last_four}", *times
