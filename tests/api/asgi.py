"""Requests at the level of ASGI, for what no HTTP client would send or show."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from starlette.types import Message

from assay.api.application import Application
from tests.world import Tenant

Receive = Callable[[], Awaitable[Message]]


class Answered(NamedTuple):
    """What the application sent; ``status`` is 0 when it sent nothing."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def basic(user: str, password: str) -> tuple[bytes, bytes]:
    """An Authorization header with Basic credentials."""
    return b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def credentials(tenant: Tenant) -> tuple[bytes, bytes]:
    """The Authorization header of a tenant."""
    return basic(*tenant.auth)


def chunks(*parts: bytes) -> Receive:
    """A body in these parts."""
    waiting = list(parts)

    async def receive() -> Message:
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    return receive


async def untouched() -> Message:
    """A body that must not be read."""
    raise AssertionError("the body was read")


async def gone() -> Message:
    """A caller that hung up."""
    return {"type": "http.disconnect"}


async def ask(
    app: Application,
    method: str,
    raw_path: str,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    receive: Receive = untouched,
    query: bytes = b"",
) -> Answered:
    """Send one request and collect the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
    }
    await app(scope, receive, send)
    if not sent:
        return Answered(0, {}, {})
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answered(sent[0]["status"], names, json.loads(sent[1]["body"]))
