"""Organizations: create, get, update, delete, search, drop the external id, count the members (contract §6.4).

Wherever a request has an ``organization_id`` it may be our own id, the external id or the slug.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from assay import errors, ids, store
from assay.model import Organization
from assay.rules import claims, names
from assay.rules.permissions import Policy
from assay.stories import authority, organization_settings, searches
from assay.stories.changes import TRIES, changed_fields, until_current
from assay.stories.context import Call, Context
from assay.stories.organization_settings import SettingsFields

RESOURCE = "stytch.organization"

# Stories that run with a member's permissions when the call has an actor; the others take no member session (D19).
WITH_ACTOR = frozenset({"update", "delete", "drop_external_id"})

# What a member must be permitted in order to change a field (the docstrings of the official clients).
# Fields without an action are closed to members: tokens find their organization by the external id (D2), so a member
# who could choose it would have the first logins of another customer land in the own organization.
ACTIONS = {
    "organization_name": "update.info.name",
    "organization_slug": "update.info.slug",
    "organization_logo_url": "update.info.logo-url",
    "sso_default_connection_id": "update.settings.default-sso-connection",
    "sso_jit_provisioning": "update.settings.sso-jit-provisioning",
    "sso_jit_provisioning_allowed_connections": "update.settings.sso-jit-provisioning",
    "email_allowed_domains": "update.settings.allowed-domains",
    "email_jit_provisioning": "update.settings.email-jit-provisioning",
    "email_invites": "update.settings.email-invites",
    "auth_methods": "update.settings.allowed-auth-methods",
    "allowed_auth_methods": "update.settings.allowed-auth-methods",
    "mfa_policy": "update.settings.mfa-policy",
    "rbac_email_implicit_role_assignments": "update.settings.implicit-roles",
    "mfa_methods": "update.settings.allowed-mfa-methods",
    "allowed_mfa_methods": "update.settings.allowed-mfa-methods",
    "oauth_tenant_jit_provisioning": "update.settings.oauth-tenant-jit-provisioning",
    "allowed_oauth_tenants": "update.settings.allowed-oauth-tenants",
}
DROP_EXTERNAL_ID = "update.settings.external-id"


class OrganizationRef(msgspec.Struct, kw_only=True):
    """An organization by id, external id or slug."""

    organization_id: str


class OrganizationCreate(SettingsFields, kw_only=True):
    """What a new organization is made of."""

    organization_name: str
    organization_slug: str | None = None
    organization_external_id: str | None = None
    trusted_metadata: dict[str, Any] | None = None


class OrganizationUpdate(SettingsFields, kw_only=True):
    """What to change; None leaves a field as it is. ``trusted_metadata`` merges."""

    organization_id: str
    organization_name: str | None = None
    organization_slug: str | None = None
    organization_external_id: str | None = None
    trusted_metadata: dict[str, Any] | None = None


class OrganizationPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search; ``total`` counts all pages."""

    organizations: list[Organization]
    next_cursor: str | None
    total: int


async def resolve(ctx: Context, call: Call, reference: str) -> Organization:
    """The organization of this environment with this id, external id or slug. Raises OrganizationNotFound."""
    found = await ctx.store.organization(call.environment.environment_id, reference, by_slug=True)
    if found is None:
        raise errors.OrganizationNotFound
    return found


async def create(ctx: Context, call: Call, request: OrganizationCreate) -> Organization:
    """A new organization; without a slug it gets one made from its name.

    Raises InvalidOrganizationName, InvalidOrganizationSlug, OrganizationSlugAlreadyUsed,
    OrganizationExternalIdAlreadyUsed, as :func:`names.organization_external_id`,
    :func:`organization_settings.initial` and :func:`claims.merge_metadata`.
    """
    now = int(ctx.clock())
    organization = Organization(
        environment_id=call.environment.environment_id,
        organization_id=ids.new("organization", call.environment.kind),
        name=names.organization_name(request.organization_name),
        slug=names.slug_from(request.organization_name),
        settings=organization_settings.initial(request, await authority.policy_of(ctx, call.environment)),
        trusted_metadata=claims.merge_metadata({}, request.trusted_metadata or {}),
        created_at=now,
        updated_at=now,
    )
    if request.organization_external_id is not None:
        external_id = names.organization_external_id(request.organization_external_id)
        organization = msgspec.structs.replace(organization, external_id=external_id)
    if request.organization_slug is None:
        return await create_with_free_slug(ctx, call, organization)
    organization = msgspec.structs.replace(organization, slug=names.slug(request.organization_slug))

    async def change() -> Organization:
        await _store_new(ctx, call, organization)
        return organization

    return await until_current(change)


async def create_with_free_slug(ctx: Context, call: Call, organization: Organization) -> Organization:
    """Store a new organization under its slug, or one that begins like it if another has that already.

    Raises OrganizationExternalIdAlreadyUsed.
    """
    candidate = organization
    for _ in range(TRIES):
        try:
            await _store_new(ctx, call, candidate)
        except store.Conflict as conflict:
            if conflict.key == "organization_external_id":
                raise errors.OrganizationExternalIdAlreadyUsed from None
            slug = names.unique_slug(organization.name, secrets.token_hex(4))
            candidate = msgspec.structs.replace(organization, slug=slug)
        else:
            return candidate
    raise errors.StoreUnavailable(detail=f"no free slug was found in {TRIES} tries")


