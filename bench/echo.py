"""A raw ASGI application that reads the request and answers prepared bytes: ``python -m bench.echo FILE PORT``.

It runs under the very configuration of uvicorn that Assay runs under, with nothing between. What it takes is what HTTP
itself costs here. FILE is JSON: ``{"status": …, "headers": [[name, value], …], "body": "…"}``.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.http_server import Server

ADDED_BY_THE_SERVER = {"date", "server", "connection"}


def echo(path: Path) -> ASGIApp:
    """The application."""
    answer = json.loads(path.read_text("utf-8"))
    kept = [(name, value) for name, value in answer["headers"] if name.lower() not in ADDED_BY_THE_SERVER]
    headers = [(name.lower().encode(), value.encode()) for name, value in kept]
    start = {"type": "http.response.start", "status": answer["status"], "headers": headers}
    body = {"type": "http.response.body", "body": answer["body"].encode()}

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        while (await receive()).get("more_body"):
            pass
        await send(start)
        await send(body)

    return answered


async def serve(path: Path, port: int) -> None:
    """Serve until SIGTERM."""
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    await Server(echo(path), listener, lambda: None).answer()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
