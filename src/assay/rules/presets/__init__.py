"""Presets: what is known about an issuer, as data that fills in a profile (decisions D10).

One TOML file each. A preset is looked at when a profile is made and never again: a stored profile is judged by what
it says itself. ``${name}`` stands for a setting of the operator's; everything else is taken as it is.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from assay import jsontext
from assay.model import Vertical

_SETTING = re.compile(r"\$\{([a-z_]+)\}")
# Values end up in URLs and in CEL strings, so nothing that could end either is ever allowed in them.
_USUAL_PATTERN = r"[A-Za-z0-9._:/@~+-]{1,256}"
_EXTERNAL_ID: dict[Vertical, str] = {"b2b": "external_member_id", "consumer": "external_user_id"}
_ORGANIZATION_ALONE = frozenset({"organization_id", "organization_name"})


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator must say, or may say where there is a ``default``. ``pattern`` is what a value looks like.

    A default may have places of settings that stand before this one.

    A ``secret`` is write-only and may hold any characters; it can only be the secret of an hmac source. ``found`` is a
    CEL expression for where a token shows the value, for a guess; it is only needed where neither the issuer, nor the
    audience, nor a condition that compares the setting with a claim or a header member shows it. The value of a
    ``json`` setting is JSON, and stands where the setting's place is a whole text. A member of an object that is the
    place of a setting left empty is left out.
    """

    about: str
    example: str
    default: str | None = None
    pattern: str = _USUAL_PATTERN
    secret: bool = False
    found: str = ""
    json: bool = False


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A known issuer. ``profile`` are members of a profile; ``notes`` tell the operator what is odd about its tokens.

    In its ``attribute_mapping`` the name ``external_id`` stands for the one of the vertical. ``hallmark`` is a CEL
    expression that is true of this issuer's tokens and of nobody else's, for a guess; it is only needed where the
    issuer's name does not tell, because it is the customer's own.
    """

    name: str
    title: str
    about: str
    docs: str
    verticals: tuple[Vertical, ...] = ("b2b", "consumer")
    notes: tuple[str, ...] = ()
    hallmark: str = ""
    settings: dict[str, Setting] = {}
    profile: dict[str, Any]


class BadSettings(ValueError):
    """The settings do not fit the preset; the message says which and what is expected."""


@cache
def all_presets() -> tuple[Preset, ...]:
    """Every preset there is, by name."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".toml"))
    read = [
        msgspec.convert({"name": file.name.removesuffix(".toml")} | tomllib.loads(file.read_text("utf-8")), Preset)
        for file in files
    ]
    return tuple(sorted(read, key=lambda preset: preset.name))


def find(name: str) -> Preset | None:
    """The preset of this name, if there is one."""
    return next((preset for preset in all_presets() if preset.name == name), None)


def fill(preset: Preset, given: dict[str, str], vertical: Vertical) -> dict[str, Any]:
    """The members of a profile that the preset and these settings make. Raises BadSettings."""
    if vertical not in preset.verticals:
        raise BadSettings(
            f"{preset.name} is for {' and '.join(preset.verticals)} projects, and this is a {vertical} one"
        )
    values = _checked(preset, given)
    filled: dict[str, Any] = _filled(preset.profile, values)
    mapping = {
        _EXTERNAL_ID[vertical] if attribute == "external_id" else attribute: value
        for attribute, value in filled.get("attribute_mapping", {}).items()
        if vertical == "b2b" or attribute not in _ORGANIZATION_ALONE
    }
    return filled | {"attribute_mapping": mapping}


def _checked(preset: Preset, given: dict[str, str]) -> dict[str, Any]:
    unknown = sorted(given.keys() - preset.settings.keys())
    if unknown:
        known = ", ".join(preset.settings) or "none"
        raise BadSettings(f"{preset.name} has no setting {unknown[0]}; there are: {known}")
    values: dict[str, Any] = {}
    for name, setting in preset.settings.items():
        value = given.get(name, setting.default)
        if value is None:
            raise BadSettings(f"{preset.name} needs the setting {name}, such as {setting.example}: {setting.about}")
        if not setting.secret and value != setting.default and not re.fullmatch(setting.pattern, value):
            raise BadSettings(f"the setting {name} looks like {setting.example}: {setting.about}")
        # Of what an operator says nothing is ever a place of another setting.
        whole = value if name in given else _filled(value, values)
        values[name] = _json(name, whole) if setting.json else whole
    return values


def _json(name: str, text: str) -> Any:  # noqa: ANN401 - JSON values
    try:
        return jsontext.loads(text.encode())
    except (jsontext.JsonFault, UnicodeEncodeError):
        raise BadSettings(f"the setting {name} is not JSON") from None


def _filled(value: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(value, str):
        whole = _SETTING.fullmatch(value)
        return values[whole[1]] if whole else _SETTING.sub(lambda place: values[place[1]], value)
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items() if not _left_empty(each, values)}
    return value


def _left_empty(value: object, values: dict[str, Any]) -> bool:
    """Whether the value is the place of a setting, and nothing was given for it."""
    whole = _SETTING.fullmatch(value) if isinstance(value, str) else None
    return whole is not None and values[whole[1]] == ""
