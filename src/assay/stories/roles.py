"""Which roles may be given to somebody explicitly."""

from __future__ import annotations

from collections.abc import Iterable

from assay import errors
from assay.model import Vertical
from assay.rules import permissions
from assay.rules.permissions import Policy, Role


def assignable(vertical: Vertical, policy: Policy, role_ids: Iterable[str]) -> tuple[str, ...]:
    """The roles, each once, in the order given. Raises InvalidRole, CannotAssignDefaultRole."""
    known = policy.role_ids()
    wanted = tuple(dict.fromkeys(role_ids))
    for role_id in wanted:
        if role_id == permissions.DEFAULT_ROLE[vertical]:
            raise errors.CannotAssignDefaultRole
        if role_id not in known:
            raise errors.InvalidRole(f"The RBAC policy has no role {role_id!r}.")
    return wanted


def choices(vertical: Vertical, policy: Policy) -> list[Role]:
    """The roles of the policy that :func:`assignable` takes."""
    return [role for role in policy.roles if role.role_id != permissions.DEFAULT_ROLE[vertical]]
