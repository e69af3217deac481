"""Servers that an attacker would like us to talk to: key servers that misbehave, and a trap that only counts.

``with KeyServer.running() as keys:`` serves on loopback; ``keys.answer(path, …)`` says what a path answers, and
``keys.hits[path]`` counts who came, ``keys.headers[path]`` are the last one's,
by names in lower case. What nobody configured is counted in ``keys.strays``.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


def raw(
    body: bytes, *, status: int = 200, content_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Behaviour:
    """Answer with these bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        lines = {"Content-Type": content_type, "Content-Length": str(len(body))} | dict(headers or {})
        for name, value in lines.items():
            handler.send_header(name, value)
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(body)

    return answer


def document(value: object) -> Behaviour:
    """Answer with JSON."""
    return raw(json.dumps(value).encode())


def redirect(url: str, status: int = 302, body: bytes = b"") -> Behaviour:
    """Send whoever asks elsewhere, with this body for those who look at it all the same."""
    return raw(body, status=status, headers={"Location": url})


def drip(body: bytes, stop: threading.Event, pause: float = 0.2) -> Behaviour:
    """Send the body byte by byte, each within any reasonable time, until ``stop`` is set or the client has gone."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with suppress(OSError):
            for byte in body:
                if stop.wait(pause):
                    return
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()

    return answer


def endless(sent: list[int], most: int = 60 * 1024 * 1024) -> Behaviour:
    """Send a key set that goes on and on, without saying how long it is; ``sent`` gets how much went out."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        block, total = b" " * 65_536, 0
        with suppress(OSError):
            handler.wfile.write(b'{"keys":[')
            while total < most:
                handler.wfile.write(block)
                total += len(block)
        sent.append(total)
        handler.close_connection = True

    return answer


def held(body: bytes, asked: threading.Event, release: threading.Event) -> Behaviour:
    """Set ``asked`` when somebody comes, and answer when ``release`` is set."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        release.wait(20)
        raw(body)(handler)

    return answer


class KeyServer:
    """What serves key documents on loopback; use :meth:`running`."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{server.server_port}"
        self.hits: Counter[str] = Counter()
        self.strays: list[str] = []
        self.headers: dict[str, Mapping[str, str]] = {}
        self._answers: dict[str, Behaviour] = {}

    def answer(self, path: str, behaviour: Behaviour) -> str:
        """From now on ``path`` answers like this; its URL."""
        self._answers[path] = behaviour
        return self.url + path

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        behaviour = self._answers.get(handler.path)
        if behaviour is None:
            self.strays.append(handler.path)
            behaviour = raw(b"{}", status=404)
        self.hits[handler.path] += 1
        self.headers[handler.path] = {name.lower(): value for name, value in handler.headers.items()}
        behaviour(handler)

    @classmethod
    @contextmanager
    def running(cls, tls: ssl.SSLContext | None = None) -> Iterator[KeyServer]:
        """Serve as long as the block runs, over TLS if a context is given."""
        server = _Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        keys = cls(server, "https" if tls else "http")
        server.RequestHandlerClass = _handler(keys)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield keys
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up, or that refuse a certificate, are what these tests are about."""


def _handler(keys: KeyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.reply(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """Keep quiet."""

    return Handler


class Trap:
    """A port of loopback that nobody may ever connect to; ``connections`` counts who did."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        self._listener = listener

    def listen(self) -> None:
        """Count connections until the socket is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.close()

    @classmethod
    @contextmanager
    def set_up(cls) -> Iterator[Trap]:
        """Listen as long as the block runs."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            trap = cls(listener)
            thread = threading.Thread(target=trap.listen, daemon=True)
            thread.start()
            yield trap
            # Closing alone does not wake a thread that waits in accept.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        thread.join()
