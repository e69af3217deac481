"""Role-based access: the policy of a project, and what a set of roles permits (contract §7)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import msgspec

from assay.model import Factor, Member, User, Vertical

ADMIN_ROLE = "stytch_admin"
DEFAULT_ROLE: dict[Vertical, str] = {"b2b": "stytch_member", "consumer": "stytch_user"}
SELF = "stytch.self"


class Permission(msgspec.Struct, frozen=True):
    """Actions on one resource; ``*`` stands for all of them. Resources have no wildcard."""

    resource_id: str
    actions: tuple[str, ...]


class Role(msgspec.Struct, frozen=True):
    """A named set of permissions."""

    role_id: str
    description: str
    permissions: tuple[Permission, ...]


class Resource(msgspec.Struct, frozen=True):
    """Something that can be acted upon, and how."""

    resource_id: str
    description: str
    actions: tuple[str, ...]


class Scope(msgspec.Struct, frozen=True):
    """A set of permissions that an application can ask for."""

    scope: str
    description: str
    permissions: tuple[Permission, ...]


class Policy(msgspec.Struct, frozen=True, dict=True):
    """All roles, resources and scopes of a project."""

    roles: tuple[Role, ...]
    resources: tuple[Resource, ...] = ()
    scopes: tuple[Scope, ...] = ()

    def role_ids(self) -> frozenset[str]:
        """Every role the policy knows."""
        return self._role_ids

    @cached_property  # every answer about a session looks at them, and a policy may have hundreds
    def _role_ids(self) -> frozenset[str]:
        return frozenset(role.role_id for role in self.roles)


_ORGANIZATION_ACTIONS = (
    "create",
    "delete",
    "update.info.name",
    "update.info.slug",
    "update.info.logo-url",
    "update.info.untrusted-metadata",
    "update.settings.allowed-auth-methods",
    "update.settings.allowed-domains",
    "update.settings.allowed-mfa-methods",
    "update.settings.allowed-oauth-tenants",
    "update.settings.default-sso-connection",
    "update.settings.email-invites",
    "update.settings.email-jit-provisioning",
    "update.settings.implicit-roles",
    "update.settings.mfa-policy",
    "update.settings.oauth-tenant-jit-provisioning",
    "update.settings.sso-jit-provisioning",
)
_SELF_ACTIONS = (
    "delete",
    "update.info.delete.mfa-phone",
    "update.info.delete.password",
    "update.info.mfa-phone",
    "update.info.name",
    "update.info.untrusted-metadata",
    "update.settings.default-mfa-method",
    "update.settings.mfa-enrolled",
    "revoke-sessions",
)
_MEMBER_ACTIONS = (
    "create",
    "delete",
    "revoke-sessions",
    "search",
    "update.info.delete.mfa-phone",
    "update.info.email",
    "update.info.mfa-phone",
    "update.info.name",
    "update.info.untrusted-metadata",
    "update.settings.default-mfa-method",
    "update.settings.is-breakglass",
    "update.settings.mfa-enrolled",
    "update.settings.roles",
)
_CONNECTION_ACTIONS = ("create", "update", "delete")


def _everything_on(*resource_ids: str) -> tuple[Permission, ...]:
    return tuple(Permission(resource_id, ("*",)) for resource_id in resource_ids)


DEFAULT_POLICY: dict[Vertical, Policy] = {
    "b2b": Policy(
        roles=(
            Role("stytch_member", "Everybody: may manage themselves.", _everything_on(SELF)),
            Role(
                ADMIN_ROLE,
                "May manage the organization, its members and its connections.",
                _everything_on("stytch.organization", "stytch.member", "stytch.sso", SELF),
            ),
        ),
        resources=(
            Resource("stytch.organization", "The organization and its settings.", _ORGANIZATION_ACTIONS),
            Resource("stytch.member", "Members of the organization.", _MEMBER_ACTIONS),
            Resource("stytch.sso", "Single sign-on connections.", _CONNECTION_ACTIONS),
            Resource("stytch.scim", "Provisioning connections.", _CONNECTION_ACTIONS),
            Resource(SELF, "The member who is logged in.", _SELF_ACTIONS),
        ),
    ),
    "consumer": Policy(
        roles=(Role("stytch_user", "Everybody: may manage themselves.", _everything_on(SELF)),),
        resources=(Resource(SELF, "The user who is logged in.", _SELF_ACTIONS),),
    ),
}


def granting_roles(policy: Policy, roles: Iterable[str], resource_id: str, action: str) -> tuple[str, ...]:
    """Those of ``roles`` that permit the action, matched as the official clients do; empty means refused."""
    held = frozenset(roles)
    return tuple(
        role.role_id
        for role in policy.roles
        if role.role_id in held
        and any(
            permission.resource_id == resource_id and (action in permission.actions or "*" in permission.actions)
            for permission in role.permissions
        )
    )


def permitted_actions(policy: Policy, roles: Iterable[str], resource_id: str) -> tuple[str, ...] | None:
    """The actions of the resource that ``roles`` permit, in the order of the resource; None if there is no such one."""
    resource = next((each for each in policy.resources if each.resource_id == resource_id), None)
    if resource is None:
        return None
    held = tuple(roles)
    return tuple(action for action in resource.actions if granting_roles(policy, held, resource_id, action))


def session_roles(
    vertical: Vertical, person: Member | User, factors: Iterable[Factor], policy: Policy
) -> tuple[str, ...]:
    """What counts in a session: the default role, the explicit ones, and those of the profiles it rests on (D5).

    A role that the policy does not have any more is left out, though the person keeps it: backends look for names in
    the roles of a session JWT, and there a role that was taken out of the policy must not go on counting.
    """
    default, known = DEFAULT_ROLE[vertical], policy.role_ids()
    if not person.roles and not person.token_roles:  # as most people
        return (default,) if default in known else ()
    held = [default, *person.roles]
    for factor in factors:
        held += person.token_roles.get(factor.profile_id, ())
    return tuple([role for role in dict.fromkeys(held) if role in known])


def all_roles(vertical: Vertical, person: Member | User) -> tuple[str, ...]:
    """Every role of the person, whatever the session, as the member and user objects show them."""
    if not person.roles and not person.token_roles:
        return (DEFAULT_ROLE[vertical],)
    from_tokens = [role for roles in person.token_roles.values() for role in roles]
    return tuple(dict.fromkeys([DEFAULT_ROLE[vertical], *person.roles, *from_tokens]))
