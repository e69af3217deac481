"""Where the management API's records live (contract, management 1.1 and 1.7)."""

from __future__ import annotations

PROJECTS = "/pwa/v3/projects"
PROJECT = PROJECTS + "/{project_slug}"
ENVIRONMENTS = PROJECT + "/environments"
ENVIRONMENT = ENVIRONMENTS + "/{environment_slug}"
LEGACY_PROJECTS = "/web/v1/projects"
