"""``assay keys``: the keys that sign session JWTs, and the root key that seals them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from assay import errors, store
from assay.cli import output
from assay.cli.options import AnyProjectId, Database, Json, ProjectId
from assay.cli.running import OPERATOR, perform
from assay.config import ConfigFault
from assay.keys import sealing
from assay.model import SessionJwtAlgorithm, SigningKey
from assay.stories import projects
from assay.stories.context import Context

app = typer.Typer(help="The keys that sign session JWTs, and the root key that seals them.", no_args_is_help=True)


@app.command("list")
def list_all(*, project_id: AnyProjectId = None, database: Database = None, as_json: Json = False) -> None:
    """List the signing keys of one environment or all: next, active and retired ones.

    The first session, or the first caller who asks for the JWKS, makes them.
    """
    _show(perform(database, lambda ctx: projects.list_keys(ctx, project_id)), as_json=as_json)


@app.command("rotate")
def rotate(
    *,
    project_id: ProjectId,
    algorithm: Annotated[
        SessionJwtAlgorithm | None,
        typer.Option(
            help="Sign with this algorithm from now on. If it is another one, two new keys take the place of both."
            " The local checks of the official SDKs take RS256 alone."
        ),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Sign with the next key from now on, and publish another next one.

    The retired key stays published for 30 days. No session ends.
    """
    keys = perform(database, lambda ctx: projects.rotate_keys(ctx, project_id, by=OPERATOR, algorithm=algorithm))
    _show(keys, as_json=as_json)


@app.command("rewrap")
def rewrap(
    *,
    new_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Where the root key comes from ASSAY_ROOT_KEY: a file that holds the new one, 32 bytes as base64url."
            " Set ASSAY_ROOT_KEY to it afterwards.",
        ),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change the root key: seal every signing key under a new one. Stop all servers first, and start them again after.

    Where the root key comes from the file beside the SQLite file, a new one is made and the file replaced.
    """
    count = perform(database, lambda ctx: _rewrap(ctx, new_key_file))
    sealed = f"Sealed {count} signing key{'' if count == 1 else 's'} under the new root key."
    after = "Set ASSAY_ROOT_KEY to it before any other command." if new_key_file else "Back up the new key file."
    output.show({"rewrapped": count}, [sealed, after], as_json=as_json)


async def _rewrap(ctx: Context, new_key_file: Path | None) -> int:
    try:
        if new_key_file is None and not ctx.settings.root_key:
            return await sealing.rewrap_file(ctx.settings, ctx.store)
        old, new = sealing.find_root_key(ctx.settings), _new_key(ctx, new_key_file)
        return await sealing.rewrap(ctx.store, old, new)
    except store.Stale:
        raise errors.StoreUnavailable(
            "A signing key was made meanwhile, so nothing was changed. Stop all servers and run this again."
        ) from None


def _new_key(ctx: Context, path: Path | None) -> sealing.RootKey:
    if path is None:
        raise ConfigFault(
            "the root key comes from ASSAY_ROOT_KEY; name the file that holds the new one: --new-key-file"
        )
    if not ctx.settings.root_key:
        file = sealing.root_key_file(ctx.settings)
        raise ConfigFault(f"the root key comes from {file}, which gets a new one by itself; leave out --new-key-file")
    try:
        return sealing.RootKey.parse(path.read_text("ascii", errors="replace"))
    except ConfigFault as fault:
        raise ConfigFault(f"{path}: {fault}") from None


def _show(keys: list[SigningKey], *, as_json: bool) -> None:
    titles = ("PROJECT ID", "KID", "ALGORITHM", "STATE", "CREATED", "ACTIVE SINCE", "RETIRED")
    rows = [
        (
            key.environment_id,
            key.kid,
            key.algorithm,
            key.state,
            output.time(key.created_at) or "",
            output.time(key.activated_at) or "-",
            output.time(key.retired_at) or "-",
        )
        for key in keys
    ]
    none = ["There are no signing keys yet. The first session makes them."]
    output.show({"keys": [_key(key) for key in keys]}, output.table(titles, rows) if rows else none, as_json=as_json)


def _key(key: SigningKey) -> dict[str, Any]:
    return {
        "project_id": key.environment_id,
        "kid": key.kid,
        "state": key.state,
        "algorithm": key.algorithm,
        "created_at": output.time(key.created_at),
        "activated_at": output.time(key.activated_at),
        "retired_at": output.time(key.retired_at),
    }
