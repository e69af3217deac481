"""HTTP/1.1 on one connection: uvicorn's, with our limits, our words, and a short way for answers that are whole."""

from __future__ import annotations

from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from assay import errors
from assay.api.calls import WHOLE_ANSWER, ResponseHeaders, new_request_id
from assay.api.wire.answers import encode, refusal

MOST_HEAD_BYTES = 64 * 1024
CLOSING_SECONDS = 1
"""How long an idle client may take to close its end when the server stops; over TLS many never answer at all."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a bound on the bytes before a body, and refusals in JSON like all others.

    Applications find :meth:`answer` in the extensions of their scope, as :data:`WHOLE_ANSWER`.
    """

    _in_head = True
    _head_bytes = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - what uvicorn gives
        super().__init__(*arguments, **named)
        self._extensions: dict[str, dict[object, object]] = {WHOLE_ANSWER: {"answer": self.answer}}

    def on_message_begin(self) -> None:
        """Count from here on."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Count no more: bodies have a limit of their own."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes. Request lines and headers that never end are refused before they fill the memory."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("Request head too long.")

    def shutdown(self) -> None:
        """Close when idle, else after the answer; the server is about to stop."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def answer(self, scope: Scope, status: int, headers: ResponseHeaders, body: bytes) -> bool:
        """Answer the request of ``scope`` with one write; False if this must go the long way, by messages.

        The headers are the application's own words, ``content-length`` among them, and are not searched for what may
        not stand in one. It goes the long way where there is more to do than to write: the answer is not the next one
        on this connection, the connection is to be closed or is gone, or the peer is slow to read.
        """
        cycle = self.cycle
        if cycle.scope is not scope or not cycle.keep_alive or cycle.disconnected or self.flow.write_paused:
            return False
        if cycle.response_started or scope["method"] == "HEAD":
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *headers)]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        cycle.message_event.set()
        self.on_response_complete()
        return True

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and hang up. uvicorn has logged ``msg``; it quotes nothing."""
        fault = errors.BadRequest(f"This is not a request that can be read as HTTP/1.1. {msg}")
        body = encode(refusal(fault, new_request_id("")))
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()
