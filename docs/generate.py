"""Writes the generated pages of docs/reference out of the code: settings, errors, routes, commands, configuration.

Run ``python docs/generate.py`` after changing any of them; a test fails while a page is out of date.
"""

# ruff: noqa: INP001 - a script beside the pages it writes, not a package

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer.main

from assay import cli, config, errors
from assay.api import management, server
from assay.api.calls import Route
from assay.api.openapi import refusals
from assay.api.wire.answers import STATUSES
from assay.rules.reasons import ANYTHING, REASONS, Reason
from assay.stories.declared import format as configuration
from assay.stories.judging import STEPS

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py: change the code, not this page. -->\n"

_CITED = re.compile(r"\bdecisions? (D\d+)\b")
_SHARED = ("--project-id", "--database", "--json")
_OPTION_TITLES = ["Option", "Default", "Meaning"]
_VALUE_WORDS: dict[object, str] = {str: "TEXT", int: "NUMBER", Path: "FILE"}
_ROLE = re.compile(r":\w+:`([^`]+)`")
_TYPE_WORDS: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    typing.Any: "any",
}


def settings() -> str:
    """The page of settings."""
    rows = [[f"`{row.variable}`", f"`{row.default}`" if row.default else "", row.meaning] for row in config.SETTINGS]
    text = (
        "Assay reads its settings from environment variables, once, when a command starts."
        " `assay config` shows what applies; secret values are never shown.\n"
    )
    return _page("Settings", text, _table(["Variable", "Default", "Meaning"], rows))


def error_codes() -> str:
    """The page of error codes."""
    text = (
        "Every answer that is not 200 is JSON with `status_code`, `request_id`, `error_type` (the code below),"
        " `error_message` and `error_url`. Codes are stable; messages may change, and may be more specific than the"
        " usual one shown here.\n"
    )
    index = [[f"[`{error.code}`](#{error.code})", str(STATUSES[error.kind])] for error in errors.all_errors()]
    return _page("Error codes", text, _table(["Code", "Status"], index), *map(_error, errors.all_errors()))


def routes() -> str:
    """The page of routes."""
    text = (
        "Every call but the key sets and the probes takes HTTP Basic credentials: those of the server API a project id"
        " and one of its secrets, those of the management API (`/pwa`) a workspace key. Bodies are JSON objects of at"
        " most 1 MiB; members that a call does not know are ignored. Ids in a path may be percent-encoded, and win over"
        " the same field in a query or body. What comes back is what the official SDKs of the hosted service"
        " expect.\n\nA running server tells more at `/docs`: answers, examples, and the refusals of each call; the same"
        " for programs is at `/openapi.json` (OpenAPI 3.1).\n"
    )
    calls = (*server.ROUTES, *management.ROUTES)
    rows = [[f"`{row.method}`", f"[`{row.path}`](#{_anchor(row)})", _callers(row)] for row in calls]
    public = [["`GET`", f"`{path}`", ""] for path in (*server.JWKS_PATHS, "/healthz", "/readyz")]
    without = (
        "## Without credentials\n\n"
        "- Key sets: the public keys that verify the session JWTs of a project, to be kept for 15 minutes"
        " (`cache-control: public, max-age=900`).\n"
        "- `/healthz` answers 200 while the process runs, `/readyz` while it can also read its database (else 503).\n"
    )
    return _page("Routes", text, _table(["Method", "Path", "Callers"], rows + public), *map(_route, calls), without)


def command_line() -> str:
    """The page of commands."""
    root = typer.main.get_command(cli.app)
    found = list(commands("assay", root))
    shared = {_usage(parameter): parameter for _, command in found for parameter in _shared(command)}
    text = (
        f"{_paragraphs(root.help or '')}\nExit code 0: done. 1: refused, or something is wrong; a sentence on standard"
        " error says what. 2: the command line itself is wrong. Options that many commands have:\n"
    )
    table = _table(_OPTION_TITLES, [_parameter(parameter) for parameter in shared.values()])
    return _page("Command line", text, table, *(_command(*each) for each in found))


