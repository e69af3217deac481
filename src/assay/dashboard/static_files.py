"""What pages load beside their HTML: style sheet, script, htmx and the mark, each under the hash of its bytes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".svg": b"image/svg+xml"}


class StaticFile(NamedTuple):
    """A file as it is sent; ``served_as`` is its name with the hash in it, so it can be kept for ever."""

    served_as: str
    content_type: bytes
    body: bytes


@functools.cache
def by_name() -> Mapping[str, StaticFile]:
    """Every file by the name that templates use."""
    texts = {
        "style.css": _joined("css/*.css"),
        "dashboard.js": _joined("js/*.js"),
        "htmx.js": (_FOLDER / "vendor" / "htmx.min.js").read_bytes(),
        "mark.svg": (_FOLDER / "mark.svg").read_bytes(),
    }
    return {name: _file(name, body) for name, body in texts.items()}


@functools.cache
def by_served_name() -> Mapping[str, StaticFile]:
    """Every file by the name in its address."""
    return {file.served_as: file for file in by_name().values()}


def _joined(pattern: str) -> bytes:
    return b"\n".join(file.read_bytes().strip() for file in sorted(_FOLDER.glob(pattern))) + b"\n"


def _file(name: str, body: bytes) -> StaticFile:
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:16]
    return StaticFile(f"{stem}.{digest}.{suffix}", _TYPES[f".{suffix}"], body)
