"""The process: where it listens, what it makes of what is not HTTP, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import config
from assay.app import open_context
from assay.config import ConfigFault
from assay.keys.sealing import WrongRootKey
from assay.protocol import MOST_HEAD_BYTES
from assay.serving import serve
from tests.api.asgi import credentials
from tests.world import Tenant, open_world

SCRIPT = """
import os
from assay import config, serving
serving.run(config.read(os.environ), ("127.0.0.1", 0), lambda url: print(url, flush=True))
"""
WAIT_SECONDS = 20


class Server:
    """A server process over one SQLite file; ``lines`` reads its log."""

    def __init__(self, folder: Path) -> None:
        environ = os.environ | {"ASSAY_DATABASE": f"sqlite:///{folder / 'assay.db'}"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environ, stdout=pipe, stderr=pipe)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        self.port = httpx.URL(self.url).port or 0

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)

    def line(self, event: str) -> dict[str, Any]:
        """Wait for the next log line of this event."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line: dict[str, Any] = json.loads(text)
            if line["event"] == event:
                return line
        raise AssertionError(f"the log ended without {event}")

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
async def tenant(folder: Path) -> Tenant:
    """A project in the store that the process will open."""
    async with open_world(folder) as world:
        return world.b2b


@pytest.fixture
def server(folder: Path, tenant: Tenant) -> Iterator[Server]:
    assert tenant
    started = Server(folder)
    yield started
    started.close()


def send(connection: socket.socket, *parts: bytes) -> None:
    connection.sendall(b"".join(parts))


def request(method: str, path: str, *headers: bytes) -> bytes:
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), b"host: assay", *headers, b"", b""])


def authorization(tenant: Tenant) -> bytes:
    return b": ".join(credentials(tenant))


def receive(connection: socket.socket) -> tuple[int, dict[str, str], dict[str, Any]]:
    """One answer off the connection."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers = dict(line.decode().strip().split(": ", 1) for line in iter(stream.readline, b"\r\n"))
        return status, headers, json.loads(stream.read(int(headers["content-length"])))


def test_it_says_where_it_listens_and_answers_there(server: Server) -> None:
    assert server.line("listening")["url"] == server.url
    answer = httpx.get(f"{server.url}/readyz")
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert server.process.poll() is None


def test_an_encoded_slash_stays_part_of_its_id(server: Server, tenant: Tenant) -> None:
    answer = httpx.get(f"{server.url}/v1/b2b/organizations/a%2Fb", auth=tenant.auth)
    assert answer.json()["error_type"] == "organization_not_found"


def test_a_connection_lives_on_after_a_refusal_before_the_body(server: Server, tenant: Tenant) -> None:
    body = b"x" * 200_000
    length = b"content-length: %d" % len(body)
    with server.connect() as connection:
        send(connection, request("POST", "/v1/b2b/sessions/attest", length), body)
        assert receive(connection)[0] == 401
        send(connection, request("GET", "/v1/debug/whoami", authorization(tenant)))
        assert receive(connection)[2]["project_id"] == tenant.project_id


def test_what_is_not_http_is_refused_in_json(server: Server) -> None:
    with server.connect() as connection:
        send(connection, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        status, headers, body = receive(connection)
        assert connection.recv(1) == b""
    assert (status, headers["content-type"], body["error_type"]) == (400, "application/json", "bad_request")


@pytest.mark.parametrize(
    "line", [b"GET /", b"GET / HTTP/1.1\r\nx: ", b"GET / HTTP/1.1\r\n"], ids=["url", "one", "many"]
)
def test_a_head_without_end_is_refused(server: Server, line: bytes) -> None:
    filler = b"x-more: 1\r\n" if line.endswith(b"1\r\n") else b"a"
    with server.connect() as connection:
        send(connection, line)
        with contextlib.suppress(ConnectionError):
            send(connection, filler * (8 * MOST_HEAD_BYTES // len(filler)))
        with contextlib.suppress(ConnectionError):
            assert connection.recv(12) == b"HTTP/1.1 400"
    assert httpx.get(f"{server.url}/healthz").status_code == 200


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_being_told_to_stop_is_not_a_failure(server: Server, number: signal.Signals) -> None:
    with server.connect():  # an idle connection keeps nobody waiting
        server.process.send_signal(number)
        assert server.wait() == 0
    assert server.line("stopped")


def test_a_request_in_flight_is_finished_and_no_new_one_is_taken(server: Server, tenant: Tenant) -> None:
    headers = [authorization(tenant), b"content-length: 2"]
    with server.connect() as connection:
        send(connection, request("POST", "/v1/b2b/organizations/search", *headers), b"{")
        httpx.get(f"{server.url}/healthz")  # by now the half request has arrived
        server.process.send_signal(signal.SIGTERM)
        server.line("stopping")
        _wait_until_closed(server)
        send(connection, b"}")
        status, answered, body = receive(connection)
        assert (status, answered["connection"]) == (200, "close")
        assert body["organizations"]
    assert server.wait() == 0


def test_a_second_signal_waits_for_nobody(server: Server, tenant: Tenant) -> None:
    headers = [authorization(tenant), b"content-length: 2"]
    with server.connect() as connection:
        send(connection, request("POST", "/v1/b2b/organizations/search", *headers), b"{")
        httpx.get(f"{server.url}/healthz")
        server.process.send_signal(signal.SIGTERM)
        server.line("stopping")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0


def _wait_until_closed(server: Server) -> None:
    """Connections are taken until the listener is closed; the first one that fails shows that it is."""
    with contextlib.suppress(ConnectionError):
        while True:
            server.connect().close()


# ---------------------------------------------------------------- what stands in the way of a start


async def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    settings = config.read({}, database=f"sqlite:///{folder / 'assay.db'}")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigFault, match="cannot listen on"):
        await serve(settings, ("127.0.0.1", taken.getsockname()[1]))


async def test_another_root_key_opens_nothing(folder: Path, tenant: Tenant) -> None:
    assert tenant
    async with open_context(config.read({}, database=f"sqlite:///{folder / 'assay.db'}")):
        pass
    settings = config.read({"ASSAY_ROOT_KEY": "A" * 43}, database=f"sqlite:///{folder / 'assay.db'}")
    with pytest.raises(WrongRootKey):
        async with open_context(settings):
            raise AssertionError("it opened")
