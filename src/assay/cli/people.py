"""``assay person``: what concerns one person, whatever tells of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from assay.cli import asking, output
from assay.cli.options import Database, Json, ProjectId
from assay.cli.running import OPERATOR, perform
from assay.model import PersonCounts
from assay.stories import erasure
from assay.stories.erasure import Erasure
from assay.stories.references import PersonRef

app = typer.Typer(help="What concerns one person, whatever tells of it.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """What concerns one person, whatever tells of it."""


@app.command("erase")
def erase(  # noqa: PLR0913 - one parameter per option
    *,
    project_id: ProjectId,
    member: Annotated[
        str | None, typer.Option("--member", metavar="REF", help="A member, by member id or external id.")
    ] = None,
    organization: Annotated[
        str | None,
        typer.Option("--organization", metavar="REF", help="The member's organization, by id, external id or slug."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="REF", help="A user, by user id or external id.")
    ] = None,
    yes: Annotated[bool, asking.Yes] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase one person for good: the record, sessions, attempts and events that tell of it. There is no way back.

    An event person.erased without personal data stays. Backups made before still hold the person. A member that was
    deleted is erased by its member id.
    """
    reference = _reference(member, organization, user)
    found = perform(database, lambda ctx: erasure.examine(ctx, project_id, reference))
    if not yes:
        asking.tell(_preview(found))
    asking.sure("Erase all this for good?", yes=yes)
    erased = perform(database, lambda ctx: erasure.erase(ctx, project_id, reference, by=OPERATOR))
    lines = [f"Erased {erased.subject_id} with {_counted(erased.counts)}."]
    output.show(_document(erased), lines, as_json=as_json)


def _reference(member: str | None, organization: str | None, user: str | None) -> PersonRef:
    if bool(member) == bool(user):
        raise typer.BadParameter("name one person: --member REF or --user REF")
    if organization and not member:
        raise typer.BadParameter("--organization goes with --member")
    return PersonRef(member=member, organization=organization, user=user)


def _preview(found: Erasure) -> list[str]:
    person = found.person
    shown = {
        found.subject_kind: found.subject_id,
        "address": person.email or "-",
        "external id": person.external_id or "-",
    }
    return ["This person, and what tells of it:", *output.fields(shown), f"  {_counted(found.counts)}"]


def _counted(counts: PersonCounts) -> str:
    sessions, attempts = output.counted(counts.sessions, "session"), output.counted(counts.attempts, "attempt")
    return f"{sessions}, {attempts} and {output.counted(counts.events, 'event')}"


def _document(found: Erasure) -> dict[str, Any]:
    return {
        "subject_kind": found.subject_kind,
        "subject_id": found.subject_id,
        "erased": msgspec.to_builtins(found.counts),
    }
