"""The open load: requests are due at random moments of a given rate, whether or not earlier ones are answered.

A latency counts from the moment at which the request was due, not from when a connection was free for it: a server that
stalls makes all who come meanwhile wait, and a load that waits with it would not see that (coordinated omission).
``python -m bench.paced FILE`` runs a :class:`Job`; :func:`run` does so on the load's core.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.figures import percentile
from bench.load import CONNECTIONS, Requests
from bench.processes import LOAD_CORE, BenchFault, Server

WARM_SECONDS = 1.0
DRAIN_SECONDS = 5.0
DRAIN_STEP_SECONDS = 0.01
TICK_SECONDS = 0.001
SPARE_SECONDS = 60
OK = 200
REFUSED = 400


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one kind: ``rate`` a second, and the status that they are to be answered with."""

    name: str
    requests: Requests
    rate: float
    status: int = OK
    connections: int = CONNECTIONS


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Streams that run at once against one server."""

    port: int
    seconds: float
    streams: tuple[Stream, ...]


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream saw. ``late_p99_ms`` is how late the load itself was; ``unanswered`` were left at the end."""

    name: str
    answered: int
    errors: int
    unanswered: int
    rate: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_p99_ms: float


def run(server: Server, seconds: float, streams: Sequence[Stream], folder: Path) -> dict[str, Waits]:
    """Run the streams in a process on the load's core. Raises BenchFault when it fails."""
    job = folder / "paced.json"
    job.write_bytes(msgspec.json.encode(Job(port=server.port, seconds=seconds, streams=tuple(streams))))
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "bench.paced", str(job)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + SPARE_SECONDS, check=False)
    if done.returncode:
        raise BenchFault(f"the paced load failed: {done.stderr}")
    return {waits.name: waits for waits in msgspec.json.decode(done.stdout, type=list[Waits])}


class _Asking:
    """One stream under way."""

    def __init__(self, stream: Stream, port: int, measured_from: float) -> None:
        self._stream = stream
        self._prepared = _prepared(stream.requests, port)
        self._place = random.randrange(len(self._prepared))
        self._measured_from = measured_from
        self._queue: deque[float] = deque()
        self._idle: list[_Connection] = []
        self._waits: list[float] = []
        self._late: list[float] = []
        self._errors = 0

    async def connect(self, port: int) -> None:
        """Open all connections."""
        loop = asyncio.get_running_loop()
        for _ in range(self._stream.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            self._idle.append(connection)

    async def ask(self, until: float) -> None:
        """Ask at random moments of the rate."""
        due = time.monotonic()
        while due < until:
            while due <= time.monotonic():
                self._take(due)
                due += random.expovariate(self._stream.rate)
            await asyncio.sleep(TICK_SECONDS)

    async def drain(self) -> None:
        """Wait for the answers to what was asked, but not for ever."""
        for _ in range(round(DRAIN_SECONDS / DRAIN_STEP_SECONDS)):
            if not self.waiting:
                return
            await asyncio.sleep(DRAIN_STEP_SECONDS)

    @property
    def waiting(self) -> int:
        """Requests without an answer."""
        return len(self._queue) + self._stream.connections - len(self._idle)

    def _take(self, due: float) -> None:
        if self._idle:
            if due >= self._measured_from:
                self._late.append(time.monotonic() - due)
            self._idle.pop().ask(due, self._next())
        else:
            self._queue.append(due)

    def _next(self) -> bytes:
        self._place = (self._place + 1) % len(self._prepared)
        return self._prepared[self._place]

    def answered(self, connection: _Connection, due: float, status: int) -> None:
        """Count the answer, and ask the next that is due already."""
        if due >= self._measured_from:
            self._waits.append(time.monotonic() - due)
            self._errors += status != self._stream.status
        if self._queue:
            connection.ask(self._queue.popleft(), self._next())
        else:
            self._idle.append(connection)

    def told(self, seconds: float) -> Waits:
        """What it saw."""
        waits, late = self._waits or [0.0], self._late or [0.0]
        return Waits(
            name=self._stream.name,
            answered=len(self._waits),
            errors=self._errors,
            unanswered=self.waiting,
            rate=len(self._waits) / seconds,
            mean_ms=sum(waits) / len(waits) * 1000,
            p50_ms=percentile(waits, 0.5) * 1000,
            p99_ms=percentile(waits, 0.99) * 1000,
            max_ms=max(waits) * 1000,
            late_p99_ms=percentile(late, 0.99) * 1000,
        )


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own are no subclass of it

    def ask(self, due: float, request: bytes) -> None:
        """Send a request."""
        self._due = due
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Wait for the whole of the answer."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start = self._buffer.find(b"content-length: ", 0, end) + 16
        length = int(self._buffer[start : self._buffer.find(b"\r", start)])
        if len(self._buffer) >= end + 4 + length:
            status, self._buffer = int(self._buffer[9:12]), b""
            self._asking.answered(self, self._due, status)


def _prepared(requests: Requests, port: int) -> list[bytes]:
    head = (
        f"POST {requests.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: {requests.authorization}\r\nContent-Length: "
    ).encode()
    bodies = Path(requests.bodies).read_bytes().splitlines()
    return [head + b"%d\r\n\r\n" % len(body) + body for body in bodies]


async def _ran(job: Job) -> list[Waits]:
    begun = time.monotonic() + 0.5
    asking = [_Asking(stream, job.port, begun + WARM_SECONDS) for stream in job.streams]
    for one in asking:
        await one.connect(job.port)
    end = begun + WARM_SECONDS + job.seconds
    await asyncio.gather(*(one.ask(end) for one in asking))
    await asyncio.gather(*(one.drain() for one in asking))
    return [one.told(job.seconds) for one in asking]


if __name__ == "__main__":
    uvloop.install()
    found = asyncio.run(_ran(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)))
    sys.stdout.buffer.write(msgspec.json.encode(found))
