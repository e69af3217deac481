"""Environments in the management API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from assay import model
from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT, ENVIRONMENTS
from assay.api.wire.answers import Answer, done, time
from assay.stories import environments, workspace


class Environment(msgspec.Struct, kw_only=True):
    """An environment (contract, management 1.7): every field is always there, and texts that are not set are empty."""

    environment_slug: str
    project_slug: str
    name: str
    # Assay is no OAuth client, so nobody calls it back.
    oauth_callback_id: str = ""
    session_jwt_algorithm: model.SessionJwtAlgorithm
    cross_org_passwords_enabled: bool
    user_impersonation_enabled: bool
    zero_downtime_session_migration_url: str
    use_custom_domain_in_magic_link_emails: bool
    user_lock_self_serve_enabled: bool
    user_lock_threshold: int
    user_lock_ttl: int
    idp_authorization_url: str
    idp_dynamic_client_registration_enabled: bool
    idp_dynamic_client_registration_access_token_template_content: str
    project_id: str
    type: Literal["LIVE", "TEST"]
    created_at: datetime


class Metrics(msgspec.Struct):
    """How much an environment holds."""

    user_count: int
    organization_count: int
    member_count: int
    m2m_client_count: int = 0


class EnvironmentAnswer(Answer, kw_only=True):
    """One environment."""

    environment: Environment


class EnvironmentsAnswer(Answer, kw_only=True):
    """The environments of a project."""

    environments: list[Environment]


class MetricsAnswer(Answer, kw_only=True):
    """The metrics of an environment."""

    metrics: Metrics


def one(found: environments.Placed, request_id: str) -> EnvironmentAnswer:
    """Answer to a call about one environment."""
    return EnvironmentAnswer(request_id=request_id, environment=_environment(found))


def several(found: list[environments.Placed], request_id: str) -> EnvironmentsAnswer:
    """Answer to the call for all environments of a project."""
    return EnvironmentsAnswer(request_id=request_id, environments=[_environment(each) for each in found])


def metrics(found: model.EnvironmentCounts, request_id: str) -> MetricsAnswer:
    """Answer to the question how much an environment holds."""
    return MetricsAnswer(request_id=request_id, metrics=Metrics(found.users, found.organizations, found.members))


def _environment(found: environments.Placed) -> Environment:
    environment = found.environment
    return Environment(
        environment_slug=environment.slug,
        project_slug=found.project_slug,
        name=environment.name,
        project_id=environment.environment_id,
        type="LIVE" if environment.kind == "live" else "TEST",
        created_at=time(environment.created_at),
        **msgspec.structs.asdict(environment.settings),
    )


ROUTES: tuple[Route, ...] = (
    managed("POST", ENVIRONMENTS, environments.EnvironmentCreate, environments.create, one),
    managed("GET", ENVIRONMENTS, workspace.ProjectRef, environments.list_all, several),
    managed("GET", ENVIRONMENT, environments.EnvironmentRef, environments.get, one),
    managed("PATCH", ENVIRONMENT, environments.EnvironmentUpdate, environments.update, one),
    managed("DELETE", ENVIRONMENT, environments.EnvironmentRef, environments.delete, done),
    managed("GET", f"{ENVIRONMENT}/metrics", environments.EnvironmentRef, environments.metrics, metrics),
)
