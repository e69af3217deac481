"""Traces: where the time of one request went. Off unless configured; then a step costs two empty calls.

A span may hold ids that Assay made, a route's template, a status and a code. It never holds what a caller or an issuer
wrote, a token, a secret, an address, a query or a body; so no method here takes any of them, but for ``traceparent``,
of which only the two ids and the flags are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self


class RequestSpan(Protocol):
    """One request under way."""

    def answered(self, status: int, code: str, request_id: str, project_id: str) -> None:
        """How it ended. ``code`` is empty for a success, ``project_id`` while the caller was not known."""


class Tracer(Protocol):
    """Makes spans. The steps inside the block of a request, or of another step, are its children.

    One that is not ``on`` makes none, and need not be asked.
    """

    on: bool

    def request(self, method: str, route: str, traceparent: Sequence[bytes]) -> AbstractContextManager[RequestSpan]:
        """The span of a request; ``traceparent`` are the values of that header (W3C Trace Context §3.2)."""

    def step(self, name: str, kind: str = "") -> AbstractContextManager[object]:
        """The span of one step; ``kind`` says which sort of it, in words of this program."""

    def close(self) -> None:
        """Send what is left. May wait for seconds, so it is for a thread."""


class _NoSpan:
    """Stands for every span while traces are off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def answered(self, status: int, code: str, request_id: str, project_id: str) -> None:
        """As ``RequestSpan.answered`` says."""


_NO_SPAN = _NoSpan()


class NoTracer:
    """A :class:`Tracer` that makes none."""

    on = False

    def request(self, method: str, route: str, traceparent: Sequence[bytes]) -> _NoSpan:
        """As ``Tracer.request`` says."""
        del method, route, traceparent
        return _NO_SPAN

    def step(self, name: str, kind: str = "") -> _NoSpan:
        """As ``Tracer.step`` says."""
        del name, kind
        return _NO_SPAN

    def close(self) -> None:
        """Nothing is left."""


NO_TRACER = NoTracer()
