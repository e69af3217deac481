"""The HTTP server: uvicorn with our limits, our words, and an end that finishes what was begun."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from typing import NamedTuple

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from assay import errors, first_operator, logs, months
from assay.api.calls import new_request_id
from assay.api.wire.answers import encode, refusal
from assay.app import open_context
from assay.config import ConfigFault, Settings
from assay.front import Front
from assay.metrics import PATH, Metrics
from assay.observing import lag
from assay.observing.opening import open_tracer
from assay.observing.tracer import Tracer
from assay.stories import housekeeping
from assay.stories.context import Context
from assay.stories.operators import Invitation
from assay.tls import Tls, TlsFiles

BACKLOG = 2048
MOST_HEAD_BYTES = 64 * 1024
# Longer than the 60 seconds after which common load balancers drop idle connections, so that the server is never the
# first to close one that is about to be used.
KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 30
TIDIED_EVERY_SECONDS = 60
CLOSING_SECONDS = 1
"""How long an idle client may take to close its end when the server stops; over TLS many never answer at all."""

log = structlog.get_logger()


class AddressFault(ConfigFault):
    """The address to listen on cannot be had; the message says why."""


OnListening = Callable[[str], None]


Address = tuple[str, int]
"""Host and port; port 0 takes a free one."""


class MetricsAddress(NamedTuple):
    """Where metrics are served. Without ``is_asked_for`` the server does without them when the port is taken."""

    host: str
    port: int
    is_asked_for: bool = True


DEFAULT_METRICS = MetricsAddress("127.0.0.1", 9464, is_asked_for=False)
"""The port is what exporters of OpenTelemetry listen on for Prometheus."""


def run(
    settings: Settings,
    address: Address,
    on_listening: OnListening | None = None,
    *,
    metrics: MetricsAddress | None = None,
    tls: TlsFiles | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then return. SIGHUP reads the files of ``tls`` again.

    Raises TlsFault, and as :func:`serve`.
    """
    logs.configure(settings.log_level)
    logs.adopt_libraries()
    certificate = Tls(tls) if tls else None
    uvloop.run(_run(serve(settings, address, on_listening, metrics=metrics, tls=certificate), certificate))


async def _run(serving: Coroutine[None, None, None], certificate: Tls | None) -> None:
    with _on_hangup(certificate):
        await serving


async def serve(
    settings: Settings,
    address: Address,
    on_listening: OnListening | None = None,
    *,
    metrics: MetricsAddress | None = None,
    tls: Tls | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight get up to 30 seconds, a second signal cuts them short.

    ``on_listening`` is given the base URL once requests are answered. ``metrics`` is where metrics are served, if at
    all, and ``tls`` the certificate that makes it https. Raises AddressFault when an address cannot be had, and as
    :func:`assay.app.open_context`.
    """
    stop = _Stop()
    with ExitStack() as stack:
        stack.enter_context(stop.on_signals())
        listener = stack.enter_context(_listen(*address))
        beside = stack.enter_context(_listen_beside(metrics)) if metrics else None
        url = f"{'https' if tls else 'http'}://{_address(listener)}"
        async with (
            _traces(settings) as tracer,
            open_context(settings, tracer=tracer) as context,
            lag.measured(context.meter),
            tidied(context),
            months.kept(context),
            _beside(Metrics(context, tls), beside),
        ):
            config = _config(Front(context), tls)
            invitation = await first_operator.invited(context)
            server = _Server(config, lambda: _announce(url, on_listening, invitation, settings))
            stop.pass_on_to(server)
            await server.serve(sockets=[listener])
    log.info("stopped")


@asynccontextmanager
async def _traces(settings: Settings) -> AsyncIterator[Tracer]:
    tracer = open_tracer(settings)
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close)


@asynccontextmanager
async def tidied(context: Context, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> AsyncIterator[None]:
    """Forget what has come to its end, at once and then each minute, while the block runs."""
    tidying = asyncio.create_task(_tidy(context, sleep))
    try:
        yield
    finally:
        tidying.cancel()
        with suppress(asyncio.CancelledError):
            await tidying


async def _tidy(context: Context, sleep: Callable[[float], Awaitable[None]]) -> None:
    while True:
        try:
            await housekeeping.forget(context)
        except errors.StoreUnavailable as fault:
            log.warning("not_tidied", detail=fault.detail)
        except Exception:
            # A defect here must not end it for good, and be noticed when the disk is full.
            log.exception("not_tidied")
        await sleep(TIDIED_EVERY_SECONDS)


@asynccontextmanager
async def _beside(metrics: Metrics, listener: socket.socket | None) -> AsyncIterator[None]:
    """Serve the metrics as long as the block runs."""
    if listener is None:
        yield
        return
    server = _Server(_config(metrics), lambda: log.info("metrics", address=_address(listener), path=PATH))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _config(application: ASGIApp, certificate: Tls | None = None) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    config.ssl = certificate.context if certificate else None
    return config


@contextmanager
def _on_hangup(certificate: Tls | None) -> Iterator[None]:
    """Read the certificate again at each SIGHUP while the block runs; without one, SIGHUP does nothing at all."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, certificate.reload if certificate else _nothing_to_reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _nothing_to_reload() -> None:
    log.warning("nothing_to_reload", reason="SIGHUP reads the files of TLS again, and this server has none")


class _Stop:
    """Signals to stop, from the first moment on: one may come before there is a server to pass it to."""

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None
        self._count = 0

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while the block runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._take)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def pass_on_to(self, server: uvicorn.Server) -> None:
        """Tell the server what was asked so far, and what will be."""
        self._server = server
        self._pass_on()

    def _take(self) -> None:
        self._count += 1
        log.info("stopping")
        self._pass_on()

    def _pass_on(self) -> None:
        if self._server is not None:
            self._server.should_exit = self._count > 0
            self._server.force_exit = self._count > 1


class _Server(uvicorn.Server):
    """Leaves signals to us, so that being told to stop is not a failure, and says when it answers."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: uvicorn would raise them again at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._on_started()


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a bound on the bytes before a body, and refusals in JSON like all others."""

    _in_head = True
    _head_bytes = 0

    def on_message_begin(self) -> None:
        """Count from here on."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Count no more: bodies have a limit of their own."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes. Request lines and headers that never end are refused before they fill the memory."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("Request head too long.")

    def shutdown(self) -> None:
        """Close when idle, else after the answer; the server is about to stop."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and hang up. uvicorn has logged ``msg``; it quotes nothing."""
        fault = errors.BadRequest(f"This is not a request that can be read as HTTP/1.1. {msg}")
        body = encode(refusal(fault, new_request_id("")))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address[0], address[1]), family=family, backlog=BACKLOG)
    except OSError as fault:
        raise AddressFault(f"cannot listen on {host} port {port}: {fault.strerror}") from None


def _listen_beside(metrics: MetricsAddress) -> AbstractContextManager[socket.socket | None]:
    try:
        return _listen(metrics.host, metrics.port)
    except AddressFault as fault:
        if metrics.is_asked_for:
            raise
        log.warning("no_metrics", reason=str(fault))
        return nullcontext()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _announce(url: str, on_listening: OnListening | None, invitation: Invitation | None, settings: Settings) -> None:
    log.info("listening", url=url)
    if on_listening is not None:
        on_listening(url)
    if invitation is not None:
        first_operator.hand_out(invitation, url, settings)
