"""The reference as a person reads it, at ``/docs``, and as programs do, at ``/openapi.json``.

The pages are made once, out of the same description, and need neither a script nor anything of another server. They
hold nothing of any tenant, so they are shown to everybody.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import NamedTuple

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.api import openapi
from assay.api.reference import pages

log = structlog.get_logger()

# Where documents are found; the last takes any page of the reference.
PATHS = (openapi.PATH, pages.HOME, f"{pages.HOME}/", f"{pages.HOME}/{{page}}")

_SAFE = (
    b"default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NOT_MODIFIED = 304
_HEADERS = (
    # Looked at again each time, since a new version of the server changes it; mostly the answer is 304.
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", _SAFE),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Document(NamedTuple):
    """A text as it is sent."""

    content_type: bytes
    body: bytes

    @property
    def etag(self) -> bytes:
        """A strong one: the same bytes, and none but the same bytes, have it (RFC 9110 §8.8.1)."""
        return b'"' + hashlib.sha256(self.body).hexdigest()[:32].encode() + b'"'


@functools.cache
def documents(public_url: str) -> dict[str, Document]:
    """Every document by its path; made at the first request for any of them, and kept."""
    described = openapi.document(public_url)
    found = {openapi.PATH: Document(b"application/json", json.dumps(described, ensure_ascii=False).encode())}
    for path, (content_type, text) in pages.all_pages(described).items():
        found[path] = Document(content_type, text.encode())
    return found


class Reference:
    """An ASGI application that answers GET for all documents; ``not_found`` answers for what is none."""

    def __init__(self, public_url: str, not_found: ASGIApp) -> None:
        self._public_url = public_url
        self._not_found = not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == f"{pages.HOME}/":
            await _send(scope, send, 308, [(b"location", b"../docs")])
            return
        document = documents(self._public_url).get(scope["path"])
        if document is None:
            await self._not_found(scope, receive, send)
        elif _is_known(scope, document.etag):
            await _send(scope, send, _NOT_MODIFIED, [(b"etag", document.etag), *_HEADERS])
        else:
            kind = (b"content-type", document.content_type)
            await _send(scope, send, 200, [kind, (b"etag", document.etag), *_HEADERS], document.body)


def _is_known(scope: Scope, etag: bytes) -> bool:
    """Whether the caller has the document already (RFC 9110 §13.1.2)."""
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return any(each.strip().removeprefix(b"W/") in {etag, b"*"} for each in given.split(b","))


async def _send(scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
    log.debug("request", method=scope["method"], route=scope["path"], status=status)
    length = [] if status == _NOT_MODIFIED else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
