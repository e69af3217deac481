"""The only code that opens a connection to an issuer.

What answers is somebody else's machine, or whatever an attacker could make the name point at. So: https with a
verified certificate, no redirect, no proxy from the environment, no compressed answer, and limits on bytes and time
that hold for the whole exchange, not for each of its steps (security A84-A90, A99).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl

import httpx

DEADLINE_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 512 * 1024
MAX_URL_CHARACTERS = 2048
MAX_REASON_CHARACTERS = 200

_OK = 200
_LOOPBACK = "The key URL points at this machine itself."
_HEADERS = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "assay"}
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
# What ends in a number is an address to the resolver: 2130706433, 0x7f.1 and 127.1 are all 127.0.0.1.
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class FetchFault(Exception):
    """The document could not be had; the message says why."""


class Fetcher:
    """Fetches key documents. ``deadline`` is in seconds; ``tls`` replaces the usual trust in public authorities."""

    def __init__(
        self, *, allow_loopback: bool = False, deadline: float = DEADLINE_SECONDS, tls: ssl.SSLContext | None = None
    ) -> None:
        self._allow_loopback = allow_loopback
        self._deadline = deadline
        self._tls = tls

    async def fetch(self, url: str) -> bytes:
        """The body at ``url``, at most 512 KiB. Raises FetchFault."""
        problem = url_problem(url, allow_loopback=self._allow_loopback)
        if problem is not None:
            raise FetchFault(problem)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._get(url)
        except TimeoutError:
            raise FetchFault(f"no whole answer came within {self._deadline:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as fault:
            raise FetchFault(
                f"the request failed: {type(fault).__name__}: {str(fault)[:MAX_REASON_CHARACTERS]}"
            ) from None

    async def _get(self, url: str) -> bytes:
        # A client of its own for each fetch: a pool could lend a connection that was verified for another host.
        client = httpx.AsyncClient(
            verify=self._context(),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - the deadline around this call holds for all its steps together
        )
        async with client, client.stream("GET", url, headers=_HEADERS) as response:
            if response.status_code != _OK:
                raise FetchFault(f"the answer has status {response.status_code}, not {_OK}")
            if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
                raise FetchFault("the answer is compressed, although none was asked for")
            return await _read(response)

    def _context(self) -> ssl.SSLContext:
        """Verifies certificate and host name; made once, because reading the authorities takes long."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context(verify=True, trust_env=False)
        return self._tls


def url_problem(url: str, *, allow_loopback: bool) -> str | None:
    """A sentence that says why keys are never fetched from ``url``; None when they may be (security A84, A85).

    Looks at the text alone: what a name resolves to is not known here.
    """
    if len(url) > MAX_URL_CHARACTERS or not url.isprintable() or " " in url or "\\" in url:
        return "The key URL is longer than 2048 characters or holds spaces, backslashes or control characters."
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "The key URL cannot be parsed."
    if parsed.userinfo or "#" in url:
        return "The key URL must not hold a user name, a password or a fragment."
    if parsed.scheme not in {"https", "http"}:
        return "The key URL must start with https://."
    return _host_problem(parsed, allow_loopback=allow_loopback)


def _host_problem(url: httpx.URL, *, allow_loopback: bool) -> str | None:
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    address = _literal_address(host)
    if address is None and (not _HOST_NAME.fullmatch(host) or _NUMERIC_END.fullmatch(host)):
        return "The key URL does not name a host."
    if _is_loopback(host, address):
        # A name below localhost is answered by whatever resolver there is, so it is never let through.
        return None if allow_loopback and not host.endswith(".localhost") else _LOOPBACK
    if url.scheme != "https":
        return "The key URL must start with https://."
    if address is not None and not _is_public(address):
        return "The key URL points at a private or reserved address."
    return None


def _literal_address(host: str) -> _Address | None:
    """The address that the host is written as, or the IPv4 address inside it; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_loopback(host: str, address: _Address | None) -> bool:
    return address.is_loopback if address is not None else host == "localhost" or host.endswith(".localhost")


def _is_public(address: _Address) -> bool:
    return address.is_global and not address.is_multicast


async def _read(response: httpx.Response) -> bytes:
    """Count while the bytes come in: an announced length may be missing or a lie."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_DOCUMENT_BYTES:
            raise FetchFault(f"the answer is longer than {MAX_DOCUMENT_BYTES} bytes")
    return bytes(body)
