"""One call from its first header to its last byte: the only place that knows in which order things are checked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec
import structlog
from msgspec import UNSET, UnsetType
from starlette.types import Receive, Scope, Send

from assay import errors, ids, jsontext
from assay.api import arguments, bodies, credentials
from assay.api.repeats import Repeats, is_short, key_of
from assay.api.wire.answers import Answered, encode, refusal
from assay.model import Environment, Vertical
from assay.stories import projects, sessions, workspace_keys
from assay.stories.context import Call, Context, Operator

log = structlog.get_logger()

Request = TypeVar("Request", bound=msgspec.Struct)
Result = TypeVar("Result")

RETRY_AFTER_SECONDS = 5
OK = 200
CLIENT_GONE = 499

_JSON = (b"content-type", b"application/json")
# Most answers hold session tokens, and none is worth keeping in a cache on the way (RFC 6749 §5.1).
_NOT_KEPT = (b"cache-control", b"no-store")
_CHALLENGE = (b"www-authenticate", b'Basic realm="Assay", charset="UTF-8"')
_RETRY_AFTER = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())

WHOLE_ANSWER = "assay.whole_answer"
"""The extension of a scope by which the server takes an answer in one piece; others take it by messages."""

WHOLE_BODY = "assay.whole_body"
"""The extension of a scope by which the server gives a body that is there already; others give it by messages."""

ResponseHeaders = list[tuple[bytes, bytes]]


class Span(Protocol):
    """What a trace is told of a request; see :mod:`assay.observing.tracer`."""

    def answered(self, status: int, code: str, request_id: str, project_id: str) -> None:
        """How it ended."""


Api = Literal["server", "management"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table of calls.

    ``api`` says who may call: the server API is opened by the secrets of a project environment, and its stories take
    a :class:`Call`; the management API is opened by workspace keys, and its stories take an :class:`Operator`.

    ``also`` are other paths of the same call, ``aliases`` other names of fields (decisions D1). ``vertical`` None
    means that projects of both kinds may call it. ``member_session`` says whether the call can run with the
    permissions of a member (decisions D19). ``repeats`` says that it is an authenticate, which products call again and
    again with the same words.
    """

    api: Api
    method: str
    path: str
    request: type[msgspec.Struct]
    story: Callable[[Context, Any, Any], Awaitable[Any]]
    render: Callable[[Any, str], Answered]
    vertical: Vertical | None = None
    member_session: bool = False
    repeats: bool = False
    also: tuple[str, ...] = ()
    aliases: dict[str, str] = {}


class Head(NamedTuple):
    """The headers of an answer but for ``content-length``: as pairs, and as they stand on the wire."""

    pairs: ResponseHeaders
    lines: bytes


class Exchange(msgspec.Struct):
    """One request while it is being answered. ``environment_id`` is known once the caller is.

    ``key`` is that of a request that may come again (:mod:`assay.api.repeats`).
    """

    scope: Scope
    receive: Receive
    headers: credentials.Headers
    credentials: credentials.Credentials | None
    request_id: str
    environment_id: str = ""
    key: bytes | None = None


class Reply(msgspec.Struct, frozen=True):
    """What goes back, and what the log says of it beside the status."""

    status: int
    body: bytes
    head: Head
    code: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET


Handler = Callable[[Context, Exchange], Awaitable[Answered]]


def route(  # noqa: PLR0913 - the columns of the table
    method: str,
    path: str,
    vertical: Vertical | None,
    request: type[Request],
    story: Callable[[Context, Call, Request], Awaitable[Result]],
    render: Callable[[Result, str], Answered],
    *,
    member_session: bool = False,
    repeats: bool = False,
    also: tuple[str, ...] = (),
    aliases: Mapping[str, str] | None = None,
) -> Route:
    """A row of the server API whose columns fit each other, as the type checker sees here."""
    return Route(
        api="server",
        method=method,
        path=path,
        vertical=vertical,
        request=request,
        story=story,
        render=render,
        member_session=member_session,
        repeats=repeats,
        also=also,
        aliases=dict(aliases or {}),
    )


def managed(
    method: str,
    path: str,
    request: type[Request],
    story: Callable[[Context, Operator, Request], Awaitable[Result]],
    render: Callable[[Result, str], Answered],
) -> Route:
    """A row of the management API whose columns fit each other.

    The ids in the path, the query arguments and the members of the body together make the request, in this order of
    precedence.
    """
    return Route(api="management", method=method, path=path, request=request, story=story, render=render)


