"""One worker: a whole server in a process of its own. ``python -m assay.workers.worker CHANNEL LISTENER…``.

The arguments are numbers of descriptors that the process was given by the one that looks after it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import structlog
import uvloop

from assay import errors, garbage, logs
from assay.app import open_context
from assay.config import ConfigFault
from assay.front import Front
from assay.http_server import Stop, handled, on_hangup
from assay.keys.sealing import WrongRootKey
from assay.metrics import Counting
from assay.observing import lag
from assay.serving import tidied, traces
from assay.store.opening import StoreFault
from assay.tls import Tls
from assay.workers import channel as wire
from assay.workers.channel import Ask, Begin, Channel, Cover, Message, Order, Ready, Reload, Told
from assay.workers.covering import CoveringServer

EXPECTED = (errors.Error, ConfigFault, WrongRootKey, StoreFault)

log = structlog.get_logger()


def main() -> None:
    """Serve until told to stop; exit code 1 when that failed, which the log explains."""
    end, *listeners = (socket.socket(fileno=int(argument)) for argument in sys.argv[1:])
    sys.exit(uvloop.run(_run(end, dict(enumerate(listeners, start=1)))))


async def _run(end: socket.socket, listeners: Mapping[int, socket.socket]) -> int:
    channel = await Channel.over(end)
    messages = channel.messages()
    begin = await anext(messages, None)
    if not isinstance(begin, Begin):
        return 0  # whoever started this process is gone already
    order = begin.order()
    logs.configure(order.settings.log_level, worker=order.number)
    logs.adopt_libraries()
    try:
        await _Worker(order, channel, messages).serve(listeners)
    except EXPECTED as fault:
        log.error("worker_cannot_start", reason=str(fault))  # noqa: TRY400 - the sentence says what is wrong
        return 1
    except Exception:
        log.exception("worker_failed")
        return 1
    finally:
        await channel.close()
    return 0


class _Worker:
    """A server, and what it is told by the process that looks after it."""

    def __init__(self, order: Order, channel: Channel, messages: AsyncIterator[Message]) -> None:
        """Raises TlsFault."""
        self._number = order.number
        self._settings = order.settings
        self._certificate = Tls(order.tls) if order.tls else None
        self._channel = channel
        self._messages = messages
        self._stop = Stop()

    async def serve(self, listeners: Mapping[int, socket.socket]) -> None:
        """Answer requests until told to stop, or until nobody is left to tell it. Raises as ``serving.serve``."""
        # One signal or many, only the channel makes it urgent: it may come both ways, to a whole group of processes.
        be_done = partial(self._stop.ask, at_once=False)
        with handled(be_done, signal.SIGINT, signal.SIGTERM), on_hangup(self._certificate):
            async with (
                traces(self._settings) as tracer,
                open_context(self._settings, tracer=tracer) as context,
                lag.measured(context.meter),
                tidied(context, forgets=False),
            ):
                application = Front(context)
                server = CoveringServer(application, self._number, listeners, self._say_ready, self._certificate)
                async with self._following(server, Counting(context.meter)):
                    self._stop.pass_on_to(server)
                    await server.answer()

    @asynccontextmanager
    async def _following(self, server: CoveringServer, counting: Counting) -> AsyncIterator[None]:
        """Do as told while the block runs, and tell at its end what was counted."""
        following = asyncio.create_task(self._follow(server, counting))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.wait({following})
            self._channel.send(Told(counting.counts()))

    async def _follow(self, server: CoveringServer, counting: Counting) -> None:
        async for message in self._messages:
            match message:
                case Ask():
                    self._channel.send(Told(counting.counts()))
                case Cover(numbers=numbers):
                    await server.cover(numbers)
                case Reload():
                    self._reload()
                case wire.Stop(at_once=at_once):
                    self._stop.ask(at_once=at_once)
        log.warning("left_alone", pid=os.getpid())
        self._stop.ask(at_once=False)

    def _reload(self) -> None:
        if self._certificate is not None:
            self._certificate.reload()

    def _say_ready(self) -> None:
        garbage.look_seldom()
        self._channel.send(Ready())


if __name__ == "__main__":
    main()
