"""Answers on the connection: the short way writes what the long way would, wherever it is taken."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from assay.api.bodies import LIMIT
from assay.api.calls import WHOLE_ANSWER, WHOLE_BODY
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


ASKED = request("GET /healthz HTTP/1.1")

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


def plain_request(world: World, body: bytes, *headers: str) -> bytes:
    credentials_of = base64.b64encode(":".join(world.b2b.auth).encode()).decode()
    line = "POST /v1/b2b/sessions/authenticate HTTP/1.1"
    length = f"content-length: {len(body)}"
    return request(line, f"authorization: Basic {credentials_of}", length, *headers) + body


ARRIVALS: dict[str, Callable[[bytes], list[bytes]]] = {
    "with its head": lambda whole: [whole],
    "after its head": lambda whole: [whole[:-30], whole[-30:]],
    "byte by byte": lambda whole: [*(whole[at : at + 1] for at in range(400)), whole[400:]],
    "twice": lambda whole: [whole + whole],
    "twice and in the middle of the second": lambda whole: [whole + whole[:-30], whole[-30:]],
}
BODIES = {
    "plain": b'{"session_token":"is not one"}',
    "with an escape": b'{"session_token":"is n\\u006ft one"}',
    "repeating": b'{"session_token":"is not one","session_token":"is not one"}',
    "wrong": b'{"session_token":5,"session_duration_minutes":7}',
    "too large": b'{"session_token":"' + b"x" * LIMIT + b'"}',
}


async def said_all(connection: Connection, parts: list[bytes]) -> bytes:
    """What is written when all of this comes in, the parts in turns of their own."""
    for part in parts:
        connection.protocol.data_received(part)
        await asyncio.sleep(0)
    return b"".join(await connection.say(b""))


@pytest.mark.parametrize("arrives", ARRIVALS.values(), ids=ARRIVALS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("header", ["x-other: 1", "expect: 100-continue"])
async def test_a_body_is_read_alike_however_it_arrives(
    world: World,
    opened: Opened,
    body: bytes,
    arrives: Callable[[bytes], list[bytes]],
    header: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay.ids.random_uuid", lambda: "same")
    parts = arrives(plain_request(world, body, header))
    plain = await said_all(opened(world.app, HttpToolsProtocol), parts)
    assert await said_all(opened(world.app), parts) == plain
    assert b'"error_type"' in plain


async def test_a_body_that_is_there_is_taken_without_waiting(world: World, opened: Opened) -> None:
    given: list[bytes | None] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        given.append(scope["extensions"][WHOLE_BODY]["body"](scope))
        scope["extensions"][WHOLE_ANSWER]["answer"](scope, 200, b"", b"{}")

    for parts in ([plain_request(world, b"{}")], [plain_request(world, b"{}")[:-1], b"}"]):
        await opened(look).say(*parts)
    await opened(look).say(plain_request(world, b"{}", "expect: 100-continue"))
    assert given == [b"{}", None, None]


async def test_no_request_is_given_the_body_of_another_one(opened: Opened) -> None:
    given: list[bytes | None] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        given.append(scope["extensions"][WHOLE_BODY]["body"](scope))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    bodies = [request("POST / HTTP/1.1", "content-length: 1", body=str(number)) for number in range(3)]
    await opened(look).say(b"".join(bodies))
    assert given == [None, None, b"2"]


async def test_each_answer_tells_the_date_of_its_second(world: World, opened: Opened) -> None:
    connection = opened(world.app)
    await connection.say(ASKED)
    connection.protocol.server_state.default_headers = [(b"date", b"Thu, 01 Jan 2026 00:00:01 GMT")]
    first, second = await connection.say(ASKED)
    assert b"\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" in first
    assert b"\r\ndate: Thu, 01 Jan 2026 00:00:01 GMT\r\n" in second


# ---------------------------------------------------------------- connections that nobody uses


class Clockwork:
    """An event loop as far as timers go; ``now`` is turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> Any:
        timer = self.now + seconds, call
        self.timers.append(timer)
        return SimpleNamespace(cancel=lambda: self.timers.remove(timer))

    def turn(self, seconds: float) -> None:
        """Let so much time pass, and call what comes due in it."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= end]:
            timer = min(due, key=lambda each: each[0])
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = end


@pytest.fixture
def idle(world: World, opened: Opened) -> tuple[Connection, Clockwork]:
    connection, clockwork = opened(world.app), Clockwork()
    connection.protocol.timeout_keep_alive = 75
    running = connection.protocol.loop
    clockwork.create_task = running.create_task  # type: ignore[attr-defined]
    connection.protocol.loop = clockwork  # type: ignore[assignment]
    return connection, clockwork


async def test_a_connection_is_closed_once_nobody_used_it_for_so_long(idle: tuple[Connection, Clockwork]) -> None:
    connection, clockwork = idle
    for _ in range(5):
        await connection.say(ASKED)
        clockwork.turn(74.9)
        assert not connection.line.closed
    clockwork.turn(0.2)
    assert connection.line.closed


async def test_it_has_one_timer_however_many_requests_it_answers(idle: tuple[Connection, Clockwork]) -> None:
    connection, clockwork = idle
    for _ in range(100):
        await connection.say(ASKED)
        clockwork.turn(1)
    assert len(clockwork.timers) == 1
    connection.protocol.connection_lost(None)
    assert clockwork.timers == []


async def test_a_request_under_way_is_not_cut_off(idle: tuple[Connection, Clockwork]) -> None:
    connection, clockwork = idle
    await connection.say(ASKED, ASKED[:-4])
    clockwork.turn(1000)
    assert not connection.line.closed
    await connection.say(ASKED[-4:])
    clockwork.turn(74.9)
    assert not connection.line.closed
    clockwork.turn(0.2)
    assert connection.line.closed


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
    taken: list[bool | bytes | None] = []

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        connection.protocol.connection_lost(ConnectionResetError())
        taken.append(scope["extensions"][WHOLE_BODY]["body"](scope))
        taken.append(scope["extensions"][WHOLE_ANSWER]["answer"](scope, 200, b"", b"{}"))

    connection = opened(late)
    assert await connection.say(request("GET / HTTP/1.1")) == []
    assert taken == [None, False]


async def test_a_request_is_answered_once(opened: Opened) -> None:
    taken: list[bool] = []

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        answer = scope["extensions"][WHOLE_ANSWER]["answer"]
        taken.extend([answer(scope, 200, b"", b"{}") for _ in range(2)])

    written = await opened(twice).say(request("GET / HTTP/1.1"))
    assert (len(written), taken) == (1, [True, False])
