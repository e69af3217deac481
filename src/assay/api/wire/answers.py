"""What every answer has, the codec that writes it, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, Protocol, TypeVar, cast

import msgspec

from assay import errors

STATUSES: dict[errors.ErrorKind, int] = {
    "invalid": 400,
    "conflict": 400,  # callers tell conflicts by their error_type (decisions D17)
    "unauthenticated": 401,
    "forbidden": 403,
    "not found": 404,
    "method": 405,
    "too large": 413,
    "too many": 429,
    "unavailable": 503,  # the only 5xx there is (decisions D18)
}

Record = TypeVar("Record")
Rendered = TypeVar("Rendered")

_encoder = msgspec.json.Encoder()


class Answered(Protocol):
    """What every answer has: the HTTP status once more, and the id that the log and the attempt record carry."""

    status_code: int
    request_id: str


class Answer(msgspec.Struct, kw_only=True):
    """What every answer has; where there is nothing else to tell, it says that the call was done."""

    status_code: int = 200
    request_id: str


class Refusal(Answer, kw_only=True):
    """The body of every answer that is not 200. No member is ever called ``error``: clients would take it for OAuth."""

    status_code: int
    error_type: str
    error_message: str
    error_url: str


def encode(answer: Answered) -> bytes:
    """The answer as JSON; times as RFC 3339 in UTC with ``Z``."""
    return _encoder.encode(answer)


class Once(Generic[Record, Rendered]):
    """Objects that many answers hold, written as JSON once and kept as long as the very same records come.

    It knows nothing that could go out of date: the record is what was read from the store for this answer, and only
    what was written from that one is used again. At most ``most`` are kept.
    """

    def __init__(self, render: Callable[[Record], Rendered], most: int) -> None:
        self._render = render
        self._most = most
        self._kept: dict[str, tuple[Record, Rendered]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __call__(self, record_id: str, record: Record) -> Rendered:
        """``record``, whose id is ``record_id``, as it stands in an answer."""
        kept = self._kept.get(record_id)
        if kept is not None and kept[0] is record:
            return kept[1]
        # To the type checker it is what it will be on the wire.
        written = cast("Rendered", msgspec.Raw(_encoder.encode(self._render(record))))
        self._kept[record_id] = record, written
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return written


@lru_cache(maxsize=4096)  # an answer holds about ten times, and the answers of one second mostly the same ones
def time(seconds: int) -> datetime:
    """Seconds since the epoch as a time that is written as RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC)


def done(_result: None, request_id: str) -> Answer:
    """The answer of a call that has nothing to tell but that it was done."""
    return Answer(request_id=request_id)


def refusal(error: errors.Error, request_id: str, public_url: str = "") -> Refusal:
    """The public half of an error; its private ``detail`` stays behind.

    ``public_url`` is where callers find this server, which explains its codes; without it the URL is relative.
    """
    return Refusal(
        status_code=STATUSES[error.kind],
        request_id=request_id,
        error_type=error.code,
        error_message=error.message,
        error_url=f"{public_url}/docs/errors#{error.code}",
    )
