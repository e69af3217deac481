"""The root of every way to say no."""

from __future__ import annotations

from typing import ClassVar, Literal

ErrorKind = Literal[
    "invalid",
    "unauthenticated",
    "forbidden",
    "not found",
    "method",
    "conflict",
    "too large",
    "too many",
    "unavailable",
]


class Error(Exception):
    """A refusal. Raised with a sentence for the caller and, when there is more to say, a detail for the log.

    ``code`` is stable and is the ``error_type`` on the wire; ``kind`` decides the status there. ``message`` is
    public; ``detail`` is for the operator. Neither may ever hold a token, a signature or a secret.
    """

    code: ClassVar[str]
    kind: ClassVar[ErrorKind]
    default_message: ClassVar[str]

    def __init__(self, message: str | None = None, *, detail: str = "") -> None:
        self.message = message or self.default_message
        self.detail = detail
        super().__init__(self.message)


def all_errors() -> list[type[Error]]:
    """Every concrete error, by code; the reference of error codes is made from this."""
    found: set[type[Error]] = set()
    waiting = [Error]
    while waiting:
        for child in waiting.pop().__subclasses__():
            waiting.append(child)
            if "code" in vars(child):
                found.add(child)
    return sorted(found, key=lambda error: error.code)
