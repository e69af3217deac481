"""All pages, each module with the rows of its own."""

from __future__ import annotations

from assay.dashboard.pages import (
    activity,
    attempts,
    environments,
    jwt_templates,
    keys,
    members,
    operators,
    organizations,
    overview,
    policy,
    profiles,
    projects,
    redirect_urls,
    sessions,
    signing_in,
    try_token,
    users,
    workspace_keys,
)
from assay.dashboard.table import Row

ALL: tuple[Row, ...] = (
    *signing_in.PAGES,
    *overview.PAGES,
    *profiles.PAGES,
    *try_token.PAGES,
    *attempts.PAGES,
    *sessions.PAGES,
    *organizations.PAGES,
    *members.PAGES,
    *users.PAGES,
    *projects.PAGES,
    *keys.PAGES,
    *environments.PAGES,
    *policy.PAGES,
    *jwt_templates.PAGES,
    *redirect_urls.PAGES,
    *workspace_keys.PAGES,
    *activity.PAGES,
    *operators.PAGES,
)
"""The table of pages."""
