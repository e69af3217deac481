"""The server API: its table of calls.

The table is data: it also says what there is to document. Its order is the order of matching, so the calls made most
often stand first, and fixed path segments stand before ids in the same place.
"""

from __future__ import annotations

from assay.api.calls import Route, route
from assay.api.wire import access as wire_access
from assay.api.wire import attempts as wire_attempts
from assay.api.wire import directory as wire_directory
from assay.api.wire import events as wire_events
from assay.api.wire import explanations as wire_explanations
from assay.api.wire import keys as wire_keys
from assay.api.wire import notices as wire_notices
from assay.api.wire import sessions as wire_sessions
from assay.stories import (
    access,
    attempt_search,
    attest,
    audit,
    exchange,
    explain,
    key_health,
    member_changes,
    members,
    notices,
    organizations,
    searches,
    sessions,
    users,
)

_ORGANIZATIONS = "/v1/b2b/organizations"
_ORGANIZATION = f"{_ORGANIZATIONS}/{{organization_id}}"
_MEMBERS = f"{_ORGANIZATION}/members"
_MEMBER = f"{_MEMBERS}/{{member_id}}"
_USERS = "/v1/users"
_USER = f"{_USERS}/{{user_id}}"
_B2B_TOKENS = "/v1/b2b/trusted_auth_tokens"
_TOKENS = "/v1/trusted_auth_tokens"

# What the blog post that announced attest calls the field (decisions D1).
_PROFILE_ALIAS = {"token_profile_id": "profile_id"}

