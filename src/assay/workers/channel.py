"""What a worker and the process that looks after it tell each other, over a pair of sockets that nobody else has.

Each of them learns of the other's end by it too, however it came: the system closes what a killed process held.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import NamedTuple

import msgspec

from assay.config import Settings
from assay.tls import TlsFiles
from assay.workers.tally import Counts

_LENGTH_BYTES = 4


class Order(NamedTuple):
    """What a worker must know to begin. ``number`` counts from 1."""

    number: int
    settings: Settings
    tls: TlsFiles | None


class Begin(msgspec.Struct, frozen=True, tag=True):
    """To a worker, first of all: its order. The root key may be in it, so that it is no argument of a command."""

    pickled: bytes

    @classmethod
    def of(cls, order: Order) -> Begin:
        """A message with this order."""
        return cls(pickle.dumps(order))

    def order(self) -> Order:
        """What was put in."""
        order: Order = pickle.loads(self.pickled)  # noqa: S301 - from the process that started this one, and no other
        return order


class Stop(msgspec.Struct, frozen=True, tag=True):
    """To a worker: stop; ``at_once`` without waiting for requests in flight."""

    at_once: bool


class Cover(msgspec.Struct, frozen=True, tag=True):
    """To a worker: these places have nobody who answers, so take their connections too, and no longer any others'."""

    numbers: tuple[int, ...]


class Reload(msgspec.Struct, frozen=True, tag=True):
    """To a worker: read the certificate again."""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """To a worker: tell what you counted."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it answers requests."""


class Told(msgspec.Struct, frozen=True, tag=True):
    """From a worker: what it counted so far."""

    counts: Counts


Message = Begin | Stop | Cover | Reload | Ask | Ready | Told

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class Channel:
    """One end of the pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        """The channel over this socket, which is the channel's to close."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, message: Message) -> None:
        """Tell the other end, if it is still there."""
        if not self._writer.is_closing():
            frame = _encode(message)
            self._writer.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)

    async def messages(self) -> AsyncIterator[Message]:
        """What the other end tells, until it is gone."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
                yield _decode(await self._reader.readexactly(length))

    async def close(self) -> None:
        """Send what is left, and hang up."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