async def get(ctx: Context, call: Call, request: OrganizationRef) -> Organization:
    """One organization. Raises OrganizationNotFound."""
    return await resolve(ctx, call, request.organization_id)


async def update(ctx: Context, call: Call, request: OrganizationUpdate) -> Organization:
    """Change what the request gives of an organization.

    Raises OrganizationNotFound, as :func:`create`, and with an actor CannotUpdateTrustedMetadata and as
    :func:`authority.authorize`.
    """

    async def change() -> Organization:
        before = await resolve(ctx, call, request.organization_id)
        _authorize_update(call, before, request)
        policy = await authority.policy_of(ctx, call.environment)
        return await _replace(ctx, call, before, _changes(before, request, policy))

    return await until_current(change)


async def delete(ctx: Context, call: Call, request: OrganizationRef) -> str:
    """Delete the organization with its members and their sessions; gives back its own id.

    Raises as :func:`get`, and with an actor as :func:`authority.authorize`.
    """

    async def change() -> str:
        organization = await resolve(ctx, call, request.organization_id)
        authority.authorize(call, organization.organization_id, RESOURCE, "delete")
        now = int(ctx.clock())
        await ctx.store.write(
            store.DeleteOrganization(
                environment_id=organization.environment_id,
                organization_id=organization.organization_id,
                events=(call.event(now, "organization.deleted", organization.organization_id),),
            )
        )
        return organization.organization_id

    return await until_current(change)


async def drop_external_id(ctx: Context, call: Call, request: OrganizationRef) -> Organization:
    """Forget the organization's external id; from then on it resolves nothing.

    Raises as :func:`get`, and with an actor as :func:`authority.authorize`.
    """

    async def change() -> Organization:
        before = await resolve(ctx, call, request.organization_id)
        authority.authorize(call, before.organization_id, RESOURCE, DROP_EXTERNAL_ID)
        return await _replace(ctx, call, before, {"external_id": None})

    return await until_current(change)


async def metrics(ctx: Context, call: Call, request: OrganizationRef) -> int:
    """How many members the organization has, deleted ones not counted. Raises as :func:`get`."""
    organization = await resolve(ctx, call, request.organization_id)
    return await ctx.store.member_count(organization.environment_id, organization.organization_id)


async def search(ctx: Context, call: Call, request: searches.SearchRequest) -> OrganizationPage:
    """A page of the organizations that match.

    Raises OrganizationSearchFilterNotRecognized, InvalidSearch, InvalidCursor.
    """
    wanted = searches.prepare(ctx, call, "organizations", request)
    found, total = await ctx.store.search_organizations(wanted.search)
    page = found[: wanted.limit]
    last = page[-1].organization_id if len(found) > wanted.limit else None
    return OrganizationPage(organizations=page, next_cursor=wanted.next_cursor(ctx, last), total=total)


async def _store_new(ctx: Context, call: Call, organization: Organization) -> None:
    event = call.event(organization.created_at, "organization.created", organization.organization_id)
    await ctx.store.write(store.CreateOrganization(organization=organization, events=(event,)))


async def _replace(ctx: Context, call: Call, before: Organization, changes: Mapping[str, Any]) -> Organization:
    after = msgspec.structs.replace(before, **changes)
    if after == before:
        return before
    now = int(ctx.clock())
    after = msgspec.structs.replace(after, updated_at=now)
    event = call.event(now, "organization.updated", before.organization_id, fields=_changed(before, after))
    await ctx.store.write(store.ReplaceOrganization(organization=after, events=(event,)))
    return msgspec.structs.replace(after, revision=before.revision + 1)


def _changed(before: Organization, after: Organization) -> list[str]:
    return [*changed_fields(before, after, {"settings"}), *changed_fields(before.settings, after.settings)]


def _changes(before: Organization, request: OrganizationUpdate, policy: Policy) -> dict[str, Any]:
    changes: dict[str, Any] = {"settings": organization_settings.merged(before.settings, request, policy)}
    if request.organization_name is not None:
        changes["name"] = names.organization_name(request.organization_name)
    if request.organization_slug is not None:
        changes["slug"] = names.slug(request.organization_slug)
    if request.organization_external_id is not None:
        changes["external_id"] = names.organization_external_id(request.organization_external_id)
    if request.trusted_metadata is not None:
        changes["trusted_metadata"] = claims.merge_metadata(before.trusted_metadata, request.trusted_metadata)
    return changes


def _authorize_update(call: Call, organization: Organization, request: OrganizationUpdate) -> None:
    if call.actor is None:
        return
    given = [name for name in request.__struct_fields__ if getattr(request, name) is not None]
    given.remove("organization_id")
    # A request that changes nothing still shows the organization, so it needs one permission at least.
    for name in given or ["organization_name"]:
        if name == "trusted_metadata":
            raise errors.CannotUpdateTrustedMetadata
        if name not in ACTIONS:
            raise errors.SessionAuthorizationError(f"{name} cannot be changed with a member session.")
        authority.authorize(call, organization.organization_id, RESOURCE, ACTIONS[name])
