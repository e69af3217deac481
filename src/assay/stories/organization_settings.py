"""The settings of an organization as a request carries them, and how they merge into the stored ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from assay import errors, jsontext
from assay.model import OrganizationSettings
from assay.rules import names
from assay.rules.permissions import Policy

Jit = Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"]
Restricted = Literal["RESTRICTED", "NOT_ALLOWED"]
Open = Literal["ALL_ALLOWED", "RESTRICTED"]
AuthMethod = Literal[
    "sso",
    "magic_link",
    "email_otp",
    "password",
    "google_oauth",
    "microsoft_oauth",
    "slack_oauth",
    "github_oauth",
    "hubspot_oauth",
]
MfaMethod = Literal["sms_otp", "totp"]
OAuthTenantProvider = Literal["slack", "hubspot", "github"]

# Passing any of these is "passing an authentication setting" (contract §6.4).
AUTHENTICATION_SETTINGS = frozenset(
    {
        "sso_jit_provisioning",
        "sso_jit_provisioning_allowed_connections",
        "email_allowed_domains",
        "email_jit_provisioning",
        "email_invites",
        "auth_methods",
        "allowed_auth_methods",
        "oauth_tenant_jit_provisioning",
        "allowed_oauth_tenants",
    }
)
# Every answer that shows the organization carries its settings, those to attest and authenticate too.
MAX_BYTES = 65_536
_DOMAINS = frozenset({"email_allowed_domains", "claimed_email_domains"})


class EmailRole(msgspec.Struct, kw_only=True):
    """Members whose address is in ``domain`` get the role."""

    domain: str
    role_id: str


class SettingsFields(msgspec.Struct, kw_only=True):
    """Every setting; None is "not given"."""

    organization_logo_url: str | None = None
    sso_default_connection_id: str | None = None
    sso_jit_provisioning: Jit | None = None
    sso_jit_provisioning_allowed_connections: list[str] | None = None
    email_allowed_domains: list[str] | None = None
    email_jit_provisioning: Restricted | None = None
    email_invites: Jit | None = None
    auth_methods: Open | None = None
    allowed_auth_methods: list[AuthMethod] | None = None
    mfa_policy: Literal["OPTIONAL", "REQUIRED_FOR_ALL"] | None = None
    mfa_methods: Open | None = None
    allowed_mfa_methods: list[MfaMethod] | None = None
    rbac_email_implicit_role_assignments: list[EmailRole] | None = None
    oauth_tenant_jit_provisioning: Restricted | None = None
    allowed_oauth_tenants: dict[OAuthTenantProvider, Any] | None = None
    claimed_email_domains: list[str] | None = None
    first_party_connected_apps_allowed_type: Jit | None = None
    allowed_first_party_connected_apps: list[str] | None = None
    third_party_connected_apps_allowed_type: Jit | None = None
    allowed_third_party_connected_apps: list[str] | None = None


def initial(request: SettingsFields, policy: Policy) -> OrganizationSettings:
    """The settings of a new organization. Raises as :func:`merged`.

    One that says nothing about authentication lets members be invited; one that does must say so (contract §6.4).
    """
    silent = AUTHENTICATION_SETTINGS.isdisjoint(given(request))
    return merged(OrganizationSettings(email_invites="ALL_ALLOWED" if silent else "NOT_ALLOWED"), request, policy)


def merged(current: OrganizationSettings, request: SettingsFields, policy: Policy) -> OrganizationSettings:
    """``current`` with what the request gives; roles must be of ``policy``. Raises BadRequest, InvalidRole."""
    if request.organization_logo_url:
        names.label("organization_logo_url", request.organization_logo_url)
    _check_roles(request.rbac_email_implicit_role_assignments or (), policy)
    changes = {name: _stored(name, getattr(request, name)) for name in given(request)}
    settings = msgspec.structs.replace(current, **changes)
    if jsontext.size(msgspec.to_builtins(settings)) > MAX_BYTES:
        raise errors.BadRequest(f"The settings of an organization hold at most {MAX_BYTES} bytes of JSON.")
    return settings


def given(request: SettingsFields) -> list[str]:
    """The names of the settings that the request gives."""
    return [name for name in OrganizationSettings.__struct_fields__ if getattr(request, name) is not None]


def _stored(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever the setting's type is
    if name == "rbac_email_implicit_role_assignments":
        return tuple({"domain": names.lower(item.domain), "role_id": item.role_id} for item in value)
    if name in _DOMAINS:
        return tuple(names.lower(domain) for domain in value)
    return tuple(value) if isinstance(value, list) else value


def _check_roles(assignments: Iterable[EmailRole], policy: Policy) -> None:
    known = policy.role_ids()
    for assignment in assignments:
        if assignment.role_id not in known:
            raise errors.InvalidRole(f"The RBAC policy has no role {assignment.role_id!r}.")
