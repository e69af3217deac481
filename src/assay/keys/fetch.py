"""The only code that opens a connection to an issuer.

What answers is somebody else's machine, or whatever an attacker could make the name point at. So: https with a
verified certificate, no redirect, no proxy from the environment, no compressed answer, and limits on bytes and time
that hold for the whole exchange, not for each of its steps (security A84-A90, A99).

A name is looked up once, all its addresses are judged, and the connection goes to one of those (A86): a second
look-up could be answered otherwise. The certificate is still verified for the name.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
import httpx
import msgspec

from assay.keys import addresses
from assay.keys.addresses import Address, Network
from assay.keys.recent import Recent

DEADLINE_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 512 * 1024
MAX_URL_CHARACTERS = 2048
MAX_REASON_CHARACTERS = 200
MAX_ADDRESSES = 16
MAX_AUTHORITIES = 200
"""Private authorities whose TLS contexts are held; reading one takes a millisecond."""

_OK = 200
_NEXT_ADDRESS_SECONDS = 1.5
"""How long one address may take to connect when there is another to try."""

_LOOPBACK = "The key URL points at this machine itself."
_HEADERS = ((b"accept", b"application/json"), (b"accept-encoding", b"identity"), (b"user-agent", b"assay"))
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
# What ends in a number is an address to the resolver: 2130706433, 0x7f.1 and 127.1 are all 127.0.0.1.
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_MAX_AGE = re.compile(r'max-age="?([0-9]{1,9})"?', re.ASCII | re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port → the addresses it has now, as text. Raises OSError."""

_FAULTS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.ConnectionNotAvailable,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
    OSError,
    UnicodeError,
    ValueError,
)


