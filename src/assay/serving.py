"""Serving: everything opened in its order, one process or several that answer, and an end in the opposite order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext, suppress

import structlog
import uvloop

from assay import errors, first_operator, garbage, http_server, logs, months
from assay.app import open_context
from assay.config import Settings
from assay.front import Front
from assay.http_server import Server, Stop
from assay.listening import Address, MetricsAddress, address_of, listening, listening_beside
from assay.metrics import PATH, Metrics
from assay.observing import lag
from assay.observing.opening import open_tracer
from assay.observing.tracer import Tracer
from assay.stories.context import Context
from assay.stories.housekeeping import Housekeeper, Sleep
from assay.stories.operators import Invitation
from assay.tls import Tls, TlsFiles
from assay.workers.team import Team

TIDIED_EVERY_SECONDS = 60

log = structlog.get_logger()

OnListening = Callable[[str], None]
Work = Callable[[], Awaitable[None]]


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
    with http_server.on_hangup(certificate):
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

    With more than one worker in the settings, this process answers nothing but the metrics: it looks after the
    workers, and tidies up. ``on_listening`` is given the base URL once requests are answered. ``metrics`` is where
    metrics are served, if at all, and ``tls`` the certificate that makes it https. Raises AddressFault when an address
    cannot be had, WorkerFault when the workers cannot start, and as :func:`assay.app.open_context`.
    """
    stop = Stop()
    with ExitStack() as stack:
        stack.enter_context(stop.on_signals())
        listeners = stack.enter_context(listening(*address, settings.workers))
        beside = stack.enter_context(listening_beside(metrics)) if metrics else None
        url = f"{'https' if tls else 'http'}://{address_of(listeners[0])}"
        async with (
            traces(settings) as tracer,
            open_context(settings, tracer=tracer) as context,
            tidied(context),
            months.kept(context),
        ):
            invitation = await first_operator.invited(context)

            def announce() -> None:
                garbage.look_seldom()
                _announce(url, on_listening, invitation, settings)

            if settings.workers > 1:
                team = Team(settings, listeners, announce, tls)
                counted = Metrics(context, tls, team.counts)
                await _answer(team, stop, _beside(counted, beside))
            else:
                server = Server(Front(context), listeners[0], announce, tls)
                async with lag.measured(context.meter):
                    await _answer(server, stop, _beside(Metrics(context, tls), beside))
    log.info("stopped")


async def _answer(server: Server | Team, stop: Stop, beside: AbstractAsyncContextManager[None]) -> None:
    async with beside:
        stop.pass_on_to(server)
        await server.answer()


@asynccontextmanager
async def traces(settings: Settings) -> AsyncIterator[Tracer]:
    """What makes spans, and sends what is left of them at the end of the block. Raises ConfigFault."""
    tracer = open_tracer(settings)
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close)


@asynccontextmanager
async def tidied(context: Context, *, forgets: bool = True) -> AsyncIterator[None]:
    """Keep what this process remembers, and forget what has come to its end, while the block runs.

    Of several processes over one store, one that ``forgets`` is enough.
    """
    async with accesses_kept(context), forgetting(context) if forgets else nullcontext():
        yield


@asynccontextmanager
async def forgetting(context: Context, sleep: Sleep = asyncio.sleep) -> AsyncIterator[None]:
    """Forget what has come to its end, at once and then each minute, while the block runs."""
    keeper = Housekeeper(context)
    async with _repeated(keeper.forget, lambda: sleep(TIDIED_EVERY_SECONDS)):
        yield


@asynccontextmanager
async def accesses_kept(context: Context, sleep: Sleep = asyncio.sleep) -> AsyncIterator[None]:
    """Write each minute when sessions were last used in this process, while the block runs, and at its end."""
    remembered = context.last_access

    async def keep() -> None:
        await remembered.keep(context.store.write)

    try:
        async with _repeated(keep, lambda: remembered.or_full(sleep(TIDIED_EVERY_SECONDS))):
            yield
    finally:
        await _once(keep)


@asynccontextmanager
async def _repeated(work: Work, pause: Work) -> AsyncIterator[None]:
    repeating = asyncio.create_task(_repeat(work, pause))
    try:
        yield
    finally:
        repeating.cancel()
        with suppress(asyncio.CancelledError):
            await repeating


async def _repeat(work: Work, pause: Work) -> None:
    while True:
        await _once(work)
        await pause()


async def _once(work: Work) -> None:
    try:
        await work()
    except errors.StoreUnavailable as fault:
        log.warning("not_tidied", detail=fault.detail)
    except Exception:
        # A defect here must not end it for good, and be noticed when the disk is full.
        log.exception("not_tidied")


@asynccontextmanager
async def _beside(metrics: Metrics, listener: socket.socket | None) -> AsyncIterator[None]:
    """Serve the metrics as long as the block runs."""
    if listener is None:
        yield
        return
    server = Server(metrics, listener, lambda: log.info("metrics", address=address_of(listener), path=PATH))
    serving = asyncio.create_task(server.answer())
    try:
        yield
    finally:
        server.stop(at_once=False)
        await serving


def _announce(url: str, on_listening: OnListening | None, invitation: Invitation | None, settings: Settings) -> None:
    log.info("listening", url=url)
    if on_listening is not None:
        on_listening(url)
    if invitation is not None:
        first_operator.hand_out(invitation, url, settings)
