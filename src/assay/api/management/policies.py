"""RBAC policies in the management API (contract, management 1.7).

Resources say ``available_actions`` here, where the server API says ``actions``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire.access import Permission, Role, Scope
from assay.api.wire.answers import Answer
from assay.stories import rbac_policies
from assay.stories.environments import EnvironmentRef
from assay.stories.rbac_policies import PolicyView

_POLICY = f"{ENVIRONMENT}/rbac_policy"


class DefaultRole(msgspec.Struct):
    """What a default role permits."""

    permissions: tuple[Permission, ...]


class AvailableResource(msgspec.Struct):
    """Something that can be acted upon, and how."""

    resource_id: str
    description: str
    available_actions: tuple[str, ...]


class EnvironmentPolicy(msgspec.Struct, omit_defaults=True):
    """A policy in its parts; the default roles are those of the project's vertical."""

    stytch_resources: tuple[AvailableResource, ...]
    custom_roles: tuple[Role, ...]
    custom_resources: tuple[AvailableResource, ...]
    custom_scopes: tuple[Scope, ...]
    stytch_member: DefaultRole | None = None
    stytch_admin: DefaultRole | None = None
    stytch_user: DefaultRole | None = None


class EnvironmentPolicyAnswer(Answer, kw_only=True):
    """The policy of an environment."""

    policy: EnvironmentPolicy


def environment_policy(view: PolicyView, request_id: str) -> EnvironmentPolicyAnswer:
    """Answer to a reading or a setting of the policy."""
    parts = view.parts
    policy = EnvironmentPolicy(
        stytch_resources=_resources(view.stytch_resources),
        custom_roles=msgspec.convert(parts.custom_roles, tuple[Role, ...], from_attributes=True),
        custom_resources=_resources(parts.custom_resources),
        custom_scopes=msgspec.convert(parts.custom_scopes, tuple[Scope, ...], from_attributes=True),
        **{role_id: _default_role(permissions) for role_id, permissions in parts.default_roles().items()},
    )
    return EnvironmentPolicyAnswer(request_id=request_id, policy=policy)


def _resources(resources: Iterable[Any]) -> tuple[AvailableResource, ...]:
    return tuple(AvailableResource(each.resource_id, each.description, each.actions) for each in resources)


def _default_role(given: Iterable[Any]) -> DefaultRole:
    return DefaultRole(msgspec.convert(given, tuple[Permission, ...], from_attributes=True))


ROUTES: tuple[Route, ...] = (
    managed("GET", _POLICY, EnvironmentRef, rbac_policies.get_policy, environment_policy),
    managed("PUT", _POLICY, rbac_policies.PolicySet, rbac_policies.set_policy, environment_policy),
)