class Endpoint:
    """A handler as an ASGI application: every way it can end becomes one JSON answer and one line in the log.

    ``template`` is the path as the log shows it, ``headers`` go out with success, ``always`` with every answer.
    The successes of a ``quiet`` one are logged for debugging alone.
    """

    def __init__(  # noqa: PLR0913 - what makes one endpoint unlike another
        self,
        context: Context,
        handler: Handler,
        template: str,
        *,
        headers: ResponseHeaders | None = None,
        always: ResponseHeaders | None = None,
        quiet: bool = False,
        repeats: Repeats | None = None,
    ) -> None:
        self._context = context
        self._repeats = repeats
        self._handler = handler
        self._template = template
        self._quiet = quiet
        beside = always or []
        self._granted = _head(_JSON, *(headers or [_NOT_KEPT]), *beside)
        self._refused = _head(_JSON, _NOT_KEPT, *beside)
        self._unavailable = _head(_JSON, _NOT_KEPT, *beside, _RETRY_AFTER)
        self._challenged = _head(_JSON, _NOT_KEPT, *beside, _CHALLENGE)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        answer = self._traced if self._context.tracer.on else self._answer
        return answer(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        traceparent = credentials.collect(scope["headers"]).get(credentials.TRACEPARENT, ())
        with self._context.tracer.request(scope["method"], self._template, traceparent) as span:
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: Span | None = None) -> None:
        started = time.perf_counter()
        headers = credentials.collect(scope["headers"])
        key = None if self._repeats is None or not is_short(headers) else key_of(headers, _whole_body(scope))
        exchange = Exchange(scope, receive, headers, None, "", key=key)
        reply = (await self._again(exchange, key) if key else None) or await self._judged(exchange)
        if not _written(reply, scope) and reply is not _GONE:
            await _send(reply, send)
        self._count(exchange, reply, time.perf_counter() - started)
        if span is not None:
            span.answered(reply.status, reply.code or "", exchange.request_id, exchange.environment_id)

    async def _judged(self, exchange: Exchange) -> Reply:
        exchange.credentials = credentials.basic(exchange.headers)
        exchange.request_id = new_request_id(exchange.credentials.caller_id if exchange.credentials else "")
        try:
            return Reply(OK, encode(await self._handler(self._context, exchange)), self._granted)
        except errors.Error as error:
            return self._refusal(error, exchange)
        except bodies.ClientGone:
            return _GONE
        except Exception:
            # Whatever it is, the caller gets JSON, and the log the place it came from.
            log.exception("fault", request_id=exchange.request_id, route=self._template)
            return self._refusal(errors.InternalError(), exchange)

    async def _again(self, exchange: Exchange, key: bytes) -> Reply | None:
        """The answer to what was answered a moment ago, if nothing that it was decided upon has changed since."""
        context, repeats = self._context, self._repeats
        repeat = repeats.find(key) if repeats else None
        if repeats is None or repeat is None:
            return None
        try:
            if not await sessions.comes_to(context, repeat.look):
                return None
        except Exception:  # noqa: BLE001 - whoever judges it from the start meets the same, and says so
            return None
        exchange.environment_id = repeat.look.caller.environment.environment_id
        exchange.request_id = new_request_id(exchange.environment_id)
        return Reply(OK, repeats.written(context, repeat, exchange.request_id), self._granted)

    def _count(self, exchange: Exchange, reply: Reply, seconds: float) -> None:
        method = exchange.scope["method"]
        self._context.meter.answered(method, self._template, reply.status, seconds)
        self._context.request_log.answered(
            method,
            self._template,
            reply.status,
            seconds,
            exchange.request_id,
            exchange.environment_id,
            reply.code,
            reply.detail,
            quiet=self._quiet and reply.status == OK,
        )

    def _refusal(self, error: errors.Error, exchange: Exchange) -> Reply:
        answer = refusal(error, exchange.request_id, self._context.settings.public_url)
        head = self._refused
        if error.kind == "unavailable":
            head = self._unavailable
        elif isinstance(error, errors.UnauthorizedCredentials):
            head = self._challenged
        return Reply(answer.status_code, encode(answer), head, error.code, error.detail or UNSET)


def endpoint(context: Context, row: Route, path: str) -> Endpoint:
    """What answers the calls of one row at this path."""
    if row.api == "management":
        return Endpoint(context, _managed(row), path)
    again = Repeats(row.render) if row.repeats and context.store.keeps_records else None
    return Endpoint(context, _served(row, again), path, repeats=again)


