"""Policies, keys, and what a caller or an operator can read about the service (contract §5.2, §6.4, §7)."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.api.wire.answers import Answer
from assay.model import Environment


class Permission(msgspec.Struct):
    """Actions on one resource."""

    resource_id: str
    actions: tuple[str, ...]


class Role(msgspec.Struct):
    """A named set of permissions."""

    role_id: str
    description: str
    permissions: tuple[Permission, ...]


class Resource(msgspec.Struct):
    """Something that can be acted upon."""

    resource_id: str
    description: str
    actions: tuple[str, ...]


class Scope(msgspec.Struct):
    """A set of permissions that an application can ask for."""

    scope: str
    description: str
    permissions: tuple[Permission, ...]


class Policy(msgspec.Struct):
    """All of a project's roles, resources and scopes."""

    roles: tuple[Role, ...]
    resources: tuple[Resource, ...]
    scopes: tuple[Scope, ...]


class OrganizationPolicy(msgspec.Struct):
    """An organization's own roles."""

    roles: tuple[Role, ...]


class PolicyAnswer(Answer, kw_only=True):
    """The policy of the project."""

    policy: Policy


class OrganizationPolicyAnswer(Answer, kw_only=True):
    """The policy of one organization."""

    org_policy: OrganizationPolicy


class Whoami(Answer, kw_only=True):
    """Whose credentials these are."""

    project_id: str
    name: str


class KeySet(Answer, kw_only=True):
    """The public keys that verify session JWTs; clients find the right one by its ``kid``."""

    keys: tuple[dict[str, Any], ...]


class Health(Answer, kw_only=True):
    """The process is there, and (``/readyz``) can read its store."""

    status: str = "ok"


def policy(found: object, request_id: str) -> PolicyAnswer:
    """Answer to a reading of the project's policy."""
    return PolicyAnswer(request_id=request_id, policy=msgspec.convert(found, Policy, from_attributes=True))


def organization_policy(found: object, request_id: str) -> OrganizationPolicyAnswer:
    """Answer to a reading of an organization's policy."""
    roles = msgspec.convert(found, tuple[Role, ...], from_attributes=True)
    return OrganizationPolicyAnswer(request_id=request_id, org_policy=OrganizationPolicy(roles))


def whoami(environment: Environment, request_id: str) -> Whoami:
    """Answer to the question whose credentials these are; an environment's id is a project id here (D23)."""
    return Whoami(request_id=request_id, project_id=environment.environment_id, name=environment.name)
