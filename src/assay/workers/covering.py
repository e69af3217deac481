"""A worker's server, which answers for others while they are away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping

from starlette.types import ASGIApp

from assay.http_server import Server
from assay.listening import BACKLOG
from assay.protocol import Protocol
from assay.tls import Tls


class CoveringServer(Server):
    """Answers on the socket of its own number, and on those of others when told to. ``listeners`` are all of them.

    The system gives each socket its share of new connections whether anybody accepts them or not. So somebody must:
    the connections of a worker that was killed are lost, and no others.
    """

    def __init__(
        self,
        application: ASGIApp,
        number: int,
        listeners: Mapping[int, socket.socket],
        on_started: Callable[[], None],
        certificate: Tls | None = None,
    ) -> None:
        super().__init__(application, listeners[number], on_started, certificate)
        self._others = {other: listener for other, listener in listeners.items() if other != number}
        self._covered: dict[int, asyncio.AbstractServer] = {}

    async def cover(self, numbers: Collection[int]) -> None:
        """Take the connections of these numbers too, and no longer those of any others."""
        wanted = self._others.keys() & set(numbers)
        self._let_go(self._covered.keys() - wanted)
        for number in wanted - self._covered.keys():
            self._covered[number] = await self._answering_on(self._others[number].dup())
        if not self._others:  # told to stop meanwhile
            self._let_go(set(self._covered))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of all sockets, so that nobody waits at one of them, and finish what was begun."""
        others, self._others = self._others, {}
        self._let_go(set(self._covered))
        for listener in others.values():
            listener.close()
        await super().shutdown(sockets)

    def _let_go(self, numbers: Collection[int]) -> None:
        for number in numbers:
            self._covered.pop(number).close()

    async def _answering_on(self, listener: socket.socket) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._protocol, sock=listener, ssl=self.config.ssl, backlog=BACKLOG)

    def _protocol(self) -> Protocol:
        return Protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