ROUTES: tuple[Route, ...] = (
    route(
        "POST",
        "/v1/b2b/sessions/authenticate",
        "b2b",
        sessions.AuthenticateRequest,
        sessions.authenticate,
        wire_sessions.member_authenticated,
        repeats=True,
    ),
    route(
        "POST",
        "/v1/b2b/sessions/attest",
        "b2b",
        attest.AttestRequest,
        attest.attest,
        wire_sessions.member_attested,
        also=("/b2b/v1/sessions/attest",),
        aliases=_PROFILE_ALIAS,
    ),
    route(
        "POST",
        "/v1/sessions/authenticate",
        "consumer",
        sessions.AuthenticateRequest,
        sessions.authenticate,
        wire_sessions.user_authenticated,
        repeats=True,
    ),
    route(
        "POST",
        "/v1/sessions/attest",
        "consumer",
        attest.AttestRequest,
        attest.attest,
        wire_sessions.user_attested,
        also=("/consumer/v1/sessions/attest",),
        aliases=_PROFILE_ALIAS,
    ),
    # ------------------------------------------------------------ other calls about sessions
    route(
        "GET",
        "/v1/b2b/sessions",
        "b2b",
        sessions.MemberSessionsRequest,
        sessions.member_sessions,
        wire_sessions.member_sessions,
    ),
    route(
        "POST",
        "/v1/b2b/sessions/revoke",
        "b2b",
        sessions.RevokeRequest,
        sessions.revoke,
        wire_sessions.revoked,
        member_session=True,
    ),
    route(
        "POST",
        "/v1/b2b/sessions/exchange",
        "b2b",
        exchange.ExchangeRequest,
        exchange.exchange,
        wire_sessions.member_exchanged,
    ),
    route(
        "GET",
        "/v1/sessions",
        "consumer",
        sessions.UserSessionsRequest,
        sessions.user_sessions,
        wire_sessions.user_sessions,
    ),
    route("POST", "/v1/sessions/revoke", "consumer", sessions.RevokeRequest, sessions.revoke, wire_sessions.revoked),
    # ------------------------------------------------------------ members
    route(
        "POST",
        f"{_ORGANIZATIONS}/members/search",
        "b2b",
        searches.MemberSearchRequest,
        members.search,
        wire_directory.members_found,
        member_session=True,
    ),
    route(
        "GET",
        f"{_ORGANIZATIONS}/members/dangerously_get/{{member_id}}",
        "b2b",
        members.MemberDangerousGet,
        members.dangerously_get,
        wire_directory.member,
    ),
    route(
        "POST",
        _MEMBERS,
        "b2b",
        members.MemberCreate,
        members.create,
        wire_directory.member,
        member_session=True,
    ),
    route("GET", f"{_ORGANIZATION}/member", "b2b", members.MemberGet, members.get, wire_directory.member),
    route(
        "PUT", _MEMBER, "b2b", member_changes.MemberUpdate, members.update, wire_directory.member, member_session=True
    ),
    route(
        "DELETE", _MEMBER, "b2b", members.MemberRef, members.delete, wire_directory.member_deleted, member_session=True
    ),
    route(
        "PUT",
        f"{_MEMBER}/reactivate",
        "b2b",
        members.MemberRef,
        members.reactivate,
        wire_directory.member,
        member_session=True,
    ),
    route(
        "DELETE",
        f"{_MEMBER}/external_id",
        "b2b",
        members.MemberRef,
        members.drop_external_id,
        wire_directory.member,
        member_session=True,
    ),
    # ------------------------------------------------------------ organizations
    route(
        "POST",
        f"{_ORGANIZATIONS}/search",
        "b2b",
        searches.SearchRequest,
        organizations.search,
        wire_directory.organizations_found,
    ),
    route(
        "POST",
        _ORGANIZATIONS,
        "b2b",
        organizations.OrganizationCreate,
        organizations.create,
        wire_directory.organization,
    ),
    route("GET", _ORGANIZATION, "b2b", organizations.OrganizationRef, organizations.get, wire_directory.organization),
    route(
        "PUT",
        _ORGANIZATION,
        "b2b",
        organizations.OrganizationUpdate,
        organizations.update,
        wire_directory.organization,
        member_session=True,
    ),
    route(
        "DELETE",
        _ORGANIZATION,
        "b2b",
        organizations.OrganizationRef,
        organizations.delete,
        wire_directory.organization_deleted,
        member_session=True,
    ),
    route(
        "DELETE",
        f"{_ORGANIZATION}/external_id",
        "b2b",
        organizations.OrganizationRef,
        organizations.drop_external_id,
        wire_directory.organization,
        member_session=True,
    ),
    route(
        "GET",
        f"{_ORGANIZATION}/metrics",
        "b2b",
        organizations.OrganizationRef,
        organizations.metrics,
        wire_directory.organization_metrics,
    ),
    # ------------------------------------------------------------ users
    route("POST", f"{_USERS}/search", "consumer", searches.SearchRequest, users.search, wire_directory.users_found),
    route("POST", _USERS, "consumer", users.UserCreate, users.create, wire_directory.user_created),
    route("GET", _USER, "consumer", users.UserRef, users.get, wire_directory.user_shown),
    route("PUT", _USER, "consumer", users.UserUpdate, users.update, wire_directory.user_updated),
    route("DELETE", _USER, "consumer", users.UserRef, users.delete, wire_directory.user_deleted),
    route(
        "DELETE",
        f"{_USER}/external_id",
        "consumer",
        users.UserRef,
        users.drop_external_id,
        wire_directory.user_answer,
    ),
    # ------------------------------------------------------------ permissions, and who calls
    route("GET", "/v1/b2b/rbac/policy", "b2b", access.Nothing, access.policy, wire_access.policy),
    route(
        "GET",
        "/v1/b2b/rbac/organizations/{organization_id}",
        "b2b",
        organizations.OrganizationRef,
        access.organization_policy,
        wire_access.organization_policy,
    ),
    route("GET", "/v1/rbac/policy", "consumer", access.Nothing, access.policy, wire_access.policy),
    route("GET", "/v1/debug/whoami", None, access.Nothing, access.whoami, wire_access.whoami),
    # ------------------------------------------------------------ what the hosted service does not have
    route(
        "GET",
        "/v1/trusted_token_profiles/{profile_id}/keys",
        None,
        key_health.KeyHealthRequest,
        key_health.key_health,
        wire_keys.profile_keys,
    ),
    route(
        "GET",
        "/v1/trusted_token_profiles/{profile_id}/notices",
        None,
        notices.NoticesRequest,
        notices.notices,
        wire_notices.notices,
    ),
    route(
        "POST",
        f"{_B2B_TOKENS}/explain",
        "b2b",
        attest.AttestRequest,
        explain.explain,
        wire_explanations.explained,
        aliases=_PROFILE_ALIAS,
    ),
    route(
        "POST",
        f"{_TOKENS}/explain",
        "consumer",
        attest.AttestRequest,
        explain.explain,
        wire_explanations.explained,
        aliases=_PROFILE_ALIAS,
    ),
    route(
        "GET",
        f"{_B2B_TOKENS}/attempts",
        "b2b",
        attempt_search.MemberAttemptsRequest,
        attempt_search.member_attempts,
        wire_attempts.attempts_found,
    ),
    route(
        "GET",
        f"{_TOKENS}/attempts",
        "consumer",
        attempt_search.UserAttemptsRequest,
        attempt_search.user_attempts,
        wire_attempts.attempts_found,
    ),
    route("GET", "/v1/events", None, audit.EventsRequest, audit.events, wire_events.events_found),
)

# The libraries that verify JWTs ask for keys without credentials, and keep them for 15 minutes (contract §5.2).
JWKS_PATHS = ("/v1/b2b/sessions/jwks/{project_id}", "/v1/sessions/jwks/{project_id}")
