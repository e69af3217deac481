"""``assay preset``: issuers that are known here."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any

import msgspec
import typer

from assay.cli import output
from assay.cli.options import Json
from assay.rules.presets import Preset, Setting
from assay.stories import presets

app = typer.Typer(
    help="Presets: what is known of an issuer, which fills in a profile when it is created.", no_args_is_help=True
)


@app.command("list")
def list_all(*, as_json: Json = False) -> None:
    """List the issuers that are known."""
    found = presets.list_presets()
    rows = [(each.name, each.title, ", ".join(each.verticals), ", ".join(each.settings) or "-") for each in found]
    lines = output.table(("PRESET", "ISSUER", "FOR", "SETTINGS"), rows)
    output.show({"presets": [_document(each) for each in found]}, lines, as_json=as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The preset's name.")], *, as_json: Json = False
) -> None:
    """Show what is known of an issuer, the settings it takes, and the profile that it makes."""
    preset = presets.show_preset(name)
    lines = [
        f"{preset.title}: {preset.about}",
        f"Documented at {preset.docs}",
        *_settings(preset),
        *_notes(preset),
        "",
        "It makes this profile:",
        "",
        *output.fields(dict(_members(preset))),
        "",
        "To use it:",
        "",
        "  " + shlex.join(["assay", *create_words(preset)]),
    ]
    output.show(_document(preset), lines, as_json=as_json)


def create_words(preset: Preset, settings: dict[str, str] | None = None, project_id: str = "PROJECT_ID") -> list[str]:
    """The words after ``assay`` that make a profile by a preset. A setting without a value stands in capitals."""
    words = ["profile", "create", "--project-id", project_id, "--preset", preset.name]
    for name, setting in preset.settings.items():
        value = (settings or {}).get(name)
        if value is None and setting.default is None:
            value = blank(name, setting)
        words += [] if value is None or value == setting.default else ["--set", f"{name}={value}"]
    return words


def blank(name: str, setting: Setting) -> str:
    """What stands for a value that is still to be filled in; a secret and a text of several lines come from a file."""
    return f"@{name}.txt" if setting.secret or setting.json or "\n" in setting.example else name.upper()


def _document(preset: Preset) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(preset)
    return found


def _settings(preset: Preset) -> list[str]:
    if not preset.settings:
        return ["", "It takes no settings."]
    rows = [(name, _example(setting), setting.about) for name, setting in preset.settings.items()]
    return ["", "Settings:", "", *(f"  {line}" for line in output.table(("SETTING", "EXAMPLE", "MEANING"), rows))]


def _example(setting: Setting) -> str:
    if setting.default is not None:
        return f"{setting.default} (unless set)"
    return setting.example.partition("\n")[0]


def _notes(preset: Preset) -> list[str]:
    return ["", "Good to know:", "", *(f"  {note}" for note in preset.notes)] if preset.notes else []


def _members(preset: Preset) -> list[tuple[str, str]]:
    return [(name, _text(value)) for name, value in preset.profile.items()]


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
