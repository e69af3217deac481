"""What a configuration file may refer to: files beside it, and environment variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec


class Unreadable(Exception):
    """A file that the configuration names cannot be read; the message says why."""


class Surroundings(msgspec.Struct, frozen=True):
    """``read`` gives the bytes of a file by its path relative to the configuration file, or raises Unreadable."""

    read: Callable[[str], bytes]
    environ: Mapping[str, str]
