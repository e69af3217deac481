"""Members: create, get, update, delete, reactivate, search, drop the external id (contract §6.4).

Wherever a request has a ``member_id`` it may be our own id or the external id within the organization, except to
reactivate. Deleted members count as not found, except to ``dangerously_get``, ``reactivate`` and ``search``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from assay import errors, ids, store
from assay.model import Member, Organization
from assay.rules import claims, names
from assay.rules.permissions import Policy
from assay.stories import authority, member_changes, organizations, roles, searches
from assay.stories.changes import changed_fields, until_current
from assay.stories.context import Call, Context
from assay.stories.member_changes import RESOURCE, MemberUpdate

# Stories that run with a member's permissions when the call has an actor; the others take no member session (D19).
WITH_ACTOR = frozenset({"create", "update", "delete", "reactivate", "search", "drop_external_id"})


class MemberRef(msgspec.Struct, kw_only=True):
    """A member of an organization."""

    organization_id: str
    member_id: str


class MemberGet(msgspec.Struct, kw_only=True):
    """Exactly one of the two ways to name a member."""

    organization_id: str
    member_id: str | None = None
    email_address: str | None = None


class MemberDangerousGet(msgspec.Struct, kw_only=True):
    """A member of any organization, by our own id."""

    member_id: str
    include_deleted: bool | None = None


class MemberCreate(msgspec.Struct, kw_only=True):
    """What a new member is made of."""

    organization_id: str
    email_address: str
    name: str | None = None
    trusted_metadata: dict[str, Any] | None = None
    untrusted_metadata: dict[str, Any] | None = None
    create_member_as_pending: bool | None = None
    is_breakglass: bool | None = None
    mfa_phone_number: str | None = None
    mfa_enrolled: bool | None = None
    roles: list[str] | None = None
    external_id: str | None = None


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member and the organization it belongs to."""

    member: Member
    organization: Organization


class MemberPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search with the organizations of its members, by id; ``total`` counts all pages."""

    members: list[Member]
    organizations: dict[str, Organization]
    next_cursor: str | None
    total: int


async def create(ctx: Context, call: Call, request: MemberCreate) -> MemberView:
    """A new member; active unless it is created as pending.

    Raises OrganizationNotFound, InvalidEmail, InvalidExternalId, InvalidPhoneNumber, DuplicateMemberEmail,
    DuplicateMemberExternalId, as :func:`roles.assignable` and :func:`claims.merge_metadata`, and with an actor
    CannotUpdateTrustedMetadata and as :func:`authority.authorize`.
    """

    async def change() -> MemberView:
        organization = await organizations.resolve(ctx, call, request.organization_id)
        _authorize_create(call, organization, request)
        member = _new(ctx, call, organization, request, await authority.policy_of(ctx, call.environment))
        event = call.event(
            member.created_at, "member.created", member.member_id, organization_id=organization.organization_id
        )
        await ctx.store.write(store.CreateMember(member=member, events=(event,)))
        return MemberView(member=member, organization=organization)

    return await until_current(change)


async def get(ctx: Context, call: Call, request: MemberGet) -> MemberView:
    """One member by id or by the address it has now.

    Raises InvalidMemberGetFields, OrganizationNotFound, MemberNotFound, InvalidEmail.
    """
    if bool(request.member_id) == bool(request.email_address):
        raise errors.InvalidMemberGetFields
    organization = await organizations.resolve(ctx, call, request.organization_id)
    if request.email_address:
        member = await _by_email(ctx, organization, names.email(request.email_address))
    else:
        member = await _resolve(ctx, organization, request.member_id or "")
    return MemberView(member=member, organization=organization)


async def find_anywhere(ctx: Context, environment_id: str, reference: str) -> Member:
    """The one member with this member id or external id, whatever its organization; deleted ones by member id only.

    Raises MemberNotFound, and BadRequest for an external id that members of several organizations have.
    """
    if ids.is_own_form(reference):
        member = await ctx.store.member_by_id(environment_id, reference)
        found = [member] if member else []
    else:
        found = await ctx.store.members_by_external_id(environment_id, reference)
    if not found:
        raise errors.MemberNotFound
    if len(found) > 1:
        raise errors.BadRequest("member_id is an external id of members of several organizations; use the member id")
    return found[0]


async def dangerously_get(ctx: Context, call: Call, request: MemberDangerousGet) -> MemberView:
    """One member of the environment, whatever its organization. Raises as :func:`find_anywhere`."""
    environment_id = call.environment.environment_id
    member = await find_anywhere(ctx, environment_id, request.member_id)
    if member.status == "deleted" and not request.include_deleted:
        raise errors.MemberNotFound
    organization = await ctx.store.organization(environment_id, member.organization_id, by_slug=False)
    if organization is None:  # deleted between the two reads, and its members with it
        raise errors.MemberNotFound
    return MemberView(member=member, organization=organization)


async def update(ctx: Context, call: Call, request: MemberUpdate) -> MemberView:
    """Change what the request gives of a member.

    Raises OrganizationNotFound, MemberNotFound, as :func:`member_changes.changes`, DuplicateMemberEmail,
    DuplicateMemberExternalId, and with an actor as :func:`member_changes.authorize`.
    """

    async def change() -> MemberView:
        before = await _view(ctx, call, request.organization_id, request.member_id)
        member_changes.authorize(call, before.member, request)
        policy = await authority.policy_of(ctx, call.environment)
        return await _replace(ctx, call, before, member_changes.changes(call, before.member, request, policy))

    return await until_current(change)


async def delete(ctx: Context, call: Call, request: MemberRef) -> str:
    """Delete the member and end its sessions; gives back its own id.

    Raises OrganizationNotFound, MemberNotFound, and with an actor as :func:`authority.authorize`.

    The record stays for reactivation; its addresses and external id are free for others.
    """

    async def change() -> str:
        before = await _view(ctx, call, request.organization_id, request.member_id)
        member = before.member
        authority.authorize(call, member.organization_id, RESOURCE, "delete", self_id=member.member_id)
        await _replace(ctx, call, before, {"status": "deleted"}, action="member.deleted", end_sessions=True)
        return member.member_id

    return await until_current(change)


async def reactivate(ctx: Context, call: Call, request: MemberRef) -> MemberView:
    """Make a deleted member active again, with its addresses and external id; sessions stay ended.

    Raises OrganizationNotFound, NoDeletedMemberFound, ReactivationEmailTaken, DuplicateMemberExternalId, and with an
    actor as :func:`authority.authorize`.
    """

    async def change() -> MemberView:
        organization = await organizations.resolve(ctx, call, request.organization_id)
        authority.authorize(call, organization.organization_id, RESOURCE, "create")
        member = await ctx.store.member_by_id(organization.environment_id, request.member_id)
        if member is None or member.organization_id != organization.organization_id or member.status != "deleted":
            raise errors.NoDeletedMemberFound
        before = MemberView(member=member, organization=organization)
        return await _replace(ctx, call, before, {"status": "active"}, action="member.reactivated")

    try:
        return await until_current(change)
    except errors.DuplicateMemberEmail:
        raise errors.ReactivationEmailTaken from None


async def drop_external_id(ctx: Context, call: Call, request: MemberRef) -> MemberView:
    """Forget the member's external id and who attached it.

    Raises OrganizationNotFound, MemberNotFound, and with an actor as :func:`authority.authorize`.
    """

    async def change() -> MemberView:
        before = await _view(ctx, call, request.organization_id, request.member_id)
        authority.authorize(call, before.member.organization_id, RESOURCE, member_changes.EXTERNAL_ID)
        return await _replace(ctx, call, before, {"external_id": None, "external_id_issuer": None})

    return await until_current(change)


async def search(ctx: Context, call: Call, request: searches.MemberSearchRequest) -> MemberPage:
    """A page of the members of some organizations; with a member session only of its own.

    Raises OrganizationNotFound, MemberSearchFilterNotRecognized, MemberSearchMixedIds, InvalidSearch, InvalidCursor,
    and with an actor as :func:`authority.authorize`.
    """
    within = await _organizations(ctx, call, request.organization_ids)
    wanted = searches.prepare(ctx, call, "members", request, within)
    found, total = await ctx.store.search_members(wanted.search, tuple(within))
    page = found[: wanted.limit]
    last = page[-1].member_id if len(found) > wanted.limit else None
    return MemberPage(
        members=page,
        organizations={member.organization_id: within[member.organization_id] for member in page},
        next_cursor=wanted.next_cursor(ctx, last),
        total=total,
    )


async def _view(ctx: Context, call: Call, organization_reference: str, member_reference: str) -> MemberView:
    organization = await organizations.resolve(ctx, call, organization_reference)
    # Before the member is looked for: whoever acts as a member learns nothing about members elsewhere.
    authority.same_organization(call, organization.organization_id)
    member = await _resolve(ctx, organization, member_reference)
    return MemberView(member=member, organization=organization)


async def _resolve(ctx: Context, organization: Organization, reference: str) -> Member:
    member = await ctx.store.member(organization.environment_id, organization.organization_id, reference)
    if member is None or member.status == "deleted":
        raise errors.MemberNotFound
    return member


async def _by_email(ctx: Context, organization: Organization, email: str) -> Member:
    member = await ctx.store.member_by_email(organization.environment_id, organization.organization_id, email)
    if member is None or member.email != email:  # an address that its member has left names nobody
        raise errors.MemberNotFound
    return member


async def _organizations(ctx: Context, call: Call, references: list[str]) -> dict[str, Organization]:
    if not 1 <= len(references) <= searches.MAX_ORGANIZATIONS:
        raise errors.InvalidSearch(
            f"organization_ids must be a list of 1 to {searches.MAX_ORGANIZATIONS} organization ids."
        )
    found: dict[str, Organization] = {}
    for reference in dict.fromkeys(references):
        organization = await organizations.resolve(ctx, call, reference)
        authority.authorize(call, organization.organization_id, RESOURCE, "search")
        found[organization.organization_id] = organization
    return found


def _new(ctx: Context, call: Call, organization: Organization, request: MemberCreate, policy: Policy) -> Member:
    now = int(ctx.clock())
    return Member(
        environment_id=organization.environment_id,
        organization_id=organization.organization_id,
        member_id=ids.new("member", call.environment.kind),
        email=names.email(request.email_address),
        name=names.label("name", request.name or ""),
        status="pending" if request.create_member_as_pending else "active",
        external_id=None if request.external_id is None else names.external_id(request.external_id),
        roles=roles.assignable("b2b", policy, request.roles or ()),
        is_breakglass=bool(request.is_breakglass),
        mfa_enrolled=bool(request.mfa_enrolled),
        mfa_phone_number="" if request.mfa_phone_number is None else names.phone_number(request.mfa_phone_number),
        trusted_metadata=claims.merge_metadata({}, request.trusted_metadata or {}),
        untrusted_metadata=claims.merge_metadata({}, request.untrusted_metadata or {}),
        created_at=now,
        updated_at=now,
    )


def _authorize_create(call: Call, organization: Organization, request: MemberCreate) -> None:
    organization_id = organization.organization_id
    authority.authorize(call, organization_id, RESOURCE, "create")
    # What a member may not change it may not bring in with a new member either.
    if request.roles:
        authority.authorize(call, organization_id, RESOURCE, "update.settings.roles")
    if request.is_breakglass:
        authority.authorize(call, organization_id, RESOURCE, "update.settings.is-breakglass")
    if request.external_id is not None:
        authority.authorize(call, organization_id, RESOURCE, member_changes.EXTERNAL_ID)
    if call.actor is not None and request.trusted_metadata is not None:
        raise errors.CannotUpdateTrustedMetadata


async def _replace(
    ctx: Context,
    call: Call,
    before: MemberView,
    changes: Mapping[str, Any],
    *,
    action: str = "member.updated",
    end_sessions: bool = False,
) -> MemberView:
    member = msgspec.structs.replace(before.member, **changes)
    if member == before.member:
        return before
    now = int(ctx.clock())
    member = msgspec.structs.replace(member, updated_at=now)
    event = call.event(now, action, member.member_id, fields=changed_fields(before.member, member))
    await ctx.store.write(
        store.ReplaceMember(member=member, revoke_sessions_at=now if end_sessions else None, events=(event,))
    )
    member = msgspec.structs.replace(member, revision=before.member.revision + 1)
    return msgspec.structs.replace(before, member=member)
