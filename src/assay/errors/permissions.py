"""Refusals about RBAC policies and JWT templates, both of which operators set for an environment."""

from __future__ import annotations

from assay.errors.base import Error


class InvalidPolicy(Error):
    """The RBAC policy cannot be stored as it is; each kind of fault has its own code. The message names the place."""

    kind = "invalid"


class EmptyRbacRoleId(InvalidPolicy):
    """Each custom role needs a ``role_id``."""

    code = "empty_rbac_role_id"
    default_message = "A custom role has no role_id."


class EmptyRbacResourceId(InvalidPolicy):
    """Each custom resource needs a ``resource_id``."""

    code = "empty_rbac_resource_id"
    default_message = "A custom resource has no resource_id."


class EmptyRbacScope(InvalidPolicy):
    """Each custom scope needs a name, in ``scope``."""

    code = "empty_rbac_scope"
    default_message = "A custom scope has no name."


class RbacRoleDuplicate(InvalidPolicy):
    """A role id names one role. Merge the two, or rename one."""

    code = "rbac_role_duplicate"
    default_message = "Two custom roles have the same role_id."


class RbacResourceDuplicate(InvalidPolicy):
    """A resource id names one resource. Merge the two, or rename one."""

    code = "rbac_resource_duplicate"
    default_message = "Two custom resources have the same resource_id."


class RbacScopeDuplicate(InvalidPolicy):
    """A scope names one set of permissions. Merge the two, or rename one."""

    code = "rbac_scope_duplicate"
    default_message = "Two custom scopes have the same name."


class RbacActionDuplicate(InvalidPolicy):
    """Each action stands once in a resource, and once in a permission."""

    code = "rbac_action_duplicate"
    default_message = "An action is listed twice."


class RbacRoleIdTooLong(InvalidPolicy):
    """A role id has at most 128 characters."""

    code = "rbac_role_id_too_long"
    default_message = "A role_id is longer than 128 characters."


class RbacResourceIdTooLong(InvalidPolicy):
    """A resource id has at most 128 characters."""

    code = "rbac_resource_id_too_long"
    default_message = "A resource_id is longer than 128 characters."


class RbacScopeTooLong(InvalidPolicy):
    """The name of a scope has at most 128 characters."""

    code = "rbac_scope_too_long"
    default_message = "The name of a scope is longer than 128 characters."


class RbacActionTooLong(InvalidPolicy):
    """The name of an action has at most 128 characters."""

    code = "rbac_action_too_long"
    default_message = "The name of an action is longer than 128 characters."


class RbacDescriptionTooLong(InvalidPolicy):
    """A description has at most 2048 characters."""

    code = "rbac_description_too_long"
    default_message = "A description is longer than 2048 characters."


class RbacResourceMissingActions(InvalidPolicy):
    """A resource without actions could never be permitted to anybody. List its ``available_actions``."""

    code = "rbac_resource_missing_actions"
    default_message = "A custom resource has no available_actions."


class RbacPermissionMissingActions(InvalidPolicy):
    """A permission without actions permits nothing. List its ``actions``, or leave the permission out."""

    code = "rbac_permission_missing_actions"
    default_message = "A permission has no actions."


class RbacRoleMissingPermissions(InvalidPolicy):
    """A custom role needs one permission at least."""

    code = "rbac_role_missing_permissions"
    default_message = "A custom role has no permissions."


class RbacScopeMissingPermissions(InvalidPolicy):
    """A custom scope needs one permission at least."""

    code = "rbac_scope_missing_permissions"
    default_message = "A custom scope has no permissions."


class RbacReservedScope(InvalidPolicy):
    """OpenID Connect gives this scope a meaning of its own. Choose another name."""

    code = "rbac_reserved_scope"
    default_message = "The name of this scope is reserved."


class InvalidStytchPrefixedResource(InvalidPolicy):
    """Ids of custom resources cannot begin with ``stytch``, which is kept for the default ones."""

    code = "invalid_stytch_prefixed_resource"
    default_message = "The ids of custom resources cannot begin with stytch."


class InvalidPermissionResource(InvalidPolicy):
    """A permission is on a resource that the policy does not have. Add it to ``custom_resources`` in the same call."""

    code = "invalid_permission_resource"
    default_message = "A permission names a resource that does not exist."


class InvalidPermissionAction(InvalidPolicy):
    """A permission has an action that its resource does not have. The message lists those it has."""

    code = "invalid_permission_action"
    default_message = "A permission names an action that its resource does not have."


class InvalidWildcardAction(InvalidPolicy):
    """``*`` stands for all actions in a permission; it is not itself an action of a resource."""

    code = "invalid_wildcard_action"
    default_message = "A resource cannot have an action called *."


class WildcardWithOtherActions(InvalidPolicy):
    """``*`` already means every action of the resource, so it stands alone."""

    code = "cannot_specify_wildcard_with_other_actions"
    default_message = "The action * stands alone in a permission."


class InvalidRbacStytchRoleEdit(InvalidPolicy):
    """A default role is not among the custom ones. Its permissions are set by its own member of the request.

    Other role ids that begin with ``stytch_`` are kept for later.
    """

    code = "invalid_rbac_stytch_role_edit"
    default_message = "The ids of custom roles cannot begin with stytch_."


class InvalidRoleForVertical(InvalidPolicy):
    """``stytch_member`` and ``stytch_admin`` are for B2B projects, ``stytch_user`` is for consumer projects."""

    code = "invalid_role_for_vertical"
    default_message = "The policy sets a default role of the other vertical."


class InvalidJwtTemplate(Error):
    """The template of a session JWT cannot be stored as it is. The message says what is wrong, and what there is."""

    code = "invalid_jwt_template"
    kind = "invalid"
    default_message = "The template is not a JSON object with variables in it."
