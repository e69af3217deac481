"""Refusals about what operators manage: projects, environments, their credentials, and what configures them."""

from __future__ import annotations

from assay.errors.base import Error


class EnvironmentNotFound(Error):
    """The project has no environment with this slug. The environments of a project are listed by its slug."""

    code = "environment_not_found"
    kind = "not found"
    default_message = "The environment could not be found."
