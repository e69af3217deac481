"""The HTTP server: uvicorn with our limits, and an end that finishes what was begun."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol as Interface

import structlog
import uvicorn
from starlette.types import ASGIApp

from assay.protocol import Protocol
from assay.tls import Tls

# Longer than the 60 seconds after which common load balancers drop idle connections, so that the server is never the
# first to close one that is about to be used.
KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 30

log = structlog.get_logger()


class Stoppable(Interface):
    """What can be told to stop."""

    def stop(self, *, at_once: bool) -> None:
        """Take nothing new and finish what was begun; ``at_once`` cuts that short. May be told again."""


class Server(uvicorn.Server):
    """Answers on one socket until it is told to stop; ``on_started`` is called once it does.

    It leaves signals to us, so that being told to stop is not a failure.
    """

    def __init__(
        self,
        application: ASGIApp,
        listener: socket.socket,
        on_started: Callable[[], None],
        certificate: Tls | None = None,
    ) -> None:
        super().__init__(_config(application, certificate))
        self._listener = listener
        self._on_started = on_started

    async def answer(self) -> None:
        """Answer requests until told to stop; the socket is closed then. Those in flight get up to 30 seconds."""
        await self.serve(sockets=[self._listener])

    def stop(self, *, at_once: bool) -> None:
        """As ``Stoppable.stop`` says."""
        self.should_exit = True
        self.force_exit = self.force_exit or at_once

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: uvicorn would raise them again at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._on_started()


class Stop:
    """What was asked of a server so far: one may be told to stop before there is anything to pass it to."""

    def __init__(self) -> None:
        self._server: Stoppable | None = None
        self._is_asked = False
        self._is_urgent = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while the block runs; the second one does not wait for requests in flight."""
        with handled(self._take, signal.SIGINT, signal.SIGTERM):
            yield

    def pass_on_to(self, server: Stoppable) -> None:
        """Tell the server what was asked so far, and what will be."""
        self._server = server
        self._pass_on()

    def ask(self, *, at_once: bool) -> None:
        """Stop; asking again changes nothing unless it is ``at_once``."""
        self._is_asked = True
        self._is_urgent = self._is_urgent or at_once
        self._pass_on()

    def _take(self) -> None:
        log.info("stopping")
        self.ask(at_once=self._is_asked)

    def _pass_on(self) -> None:
        if self._server is not None and self._is_asked:
            self._server.stop(at_once=self._is_urgent)


@contextmanager
def on_hangup(certificate: Tls | None) -> Iterator[None]:
    """Read the certificate again at each SIGHUP while the block runs; without one, SIGHUP does nothing at all."""
    with handled(certificate.reload if certificate else _nothing_to_reload, signal.SIGHUP):
        yield


@contextmanager
def handled(handle: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """Call ``handle`` at each of these signals while the block runs."""
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _nothing_to_reload() -> None:
    log.warning("nothing_to_reload", reason="SIGHUP reads the files of TLS again, and this server has none")


def _config(application: ASGIApp, certificate: Tls | None) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        interface="asgi3",  # told, because it takes only coroutine functions for such
        http=Protocol,
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
