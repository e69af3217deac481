"""A key server that misbehaves in every way that an issuer can: one behaviour at a time, changed at any moment.

``async with serving(answering(b"{}")) as server:`` listens on loopback as long as the block runs; ``server.behave``
may be replaced while it does. Certificates for it are made by :func:`certificate`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Speaks bytes: reads one request at a time and lets ``behave`` answer it."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    def url_of(self, host: str) -> str:
        """The URL over TLS under another name."""
        return f"https://{host}:{self.port}/jwks"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await self.behave(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:  # the server ends; a task that ends as cancelled would be reported by asyncio
            return
        finally:
            writer.close()

    async def end(self) -> None:
        """End every connection: behaviours that never answer would outlive the test."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(behave)
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: server.names.append(name)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.end()


# ---------------------------------------------------------------- behaviours


def answering(body: bytes, *headers: str, status: str = "200 OK") -> Behaviour:
    """Answer at once, with a true length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)

    return behave


def redirecting(location: str, status: str = "302 Found") -> Behaviour:
    return answering(b"", f"Location: {location}", status=status)


async def silent(_writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.Event().wait()


async def dripping(writer: asyncio.StreamWriter) -> None:
    """One byte after the other, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.005)


async def dripping_headers(writer: asyncio.StreamWriter) -> None:
    """A header line that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.005)


async def endless(writer: asyncio.StreamWriter) -> None:
    """Chunks without number, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Not HTTP."""
    writer.write(b"garbage " * 1000 + b"\r\n\r\n")


async def cut(writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent, and hang up."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
    await writer.drain()
    writer.close()


# ---------------------------------------------------------------- certificates


def certificate(
    folder: Path, host: str, *, days: tuple[int, int] = (-1, 2), issuer: Path | None = None, name: str | None = None
) -> Path:
    """A PEM file with private key and certificate for ``host``, valid from and until these days from today.

    Without ``issuer`` (another such file) it is signed by itself, and can sign others.
    """
    private_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    signer, signer_name = private_key, subject
    if issuer is not None:
        loaded = serialization.load_pem_private_key(issuer.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer, signer_name = loaded, x509.load_pem_x509_certificate(issuer.read_bytes()).subject
    today = dt.datetime.now(dt.UTC)
    start, end = (today + dt.timedelta(days=each) for each in days)
    made = (
        x509.CertificateBuilder(signer_name, subject, private_key.public_key(), x509.random_serial_number(), start, end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / f"{name or host}.pem"
    private = private_key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


def certificate_text(path: Path) -> str:
    """The certificate of the file alone, as somebody would paste it."""
    return "-----BEGIN CERTIFICATE-----" + path.read_text().partition("-----BEGIN CERTIFICATE-----")[2]


def server_tls(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
