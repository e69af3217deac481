"""Organizations and members on the wire (contract §6.1, §6.2): the two objects, which many answers hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from assay import model
from assay.api.wire.answers import Once, time
from assay.stories import authority


class Organization(msgspec.Struct, kw_only=True):
    """An organization. Lists that Assay has no use for are there, empty, because clients ask for them."""

    organization_id: str
    organization_name: str
    organization_logo_url: str
    organization_slug: str
    organization_external_id: str | None
    sso_default_connection_id: str | None
    sso_jit_provisioning: str
    sso_jit_provisioning_allowed_connections: tuple[str, ...]
    sso_active_connections: tuple[dict[str, str], ...] = ()
    scim_active_connection: None = None
    email_allowed_domains: tuple[str, ...]
    email_jit_provisioning: str
    email_invites: str
    auth_methods: str
    allowed_auth_methods: tuple[str, ...]
    mfa_policy: str
    mfa_methods: str
    allowed_mfa_methods: tuple[str, ...]
    rbac_email_implicit_role_assignments: tuple[dict[str, str], ...]
    oauth_tenant_jit_provisioning: str
    allowed_oauth_tenants: dict[str, Any]
    claimed_email_domains: tuple[str, ...]
    first_party_connected_apps_allowed_type: str
    allowed_first_party_connected_apps: tuple[str, ...]
    third_party_connected_apps_allowed_type: str
    allowed_third_party_connected_apps: tuple[str, ...]
    custom_roles: tuple[dict[str, Any], ...] = ()
    trusted_metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class RoleSource(msgspec.Struct):
    """How somebody came by a role; always by assignment (decisions D5)."""

    type: str = "direct_assignment"
    details: dict[str, str] = {}


class Role(msgspec.Struct):
    """A member's role; in a session roles are plain strings instead."""

    role_id: str
    sources: tuple[RoleSource, ...] = (RoleSource(),)


class RetiredEmail(msgspec.Struct):
    """An address that the member has left."""

    email_id: str
    email_address: str


class Member(msgspec.Struct, kw_only=True):
    """A member. Registrations for ways to log in that Assay has not are there, empty, because clients ask for them."""

    organization_id: str
    member_id: str
    external_id: str | None
    email_address: str
    email_address_verified: bool
    status: str
    name: str
    is_admin: bool
    is_breakglass: bool
    is_locked: bool = False
    lock_created_at: None = None
    lock_expires_at: None = None
    roles: tuple[Role, ...]
    mfa_enrolled: bool
    mfa_phone_number: str
    mfa_phone_number_verified: bool = False
    default_mfa_method: str
    member_password_id: str = ""
    totp_registration_id: str = ""
    sso_registrations: tuple[dict[str, Any], ...] = ()
    oauth_registrations: tuple[dict[str, Any], ...] = ()
    scim_registration: None = None
    retired_email_addresses: tuple[RetiredEmail, ...]
    trusted_metadata: dict[str, Any]
    untrusted_metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


def organization(record: model.Organization) -> Organization:
    """The stored organization as callers see it."""
    return Organization(
        **msgspec.structs.asdict(record.settings),  # settings have the names of the wire
        organization_id=record.organization_id,
        organization_name=record.name,
        organization_slug=record.slug,
        organization_external_id=record.external_id,
        trusted_metadata=record.trusted_metadata,
        created_at=time(record.created_at),
        updated_at=time(record.updated_at),
    )


def member(record: model.Member) -> Member:
    """The stored member as callers see it; no address is the empty string (decisions D20)."""
    roles = authority.roles_of(record)
    return Member(
        organization_id=record.organization_id,
        member_id=record.member_id,
        external_id=record.external_id,
        email_address=record.email or "",
        email_address_verified=record.email_verified,
        status=record.status,
        name=record.name,
        is_admin=authority.is_admin(roles),
        is_breakglass=record.is_breakglass,
        roles=tuple([Role(role_id) for role_id in roles]),
        mfa_enrolled=record.mfa_enrolled,
        mfa_phone_number=record.mfa_phone_number,
        default_mfa_method=record.default_mfa_method,
        retired_email_addresses=tuple(
            RetiredEmail(retired.email_id, retired.email_address) for retired in record.retired_emails
        ),
        trusted_metadata=record.trusted_metadata,
        untrusted_metadata=record.untrusted_metadata,
        created_at=time(record.created_at),
        updated_at=time(record.updated_at),
    )


_organizations = Once(organization, 1_000)
_members = Once(member, 2_000)


def organization_once(record: model.Organization) -> Organization:
    """As :func:`organization`, for answers made so often that it is written once for each record."""
    return _organizations(record.organization_id, record)


def member_once(record: model.Member) -> Member:
    """As :func:`member`, for answers made so often that it is written once for each record."""
    return _members(record.member_id, record)
