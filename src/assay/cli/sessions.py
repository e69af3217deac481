"""``assay sessions``: ending many sessions at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
import typer

from assay.cli import asking, output
from assay.cli.options import AnyProjectId, Database, Json
from assay.cli.running import OPERATOR, perform
from assay.stories import ending
from assay.stories.context import Context
from assay.stories.ending import Ending
from assay.stories.references import PersonRef

Revoke = Callable[[Context], Awaitable[list[Ending]]]

app = typer.Typer(help="End sessions.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """End sessions."""


@app.command("revoke")
def revoke(  # noqa: PLR0913 - one parameter per option
    *,
    member: Annotated[
        str | None, typer.Option("--member", metavar="REF", help="One member's, by member id or external id.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="REF", help="One user's, by user id or external id.")
    ] = None,
    organization: Annotated[
        str | None,
        typer.Option(
            "--organization", metavar="REF", help="Those of all members of an organization, by id, external id or slug."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="ID", help="Those that rest on a token of this profile.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of the environment; without --project-id all of the server.")
    ] = False,
    project_id: AnyProjectId = None,
    yes: Annotated[bool, asking.Yes] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """End live sessions now, on every server at once. JWTs that were given out before live for up to five minutes more.

    --organization, --profile and --all ask first. Revoking a secret or deleting a profile ends no session: this does.
    """
    given = {"--member": member, "--user": user, "--organization": organization, "--profile": profile}
    named = [name for name, value in given.items() if value]
    if len(named) + everything != 1:
        raise typer.BadParameter("say whose: exactly one of --member, --user, --organization, --profile and --all")
    if project_id is None and not everything:
        raise typer.BadParameter(f"{named[0]} needs --project-id")
    if not (member or user):
        asking.sure(f"End {_scope(organization, profile, project_id)}?", yes=yes)
    ended = perform(database, _story(PersonRef(member=member, user=user), organization, profile, project_id))
    document = {"revoked": [msgspec.to_builtins(each) for each in ended]}
    lines = [
        f"Ended {output.counted(each.sessions, 'live session')} of the {each.scope} {each.target}." for each in ended
    ]
    output.show(document, lines or ["There is no project yet, and no session."], as_json=as_json)


def _scope(organization: str | None, profile: str | None, project_id: str | None) -> str:
    if organization:
        return f"all sessions of the organization {organization}"
    if profile:
        return f"all sessions that rest on the profile {profile}"
    return f"all sessions of {project_id}" if project_id else "all sessions of all environments"


def _story(person: PersonRef, organization: str | None, profile: str | None, project_id: str | None) -> Revoke:
    async def revoke(ctx: Context) -> list[Ending]:
        if project_id is None:
            return await ending.of_environments(ctx, None, by=OPERATOR)
        if person.member or person.user:
            return [await ending.of_person(ctx, project_id, person, by=OPERATOR)]
        if organization:
            return [await ending.of_organization(ctx, project_id, organization, by=OPERATOR)]
        if profile:
            return [await ending.of_profile(ctx, project_id, profile, by=OPERATOR)]
        return await ending.of_environments(ctx, project_id, by=OPERATOR)

    return revoke