def configuration_file() -> str:
    """The page of configuration files."""
    text = (
        "What `assay apply` reads and `assay export` writes: TOML 1.0, UTF-8."
        " [Configuration as code](../how-to/configuration-as-code.md) shows a whole file.\n\n"
        "An entry that the file names becomes what the file says; a key that is left out has its default. What the"
        " file does not name is left alone, unless `--prune` is given. A key that is not listed here is an error."
        " Paths of files are relative to the configuration file. Secrets never stand in it.\n"
    )
    return _page("Configuration file", text, *map(_configuration_section, configuration.SECTIONS))


def reasons() -> str:
    """The page of reasons."""
    text = (
        "Whoever presents a bad token learns little: most get the same `invalid_trusted_auth_token`. The precise reason"
        " is for you, the operator. [See why a token was refused](../how-to/see-why-refused.md) tells where to find it;"
        " `assay explain` shows it with what to do.\n\n"
        "The reasons below stand in the order in which a token is judged, so that what comes before the one you have"
        f" was right. {ANYTHING} stands for what differs from token to token; nothing of it may be believed until the"
        " signature was found to be right.\n"
    )
    found = [(step, [each for each in REASONS if each.step == step]) for step in STEPS]
    return _page("Why was my token refused?", text, *(_reasons(step, listed) for step, listed in found if listed))


