"""The server's short way to a body that is there already, for tests in which no server runs."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.api.calls import WHOLE_BODY


class WholeBodies:
    """``app``, told of each body at once, as :class:`assay.protocol.Protocol` tells it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        if more:
            waiting = [message]

        async def receive_again() -> Message:
            return waiting.pop() if waiting else await receive()

        extensions = {**scope.get("extensions", {}), WHOLE_BODY: {"body": lambda _scope: None if more else body}}
        await self._app({**scope, "extensions": extensions}, receive_again, send)
