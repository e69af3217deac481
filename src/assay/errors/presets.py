"""Refusals about presets, which fill in profiles."""

from __future__ import annotations

from assay.errors.base import Error


class PresetNotFound(Error):
    """No preset has this name. ``assay preset list`` shows those there are."""

    code = "preset_not_found"
    kind = "not found"
    default_message = "There is no preset with this name."


class InvalidPresetSettings(Error):
    """The settings do not fit the preset. The message names the setting; ``assay preset show`` shows them all."""

    code = "invalid_preset_settings"
    kind = "invalid"
    default_message = "The settings do not fit the preset."
