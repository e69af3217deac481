"""The place of one worker: the process that holds it, and the next one when that ends."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import structlog

from assay.config import ConfigFault
from assay.http_server import GRACE_SECONDS
from assay.workers import channel as wire
from assay.workers.channel import Ask, Begin, Channel, Cover, Order, Ready, Reload, Told
from assay.workers.tally import Counts, Tally

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 3.2
STEADY_SECONDS = 30.0
"""Whoever has lived so long did not end of its beginning: the next pause is the first one again."""

ANSWER_SECONDS = 2.0
"""How long a worker may take to tell its counts; after that its last ones must do."""

CLOSING_SECONDS = 10
"""How long a worker may take to end after its requests are done or cut short, before it is killed."""

log = structlog.get_logger()


class WorkerFault(ConfigFault):
    """A worker ended before it ever answered; the log says why."""


class _Held(NamedTuple):
    """A process that holds the place."""

    process: Process
    channel: Channel


class Post:
    """Place number ``order.number``, from 1; its workers answer on the socket of that number among ``listeners``.

    ``on_change`` is called whenever ``serves``, whether somebody answers here, has changed.
    """

    def __init__(
        self,
        order: Order,
        listeners: tuple[socket.socket, ...],
        on_change: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.number = order.number
        self.serves = False
        self.answers = asyncio.Event()
        """Set once a worker has answered here."""
        self._order = order
        self._listeners = listeners
        self._on_change = on_change
        self._sleep = sleep
        self._held: _Held | None = None
        self._tally = Tally()
        self._told: asyncio.Future[None] | None = None
        self._pausing: asyncio.Task[None] | None = None
        self._asked: wire.Stop | None = None

    async def keep(self) -> None:
        """Keep the place held until told to stop. Raises WorkerFault when the first worker never answers."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_SECONDS
        while self._asked is None:
            began = loop.time()
            process = await self._hold()
            if self._asked is not None:
                return
            self._report(process)
            if loop.time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def stop(self, *, at_once: bool) -> None:
        """As ``Stoppable.stop`` says. A worker that does not end in time is killed."""
        self._asked = wire.Stop(at_once=at_once)
        if self._pausing is not None:
            self._pausing.cancel()
        if self._held is not None:
            self._tell_to_stop(self._held, self._asked)

    def cover(self, numbers: tuple[int, ...]) -> None:
        """Have the worker take the connections of these places too."""
        if self._held is not None and self.serves and self._asked is None:
            self._held.channel.send(Cover(numbers))

    def reload(self) -> None:
        """Have the certificate read again."""
        if self._held is not None:
            self._held.channel.send(Reload())

    async def counts(self) -> Counts:
        """What was counted here by now; as it was told last where a worker is busy, or has just been killed."""
        if self._held is not None and self.serves:
            self._told = self._told or asyncio.get_running_loop().create_future()
            self._held.channel.send(Ask())
            await asyncio.wait({self._told}, timeout=ANSWER_SECONDS)
        return self._tally.counts()

    async def _hold(self) -> Process:
        """Start a worker and see it through to its end."""
        held = self._held = await _started(self._order, self._listeners)
        log.info("worker_started", worker=self.number, pid=held.process.pid)
        if self._asked is not None:
            self._tell_to_stop(held, self._asked)
        try:
            await self._listen(held.channel)
            with suppress(TimeoutError):
                await asyncio.wait_for(held.process.wait(), CLOSING_SECONDS)
        finally:
            self._held = None
            self._be_serving(serves=False)
            _kill(held.process)
            self._tally.end()
            self._note_told()
            await held.channel.close()
        await held.process.wait()
        return held.process

    async def _listen(self, channel: Channel) -> None:
        async for message in channel.messages():
            match message:
                case Ready():
                    self._be_serving(serves=True)
                    self.answers.set()
                case Told(counts=counts):
                    self._tally.tell(counts)
                    self._note_told()

    def _be_serving(self, *, serves: bool) -> None:
        self.serves = serves
        self._on_change()

    def _note_told(self) -> None:
        told, self._told = self._told, None
        if told is not None:
            told.set_result(None)

    def _report(self, process: Process) -> None:
        log.error("worker_ended", worker=self.number, pid=process.pid, how=_how(process.returncode))
        if not self.answers.is_set():
            raise WorkerFault(f"worker {self.number} ended before it answered; the log says why")

    async def _pause(self, seconds: float) -> None:
        self._pausing = asyncio.ensure_future(self._sleep(seconds))
        await asyncio.wait({self._pausing})

    @staticmethod
    def _tell_to_stop(held: _Held, message: wire.Stop) -> None:
        held.channel.send(message)
        limit = CLOSING_SECONDS if message.at_once else GRACE_SECONDS + CLOSING_SECONDS
        asyncio.get_running_loop().call_later(limit, _kill, held.process)


async def _started(order: Order, listeners: tuple[socket.socket, ...]) -> _Held:
    ours, theirs = socket.socketpair()
    with theirs:
        given = [each.fileno() for each in (theirs, *listeners)]
        process = await asyncio.create_subprocess_exec(
            # -P: nothing is imported from the directory that the server happens to run in.
            *(sys.executable, "-P", "-m", "assay.workers.worker", *map(str, given)),
            stdin=DEVNULL,
            pass_fds=given,
            # Ctrl-C and the end of a terminal come to the process that was started there, which passes them on.
            start_new_session=True,
        )
    channel = await Channel.over(ours)
    channel.send(Begin.of(order))
    return _Held(process, channel)


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
