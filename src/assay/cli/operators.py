"""``assay operator``: who signs in to the dashboard."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.cli import output
from assay.cli.options import Database, Json
from assay.cli.running import OPERATOR, perform
from assay.first_operator import PATH
from assay.stories import operators
from assay.stories.context import Context
from assay.stories.operators import Invitation, OperatorListing, Role

app = typer.Typer(help="Invite, list, change and remove the operators of the dashboard.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="The operator's e-mail address.")]


@app.command("invite")
def invite(
    email: Email,
    *,
    role: Annotated[Role, typer.Option("--role", help="What the operator may do.")],
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="Where the server answers. Else ASSAY_PUBLIC_URL, else port 8080 here."
        ),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a one-time link, by which somebody becomes an operator or sets a new password.

    Send it to that person alone: whoever opens it first is let in. It works once, for 24 hours; an earlier link of the
    same operator stops working.
    """

    async def work(ctx: Context) -> tuple[Invitation, str]:
        return await operators.invite(ctx, email, role, by=OPERATOR), ctx.settings.public_url

    made, public_url = perform(database, work)
    link = (url or public_url or "http://127.0.0.1:8080").rstrip("/") + PATH + made.token
    document = {"link": link, "expires_at": output.time(made.expires_at), "role": role, "email": email}
    lines = [
        f"A link for {email} ({role}), until {output.time(made.expires_at)}. It is shown only now:",
        "",
        f"  {link}",
    ]
    output.show(document, lines, as_json=as_json)


@app.command("list")
def list_all(*, database: Database = None, as_json: Json = False) -> None:
    """List all operators."""
    found = perform(database, operators.list_all)
    titles = ("OPERATOR ID", "EMAIL", "ROLE", "STATE", "INVITED")
    output.show(
        {"operators": [_shown(each) for each in found]}, output.table(titles, map(_row, found)), as_json=as_json
    )


@app.command("role")
def role(
    email: Email,
    role: Annotated[Role, typer.Argument(help="What the operator may do from now on.")],
    *,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Give an operator another role; all sessions of the operator end."""

    async def work(ctx: Context) -> OperatorListing:
        known = await operators.named(ctx, email)
        return await operators.change_role(ctx, known.operator_id, role, by=OPERATOR)

    changed = perform(database, work)
    output.show({"operator": _shown(changed)}, [f"{changed.email} is now {role}."], as_json=as_json)


@app.command("remove")
def remove(email: Email, *, database: Database = None, as_json: Json = False) -> None:
    """Remove an operator: sessions, password and links are gone at once."""

    async def work(ctx: Context) -> OperatorListing:
        known = await operators.named(ctx, email)
        await operators.remove(ctx, known.operator_id, by=OPERATOR)
        return known

    gone = perform(database, work)
    output.show({"operator_id": gone.operator_id, "removed": True}, [f"Removed {gone.email}."], as_json=as_json)


def _shown(each: OperatorListing) -> dict[str, Any]:
    return {
        "operator_id": each.operator_id,
        "email": each.email,
        "role": each.role,
        "joined": each.has_joined,
        "created_at": output.time(each.created_at),
    }


def _row(each: OperatorListing) -> tuple[str, ...]:
    state = "joined" if each.has_joined else "invited"
    return each.operator_id, each.email, each.role or "by token", state, output.time(each.created_at) or "-"
