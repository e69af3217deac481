"""``assay import``: people out of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any, TextIO

import msgspec
import typer

from assay.cli import output
from assay.cli.options import Database, Json, ProjectId
from assay.cli.progress import Progress
from assay.cli.running import OPERATOR, perform
from assay.store.sqlite_scratch import Scratch
from assay.stories.import_job import Fault, ImportOptions, Phase, Summary, Watcher
from assay.stories.imports import import_people
from assay.stories.people_files import Format, PeopleFile, format_of

app = typer.Typer(
    help="Take over people from another system, out of CSV or JSON. Everything is checked before anything is written.",
    no_args_is_help=True,
)

File = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        readable=True,
        help="CSV with a header, JSON lines, or one JSON array; UTF-8.",
    ),
]
KindOfFile = Annotated[
    Format | None,
    typer.Option("--format", help="What the file is. Without it: by its extension, else by its first character."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=FIELD",
        help="A column (or JSON member) of the file that has another name here; once per column."
        " FIELD may be a part, such as trusted_metadata.plan.",
    ),
]
Update = Annotated[
    bool, typer.Option("--update", help="Change people who are there with another content; else they are left alone.")
]
SkipFaulty = Annotated[bool, typer.Option("--skip-faulty", help="Import the good rows even if there are faulty ones.")]
KeepIds = Annotated[
    bool,
    typer.Option(
        "--keep-ids-as-external",
        help="Make the other system's id (member_id, user_id) the external id of those who have none.",
    ),
]
CheckOnly = Annotated[bool, typer.Option("--check", help="Only check the file; write nothing.")]
FaultsFile = Annotated[
    Path | None,
    typer.Option("--faults", metavar="FILE", dir_okay=False, help="Write all faults there, as JSON lines."),
]


@app.command("members")
def members(  # noqa: PLR0913 - one parameter per option
    file: File,
    *,
    project_id: ProjectId,
    organization: Annotated[
        str | None,
        typer.Option("--organization", metavar="REF", help="The organization of all rows, by id, external id or slug."),
    ] = None,
    create_organizations: Annotated[
        bool, typer.Option("--create-organizations", help="Make organizations that rows name and nobody has.")
    ] = False,
    kind: KindOfFile = None,
    column: Columns = None,
    update: Update = False,
    skip_faulty: SkipFaulty = False,
    keep_ids: KeepIds = False,
    check: CheckOnly = False,
    faults: FaultsFile = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Import members of organizations. Run it again after an interruption: who is there already is left alone.

    Rows have the members of the member object: email_address, name, external_id, status, email_address_verified, roles,
    is_breakglass, mfa_enrolled, mfa_phone_number, trusted_metadata, untrusted_metadata, and one or more of
    organization_external_id, organization_slug, organization_name, organization_id. Exit code 1 when rows are faulty
    and nothing was written.
    """
    options = ImportOptions(
        people="members",
        organization=organization,
        create_organizations=create_organizations,
        keep_ids=keep_ids,
        update=update,
        skip_faulty=skip_faulty,
        check_only=check,
    )
    _run(file, kind, column, options, faults, project_id=project_id, database=database, as_json=as_json)


@app.command("users")
def users(  # noqa: PLR0913 - one parameter per option
    file: File,
    *,
    project_id: ProjectId,
    kind: KindOfFile = None,
    column: Columns = None,
    update: Update = False,
    skip_faulty: SkipFaulty = False,
    keep_ids: KeepIds = False,
    check: CheckOnly = False,
    faults: FaultsFile = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Import users of a consumer project. Run it again after an interruption: who is there already is left alone.

    Rows have the members of the user object: emails or email and email_verified, phone_numbers or phone_number, name or
    first_name, middle_name and last_name, external_id, status, roles, trusted_metadata, untrusted_metadata. Exit code 1
    when rows are faulty and nothing was written.
    """
    options = ImportOptions(people="users", keep_ids=keep_ids, update=update, skip_faulty=skip_faulty, check_only=check)
    _run(file, kind, column, options, faults, project_id=project_id, database=database, as_json=as_json)


def _run(  # noqa: PLR0913 - what both commands were given
    path: Path,
    kind: Format | None,
    column: list[str] | None,
    options: ImportOptions,
    faults: Path | None,
    *,
    project_id: str,
    database: str | None,
    as_json: bool,
) -> None:
    columns = _columns(column or [])
    with ExitStack() as stack:
        stream = stack.enter_context(path.open("rb"))
        memory = stack.enter_context(closing(Scratch()))
        all_faults = None if faults is None else stack.enter_context(faults.open("w", encoding="utf-8"))
        progress = stack.enter_context(closing(Progress()))
        people = PeopleFile(stream, kind or format_of(path.name, stream), columns)
        watcher = _watcher(progress, people, all_faults)
        found = perform(
            database,
            lambda ctx: import_people(ctx, project_id, people, memory, options, by=OPERATOR, watcher=watcher),
        )
    output.show(_document(found), _lines(found, path, options), as_json=as_json)
    if found.faulty and not options.skip_faulty:
        raise typer.Exit(1)


def _columns(given: list[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in given:
        column, _, field = text.rpartition("=")
        if not column or not field:
            raise typer.BadParameter("write it as COLUMN=FIELD, such as mail=email_address", param_hint="--map")
        columns[column] = field
    return columns


def _watcher(progress: Progress, file: PeopleFile, all_faults: TextIO | None) -> Watcher:
    def tell(phase: Phase, rows: int) -> None:
        progress.tell(phase, rows, file.position / file.size if file.size else 1)

    def fault(found: Fault) -> None:
        if all_faults is not None:
            all_faults.write(json.dumps({"line": found.line, "problem": found.problem}, ensure_ascii=False) + "\n")

    return Watcher(tell, fault)


def _document(found: Summary) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(found)
    return document | {"faults": [{"line": each.line, "problem": each.problem} for each in found.faults]}


def _lines(found: Summary, path: Path, options: ImportOptions) -> Iterator[str]:
    yield (
        f"{path}: {output.counted(found.rows, 'row')}. {found.new} new, {found.same} already there,"
        f" {found.different} different, {found.left_out} deleted over there, {found.faulty} faulty."
    )
    yield from _remarks(found, options)
    if found.faults:
        yield from ("", *output.table(("LINE", "PROBLEM"), [(str(each.line), each.problem) for each in found.faults]))
        if found.faulty > len(found.faults):
            yield f"… and {found.faulty - len(found.faults)} more; --faults FILE lists them all."
    yield ""
    yield _outcome(found, options)


def _remarks(found: Summary, options: ImportOptions) -> Iterator[str]:
    if found.different and not options.update:
        yield "Who is different was left alone; --update changes them to what the file says."
    for note, count in found.notes.items():
        yield f"{output.counted(count, 'row')} {note}."
    if found.unused:
        yield f"Not imported: {', '.join(sorted(found.unused))}."


def _outcome(found: Summary, options: ImportOptions) -> str:
    if not found.written:
        if not found.faulty:
            return "Nothing was written; the file can be imported as it is."
        return "Nothing was written. Mend these lines, or leave them out with --skip-faulty."
    made = f" and {output.counted(found.organizations_created, 'organization')}" if found.organizations_created else ""
    return f"Created {output.counted(found.created, options.people[:-1])}{made}, updated {found.updated}."
