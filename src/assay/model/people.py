"""Organizations, their members, and the users of consumer products."""

from __future__ import annotations

from typing import Any, Literal

from assay.model.base import MemberStatus, Record, UserStatus


class OrganizationSettings(Record, frozen=True, kw_only=True):
    """Settings that Assay keeps for its callers. Only ``mfa_policy`` changes what attest does (decisions D15)."""

    organization_logo_url: str = ""
    sso_default_connection_id: str | None = None
    sso_jit_provisioning: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    sso_jit_provisioning_allowed_connections: tuple[str, ...] = ()
    email_allowed_domains: tuple[str, ...] = ()
    email_jit_provisioning: Literal["RESTRICTED", "NOT_ALLOWED"] = "NOT_ALLOWED"
    email_invites: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    auth_methods: Literal["ALL_ALLOWED", "RESTRICTED"] = "ALL_ALLOWED"
    allowed_auth_methods: tuple[str, ...] = ()
    mfa_policy: Literal["OPTIONAL", "REQUIRED_FOR_ALL"] = "OPTIONAL"
    mfa_methods: Literal["ALL_ALLOWED", "RESTRICTED"] = "ALL_ALLOWED"
    allowed_mfa_methods: tuple[str, ...] = ()
    rbac_email_implicit_role_assignments: tuple[dict[str, str], ...] = ()
    oauth_tenant_jit_provisioning: Literal["RESTRICTED", "NOT_ALLOWED"] = "NOT_ALLOWED"
    allowed_oauth_tenants: dict[str, Any] = {}
    claimed_email_domains: tuple[str, ...] = ()
    first_party_connected_apps_allowed_type: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    allowed_first_party_connected_apps: tuple[str, ...] = ()
    third_party_connected_apps_allowed_type: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    allowed_third_party_connected_apps: tuple[str, ...] = ()


class Organization(Record, frozen=True, kw_only=True):
    """A customer of a B2B product; its members are people of that customer."""

    environment_id: str
    organization_id: str
    name: str
    slug: str
    external_id: str | None = None
    settings: OrganizationSettings = OrganizationSettings()
    trusted_metadata: dict[str, Any] = {}
    created_at: int
    updated_at: int
    revision: int = 1


class RetiredEmail(Record, frozen=True, kw_only=True):
    """An address a member has left; nobody else of the organization may take it."""

    email_id: str
    email_address: str


class Member(Record, frozen=True, kw_only=True):
    """A person (or workload) inside one organization.

    ``external_id_issuer`` is the issuer whose token attached the external id, or None when an API set it
    (decisions D4). ``roles`` are the explicit ones; ``token_roles`` are profile id → role ids (decisions D5).
    ``email`` is lower-cased, or None for those who have no address (decisions D20).
    """

    environment_id: str
    organization_id: str
    member_id: str
    email: str | None
    email_verified: bool = False
    name: str = ""
    status: MemberStatus = "active"
    external_id: str | None = None
    external_id_issuer: str | None = None
    roles: tuple[str, ...] = ()
    token_roles: dict[str, tuple[str, ...]] = {}
    is_breakglass: bool = False
    mfa_enrolled: bool = False
    mfa_phone_number: str = ""
    default_mfa_method: str = ""
    retired_emails: tuple[RetiredEmail, ...] = ()
    trusted_metadata: dict[str, Any] = {}
    untrusted_metadata: dict[str, Any] = {}
    created_at: int
    updated_at: int
    revision: int = 1


class UserName(Record, frozen=True, kw_only=True):
    """A consumer's name in its parts; empty where unknown."""

    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""


class User(Record, frozen=True, kw_only=True):
    """A person of a consumer product. Fields mean what they mean on :class:`Member`."""

    environment_id: str
    user_id: str
    email: str | None
    email_id: str | None = None
    email_verified: bool = False
    phone_number: str | None = None
    phone_id: str | None = None
    name: UserName = UserName()
    status: UserStatus = "active"
    external_id: str | None = None
    external_id_issuer: str | None = None
    roles: tuple[str, ...] = ()
    token_roles: dict[str, tuple[str, ...]] = {}
    trusted_metadata: dict[str, Any] = {}
    untrusted_metadata: dict[str, Any] = {}
    created_at: int
    updated_at: int
    revision: int = 1
