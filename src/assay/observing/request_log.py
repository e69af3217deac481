"""One line of the log for each request: made apart from all other lines, because there are so many of them.

The general way makes a dictionary per line and passes it through a row of functions, which costs more than all else
that the edge does with a request. Here a line is a record that is written down as it stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType


class RequestLine(msgspec.Struct):
    """One request as the log tells it, in the order of the log; what is not set is left out.

    ``ms`` is how long it took, in milliseconds; ``code`` and the private ``detail`` say why it was refused.
    """

    method: str
    route: str
    status: int
    ms: float
    request_id: str
    environment: str
    code: str | UnsetType
    detail: str | UnsetType
    event: str
    level: str
    time: datetime
    worker: int | UnsetType


_encode = msgspec.json.Encoder().encode


class RequestLog:
    """Where the lines of requests go. Until somebody takes them, nowhere."""

    def __init__(self) -> None:
        self._write: Callable[[bytes], None] | None = None
        self._level = logging.INFO
        self._worker: int | UnsetType = UNSET

    def pass_to(self, write: Callable[[bytes], None], level: int, worker: int | None) -> None:
        """Give ``write`` each line from now on that is at least as important as ``level``, with the ``worker``."""
        self._write = write
        self._level = level
        self._worker = UNSET if worker is None else worker

    def answered(  # noqa: PLR0913, PLR0917 - the columns of a line
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        request_id: str,
        environment: str,
        code: str | UnsetType = UNSET,
        detail: str | UnsetType = UNSET,
        *,
        quiet: bool = False,
    ) -> None:
        """A request was answered within ``seconds``. A ``quiet`` one is for debugging alone."""
        if self._write is None or self._level > (logging.DEBUG if quiet else logging.INFO):
            return
        level = "debug" if quiet else "info"
        ms = int(seconds * 100_000 + 0.5) / 100  # round() to two places takes longer than the rest of the line
        now = datetime.now(UTC)
        line = RequestLine(
            method, route, status, ms, request_id, environment, code, detail, "request", level, now, self._worker
        )
        self._write(_encode(line) + b"\n")


REQUEST_LOG = RequestLog()
"""The one of this process, as its log is; :mod:`assay.logs` takes the lines."""
