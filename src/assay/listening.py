"""Addresses to listen on, and the sockets that do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import NamedTuple

import structlog

from assay.config import ConfigFault

BACKLOG = 2048

Address = tuple[str, int]
"""Host and port; port 0 takes a free one."""

log = structlog.get_logger()


class AddressFault(ConfigFault):
    """The address to listen on cannot be had; the message says why."""


class MetricsAddress(NamedTuple):
    """Where metrics are served. Without ``is_asked_for`` the server does without them when the port is taken."""

    host: str
    port: int
    is_asked_for: bool = True


DEFAULT_METRICS = MetricsAddress("127.0.0.1", 9464, is_asked_for=False)
"""The port is what exporters of OpenTelemetry listen on for Prometheus."""


@contextmanager
def listening(host: str, port: int, count: int = 1) -> Iterator[tuple[socket.socket, ...]]:
    """``count`` sockets that listen on one address while the block runs. Raises AddressFault.

    The system spreads new connections over several sockets by a hash of their addresses. One socket that several
    processes accept from would leave some of them idle: whoever wakes first takes most of a burst.
    """
    with ExitStack() as stack:
        if count == 1:
            yield (stack.enter_context(_listen(host, port)),)
            return
        if port:
            # Sockets that share a port would share it with those of another server of this user too, unnoticed.
            _listen(host, port).close()
        first = stack.enter_context(_listen(host, port, is_shared=True))
        port = first.getsockname()[1]
        yield (first, *(stack.enter_context(_listen(host, port, is_shared=True)) for _ in range(count - 1)))


def listening_beside(metrics: MetricsAddress) -> AbstractContextManager[socket.socket | None]:
    """A socket for the metrics; None when the port is taken and nobody asked for it. Raises AddressFault."""
    try:
        return _listen(metrics.host, metrics.port)
    except AddressFault as fault:
        if metrics.is_asked_for:
            raise
        log.warning("no_metrics", reason=str(fault))
        return nullcontext()


def address_of(listener: socket.socket) -> str:
    """Host and port, as they stand in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address[0], address[1]), family=family, backlog=BACKLOG, reuse_port=is_shared)
    except OSError as fault:
        raise AddressFault(f"cannot listen on {host} port {port}: {fault.strerror}") from None
