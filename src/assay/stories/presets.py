"""Presets of known issuers, and the profiles they make (decisions D10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from assay import errors
from assay.model import Vertical
from assay.rules import presets
from assay.rules.presets import Preset
from assay.stories.profiles import ProfileCreate


def list_presets() -> tuple[Preset, ...]:
    """Every preset, by name."""
    return presets.all_presets()


def show_preset(name: str) -> Preset:
    """The preset of this name. Raises PresetNotFound."""
    found = presets.find(name)
    if found is None:
        raise errors.PresetNotFound(f"There is no preset {name[:80]!r}. `assay preset list` shows those there are.")
    return found


def profile_of(name: str, settings: Mapping[str, str], vertical: Vertical) -> ProfileCreate:
    """The profile that a preset and its settings make in a project of this vertical; it is not stored.

    Raises PresetNotFound, InvalidPresetSettings.
    """
    preset = show_preset(name)
    try:
        members = presets.fill(preset, dict(settings), vertical)
    except presets.BadSettings as fault:
        raise errors.InvalidPresetSettings(f"{str(fault)[:1].upper()}{str(fault)[1:]}.") from None
    return msgspec.convert(members, ProfileCreate)


def overridden(request: ProfileCreate, given: Mapping[str, Any]) -> ProfileCreate:
    """A preset's profile with what the operator says about it, by the names of its members.

    A mapping stands over that of the preset attribute by attribute, and conditions are added to those of the preset:
    they are what tells its customers from each other, so that nothing drops one by the way. Keys given in any form
    replace those of the preset.
    """
    over = dict(given)
    if over.keys() & set(_KEYS):
        over = dict.fromkeys(_KEYS) | {"pem_files": ()} | over
    if "attribute_mapping" in over:
        over["attribute_mapping"] = (request.attribute_mapping or {}) | over["attribute_mapping"]
    if "conditions" in over:
        over["conditions"] = tuple(dict.fromkeys((*request.conditions, *over["conditions"])))
    return msgspec.structs.replace(request, **over)


_KEYS = ("jwks_url", "pem_files", "key_sources")
