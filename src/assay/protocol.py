"""HTTP/1.1 on one connection: uvicorn's, with our limits, our words, and a short way for answers that are whole."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Scope
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from assay import errors
from assay.api.calls import WHOLE_ANSWER, WHOLE_BODY, new_request_id
from assay.api.wire.answers import encode, refusal

MOST_HEAD_BYTES = 64 * 1024
CLOSING_SECONDS = 1
"""How long an idle client may take to close its end when the server stops; over TLS many never answer at all."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a bound on the bytes before a body, and refusals in JSON like all others.

    Applications find :meth:`answer` in the extensions of their scope, as :data:`WHOLE_ANSWER`, and :meth:`body` as
    :data:`WHOLE_BODY`.
    """

    _head_bytes = 0
    _defaults: tuple[object, bytes] = (None, b"")
    _common: HTTPScope
    _idle_since: float | None = None
    _idle_timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - what uvicorn gives
        super().__init__(*arguments, **named)
        self._extensions: dict[str, dict[object, object]] = {
            WHOLE_ANSWER: {"answer": self.answer},
            WHOLE_BODY: {"body": self.body},
        }

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, with what the scopes of all requests on this connection have in common."""
        super().connection_made(transport)
        super().on_message_begin()
        self._common = self.scope | {"extensions": self._extensions}

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and wait for nothing more."""
        super().connection_lost(exc)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def on_message_begin(self) -> None:
        """Count from here on."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = self._common | {"headers": self.headers}
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take bytes. Request lines and headers that never end are refused before they fill the memory."""
        super().data_received(data)
        # What answers it is made when a head has ended; bodies have a limit of their own.
        if self.cycle is None or self.cycle.scope is not self.scope:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("Request head too long.")

    def on_response_complete(self) -> None:
        """Go on with what waits; else the connection is idle from now on.

        uvicorn would set a timer after each answer and take it back before the next request. Here one timer runs on,
        and finds out when it is due whether the connection has been idle all the time.
        """
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        """Something comes or goes, so that the connection is not idle."""
        self._idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has been idle for so long; if not, look again when it could have been."""
        self._idle_timer = None
        if self._idle_since is None:
            return  # the answer to what is under way sets the timer again
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Close when idle, else after the answer; the server is about to stop."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def body(self, scope: Scope) -> bytes | None:
        """The whole body of the request of ``scope``; None if it must be waited for, or nobody is there any more."""
        cycle = self.cycle
        if cycle.scope is not scope or cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        return bytes(cycle.body)

    def answer(self, scope: Scope, status: int, headers: bytes, body: bytes) -> bool:
        """Answer the request of ``scope`` with one write; False if this must go the long way, by messages.

        The headers are the application's own words, as lines that end, and are not searched for what may not stand in
        one; ``content-length`` is added. It goes the long way where there is more to do than to write: the answer is
        not the next one on this connection, the connection is to be closed or is gone, or the peer is slow to read.
        """
        cycle = self.cycle
        if cycle.scope is not scope or not cycle.keep_alive or cycle.disconnected or self.flow.write_paused:
            return False
        if cycle.response_started or scope["method"] == "HEAD":
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        length = b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(b"".join((STATUS_LINE[status], self._default_lines(), headers, length, body)))
        cycle.message_event.set()
        self.on_response_complete()
        return True

    def _default_lines(self) -> bytes:
        """The headers of every answer, the date among them. uvicorn puts a new list in their place each second."""
        pairs = self.server_state.default_headers
        if pairs is not self._defaults[0]:
            self._defaults = pairs, b"".join([b"%b: %b\r\n" % pair for pair in pairs])
        return self._defaults[1]

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and hang up. uvicorn has logged ``msg``; it quotes nothing."""
        fault = errors.BadRequest(f"This is not a request that can be read as HTTP/1.1. {msg}")
        body = encode(refusal(fault, new_request_id("")))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()