class FetchFault(Exception):
    """The document could not be had; the message says why. ``status`` is that of an answer other than 200."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Fetched(msgspec.Struct, frozen=True):
    """A document, and how many seconds it says it stays true (RFC 9111 §5.2.2.1); None when it does not say."""

    document: bytes
    max_age: int | None = None


class Fetcher:
    """Fetches key documents.

    ``networks`` are private networks that are allowed over https; ``deadline`` is in seconds; ``tls`` replaces the
    usual trust in public authorities; ``resolve`` and ``network`` stand for the system's resolver and its sockets.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        networks: Sequence[Network] = (),
        deadline: float = DEADLINE_SECONDS,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._networks = tuple(networks)
        self._deadline = deadline
        self._tls = tls
        self._resolve = resolve or _system_resolve
        self._network = network or httpcore.AnyIOBackend()
        self._authorities: Recent[str, ssl.SSLContext] = Recent(MAX_AUTHORITIES)

    async def fetch(self, url: str, ca_pem: str | None = None) -> Fetched:
        """The document at ``url``, at most 512 KiB; ``ca_pem`` are the only authorities trusted. Raises FetchFault."""
        problem = url_problem(url, allow_loopback=self._allow_loopback, networks=self._networks)
        if problem is not None:
            raise FetchFault(problem)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._get(httpx.URL(url), ca_pem)
        except TimeoutError:
            raise FetchFault(f"no whole answer came within {self._deadline:g} seconds") from None
        except _FAULTS as fault:
            raise FetchFault(
                f"the request failed: {type(fault).__name__}: {str(fault)[:MAX_REASON_CHARACTERS]}"
            ) from None

    async def _get(self, url: httpx.URL, ca_pem: str | None) -> Fetched:
        target = _target(url)
        # A connection of its own for each fetch: a pool could lend one that was verified for another host.
        connection = httpcore.AsyncHTTPConnection(
            origin=target.origin,
            ssl_context=self._context(ca_pem) if url.scheme == "https" else None,
            network_backend=_Checked(self._network, self._resolve, self._is_allowed(url.scheme)),
        )
        headers = [(b"host", url.netloc), *_HEADERS]
        async with connection, connection.stream("GET", target, headers=headers) as response:
            if response.status != _OK:
                raise FetchFault(f"the answer has status {response.status}, not {_OK}", response.status)
            if set(_values(response, b"content-encoding")) - {"", "identity"}:
                raise FetchFault("the answer is compressed, although none was asked for")
            return Fetched(await _read(response), _max_age(response))

    def _is_allowed(self, scheme: str) -> Callable[[str, Address], bool]:
        """Whether a connection for this host may go to this address."""

        def is_allowed(host: str, address: Address) -> bool:
            # Another name that points here is what rebinding looks like, whatever the switch says.
            is_own_name = host == "localhost" or addresses.parse(host) is not None
            if self._allow_loopback and is_own_name and addresses.is_loopback(address):
                return True
            if scheme != "https":
                return False
            return addresses.is_public(address) or addresses.is_listed(address, self._networks)

        return is_allowed

    def _context(self, ca_pem: str | None) -> ssl.SSLContext:
        """Verifies certificate and host name; made once, because reading the authorities takes long."""
        if ca_pem is not None:
            return self._authorities.get(ca_pem) or self._private_context(ca_pem)
        if self._tls is None:
            self._tls = httpx.create_ssl_context(verify=True, trust_env=False)
        return self._tls

    def _private_context(self, ca_pem: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.verify_mode, made.check_hostname = ssl.CERT_REQUIRED, True
        try:
            # Not create_default_context: given an empty text that would trust the public authorities.
            made.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise FetchFault("the private CA of the key source cannot be read") from None
        self._authorities.put(ca_pem, made)
        return made


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to an address of the host that was judged, and to no other."""

    def __init__(
        self, network: httpcore.AsyncNetworkBackend, resolve: Resolve, is_allowed: Callable[[str, Address], bool]
    ) -> None:
        self._network = network
        self._resolve = resolve
        self._is_allowed = is_allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = await self._addresses(host, port)
        for address in others:
            try:
                return await self._network.connect_tcp(
                    address, port, _NEXT_ADDRESS_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Every address of the host, all of them allowed: one that is not shows that the name is not to be trusted."""
        name = host.lower().removesuffix(".")
        literal = addresses.parse(name) is not None
        found = list(dict.fromkeys([host] if literal else await self._resolve(name, port)))[:MAX_ADDRESSES]
        for text in found:
            address = addresses.parse(text)
            if address is None or not self._is_allowed(name, address):
                raise FetchFault("the host of the key URL has an address that keys are not fetched from")
        if not found:
            raise FetchFault("the host of the key URL has no address")
        return found


async def _system_resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def url_problem(url: str, *, allow_loopback: bool, networks: Sequence[Network] = ()) -> str | None:
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
    return _host_problem(parsed, allow_loopback=allow_loopback, networks=networks)


def _host_problem(url: httpx.URL, *, allow_loopback: bool, networks: Sequence[Network]) -> str | None:
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    address = addresses.parse(host)
    if address is None and (not _HOST_NAME.fullmatch(host) or _NUMERIC_END.fullmatch(host)):
        return "The key URL does not name a host."
    if url.scheme == "https" and address is not None and addresses.is_listed(address, networks):
        return None
    if addresses.is_loopback(address) if address is not None else _is_localhost(host):
        # A name below localhost is answered by whatever resolver there is, so it is never let through.
        return None if allow_loopback and not host.endswith(".localhost") else _LOOPBACK
    if url.scheme != "https":
        return "The key URL must start with https://."
    if address is not None and not addresses.is_public(address):
        return "The key URL points at a private or reserved address."
    return None


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _target(url: httpx.URL) -> httpcore.URL:
    """The URL for the connection, out of the very parts that were judged."""
    port = url.port or (443 if url.scheme == "https" else 80)
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=port, target=url.raw_path)


async def _read(response: httpcore.Response) -> bytes:
    """Count while the bytes come in: an announced length may be missing or a lie."""
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > MAX_DOCUMENT_BYTES:
            raise FetchFault(f"the answer is longer than {MAX_DOCUMENT_BYTES} bytes")
    return bytes(body)


def _values(response: httpcore.Response, name: bytes) -> list[str]:
    """The header's values, of all its lines, split at commas, without spaces, in lower case."""
    lines = [value.decode("latin-1") for key, value in response.headers if key.lower() == name]
    return [part.strip().lower() for line in lines for part in line.split(",")]


def _max_age(response: httpcore.Response) -> int | None:
    """Seconds that are left of the shortest ``max-age``, after those that a cache on the way has kept the answer."""
    found = [match for part in _values(response, b"cache-control") if (match := _MAX_AGE.fullmatch(part))]
    if not found:
        return None
    kept = [int(part) for part in _values(response, b"age") if _SECONDS.fullmatch(part)]
    return max(0, min(int(match[1]) for match in found) - max(kept, default=0))
