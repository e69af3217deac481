"""What ``assay profile create`` takes from a preset, and what stands over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.stories import presets
from assay.stories.context import Context
from assay.stories.profiles import ProfileCreate
from assay.stories.projects import require_environment

MOST_FILE_BYTES = 64 * 1024

Name = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Fill in what is known of an issuer; `assay preset list` shows which are. Other options given stand over"
        " what it says: --map for each attribute by itself, and --condition adds to its conditions.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SETTING=VALUE",
        help="A setting of the preset, once per setting; `assay preset show` explains them."
        " SETTING=@FILE takes what is in a file, so that no secret need stand on the command line.",
    ),
]

_KEYS = {"jwks_url": "--jwks-url", "pem_files": "--pem", "key_sources": "--key-source"}
_REQUIRED = ("name", "issuer", "audience")


class Filled:
    """A profile as its options describe it. Raises BadParameter for what does not go together.

    ``given`` are the members of a profile whose options were given.
    """

    def __init__(self, preset: str | None, settings: Sequence[str] | None, given: dict[str, Any]) -> None:
        self._preset = preset
        self._given = given
        self._settings = read_settings(settings or ())
        if settings and preset is None:
            raise typer.BadParameter("settings are those of a --preset", param_hint="--set")
        if preset is None:
            _check_whole(given)
        if len(given.keys() & _KEYS.keys()) != 1 and (preset is None or given.keys() & _KEYS.keys()):
            raise typer.BadParameter(
                "name the issuer's keys by one of them, and one only", param_hint=" or ".join(_KEYS.values())
            )

    async def request(self, ctx: Context, project_id: str) -> ProfileCreate:
        """The profile to create. Raises ProjectNotFound, PresetNotFound, InvalidPresetSettings."""
        if self._preset is None:
            return ProfileCreate(**self._given)
        environment = await require_environment(ctx, project_id)
        filled = presets.profile_of(self._preset, self._settings, environment.vertical)
        return presets.overridden(filled, self._given)


def read_settings(texts: Sequence[str]) -> dict[str, str]:
    """SETTING=VALUE or SETTING=@FILE, each setting once. Raises BadParameter, which quotes no value."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter("each looks like SETTING=VALUE", param_hint="--set")
        if name in found:
            raise typer.BadParameter(f"{name} is set twice", param_hint="--set")
        found[name] = _from_file(Path(value[1:])) if value.startswith("@") else value
    return found


def _check_whole(given: dict[str, Any]) -> None:
    for name in _REQUIRED:
        if name not in given:
            raise typer.BadParameter("is missing, and no --preset fills it in", param_hint=f"--{name}")


def _from_file(path: Path) -> str:
    """The text of a file without the line break that editors leave at its end."""
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise typer.BadParameter(f"{path} is longer than {MOST_FILE_BYTES} bytes", param_hint="--set")
        return path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as fault:
        raise typer.BadParameter(f"{path} cannot be read: {fault.strerror}", param_hint="--set") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not text", param_hint="--set") from None
