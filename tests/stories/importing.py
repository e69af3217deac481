"""Imports as a test wants them: rows in, summary out."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from assay.store.sqlite_scratch import Scratch
from assay.stories.import_job import ImportOptions, Summary, Watcher
from assay.stories.import_rows import People
from assay.stories.imports import import_people
from assay.stories.people_files import PeopleFile
from tests.calls import OPERATOR
from tests.world import World

Given = dict[str, Any]


async def import_rows(
    world: World,
    folder: Path,
    *rows: Given,
    people: People = "members",
    watcher: Watcher | None = None,
    columns: dict[str, str] | None = None,
    **options: Any,
) -> Summary:
    """Import rows, written as JSON lines; members go into the organization ``acme`` unless ``options`` say else."""
    if people == "members":
        options.setdefault("organization", "acme")
    path = folder / "people.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tenant = world.b2b if people == "members" else world.consumer
    with path.open("rb") as stream, closing(Scratch()) as memory:
        return await import_people(
            world.context,
            tenant.project_id,
            PeopleFile(stream, "jsonl", columns),
            memory,
            ImportOptions(people=people, **options),
            by=OPERATOR,
            watcher=watcher,
        )
