"""The RBAC policy of an environment as operators read and set it (contract §7 and management 1.7)."""

from __future__ import annotations

import msgspec

from assay import store
from assay.model import Environment
from assay.rules import policies
from assay.rules.permissions import DEFAULT_POLICY, Permission, Policy, Resource, Role, Scope
from assay.rules.policies import PolicyParts
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator
from assay.stories.environments import EnvironmentRef, resolve


class GivenPermission(msgspec.Struct, frozen=True, kw_only=True):
    """Actions on one resource; ``*`` alone stands for all of them."""

    resource_id: str = ""
    actions: tuple[str, ...] | None = None


class GivenDefaultRole(msgspec.Struct, frozen=True, kw_only=True):
    """What a default role permits; its id and description are Assay's."""

    permissions: tuple[GivenPermission, ...] | None = None


class GivenRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role of the operator's own."""

    role_id: str = ""
    description: str | None = None
    permissions: tuple[GivenPermission, ...] | None = None


class GivenResource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource of the operator's own, and what can be done to it."""

    resource_id: str = ""
    description: str | None = None
    available_actions: tuple[str, ...] | None = None


class GivenScope(msgspec.Struct, frozen=True, kw_only=True):
    """A set of permissions that an application can ask for."""

    scope: str = ""
    description: str | None = None
    permissions: tuple[GivenPermission, ...] | None = None


class PolicySet(EnvironmentRef, kw_only=True):
    """A whole policy. What is left out is empty afterwards, or for a default role as usual.

    Official clients leave out what is empty, so that the two cannot be told apart.
    """

    stytch_member: GivenDefaultRole | None = None
    stytch_admin: GivenDefaultRole | None = None
    stytch_user: GivenDefaultRole | None = None
    custom_roles: tuple[GivenRole, ...] = ()
    custom_resources: tuple[GivenResource, ...] = ()
    custom_scopes: tuple[GivenScope, ...] = ()


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as operators read it, and the resources that every policy of the vertical has."""

    parts: PolicyParts
    stytch_resources: tuple[Resource, ...]


async def get_policy(ctx: Context, _by: Operator, request: EnvironmentRef) -> PolicyView:
    """What was set, and the defaults where nothing was. Raises ProjectNotFound, EnvironmentNotFound."""
    environment = await resolve(ctx, request.project_slug, request.environment_slug)
    _, configuration = await ctx.store.configuration(environment.environment_id)
    return _view(environment, configuration.policy)


async def set_policy(ctx: Context, by: Operator, request: PolicySet) -> PolicyView:
    """Put a policy in the place of the one there is. It counts from the next request on.

    Raises ProjectNotFound, EnvironmentNotFound, as :func:`policies.stored`.
    """

    async def change() -> PolicyView:
        environment = await resolve(ctx, request.project_slug, request.environment_slug)
        after = policies.stored(environment.vertical, _parts(request))
        # Read after the environment: if it changed in between, the write carries a revision that is stale.
        _, configuration = await ctx.store.configuration(environment.environment_id)
        changed = changes(environment, configuration.policy, after)
        if changed:
            event = by.event(
                environment.environment_id,
                "rbac_policy.updated",
                environment.environment_id,
                int(ctx.clock()),
                changed=changed,
            )
            write = store.ConfigureEnvironment(environment=environment, policy=after, events=(event,))
            await ctx.store.write(write)
        return _view(environment, after)

    return await until_current(change)


def changes(environment: Environment, before: Policy | None, after: Policy | None) -> list[str]:
    """Which roles, resources and scopes two kept policies differ in, as ``role editor``, for an audit line."""
    old, new = (_named(policies.parts_of(environment.vertical, each)) for each in (before, after))
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _named(parts: PolicyParts) -> dict[str, object]:
    return {
        **{f"role {role_id}": permissions for role_id, permissions in parts.default_roles().items()},
        **{f"role {role.role_id}": role for role in parts.custom_roles},
        **{f"resource {resource.resource_id}": resource for resource in parts.custom_resources},
        **{f"scope {scope.scope}": scope for scope in parts.custom_scopes},
    }


def _view(environment: Environment, kept: Policy | None) -> PolicyView:
    return PolicyView(
        parts=policies.parts_of(environment.vertical, kept),
        stytch_resources=DEFAULT_POLICY[environment.vertical].resources,
    )


def _parts(request: PolicySet) -> PolicyParts:
    return PolicyParts(
        stytch_member=_of_default_role(request.stytch_member),
        stytch_admin=_of_default_role(request.stytch_admin),
        stytch_user=_of_default_role(request.stytch_user),
        custom_roles=tuple(
            Role(role.role_id, role.description or "", _permissions(role.permissions)) for role in request.custom_roles
        ),
        custom_resources=tuple(
            Resource(each.resource_id, each.description or "", each.available_actions or ())
            for each in request.custom_resources
        ),
        custom_scopes=tuple(
            Scope(scope.scope, scope.description or "", _permissions(scope.permissions))
            for scope in request.custom_scopes
        ),
    )


def _of_default_role(given: GivenDefaultRole | None) -> tuple[Permission, ...] | None:
    return None if given is None else _permissions(given.permissions)


def _permissions(given: tuple[GivenPermission, ...] | None) -> tuple[Permission, ...]:
    return tuple(Permission(each.resource_id, each.actions or ()) for each in given or ())
