"""``assay apply``: make the database agree with a configuration file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import OPERATOR, described, perform
from assay.store import Store
from assay.store.opening import open_store
from assay.stories.context import Context
from assay.stories.declared import applying, parsing, preparing
from assay.stories.declared.applying import Applied
from assay.stories.declared.planning import Options
from assay.stories.declared.preparing import Prepared
from assay.stories.declared.showing import entry
from assay.stories.declared.steps import Change, FieldChange, Plan, Step
from assay.stories.declared.surroundings import Surroundings, Unreadable
from assay.stories.declared.wanted import Wanted

NOT_DONE = 3
"""Exit code when there is something to change and nothing was changed, because nobody said yes."""

MOST_BESIDE_BYTES = 64 * 1024

_SIGNS = {"create": "+", "change": "~", "delete": "-"}


def apply(  # noqa: PLR0913 - one parameter per option
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, readable=True, help="The configuration file, as TOML."),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Make the changes without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Within the environments that the file names, delete the profiles, roles, resources, scopes, redirect"
            " URLs and JWT templates that it does not name.",
        ),
    ] = False,
    delete_projects: Annotated[
        bool,
        typer.Option(
            "--delete-projects",
            help="With --prune, also delete projects and TEST environments that the file does not name, and everybody"
            " in them.",
        ),
    ] = False,
    allow_problems: Annotated[
        bool, typer.Option("--allow-problems", help="Save profiles even if they can never work as they are.")
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make the database agree with a configuration file: print what would change, ask, and change it.

    What the file does not name is left alone. Exit code 3: there is something to change, and nothing was changed,
    because of --dry-run, because the answer was no, or because there is no terminal to ask at and --yes is missing.
    """
    if delete_projects and not prune:
        raise typer.BadParameter("it is a part of --prune; give both", param_hint="--delete-projects")
    wanted = parsing.parse(_read(file), Surroundings(read=_reader(file.parent), environ=os.environ))
    options = Options(prune=prune, delete_projects=delete_projects)
    prepared = perform(database, lambda ctx: _prepared(ctx, wanted, options, allow_problems=allow_problems))
    if not as_json:
        output.write(*plan_lines(prepared))
    # Asked between two openings of the database, so that Ctrl-C ends the command and nobody waits for the answer.
    asking = not (yes or dry_run or as_json) and sys.stdin.isatty()
    agreed = prepared.plan.steps and not dry_run and (yes or (asking and _agrees()))
    applied = perform(database, lambda ctx: applying.apply(ctx, OPERATOR, prepared.plan)) if agreed else None
    _tell(prepared, applied, as_json=as_json)
    code = _exit_code(prepared.plan, applied)
    if code:
        raise typer.Exit(code)


async def _prepared(ctx: Context, wanted: Wanted, options: Options, *, allow_problems: bool) -> Prepared:
    return await preparing.prepare(ctx, wanted, options, _scratch, allow_problems=allow_problems)


def _exit_code(plan: Plan, applied: Applied | None) -> int:
    if applied is None:
        return NOT_DONE if plan.steps else 0
    return 1 if applied.fault else 0


def _agrees() -> bool:
    sys.stdout.flush()
    sys.stderr.write("Make these changes? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


# ---------------------------------------------------------------- reading


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(parsing.MOST_BYTES + 1)
    if len(raw) > parsing.MOST_BYTES:
        raise typer.BadParameter(f"it is longer than {parsing.MOST_BYTES} bytes", param_hint="FILE")
    return raw


def _reader(folder: Path) -> Any:  # noqa: ANN401 - a function of one path
    def read(name: str) -> bytes:
        try:
            with (folder / name).open("rb") as file:
                raw = file.read(MOST_BESIDE_BYTES + 1)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as fault:
            raise Unreadable(f"the file {name} cannot be read: {getattr(fault, 'strerror', fault)}") from None
        if len(raw) > MOST_BESIDE_BYTES:
            raise Unreadable(f"the file {name} is longer than {MOST_BESIDE_BYTES} bytes")
        return raw

    return read


@asynccontextmanager
async def _scratch() -> AsyncIterator[Store]:
    """An empty store in a folder that only this user can enter, deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        store = await open_store(f"sqlite:///{folder}/rehearsal.db")
        try:
            yield store
        finally:
            await store.close()


# ---------------------------------------------------------------- telling


def plan_lines(prepared: Prepared) -> list[str]:
    """The plan for people: + what is made, ~ what changes, - what is deleted."""
    plan = prepared.plan
    lines = [line for change in plan.changes for line in _change_lines(change)]
    if prepared.problems:
        lines += ["Problems, saved all the same:", *(f"  {problem}" for problem in prepared.problems), ""]
    if plan.notes:
        lines += ["Notes:", *(f"  {note}" for note in plan.notes), ""]
    return [*lines, _summary(plan)]


def _change_lines(change: Change) -> Iterator[str]:
    loud = " WILL BE DELETED" if change.action == "delete" else ""
    yield f"{_SIGNS[change.action]} {entry(change)}{loud}"
    if change.action != "delete":
        for field in change.fields:
            yield f"    {_field(field)}"
    for note in change.notes:
        yield f"    ({note})"
    yield ""


def _field(field: FieldChange) -> str:
    if field.old is None:
        return f"{field.name}: {_shown(field.new)}"
    return f"{field.name}: {_shown(field.old)} -> {_shown(field.new)}"


def _shown(value: object) -> str:
    return "(none)" if value is None else msgspec.json.encode(value).decode()


def _summary(plan: Plan) -> str:
    if not plan.steps:
        return "Nothing to change."
    counts = {action: sum(change.action == action for change in plan.changes) for action in _SIGNS}
    return f"Plan: {counts['create']} to create, {counts['change']} to change, {counts['delete']} to delete."


def _tell(prepared: Prepared, applied: Applied | None, *, as_json: bool) -> None:
    output.show(_document(prepared, applied), _outcome(prepared, applied), as_json=as_json)
    if applied is not None and applied.fault is not None:
        name, sentence = described(applied.fault)
        left = "\n".join(f"  {name}" for name in _names(applied.left))
        output.refuse(name, f"{sentence}\nNot done:\n{left}\nApply again to do the rest.", as_json=False)


def _outcome(prepared: Prepared, applied: Applied | None) -> list[str]:
    if applied is None:
        return ["Nothing was changed. Add --yes to make these changes."] if prepared.plan.steps else []
    if applied.fault is None:
        return ["Done."]
    done = _names(applied.done)
    return ["Done before it stopped:", *(f"  {name}" for name in done)] if done else ["Nothing was changed."]


def _names(steps: tuple[Step, ...]) -> list[str]:
    return [entry(change) for step in steps for change in step.changes]


def _document(prepared: Prepared, applied: Applied | None) -> dict[str, Any]:
    fault = applied.fault if applied else None
    document: dict[str, Any] = {
        "changes": msgspec.to_builtins(prepared.plan.changes),
        "notes": list(prepared.plan.notes),
        "problems": list(prepared.problems),
        "applied": applied is not None and fault is None,
        "done": _names(applied.done) if applied else [],
        "left": _names(applied.left if applied else prepared.plan.steps),
    }
    if fault is not None:
        document["error_type"], document["error_message"] = described(fault)
    return document
