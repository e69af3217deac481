"""The command line: each command calls a story, and says what came of it.

What a command was asked for goes to standard output, everything else to standard error. Exit code 0: done; 1: refused
or something is wrong, a sentence says what; 2: the command line itself is wrong; 130: stopped by Ctrl-C in the middle.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from assay import __version__
from assay.cli import (
    apply,
    attempts,
    backup,
    copy,
    doctor,
    events,
    explain,
    export,
    guess,
    imports,
    keys,
    maintain,
    migrate,
    operators,
    output,
    people,
    presets,
    profiles,
    projects,
    restore,
    running,
    serve,
    sessions,
    settings,
    workspace_keys,
)

USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    name="assay",
    help="Assay turns any JWT that you trust into a session.",
    epilog="A first project: assay project create, then assay profile create, then assay serve.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command("serve", short_help="Serve the API.")(serve.serve)
app.add_typer(projects.app, name="project", short_help="Projects and their secrets.")
app.add_typer(profiles.app, name="profile", short_help="Whose tokens to trust.")
profiles.app.command("guess")(guess.guess)
app.add_typer(presets.app, name="preset", short_help="Issuers that are known.")
app.add_typer(workspace_keys.app, name="workspace-key", short_help="Keys of the management API.")
app.add_typer(operators.app, name="operator", short_help="Who signs in to the dashboard.")
app.add_typer(keys.app, name="keys", short_help="Signing keys, the root key.")
app.command("apply", short_help="Make the database agree with a file.")(apply.apply)
app.command("export", short_help="Write such a file.")(export.export)
app.add_typer(imports.app, name="import", short_help="Take over people from a file.")
app.add_typer(people.app, name="person", short_help="Erase a person.")
app.add_typer(sessions.app, name="sessions", short_help="End sessions.")
app.command("explain", short_help="What attest would say to a token, and why.")(explain.explain)
app.command("attempts", short_help="What became of tokens.")(attempts.attempts)
app.command("events", short_help="The audit record.")(events.events)
app.command("migrate", short_help="Bring the schema up to date.")(migrate.migrate)
app.command("maintain", short_help="Drop what has come to its end.")(maintain.maintain)
app.command("backup", short_help="Copy the database while it is in use.")(backup.backup)
app.command("restore", short_help="Put a backup in its place.")(restore.restore)
app.command("copy", short_help="Copy it into another kind of database.")(copy.copy)
app.command("config", short_help="Show all settings.")(settings.show)
app.command("doctor", short_help="Find what is wrong.")(doctor.doctor)


def _print_version(value: bool) -> None:  # noqa: FBT001 - how the library calls it
    if value:
        output.write(f"assay {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What all commands have in common."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (None: this process's) and answer its exit code.

    Faults that can be expected come out as a sentence. Anything else is a defect and keeps its traceback, which is
    Python's own: the library's would print local variables, and secrets among them.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        code = get_command(app).main(given, prog_name="assay", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.TyperException as fault:
        output.refuse("usage", _usage(fault), as_json=as_json)
        return USAGE
    except running.EXPECTED as fault:
        output.refuse(*running.described(fault), as_json=as_json)
        return 1
    return code if isinstance(code, int) else 0


def _usage(fault: typer.TyperException) -> str:
    # The library's checks of values put their own name before the sentence.
    message = fault.format_message().replace("Value error, ", "")
    context = getattr(fault, "ctx", None)
    if context is None or message.startswith("Usage:"):
        return message
    return f"{message}\nTry '{context.command_path} --help'."
