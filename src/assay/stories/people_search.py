"""Looking for organizations and people by one line of text, as somebody types it who knows only half of what it is."""

from __future__ import annotations

from assay import errors, ids
from assay.model import Member, MemberStatus, Organization
from assay.stories import members, organizations, searches, users
from assay.stories.context import Call, Context
from assay.stories.members import MemberPage
from assay.stories.organizations import OrganizationPage
from assay.stories.search_values import MIN_FUZZY
from assay.stories.searches import MemberSearchRequest, SearchOperand, SearchQuery, SearchRequest
from assay.stories.users import UserPage

PAGE = 50


async def find_organizations(ctx: Context, call: Call, text: str, cursor: str | None = None) -> OrganizationPage:
    """Those with this id, external id or slug, or with the text in name, slug or an address of a member.

    Less than three characters are found whole only. No text finds all. Raises InvalidSearch, InvalidCursor.
    """
    whole = ("organization_ids", "organization_slugs")
    parts = ("organization_name_fuzzy", "organization_slug_fuzzy", "member_email_fuzzy")
    return await organizations.search(
        ctx, call, SearchRequest(cursor=cursor, limit=PAGE, query=_any_of(text, whole, parts))
    )


async def find_users(ctx: Context, call: Call, text: str, cursor: str | None = None) -> UserPage:
    """Those with this id or external id, or with the text in name, address or phone number; otherwise as above."""
    parts = ("full_name_fuzzy", "email_address_fuzzy", "phone_number_fuzzy")
    query = _any_of(text, ("user_id",), parts)
    return await users.search(ctx, call, SearchRequest(cursor=cursor, limit=PAGE, query=query))


async def find_members(
    ctx: Context,
    call: Call,
    text: str,
    *,
    organization: str = "",
    status: MemberStatus | None = None,
    cursor: str | None = None,
) -> MemberPage:
    """Those with this id or external id, or with the text in the address, of one organization or of all.

    With a status only those who have it; deleted members are found only so. Raises OrganizationNotFound,
    InvalidSearch, InvalidCursor.
    """
    query = _any_of(text, ("member_ids",), ("member_email_fuzzy",)) if status is None else _with_status(text, status)
    return await _search_members(ctx, call, query, organization, cursor)


async def by_email(ctx: Context, call: Call, email: str, organization: str = "") -> Member:
    """The one member with this address, in one organization or in all.

    Raises OrganizationNotFound, MemberNotFound, InvalidSearch, and BadRequest when there are several.
    """
    query = SearchQuery(operands=[SearchOperand(filter_name="member_emails", filter_value=[email])])
    found = (await _search_members(ctx, call, query, organization, None)).members
    if not found:
        raise errors.MemberNotFound
    if len(found) > 1:
        raise errors.BadRequest("Members of several organizations have this address; name the organization too.")
    return found[0]


async def _search_members(
    ctx: Context, call: Call, query: SearchQuery | None, organization: str, cursor: str | None
) -> MemberPage:
    if organization:
        request = MemberSearchRequest(cursor=cursor, limit=PAGE, query=query, organization_ids=[organization])
        return await members.search(ctx, call, request)
    return await _everywhere(ctx, call, SearchRequest(cursor=cursor, limit=PAGE, query=query))


async def _everywhere(ctx: Context, call: Call, request: SearchRequest) -> MemberPage:
    wanted = searches.prepare(ctx, call, "members", request)
    found, total = await ctx.store.search_members(wanted.search, None)
    page = found[: wanted.limit]
    return MemberPage(
        members=page,
        organizations=await _organizations_of(ctx, call, page),
        next_cursor=wanted.next_cursor(ctx, page[-1].member_id if len(found) > wanted.limit else None),
        total=total,
    )


async def _organizations_of(ctx: Context, call: Call, page: list[Member]) -> dict[str, Organization]:
    environment_id = call.environment.environment_id
    wanted = dict.fromkeys(member.organization_id for member in page)
    found = [await ctx.store.organization(environment_id, each, by_slug=False) for each in wanted]
    return {each.organization_id: each for each in found if each is not None}


def _any_of(text: str, whole: tuple[str, ...], parts: tuple[str, ...]) -> SearchQuery | None:
    if not text:
        return None
    operands = [SearchOperand(filter_name=name, filter_value=[text]) for name in whole]
    if len(text) >= MIN_FUZZY and not ids.is_own_form(text):
        operands += [SearchOperand(filter_name=name, filter_value=text) for name in parts]
    return SearchQuery(operator="OR", operands=operands)


def _with_status(text: str, status: MemberStatus) -> SearchQuery:
    operands = [SearchOperand(filter_name="statuses", filter_value=[status])]
    if ids.is_own_form(text):
        operands.append(SearchOperand(filter_name="member_ids", filter_value=[text]))
    elif text:
        operands.append(SearchOperand(filter_name="member_email_fuzzy", filter_value=text))
    return SearchQuery(operator="AND", operands=operands)
