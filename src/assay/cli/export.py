"""``assay export``: write a configuration file from what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import perform
from assay.stories.context import Context
from assay.stories.declared import current, exporting
from assay.stories.declared.exporting import FILE_NAME, Exported


def export(
    where: Annotated[str, typer.Argument(metavar="[DIRECTORY|-]", help="Where to write; - is standard output.")] = "-",
    *,
    project: Annotated[
        str | None, typer.Option("--project", metavar="SLUG", help="Only this project. Without it: all.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write a configuration file from what there is, for `assay apply`.

    In a directory it is assay.toml, with the keys of issuers as files beside it; on standard output the keys stand in
    the file. Applied to the same database it changes nothing. Secrets are never written.
    """

    async def work(ctx: Context) -> Exported:
        found = await current.read(ctx.store)
        return exporting.export(found, project_slug=project, public_url=ctx.settings.public_url, beside=where != "-")

    made = perform(database, work)
    if where == "-":
        output.show({"configuration": made.text}, made.text.removesuffix("\n").split("\n"), as_json=as_json)
        return
    written = _write(Path(where), made, overwrite=overwrite)
    lines = [f"Wrote {written[0]}" + (f" and {len(written) - 1} files beside it." if written[1:] else ".")]
    output.show({"files": written}, lines, as_json=as_json)


def _write(folder: Path, made: Exported, *, overwrite: bool) -> list[str]:
    """Write all files or, when one is there that must stay, none; their paths."""
    files = {FILE_NAME: made.text.encode(), **made.files}
    there = [name for name in files if (folder / name).exists()]
    if there and not overwrite:
        raise typer.BadParameter(
            f"{folder / there[0]} is there already; --overwrite replaces it", param_hint="DIRECTORY"
        )
    try:
        for name, raw in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
    except OSError as fault:
        raise typer.BadParameter(f"{folder} cannot be written: {fault.strerror}", param_hint="DIRECTORY") from None
    return [str(folder / name) for name in files]
