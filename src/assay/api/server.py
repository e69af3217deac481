"""The server API: its table of calls, and the ASGI application made of it.

The table is data: it also says what there is to document. Its order is the order of matching, so the calls made most
often stand first, and fixed path segments stand before ids in the same place.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.routing import Route as PathRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from assay import errors
from assay.api import bodies
from assay.api.calls import Endpoint, Exchange, Route, handler, route
from assay.api.wire import access as wire_access
from assay.api.wire import directory as wire_directory
from assay.api.wire import keys as wire_keys
from assay.api.wire import sessions as wire_sessions
from assay.api.wire.answers import Answer
from assay.stories import (
    access,
    attest,
    exchange,
    key_health,
    member_changes,
    members,
    organizations,
    projects,
    readiness,
    searches,
    sessions,
    users,
)
from assay.stories.context import Context

_ORGANIZATIONS = "/v1/b2b/organizations"
_ORGANIZATION = f"{_ORGANIZATIONS}/{{organization_id}}"
_MEMBERS = f"{_ORGANIZATION}/members"
_MEMBER = f"{_MEMBERS}/{{member_id}}"
_USERS = "/v1/users"
_USER = f"{_USERS}/{{user_id}}"

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
)

# The libraries that verify JWTs ask for keys without credentials, and keep them for 15 minutes (contract §5.2).
JWKS_PATHS = ("/v1/b2b/sessions/jwks/{project_id}", "/v1/sessions/jwks/{project_id}")
_JWKS_HEADERS = [(b"cache-control", b"public, max-age=900")]

_MOST_PATH_CHARACTERS = 200


class ServerApi:
    """The server API over one context, as an ASGI application."""

    def __init__(self, context: Context) -> None:
        self._router = Router(
            list(_paths(context)), redirect_slashes=False, default=Endpoint(context, _not_found, template="")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Ids may hold an encoded slash, so routes are matched before anything is decoded."""
        if scope["type"] != "http":
            return
        scope["path"] = scope["raw_path"].decode("latin-1")
        await self._router(scope, receive, send)


class _Path(PathRoute):
    """A method on a path; the other methods of this path are refused in our own words."""

    def __init__(self, path: str, method: str, endpoint: Endpoint, refuse: ASGIApp) -> None:
        super().__init__(path, endpoint, methods=[method])
        self._refuse = refuse

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse the method. The router comes here with a wrong one only when no other row matches."""
        answers = scope["method"] in (self.methods or ())
        await (self.app if answers else self._refuse)(scope, receive, send)


def _paths(context: Context) -> Iterator[_Path]:
    endpoints = list(_endpoints(context))
    for path, method, endpoint in endpoints:
        allowed = sorted({name for same, name, _ in endpoints if same == path})
        yield _Path(path, method, endpoint, _refuse_method(context, path, allowed))


def _endpoints(context: Context) -> Iterator[tuple[str, str, Endpoint]]:
    for row in ROUTES:
        for path in (row.path, *row.also):
            yield path, row.method, Endpoint(context, handler(row), path)
    for path in JWKS_PATHS:
        yield path, "GET", Endpoint(context, _jwks, path, headers=_JWKS_HEADERS)
    for path, probe in (("/healthz", _alive), ("/readyz", _ready)):
        yield path, "GET", Endpoint(context, probe, path, quiet=True)


def _refuse_method(context: Context, path: str, allowed: list[str]) -> Endpoint:
    methods = ", ".join(allowed)

    async def refuse(_context: Context, shown: Exchange) -> Answer:
        raise errors.MethodNotAllowed(f"{path} does not take {_quoted(shown.scope['method'])}; it takes {methods}.")

    return Endpoint(context, refuse, path, always=[(b"allow", methods.encode())])


async def _not_found(_context: Context, shown: Exchange) -> Answer:
    method, path = _quoted(shown.scope["method"]), _quoted(shown.scope["path"])
    raise errors.RouteNotFound(f"This server has no route {method} {path}.")


async def _jwks(context: Context, shown: Exchange) -> Answer:
    project_id = bodies.path(shown.scope["path_params"])["project_id"]
    return wire_access.KeySet(request_id=shown.request_id, keys=tuple(await projects.jwks(context, project_id)))


async def _alive(_context: Context, shown: Exchange) -> Answer:
    return wire_access.Health(request_id=shown.request_id)


async def _ready(context: Context, shown: Exchange) -> Answer:
    await readiness.ready(context)
    return wire_access.Health(request_id=shown.request_id)


def _quoted(text: str) -> str:
    """The caller's text as it may stand in a sentence: short, and without control characters."""
    return text[:_MOST_PATH_CHARACTERS].encode("unicode_escape").decode("ascii")
