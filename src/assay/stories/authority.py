"""What a call may do when it runs with a member's permissions (decisions D19)."""

from __future__ import annotations

from assay import errors
from assay.model import Environment, Member, User
from assay.rules import permissions
from assay.stories.context import Call, Context


def authorize(
    call: Call, organization_id: str | None, resource_id: str, action: str, *, self_id: str | None = None
) -> None:
    """Refuse what the member of the member-session header may not do; a call without one may do everything.

    ``self_id`` is the member the call is about: members may do to themselves what ``stytch.self`` permits.
    Raises SessionAuthorizationTenancyError, SessionAuthorizationError.
    """
    if call.actor is None:
        return
    same_organization(call, organization_id)
    policy, session_roles = call.actor.policy, call.actor.session_roles
    resources = [resource_id]
    if self_id == call.actor.member.member_id:
        resources.append(permissions.SELF)
    if not any(permissions.granting_roles(policy, session_roles, name, action) for name in resources):
        raise errors.SessionAuthorizationError(f"The member session does not permit {action} on {resource_id}.")


def same_organization(call: Call, organization_id: str | None) -> None:
    """Refuse a member that acts outside its organization. Raises SessionAuthorizationTenancyError."""
    if call.actor is not None and call.actor.member.organization_id != organization_id:
        raise errors.SessionAuthorizationTenancyError


async def policy_of(ctx: Context, environment: Environment) -> permissions.Policy:
    """The RBAC policy in force in an environment as it was read with this request. Raises UnauthorizedCredentials."""
    return (await ctx.configured.of(ctx.store, environment)).policy


def roles_of(person: Member | User) -> tuple[str, ...]:
    """Every role that is stored for the person, as member and user objects show them.

    Those that the policy does not have any more are among them, and count for nothing.
    """
    return permissions.all_roles("b2b" if isinstance(person, Member) else "consumer", person)


def is_admin(roles: tuple[str, ...]) -> bool:
    """Whether a member with these roles is an admin."""
    return permissions.ADMIN_ROLE in roles
