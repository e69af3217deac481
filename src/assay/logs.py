"""Logs: one JSON object per line, on standard error.

No line holds a token, a secret, a body, a query string or a header. Where something broke, a line tells the type of
the exception and the places it passed, never its text: the text may quote what was being worked on.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, BinaryIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from assay.config import LogLevel

LEVELS: dict[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_MOST_LINKED = 8

_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure(level: LogLevel, stream: BinaryIO | None = None) -> None:
    """Write what is at least as important as ``level`` to ``stream``, or to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _without_text,
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stderr.buffer),
    )


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


def _serialize(event: EventDict, **_options: object) -> bytes:
    return _encode(event)