PAGES: dict[str, Callable[[], str]] = {
    "why-refused.md": reasons,
    "configuration-file.md": configuration_file,
    "settings.md": settings,
    "errors.md": error_codes,
    "routes.md": routes,
    "cli.md": command_line,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
    # The pages of issuers are made of fixtures, which are found from the root of the repository alone.
    sys.path.insert(0, str(FOLDER.parents[1]))
    importlib.import_module("docs.issuers").write()


# ---------------------------------------------------------------- configuration files


def _configuration_section(section: configuration.Section) -> str:
    head = f"## {section.name[0].upper()}{section.name[1:]}\n\n"
    shown = f"`{section.header}`\n\n" if section.header else ""
    rows = [[f"`{key.name}`", _form(key), _configuration_default(key), key.meaning] for key in section.keys]
    return f"{head}{shown}{section.meaning}\n\n{_table(['Key', 'Form', 'Default', 'Meaning'], rows)}"


def _form(key: configuration.Key) -> str:
    choices = " or ".join(f"`{choice}`" for choice in key.choices)
    if not choices:
        return str(key.form)
    return f"list out of {choices}" if key.form == "texts" else choices


def _configuration_default(key: configuration.Key) -> str:
    if key.required:
        return "required"
    return "" if key.default is None else f"`{json.dumps(key.default)}`"


# ---------------------------------------------------------------- errors


def _error(error: type[errors.Error]) -> str:
    head = f"## {error.code}\n\nStatus {STATUSES[error.kind]} ({error.kind}): “{error.default_message}”\n"
    return f"{head}\n{_prose(inspect.getdoc(error) or '')}"


# ---------------------------------------------------------------- reasons


def _reasons(step: str, listed: list[Reason]) -> str:
    rows = [[_said(each), "<br>".join(map(_code, each.kinds)), each.do] for each in listed]
    return f"## {step[0].upper()}{step[1:]}\n\n{_table(['The reason', 'Code', 'What to do'], rows)}"


def _said(reason: Reason) -> str:
    return reason.says or f"“{reason.kinds[0].default_message}”"


def _code(error: type[errors.Error]) -> str:
    return f"[`{error.code}`](errors.md#{error.code})"


# ---------------------------------------------------------------- routes


def _route(row: Route) -> str:
    parts = [f"## {row.method} {row.path}\n", _prose(inspect.getdoc(row.story) or "", refusals.raised(row.story))]
    if row.also:
        parts.append(f"Also at {', '.join(f'`{path}`' for path in row.also)}.\n")
    if row.member_session:
        parts.append("Takes a member-session header and then runs with that member's permissions.\n")
    fields = list(_fields(row))
    if fields:
        parts.append(_table(["Field", "Type", "Required"], fields))
    return "\n".join(parts)


def _fields(row: Route) -> Iterator[list[str]]:
    hints = typing.get_type_hints(row.request)
    others = {name: alias for alias, name in row.aliases.items()}
    for field in msgspec.structs.fields(row.request):
        name = f"`{field.encode_name}`"
        if field.name in others:
            name += f" (or `{others[field.name]}`)"
        if f"{{{field.encode_name}}}" in row.path:
            name += ", in the path"
        yield [name, _type(hints[field.name]), "yes" if field.required else ""]


def _type(hint: object) -> str:
    """A type annotation in the words of JSON."""
    if hint in _TYPE_WORDS:
        return _TYPE_WORDS[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in {list, tuple}:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return "object"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        inner = [f"`{field.encode_name}`" for field in msgspec.structs.fields(hint)]
        return f"object of {', '.join(inner)}"
    known = [_type(part) for part in parts if part not in {type(None), msgspec.UnsetType}]
    return " or ".join(known) or "any"


def _callers(row: Route) -> str:
    if row.api == "management":
        return "operators"
    return {"b2b": "B2B projects", "consumer": "consumer projects", None: "projects"}[row.vertical]


def _anchor(row: Route) -> str:
    """The anchor that a heading of method and path gets where Markdown is shown."""
    return re.sub(r"[^a-z0-9_ -]", "", f"{row.method} {row.path}".lower()).replace(" ", "-")


# ---------------------------------------------------------------- command line


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - the library's private types
    """Every command that does something, with its whole name, groups left out."""
    if hasattr(command, "commands"):
        for word, child in command.commands.items():
            yield from commands(f"{name} {word}", child)
    else:
        yield name, command


def _command(name: str, command: Any) -> str:  # noqa: ANN401 - as above
    shared = _shared(command)
    own = [parameter for parameter in command.params if parameter.name != "help" and parameter not in shared]
    parts = [f"## {name}\n", _paragraphs(command.help or "")]
    if own:
        parts.append(_table(_OPTION_TITLES, [_parameter(parameter) for parameter in own]))
    if shared:
        parts.append(f"Also {', '.join(f'`{parameter.opts[0]}`' for parameter in shared)}.\n")
    return "\n".join(parts)


def _shared(command: Any) -> list[Any]:  # noqa: ANN401 - as above
    return [parameter for parameter in command.params if parameter.opts[0] in _SHARED]


def _parameter(parameter: Any) -> list[str]:  # noqa: ANN401 - as above
    default = "" if parameter.default in (None, False, (), []) else f"`{parameter.default}`"
    words = [(parameter.help or "").strip()]
    words += ["Required."] if parameter.required else []
    words += ["May be given several times."] if parameter.multiple else []
    return [f"`{_usage(parameter)}`", default, " ".join(filter(None, words))]


def _usage(parameter: Any) -> str:  # noqa: ANN401 - as above
    hint = parameter.type_descriptor.annotation
    values = "|".join(map(str, typing.get_args(hint))) if typing.get_origin(hint) is typing.Literal else ""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or values or parameter.name.upper())
    kind = _VALUE_WORDS.get(hint, "VALUE")
    names = "/".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.is_flag:
        return names
    return f"{names} {parameter.metavar or values or kind}"


# ---------------------------------------------------------------- text


def _page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", NOTE, *parts]).rstrip() + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _prose(docstring: str, raised: Iterable[type[errors.Error]] = ()) -> str:
    """A docstring as Markdown, with the error codes of what is raised as links at the end."""
    told = "\n\n".join(part.partition("Raises ")[0] for part in docstring.split("\n\n"))
    told = _CITED.sub(lambda match: f"decision [{match[1]}](rules.md#{match[1].lower()})", told)
    told = _ROLE.sub(r"`\1`", told).replace("``", "`").strip()
    codes = [error.code for error in refusals.by_code(raised)]
    links = ", ".join(f"[`{code}`](errors.md#{code})" for code in codes)
    why = " [How to see why](../how-to/see-why-refused.md)." if errors.InvalidTrustedAuthToken.code in codes else ""
    return _paragraphs(f"{told}\n\nAmong its refusals: {links}.{why}" if links else told)


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip()) + "\n"


if __name__ == "__main__":
    main()
