"""An answer on its way out: the headers that every answer has, its cookies, and the notice for the next page."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Iterator

from starlette.types import Send

from assay.dashboard import cookies, crossing
from assay.dashboard.arriving import Arrival
from assay.dashboard.page import Answer, Notice

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ALWAYS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: with that, browsers call the origin of our own forms "null".
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
# Pages hold names, addresses and now and then a secret: nothing may keep them, not even the browser's own history.
NOT_KEPT = (b"cache-control", b"no-store")
KEPT_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")

SEE_OTHER = 303
_NOTICE_SECONDS = 60


async def send_answer(answer: Answer, arrival: Arrival, send: Send) -> None:
    """Send all of it; of HEAD, everything but the body."""
    headers = [*answer.headers, *ALWAYS]
    if not any(name == b"cache-control" for name, _ in headers):
        headers += [NOT_KEPT, *((b"set-cookie", cookie) for cookie in _cookies(answer, arrival))]
    if isinstance(answer.body, bytes):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if arrival.method == "HEAD":
        await send({"type": "http.response.body", "body": b""})
    elif isinstance(answer.body, bytes):
        await send({"type": "http.response.body", "body": answer.body})
    else:
        await _stream(answer.body, send)


async def _stream(body: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _cookies(answer: Answer, arrival: Arrival) -> Iterator[bytes]:
    secure = arrival.secure
    if arrival.is_new:
        # Lax: whoever comes by a link from elsewhere must not get another number than the forms already open have.
        yield cookies.written(cookies.VISIT, arrival.visit, secure=secure, same_site="Lax")
    if answer.notice is not None:
        yield cookies.written(
            cookies.NOTICE, _sealed(answer.notice, arrival.visit), secure=secure, seconds=_NOTICE_SECONDS
        )
    elif cookies.NOTICE in arrival.cookies and answer.status != SEE_OTHER:
        yield cookies.written(cookies.NOTICE, "", secure=secure, seconds=0)
    yield from answer.cookies


def _sealed(notice: Notice, visit: str) -> str:
    text = base64.urlsafe_b64encode(json.dumps([notice.tone, notice.text]).encode()).decode()
    return f"{text}.{crossing.sealed_notice(visit, text)}"


def notice_of(arrival: Arrival) -> Notice | None:
    """The notice that the cookie brings, if it was us who put it there, for this visitor."""
    text, _, proof = arrival.cookies.get(cookies.NOTICE, "").partition(".")
    if not proof or not secrets.compare_digest(crossing.sealed_notice(arrival.visit, text), proof):
        return None
    tone, said = json.loads(base64.urlsafe_b64decode(text))
    return Notice(tone, said)
