"""What a caller can read about itself: its environment, and the policy that permissions follow."""

from __future__ import annotations

import msgspec

from assay.model import Environment
from assay.rules.permissions import Policy, Role
from assay.stories import authority, organizations
from assay.stories.context import Call, Context
from assay.stories.organizations import OrganizationRef


class Nothing(msgspec.Struct, frozen=True):
    """A request that says all in its path."""


async def whoami(_ctx: Context, call: Call, _request: Nothing) -> Environment:
    """The environment that the credentials open."""
    return call.environment


async def policy(ctx: Context, call: Call, _request: Nothing) -> Policy:
    """The whole RBAC policy of the caller's environment, what is there by default included."""
    return await authority.policy_of(ctx, call.environment)


async def organization_policy(ctx: Context, call: Call, request: OrganizationRef) -> tuple[Role, ...]:
    """The roles that the organization has beside the project's: none. Raises OrganizationNotFound.

    Official clients ask for them whenever they check permissions locally (contract §7).
    """
    await organizations.resolve(ctx, call, request.organization_id)
    return ()
