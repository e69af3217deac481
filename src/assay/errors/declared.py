"""Refusals of configuration files, and of what they ask for."""

from __future__ import annotations

from assay.errors.base import Error


class ConfigurationFileInvalid(Error):
    """The file cannot be read as a configuration. The message lists every fault with its place; nothing was changed."""

    code = "invalid_configuration_file"
    kind = "invalid"
    default_message = "The configuration file is not valid."


class ConfigurationRefused(Error):
    """Something that the file asks for cannot be done. The message lists all of it; nothing was changed."""

    code = "configuration_refused"
    kind = "invalid"
    default_message = "The configuration cannot be applied."


class ConfigurationChangedMeanwhile(Error):
    """Somebody else changed an entry after the plan was made. Apply again, and look at the new plan."""

    code = "configuration_changed_meanwhile"
    kind = "conflict"
    default_message = "Somebody else has changed it since the plan was made."
