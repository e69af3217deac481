"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Where records live: sqlite:///RELATIVE/PATH, sqlite:////ABSOLUTE/PATH, or"
        " postgresql://USER@HOST/DATABASE."
        " Else ASSAY_DATABASE, else sqlite:///assay.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object to standard output.")]
ProjectId = Annotated[
    str,
    typer.Option("--project-id", metavar="ID", help="The environment, by its id as `assay project list` shows it."),
]
AnyProjectId = Annotated[
    str | None,
    typer.Option(
        "--project-id",
        metavar="ID",
        help="The environment, by its id as `assay project list` shows it. Without it: all.",
    ),
]
