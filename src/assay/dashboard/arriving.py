"""A request as the dashboard reads it: headers and cookies at once, the body when it is wanted."""

from __future__ import annotations

import ipaddress
import secrets
import uuid
from urllib.parse import urlsplit

import msgspec
from starlette.types import Receive, Scope

from assay import errors
from assay.dashboard import cookies
from assay.dashboard.fields import Fields

MOST_BODY_BYTES = 256 * 1024
_FORM = "application/x-www-form-urlencoded"


class Gone(Exception):
    """The browser hung up; there is nobody to answer."""


class Arrival(msgspec.Struct, kw_only=True):
    """One request. ``path`` is still encoded; ``headers`` are by lower-case name, repeated ones joined by commas.

    ``visit`` is the visitor's number: that of the cookie, or a new one (``is_new``) that the answer sets.
    """

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    cookies: dict[str, str]
    address: str
    secure: bool
    request_id: str
    receive: Receive
    visit: str
    is_new: bool


def read(scope: Scope, receive: Receive, public_url: str) -> Arrival:
    """The request without its body."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    secure = _is_secure(scope, headers, public_url)
    found = cookies.read(scope["headers"], secure=secure)
    visit = found.get(cookies.VISIT, "")
    client = scope.get("client")
    return Arrival(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"],
        headers=headers,
        cookies=found,
        address=_network(client[0]) if client else "",
        secure=secure,
        request_id=f"request-id-live-{uuid.uuid4()}",
        receive=receive,
        visit=visit or secrets.token_urlsafe(32),
        is_new=not visit,
    )


async def form(arrival: Arrival) -> Fields:
    """The fields of the body. Raises BadRequest, RequestTooLarge, and Gone."""
    kind = arrival.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise errors.BadRequest("The form must be sent as application/x-www-form-urlencoded.")
    return Fields.read(await _body(arrival))


async def _body(arrival: Arrival) -> bytes:
    announced = arrival.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:20]) > MOST_BODY_BYTES:
        raise errors.RequestTooLarge
    chunks = bytearray()
    while True:
        message = await arrival.receive()
        if message["type"] != "http.request":
            raise Gone
        chunks += message.get("body", b"")
        if len(chunks) > MOST_BODY_BYTES:
            raise errors.RequestTooLarge
        if not message.get("more_body", False):
            return bytes(chunks)


def _is_secure(scope: Scope, headers: dict[str, str], public_url: str) -> bool:
    """Whether the browser speaks https: to us, or to a proxy that answers under our public URL."""
    if scope.get("scheme") == "https":
        return True
    url = urlsplit(public_url)
    return url.scheme == "https" and headers.get("host", "").lower() == url.netloc.lower()


def _network(host: str) -> str:
    """Whose guesses are counted together: an IPv4 address, or the /64 that one customer has of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)
