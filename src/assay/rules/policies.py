"""RBAC policies as operators write them: checked, kept, and put together with what every policy has (contract §7).

What is kept is what the operator wrote: the permissions of default roles that were given, and the custom roles,
resources and scopes. The defaults are put in when the policy is used, so that a later version can add to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from assay import errors, jsontext
from assay.model import Vertical
from assay.rules import names
from assay.rules.permissions import DEFAULT_POLICY, Permission, Policy, Resource, Role, Scope

MAX_NAME = 128
MAX_DESCRIPTION = 2048
MAX_BYTES = 262_144
WILDCARD = "*"
RESERVED_ROLE_PREFIX = "stytch_"
RESERVED_RESOURCE_PREFIX = "stytch"
# OpenID Connect Core 1.0 §5.4 and §11, and what the hosted service's applications ask for.
RESERVED_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access", "full_access"})

_NOTHING_SET = Policy(roles=())


class PolicyParts(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in the parts that operators name. None for a default role means its usual permissions."""

    stytch_member: tuple[Permission, ...] | None = None
    stytch_admin: tuple[Permission, ...] | None = None
    stytch_user: tuple[Permission, ...] | None = None
    custom_roles: tuple[Role, ...] = ()
    custom_resources: tuple[Resource, ...] = ()
    custom_scopes: tuple[Scope, ...] = ()

    def default_roles(self) -> dict[str, tuple[Permission, ...]]:
        """The permissions of the default roles that are given."""
        named = {
            "stytch_member": self.stytch_member,
            "stytch_admin": self.stytch_admin,
            "stytch_user": self.stytch_user,
        }
        return {role_id: permissions for role_id, permissions in named.items() if permissions is not None}


def stored(vertical: Vertical, parts: PolicyParts) -> Policy:
    """What is kept of ``parts``, once it is checked.

    Raises InvalidRoleForVertical; EmptyRbacResourceId, RbacResourceIdTooLong, InvalidStytchPrefixedResource,
    RbacResourceMissingActions, InvalidWildcardAction, RbacResourceDuplicate; EmptyRbacRoleId, RbacRoleIdTooLong,
    InvalidRbacStytchRoleEdit, RbacRoleMissingPermissions, RbacRoleDuplicate; EmptyRbacScope, RbacScopeTooLong,
    RbacReservedScope, RbacScopeMissingPermissions, RbacScopeDuplicate; InvalidPermissionResource,
    RbacPermissionMissingActions, WildcardWithOtherActions, InvalidPermissionAction, RbacActionTooLong,
    RbacActionDuplicate, RbacDescriptionTooLong; all of which are InvalidPolicy, and BadRequest.
    """
    defaults = {role.role_id: role for role in DEFAULT_POLICY[vertical].roles}
    for role_id in parts.default_roles():
        if role_id not in defaults:
            raise errors.InvalidRoleForVertical(f"{role_id} is not a role of {vertical} projects.")
    _check_resources(parts.custom_resources)
    actions = {
        each.resource_id: each.actions for each in (*DEFAULT_POLICY[vertical].resources, *parts.custom_resources)
    }
    for role_id, permissions in parts.default_roles().items():
        _check_permissions(f"The role {role_id!r}", permissions, actions)
    _check_roles(parts.custom_roles, actions)
    _check_scopes(parts.custom_scopes, actions)
    if jsontext.size(msgspec.to_builtins(parts)) > MAX_BYTES:
        raise errors.BadRequest(f"An RBAC policy holds at most {MAX_BYTES} bytes of JSON.")
    given = (Role(role_id, "", permissions) for role_id, permissions in parts.default_roles().items())
    return Policy((*given, *parts.custom_roles), parts.custom_resources, parts.custom_scopes)


def parts_of(vertical: Vertical, kept: Policy | None) -> PolicyParts:
    """What operators read: what they wrote, and the usual permissions of default roles they wrote nothing about."""
    kept = kept or _NOTHING_SET
    usual = {role.role_id: role.permissions for role in DEFAULT_POLICY[vertical].roles}
    given = {role.role_id: role.permissions for role in kept.roles if role.role_id in usual}
    return PolicyParts(
        **usual | given,
        custom_roles=tuple(role for role in kept.roles if role.role_id not in usual),
        custom_resources=kept.resources,
        custom_scopes=kept.scopes,
    )


def effective(vertical: Vertical, kept: Policy | None) -> Policy:
    """The whole policy, by which permissions are decided and which the server API shows.

    A default role permits on a default resource what the operator wrote about that resource; if nothing was written
    about it, the usual. So whoever sets permissions on resources of their own takes none away by keeping silent.
    """
    default = DEFAULT_POLICY[vertical]
    if kept is None:
        return default
    usual = default.role_ids()
    given = {role.role_id: role.permissions for role in kept.roles if role.role_id in usual}
    return Policy(
        roles=(
            *(_with(role, given.get(role.role_id, ())) for role in default.roles),
            *(role for role in kept.roles if role.role_id not in usual),
        ),
        resources=(*default.resources, *kept.resources),
        scopes=kept.scopes,
    )


def _with(default: Role, given: tuple[Permission, ...]) -> Role:
    written = {permission.resource_id for permission in given}
    silent = tuple(permission for permission in default.permissions if permission.resource_id not in written)
    return msgspec.structs.replace(default, permissions=(*silent, *given))


