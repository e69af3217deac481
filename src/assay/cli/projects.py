"""``assay project``: projects, and the secrets of their environments."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.cli import output
from assay.cli.options import Database, Json, ProjectId
from assay.cli.running import OPERATOR, perform
from assay.model import Kind, Secret, Vertical
from assay.stories import projects
from assay.stories.projects import NewProject, ProjectListing

app = typer.Typer(help="Make and list projects, and the secrets that open them.", no_args_is_help=True)
secrets = typer.Typer(
    help="Make, list and revoke secrets. Several may be live at once: make the next one before revoking the last.",
    no_args_is_help=True,
)
app.add_typer(secrets, name="secret")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The project's name, 1 to 128 characters.")],
    *,
    vertical: Annotated[
        Vertical, typer.Option(help="b2b: members of organizations log in. consumer: users without organizations do.")
    ],
    live: Annotated[
        bool, typer.Option("--live", help="Print the credentials of the LIVE environment instead.")
    ] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a project with a LIVE and a TEST environment, and print the credentials of TEST.

    The secret is shown this once; `assay project secret create` makes another.
    """
    kind: Kind = "live" if live else "test"
    made = perform(database, lambda ctx: projects.create_project(ctx, name, vertical, kind=kind, by=OPERATOR))
    output.show(_new_project(made), _new_project_lines(made, database), as_json=as_json)


@app.command("list")
def list_all(*, database: Database = None, as_json: Json = False) -> None:
    """List all projects and their environments. The ids are what the server API takes as project id."""
    found = perform(database, projects.list_projects)
    output.show({"projects": [_listing(each) for each in found]}, _listing_lines(found, database), as_json=as_json)


@secrets.command("create")
def create_secret(*, project_id: ProjectId, database: Database = None, as_json: Json = False) -> None:
    """Make one more secret of an environment, and show it this once."""
    record, plain = perform(database, lambda ctx: projects.create_secret(ctx, project_id, by=OPERATOR))
    shown = {"secret_id": record.secret_id, "secret": plain}
    lines = ["Created a secret. It is shown only now:", "", *output.fields(shown)]
    output.show(_secret(record) | shown, lines, as_json=as_json)


@secrets.command("list")
def list_secrets(*, project_id: ProjectId, database: Database = None, as_json: Json = False) -> None:
    """List the secrets of an environment by id and last four characters, revoked ones included.

    The last use is noted at most every five minutes: a secret that was not used for longer than that can be revoked.
    """
    found = perform(database, lambda ctx: projects.list_secrets(ctx, project_id))
    lines = output.table(("SECRET ID", "SECRET", "CREATED", "LAST USED", "REVOKED"), map(_secret_row, found))
    output.show({"secrets": [_secret(each) for each in found]}, lines, as_json=as_json)


@secrets.command("revoke")
def revoke_secret(
    secret_id: Annotated[str, typer.Argument(help="The secret's id, as `assay project secret list` shows it.")],
    *,
    project_id: ProjectId,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Revoke a secret: from now on it opens nothing, on every server at once."""
    perform(database, lambda ctx: projects.revoke_secret(ctx, project_id, secret_id, by=OPERATOR))
    document = {"secret_id": secret_id, "revoked": True}
    output.show(document, [f"Revoked the secret {secret_id}."], as_json=as_json)


def _new_project(made: NewProject) -> dict[str, Any]:
    return {
        "project_slug": made.project.slug,
        "environment_slug": made.environment.slug,
        "project_id": made.environment.environment_id,
        "secret": made.secret,
        "public_token": made.public_token,
        "vertical": made.project.vertical,
        "name": made.project.name,
        "environment_kind": made.environment.kind,
    }


def _new_project_lines(made: NewProject, database: str | None) -> list[str]:
    environment = made.environment
    subject = "external_member_id" if environment.vertical == "b2b" else "external_user_id"
    return [
        f"Created the {environment.vertical} project {made.project.name} ({made.project.slug}).",
        f"Credentials of its {environment.kind.upper()} environment; the secret is shown only now:",
        "",
        *output.fields(
            {"project_id": environment.environment_id, "secret": made.secret, "public_token": made.public_token}
        ),
        "",
        "Next, say whose tokens it trusts:",
        "",
        output.command(
            *("profile", "create", "--project-id", environment.environment_id),
            *("--name", "NAME", "--issuer", "ISSUER", "--audience", "AUDIENCE", "--jwks-url", "URL"),
            *("--map", "email=email", "--map", f"{subject}=sub", "--jit"),
            database=database,
        ),
    ]


def _listing(listing: ProjectListing) -> dict[str, Any]:
    project = listing.project
    return {
        "project_slug": project.slug,
        "name": project.name,
        "vertical": project.vertical,
        "created_at": output.time(project.created_at),
        "environments": [
            {"environment_slug": each.slug, "environment_kind": each.kind, "project_id": each.environment_id}
            for each in listing.environments
        ],
    }


def _listing_lines(found: list[ProjectListing], database: str | None) -> list[str]:
    if not found:
        made = output.command("project", "create", "NAME", "--vertical", "b2b", database=database)
        return ["There is no project yet. Make one:", "", made]
    rows = [
        (each.project.name, each.project.slug, each.project.vertical, environment.slug, environment.environment_id)
        for each in found
        for environment in each.environments
    ]
    return output.table(("NAME", "SLUG", "VERTICAL", "ENVIRONMENT", "PROJECT ID"), rows)


def _secret_row(record: Secret) -> tuple[str, ...]:
    times = (record.created_at, record.used_at, record.revoked_at)
    return record.secret_id, f"…{record.last_four}", *(output.time(each) or "-" for each in times)


def _secret(record: Secret) -> dict[str, Any]:
    """What may be shown of a secret at any time."""
    return {
        "secret_id": record.secret_id,
        "project_id": record.environment_id,
        "last_four": record.last_four,
        "created_at": output.time(record.created_at),
        "used_at": output.time(record.used_at),
        "revoked_at": output.time(record.revoked_at),
    }
