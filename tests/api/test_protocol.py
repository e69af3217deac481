"""Answers on the connection: the short way writes what the long way would, wherever it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from assay.api.calls import WHOLE_ANSWER
from assay.protocol import Protocol
from tests.world import World

DATE = (b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")


class Line(asyncio.Transport):
    """The server's end of a connection; ``written`` are the parts as they were written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Connection:
    """A connection to an application, spoken by one of the protocols."""

    def __init__(self, app: Any, protocol: type[HttpToolsProtocol]) -> None:
        config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
        state = ServerState()
        state.default_headers.append(DATE)
        self.tasks = state.tasks
        self.line = Line()
        self.protocol = protocol(config=config, server_state=state, app_state={})
        self.protocol.connection_made(self.line)

    async def say(self, *parts: bytes) -> list[bytes]:
        """What is written when this comes in, once nothing is under way any more."""
        for part in parts:
            self.protocol.data_received(part)
            while self.tasks:
                await asyncio.gather(*self.tasks)
        return self.line.written


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[Any, type[HttpToolsProtocol]], Connection]]:
    made: list[Connection] = []

    def opening(app: Any, protocol: type[HttpToolsProtocol] = Protocol) -> Connection:
        made.append(Connection(app, protocol))
        return made[-1]

    yield opening
    for connection in made:
        connection.protocol.connection_lost(None)


Opened = Callable[..., Connection]


def request(line: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join([line, "host: assay", *headers, "", body]).encode()


CONVERSATIONS = {
    "kept alive": [request("GET /healthz HTTP/1.1"), request("GET /healthz HTTP/1.1")],
    "two at once": [request("GET /healthz HTTP/1.1") * 2],
    "three at once, of which one is unknown": [
        request("GET /healthz HTTP/1.1") + request("GET /nope HTTP/1.1") + request("GET /healthz HTTP/1.1")
    ],
    "closed after the answer": [request("GET /healthz HTTP/1.1", "connection: close")],
    "HTTP/1.0": [request("GET /healthz HTTP/1.0")],
    "HTTP/1.0, kept alive": [request("GET /healthz HTTP/1.0", "connection: keep-alive")],
    "HEAD": [request("HEAD /healthz HTTP/1.1"), request("GET /healthz HTTP/1.1")],
    "a method that is refused": [request("PUT /healthz HTTP/1.1", "content-length: 2", body="{}")],
    "a body that was not asked for": [
        request("POST /v1/b2b/sessions/attest HTTP/1.1", "expect: 100-continue", "content-length: 2", body="{}"),
        request("GET /healthz HTTP/1.1"),
    ],
}


@pytest.mark.parametrize("parts", CONVERSATIONS.values(), ids=CONVERSATIONS)
async def test_what_is_written_is_what_uvicorn_writes_by_itself(
    world: World, opened: Opened, parts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.ids.random_uuid", lambda: "same")
    ours, plain = opened(world.app), opened(world.app, HttpToolsProtocol)
    assert b"".join(await ours.say(*parts)) == b"".join(await plain.say(*parts))
    assert ours.line.closed == plain.line.closed


async def test_an_answer_is_one_write(world: World, opened: Opened) -> None:
    assert len(await opened(world.app).say(request("GET /healthz HTTP/1.1"))) == 1


async def test_an_answer_waits_for_a_peer_that_is_slow_to_read(world: World, opened: Opened) -> None:
    connection = opened(world.app)
    connection.protocol.pause_writing()
    connection.protocol.data_received(request("GET /healthz HTTP/1.1"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert connection.line.written == []
    connection.protocol.resume_writing()
    assert b"".join(await connection.say()) == b""
    await asyncio.gather(*connection.tasks)
    assert b"".join(connection.line.written).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_nothing_is_written_to_a_peer_that_is_gone(opened: Opened) -> None:
    taken: list[bool] = []

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        connection.protocol.connection_lost(ConnectionResetError())
        taken.append(scope["extensions"][WHOLE_ANSWER]["answer"](scope, 200, [], b"{}"))

    connection = opened(late)
    assert await connection.say(request("GET / HTTP/1.1")) == []
    assert taken == [False]


async def test_a_request_is_answered_once(opened: Opened) -> None:
    taken: list[bool] = []

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        answer = scope["extensions"][WHOLE_ANSWER]["answer"]
        taken.extend([answer(scope, 200, [(b"content-length", b"2")], b"{}") for _ in range(2)])

    written = await opened(twice).say(request("GET / HTTP/1.1"))
    assert (len(written), taken) == (1, [True, False])