def _check_resources(resources: Sequence[Resource]) -> None:
    for resource in resources:
        resource_id = resource.resource_id
        where = f"The resource {resource_id[:MAX_NAME]!r}"
        _check_name(where, resource_id, errors.EmptyRbacResourceId, errors.RbacResourceIdTooLong)
        if resource_id.startswith(RESERVED_RESOURCE_PREFIX):
            raise errors.InvalidStytchPrefixedResource(f"{where}: ids of custom resources cannot begin with stytch.")
        _check_description(where, resource.description)
        _check_available(where, resource.actions)
    _check_unique("resource", (each.resource_id for each in resources), errors.RbacResourceDuplicate)


def _check_available(where: str, actions: Sequence[str]) -> None:
    if not actions:
        raise errors.RbacResourceMissingActions(f"{where} has no available_actions.")
    if WILDCARD in actions:
        raise errors.InvalidWildcardAction(f"{where} cannot have an action called *; roles may use it as it is.")
    for action in actions:
        _check_name(f"{where}: an action", action, errors.RbacResourceMissingActions, errors.RbacActionTooLong)
    _check_unique(f"{where}: the action", actions, errors.RbacActionDuplicate)


def _check_roles(roles: Sequence[Role], actions: dict[str, tuple[str, ...]]) -> None:
    for role in roles:
        where = f"The role {role.role_id[:MAX_NAME]!r}"
        _check_name(where, role.role_id, errors.EmptyRbacRoleId, errors.RbacRoleIdTooLong)
        if role.role_id.startswith(RESERVED_ROLE_PREFIX):
            raise errors.InvalidRbacStytchRoleEdit(f"{where}: ids of custom roles cannot begin with stytch_.")
        _check_description(where, role.description)
        if not role.permissions:
            raise errors.RbacRoleMissingPermissions(f"{where} has no permissions.")
        _check_permissions(where, role.permissions, actions)
    _check_unique("role", (each.role_id for each in roles), errors.RbacRoleDuplicate)


def _check_scopes(scopes: Sequence[Scope], actions: dict[str, tuple[str, ...]]) -> None:
    for scope in scopes:
        where = f"The scope {scope.scope[:MAX_NAME]!r}"
        _check_name(where, scope.scope, errors.EmptyRbacScope, errors.RbacScopeTooLong)
        if scope.scope in RESERVED_SCOPES:
            raise errors.RbacReservedScope(f"{where} has a meaning of its own in OpenID Connect.")
        if any(character.isspace() for character in scope.scope):  # RFC 6749 §3.3: blanks separate scopes
            raise errors.BadRequest(f"{where} has a blank in its name.")
        _check_description(where, scope.description)
        if not scope.permissions:
            raise errors.RbacScopeMissingPermissions(f"{where} has no permissions.")
        _check_permissions(where, scope.permissions, actions)
    _check_unique("scope", (each.scope for each in scopes), errors.RbacScopeDuplicate)


def _check_permissions(where: str, permissions: Iterable[Permission], actions: dict[str, tuple[str, ...]]) -> None:
    for permission in permissions:
        resource_id = permission.resource_id
        if resource_id not in actions:
            known = ", ".join(actions)[:MAX_DESCRIPTION]
            raise errors.InvalidPermissionResource(
                f"{where} names the resource {resource_id[:MAX_NAME]!r}, which is not there. There are {known}."
            )
        _check_actions(f"{where}, on {resource_id!r}", permission.actions, actions[resource_id])


def _check_actions(where: str, actions: Sequence[str], available: tuple[str, ...]) -> None:
    if not actions:
        raise errors.RbacPermissionMissingActions(f"{where}: the permission has no actions.")
    if WILDCARD in actions:
        if len(actions) > 1:
            raise errors.WildcardWithOtherActions(f"{where}: * stands for all actions, so it stands alone.")
        return
    for action in actions:
        if action not in available:
            known = ", ".join(available)[:MAX_DESCRIPTION]
            raise errors.InvalidPermissionAction(
                f"{where}: there is no action {action[:MAX_NAME]!r}. The resource has {known}."
            )
    _check_unique(f"{where}: the action", actions, errors.RbacActionDuplicate)


def _check_name(where: str, text: str, empty: type[errors.Error], too_long: type[errors.Error]) -> None:
    if not text:
        raise empty(f"{where} has no name.")
    if len(text) > MAX_NAME:
        raise too_long(f"{where} is longer than {MAX_NAME} characters.")
    if names.has_control_characters(text):
        raise errors.BadRequest(f"{where} has control characters in its name.")


def _check_description(where: str, text: str) -> None:
    if len(text) > MAX_DESCRIPTION:
        raise errors.RbacDescriptionTooLong(f"{where}: the description is longer than {MAX_DESCRIPTION} characters.")
    if names.has_control_characters(text):
        raise errors.BadRequest(f"{where} has control characters in its description.")


def _check_unique(what: str, found: Iterable[str], refusal: type[errors.Error]) -> None:
    seen: set[str] = set()
    for text in found:
        if text in seen:
            raise refusal(f"{what[0].upper()}{what[1:]} {text!r} is there twice.")
        seen.add(text)
