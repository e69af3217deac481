"""The ASGI application: all tables of calls, the public calls beside them, and the refusal of everything else.

A path without ids in it is looked up as it came, which is all that the calls made most often need. The others are
matched in the order of the tables, the server API first: it is called with each request of a product, the management
API now and then.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.routing import Route as PathRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from assay import errors
from assay.api import bodies, calls, management, reference, server
from assay.api.calls import Endpoint, Exchange
from assay.api.wire import access as wire_access
from assay.api.wire.answers import Answer
from assay.stories import projects, readiness
from assay.stories.context import Context

_JWKS_HEADERS = [(b"cache-control", b"public, max-age=900")]
_MOST_PATH_CHARACTERS = 200


class Application:
    """Every API of the server over one context, as one ASGI application."""

    def __init__(self, context: Context) -> None:
        endpoints = list(_endpoints(context))
        paths = list(_paths(context, endpoints))
        self._fixed = {(method, path.encode()): endpoint for path, method, endpoint in endpoints if "{" not in path}
        self._router = Router(paths, redirect_slashes=False, default=Endpoint(context, _not_found, template=""))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Ids may hold an encoded slash, so routes are matched before anything is decoded."""
        if scope["type"] == "http":
            await self.found(scope)(scope, receive, send)

    def found(self, scope: Scope) -> ASGIApp:
        """What answers the request of this scope."""
        endpoint = self._fixed.get((scope["method"], scope["raw_path"]))
        if endpoint is not None:
            return endpoint
        scope["path"] = scope["raw_path"].decode("latin-1")
        return self._router


class _Path(PathRoute):
    """A method on a path; the other methods of this path are refused in our own words."""

    def __init__(self, path: str, method: str, endpoint: ASGIApp, refuse: ASGIApp) -> None:
        super().__init__(path, endpoint, methods=[method])
        self._refuse = refuse

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse the method. The router comes here with a wrong one only when no other row matches."""
        answers = scope["method"] in (self.methods or ())
        await (self.app if answers else self._refuse)(scope, receive, send)


def _paths(context: Context, endpoints: list[tuple[str, str, Endpoint]]) -> Iterator[_Path]:
    for path, method, endpoint in endpoints:
        allowed = sorted({name for same, name, _ in endpoints if same == path})
        yield _Path(path, method, endpoint, _refuse_method(context, path, allowed))
    documents = reference.Reference(context.settings.public_url, Endpoint(context, _not_found, template=""))
    for path in reference.PATHS:
        yield _Path(path, "GET", documents, _refuse_method(context, path, ["GET"]))


def _endpoints(context: Context) -> Iterator[tuple[str, str, Endpoint]]:
    for row in (*server.ROUTES, *management.ROUTES):
        for path in (row.path, *row.also):
            yield path, row.method, calls.endpoint(context, row, path)
    for path in server.JWKS_PATHS:
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
