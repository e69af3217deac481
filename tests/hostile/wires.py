"""Every connection and look-up that this process makes, as the interpreter itself tells of it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})
_watching: list[list[str]] = []


@contextmanager
def watched() -> Iterator[list[str]]:
    """The events of the block, by name. The hook itself stays for good, and is silent outside of such blocks."""
    _install()
    found: list[str] = []
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.remove(found)


@functools.cache
def _install() -> None:
    sys.addaudithook(_note)


def _note(event: str, _arguments: object) -> None:
    if _watching and event in _EVENTS:
        for found in _watching:
            found.append(event)
