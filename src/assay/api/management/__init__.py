"""The management API: what operators' tools call to set up projects, opened by workspace keys.

Each module has a part of the table, the Structs that go over the wire, and what renders them.
"""

from __future__ import annotations

from assay.api.calls import Route
from assay.api.management import (
    attempts,
    credentials,
    environments,
    events,
    policies,
    profiles,
    projects,
    redirect_urls,
    templates,
)

ROUTES: tuple[Route, ...] = (
    *projects.ROUTES,
    *environments.ROUTES,
    *credentials.ROUTES,
    *profiles.ROUTES,
    *redirect_urls.ROUTES,
    *policies.ROUTES,
    *templates.ROUTES,
    *events.ROUTES,
    *attempts.ROUTES,
)