def _served(row: Route, again: Repeats | None) -> Handler:
    """Credentials, vertical, member session, body, story, in this order (decisions D16).

    Nothing of the body is read before the caller is known, so that strangers cannot make the service work (R44).
    """
    plain = jsontext.PlainReader(row.request)
    vertical, story, render = row.vertical, row.story, row.render

    async def handle(context: Context, exchange: Exchange) -> Answered:
        shown = exchange.credentials
        if shown is None:
            raise errors.UnauthorizedCredentials(detail="no well-formed Basic credentials")
        caller = await projects.authenticate_caller(context, shown.caller_id, shown.secret)
        exchange.environment_id = caller.environment.environment_id
        if vertical is not None and vertical != caller.environment.vertical:
            raise _wrong_vertical(caller.environment)
        call = Call(caller=caller, request_id=exchange.request_id)
        session = credentials.member_session(exchange.headers)
        if session is not None:
            call = await _with_actor(context, call, row, *session)
        request = _plain_request(plain, exchange.scope) or await _request(row, exchange)
        result = await story(context, call, request)
        if again is not None and exchange.key is not None:
            again.keep(context, exchange.key, call, request, result)
        return render(result, exchange.request_id)

    return handle


def _managed(row: Route) -> Handler:
    """Workspace key, headers, query and body, story, in this order."""

    async def handle(context: Context, exchange: Exchange) -> Answered:
        operator = await _operator(context, exchange)
        if credentials.member_session(exchange.headers) is not None:
            raise errors.MemberSessionNotSupported
        request = await _managed_request(row, exchange)
        return row.render(await row.story(context, operator, request), exchange.request_id)

    return handle


async def _operator(context: Context, exchange: Exchange) -> Operator:
    """Who calls. Nothing of the body is read before, so that strangers cannot make the service work (R44)."""
    shown = exchange.credentials
    if shown is None:
        raise errors.UnauthorizedCredentials(workspace_keys.REFUSAL, detail="no well-formed Basic credentials")
    operator = await workspace_keys.authenticate_operator(context, shown.caller_id, shown.secret)
    return msgspec.structs.replace(operator, request_id=exchange.request_id)


def _wrong_vertical(environment: Environment) -> errors.Error:
    return errors.InvalidConsumerEndpoint() if environment.vertical == "b2b" else errors.InvalidB2BEndpoint()


async def _with_actor(context: Context, call: Call, row: Route, token: str | None, jwt: str | None) -> Call:
    if not row.member_session:
        raise errors.MemberSessionNotSupported
    return msgspec.structs.replace(call, actor=await sessions.actor_of(context, call, token, jwt))


def _plain_request(reader: jsontext.PlainReader[Request], scope: Scope) -> Request | None:
    """The request where it is nothing but a plain body that is there already, as those of most calls are."""
    body = None if scope.get("path_params") else _whole_body(scope)
    return None if body is None else reader.read(body)


def _whole_body(scope: Scope) -> bytes | None:
    try:
        body: bytes | None = scope["extensions"][WHOLE_BODY]["body"](scope)
    except KeyError:
        return None
    return body if body and len(body) <= bodies.LIMIT else None


async def _request(row: Route, exchange: Exchange) -> msgspec.Struct:
    path = bodies.path(exchange.scope.get("path_params", {}))
    if row.method == "GET":
        given = bodies.query(exchange.scope["query_string"])
        return arguments.convert(given, path, row.aliases, row.request, text=True)
    given = bodies.members(await bodies.read(exchange.headers, exchange.receive))
    return arguments.convert(given, path, row.aliases, row.request, text=False)


async def _managed_request(row: Route, exchange: Exchange) -> msgspec.Struct:
    """Query and body are merged: the contract's calls about redirect URLs carry both."""
    path = bodies.path(exchange.scope.get("path_params", {}))
    asked = bodies.query(exchange.scope["query_string"])
    body = b"" if row.method == "GET" else await bodies.read(exchange.headers, exchange.receive)
    given = bodies.members(body)
    return arguments.convert(given | asked, path, row.aliases, row.request, text=not given)


def new_request_id(caller_id: str) -> str:
    """``request-id-<test|live>-<uuid4>``. It goes by the id's form, so that it never tells whether the id exists."""
    kind = "live" if caller_id.startswith("project-live-") else "test"
    return f"request-id-{kind}-{ids.random_uuid()}"


def _head(*pairs: tuple[bytes, bytes]) -> Head:
    return Head(list(pairs), b"".join([b"%b: %b\r\n" % pair for pair in pairs]))


_GONE = Reply(CLIENT_GONE, b"", _head(), "client_closed_request")


def _written(reply: Reply, scope: Scope) -> bool:
    """Write the answer at once where the server takes it so, and say whether it did."""
    extension = scope["extensions"].get(WHOLE_ANSWER) if "extensions" in scope else None
    if extension is None or reply is _GONE:
        return False
    written: bool = extension["answer"](scope, reply.status, reply.head.lines, reply.body)
    return written


async def _send(reply: Reply, send: Send) -> None:
    headers = [*reply.head.pairs, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
