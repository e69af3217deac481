"""Logs: one JSON object per line, on standard error.

No line holds a token, a secret, a body, a query string or a header. Where something broke, a line tells the type of
the exception and the places it passed, never its text: the text may quote what was being worked on.

The lines of one turn of the event loop are written together when the turn is over, because each write costs as much
as all else about a line. Warnings and errors are written at once, and whatever waits is written before the process
ends, unless it is killed. The lines of requests come ready from :mod:`assay.observing.request_log`.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from select import PIPE_BUF
from typing import Any, BinaryIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from assay.config import LogLevel
from assay.observing.request_log import REQUEST_LOG

LEVELS: dict[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_MOST_LINKED = 8

_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure(level: LogLevel, stream: BinaryIO | None = None, *, worker: int | None = None) -> None:
    """Write what is at least as important as ``level`` to ``stream``, or to standard error.

    Each line tells the number of the ``worker``, where there are several.
    """
    flush()
    lines = _Lines(stream or sys.stderr.buffer)
    structlog.configure(
        processors=[structlog.processors.add_log_level, _with_time, *_of(worker), _without_text, _rendered],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_names: lines,
    )
    REQUEST_LOG.pass_to(lines.info, LEVELS[level], worker)
    _configured[:] = [lines]


def flush() -> None:
    """Write what still waits for the end of a turn."""
    for lines in _configured:
        lines.flush()


def adopt_libraries() -> None:
    """Let the warnings of libraries (the HTTP server among them) come out as our own lines do."""
    logging.root.handlers[:] = [_Adopted()]
    logging.root.setLevel(logging.WARNING)


def places(fault: BaseException) -> list[str]:
    """The types of an exception and of those that led to it, each followed by the places it passed."""
    found: list[str] = []
    link: BaseException | None = fault
    for _ in range(_MOST_LINKED):
        if link is None:
            break
        found.append(f"{type(link).__module__}.{type(link).__qualname__}")
        found += [
            f"{frame.f_code.co_filename}:{line} {frame.f_code.co_qualname}"
            for frame, line in traceback.walk_tb(link.__traceback__)
        ]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return found


class _Adopted(logging.Handler):
    """Libraries format their arguments into the text, so only the template's first line is kept of it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of the standard library's logging as a line of ours."""
        write = structlog.get_logger().error if record.levelno >= logging.ERROR else structlog.get_logger().warning
        fault = record.exc_info[1] if record.exc_info else None
        write("library", logger=record.name, message=str(record.msg).partition("\n")[0], exc_info=fault)


def _without_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    fault: Any = event.pop("exc_info", None)
    if fault is True:
        fault = sys.exc_info()[1]
    if isinstance(fault, BaseException):
        event["exception"] = places(fault)
    return event


def _of(worker: int | None) -> list[Processor]:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["worker"] = worker
        return event

    return [] if worker is None else [add]


def _with_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["time"] = datetime.now(UTC)
    return event


def _rendered(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return _encode(event) + b"\n"


class _Lines:
    """Lines on their way to a stream. Its methods may be called from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def write_soon(self, line: bytes) -> None:
        """Write the line after the current turn of the event loop; at once where none is running."""
        self._waiting.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.flush)

    def write_now(self, line: bytes) -> None:
        """Write the line, after those that wait."""
        self._waiting.append(line)
        self.flush()

    debug = info = write_soon
    warning = error = critical = write_now

    def flush(self) -> None:
        """Write what waits, in parts that a pipe takes whole, so that processes that share one mix no lines."""
        self._loop = None
        for part in list(_parts(self._waiting)):  # taken first: should a write fail, none of them is kept for ever
            self._stream.write(part)
            self._stream.flush()


def _parts(waiting: deque[bytes]) -> Iterator[bytes]:
    """The lines, taken out and joined as far as they fit; one that is longer than a part stands alone."""
    part = b""
    with suppress(IndexError):  # empty, or emptied by another thread just now
        while True:
            line = waiting.popleft()
            if part and len(part) + len(line) > PIPE_BUF:
                yield part
                part = b""
            part += line
    if part:
        yield part


_configured: list[_Lines] = []
atexit.register(flush)
