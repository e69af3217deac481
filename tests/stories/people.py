"""Shorthands for tests about members: an organization, a member, and one word per story."""

from __future__ import annotations

from typing import Any

from assay.model import Member, Organization
from assay.stories import members, organizations
from assay.stories.context import Call, Context
from assay.stories.member_changes import MemberUpdate
from assay.stories.members import MemberCreate, MemberGet, MemberRef


async def organize(ctx: Context, call: Call, slug: str) -> Organization:
    request = organizations.OrganizationCreate(organization_name=slug, organization_slug=slug)
    return await organizations.create(ctx, call, request)


async def new(ctx: Context, call: Call, of: Organization, email: str, **fields: Any) -> Member:
    request = MemberCreate(organization_id=of.organization_id, email_address=email, **fields)
    return (await members.create(ctx, call, request)).member


async def change(ctx: Context, call: Call, who: Member, **fields: Any) -> Member:
    request = MemberUpdate(organization_id=who.organization_id, member_id=who.member_id, **fields)
    return (await members.update(ctx, call, request)).member


async def get(ctx: Context, call: Call, of: Organization, reference: str) -> Member:
    return (await members.get(ctx, call, MemberGet(organization_id=of.slug, member_id=reference))).member


async def by_email(ctx: Context, call: Call, of: Organization, email: str) -> Member:
    return (await members.get(ctx, call, MemberGet(organization_id=of.slug, email_address=email))).member


def ref(who: Member, reference: str | None = None) -> MemberRef:
    return MemberRef(organization_id=who.organization_id, member_id=reference or who.member_id)


async def actions(ctx: Context, call: Call) -> list[tuple[str, Any]]:
    """What the audit record says of members, oldest first."""
    events = await ctx.store.events(call.environment.environment_id, 100)
    return [
        (event.action, event.details.get("fields")) for event in reversed(events) if event.action.startswith("member.")
    ]
