"""Shorthands for tests about searches: one word to make a record, one to find it."""

from __future__ import annotations

from typing import Any

from assay.model import Member, Organization, User
from assay.stories import members, organizations, users
from assay.stories.context import Call, Context
from assay.stories.searches import MemberSearchRequest, SearchOperand, SearchQuery, SearchRequest


def query(*operands: tuple[str, Any], operator: Any = "AND") -> SearchQuery:
    return SearchQuery(
        operator=operator, operands=[SearchOperand(filter_name=name, filter_value=value) for name, value in operands]
    )


async def organize(ctx: Context, call: Call, name: str, **fields: Any) -> Organization:
    return await organizations.create(ctx, call, organizations.OrganizationCreate(organization_name=name, **fields))


async def join(ctx: Context, call: Call, of: Organization, email: str, **fields: Any) -> Member:
    request = members.MemberCreate(organization_id=of.slug, email_address=email, **fields)
    return (await members.create(ctx, call, request)).member


async def register(ctx: Context, call: Call, **fields: Any) -> User:
    return await users.create(ctx, call, users.UserCreate(**fields))


async def find_organizations(ctx: Context, call: Call, *operands: tuple[str, Any], **how: Any) -> list[str]:
    page = await organizations.search(ctx, call, SearchRequest(query=query(*operands, **how)))
    assert page.total == len(page.organizations)
    return sorted(organization.name for organization in page.organizations)


async def find_members(
    ctx: Context, call: Call, within: list[str], *operands: tuple[str, Any], **how: Any
) -> list[str]:
    request = MemberSearchRequest(organization_ids=within, query=query(*operands, **how))
    page = await members.search(ctx, call, request)
    assert page.total == len(page.members)
    return sorted(member.email or "" for member in page.members)


async def find_users(ctx: Context, call: Call, *operands: tuple[str, Any], **how: Any) -> list[str]:
    page = await users.search(ctx, call, SearchRequest(query=query(*operands, **how)))
    assert page.total == len(page.users)
    return sorted(user.email or "" for user in page.users)
