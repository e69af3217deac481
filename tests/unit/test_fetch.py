"""Fetching from an issuer that may be slow, broken or hostile."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from assay.keys.fetch import MAX_DOCUMENT_BYTES, Fetcher, FetchFault, url_problem

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Speaks bytes: reads one request at a time and lets ``behave`` answer it."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await self.behave(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(behave)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def answering(body: bytes, *headers: str, status: str = "200 OK") -> Behaviour:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)

    return behave


def fetcher(deadline: float = 5.0) -> Fetcher:
    return Fetcher(allow_loopback=True, deadline=deadline)


# ---------------------------------------------------------------- answers


async def test_the_body_comes_back_whatever_its_content_type() -> None:
    async with serving(answering(b'{"keys": []}', "Content-Type: text/plain")) as server:
        assert await fetcher().fetch(server.url) == b'{"keys": []}'
        assert server.requests[0].startswith(b"GET /jwks HTTP/1.1\r\n")
        assert b"accept-encoding: identity\r\n" in server.requests[0].lower()


@pytest.mark.parametrize(
    "status", ["201 Created", "204 No Content", "206 Partial Content", "304 Not Modified", "404 No", "500 Oh"]
)
async def test_any_status_but_200_is_a_fault(status: str) -> None:
    async with serving(answering(b"", status=status)) as server:
        with pytest.raises(FetchFault, match=status[:3]):
            await fetcher().fetch(server.url)


async def test_a_redirect_is_not_followed() -> None:
    async with serving(answering(b"", "Location: /other", status="302 Found")) as server:
        with pytest.raises(FetchFault, match="302"):
            await fetcher().fetch(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
async def test_a_compressed_answer_is_refused(encoding: str) -> None:
    async with serving(answering(b"\x1f\x8b", f"Content-Encoding: {encoding}")) as server:
        with pytest.raises(FetchFault, match="compressed"):
            await fetcher().fetch(server.url)


async def test_an_answer_that_says_identity_is_taken() -> None:
    async with serving(answering(b"{}", "Content-Encoding: identity")) as server:
        assert await fetcher().fetch(server.url) == b"{}"


async def test_the_longest_body_allowed_is_taken_and_one_byte_more_is_not() -> None:
    async with serving(answering(b"x" * MAX_DOCUMENT_BYTES)) as server:
        assert len(await fetcher().fetch(server.url)) == MAX_DOCUMENT_BYTES
    async with serving(answering(b"x" * (MAX_DOCUMENT_BYTES + 1))) as server:
        with pytest.raises(FetchFault, match="longer than"):
            await fetcher().fetch(server.url)


async def test_an_endless_body_is_cut_off_while_it_comes() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    async with serving(endless) as server:
        with pytest.raises(FetchFault, match="longer than"):
            await fetcher().fetch(server.url)


async def test_garbage_is_a_fault_with_a_short_reason() -> None:
    async def garbage(writer: asyncio.StreamWriter) -> None:
        writer.write(b"garbage " * 1000 + b"\r\n\r\n")

    async with serving(garbage) as server:
        with pytest.raises(FetchFault) as caught:
            await fetcher().fetch(server.url)
        assert len(str(caught.value)) < 300


async def test_a_body_that_breaks_off_is_a_fault() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with serving(cut) as server:
        with pytest.raises(FetchFault):
            await fetcher().fetch(server.url)


async def test_a_closed_port_is_a_fault() -> None:
    async with serving(answering(b"")) as server:
        url = server.url
    with pytest.raises(FetchFault, match="ConnectError"):
        await fetcher().fetch(url)


# ---------------------------------------------------------------- time


async def test_silence_ends_at_the_deadline() -> None:
    async def silent(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(silent) as server:
        with pytest.raises(FetchFault, match=r"within 0\.05 seconds"):
            await fetcher(deadline=0.05).fetch(server.url)


async def test_the_deadline_holds_for_the_whole_answer_however_steadily_it_drips() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.005)

    async with serving(drip) as server:
        with pytest.raises(FetchFault, match=r"within 0\.1 seconds"):
            await fetcher(deadline=0.1).fetch(server.url)


# ---------------------------------------------------------------- connections


async def test_each_fetch_has_a_connection_of_its_own() -> None:
    async with serving(answering(b"{}", "Connection: keep-alive")) as server:
        one = fetcher()
        await one.fetch(server.url)
        await one.fetch(server.url)
        assert server.connections == 2


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serving(answering(b"{}")) as server:
        assert await fetcher().fetch(server.url) == b"{}"


def self_signed(folder: Path, host: str) -> Path:
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, private_key.public_key(), 1, start, start + dt.timedelta(days=3))
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    certificate = builder.add_extension(names, critical=False).sign(private_key, hashes.SHA256())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / f"{host}.pem"
    private = private_key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path


def server_tls(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_must_be_trusted_and_be_for_the_host(tmp_path: Path) -> None:
    right, wrong = self_signed(tmp_path, "localhost"), self_signed(tmp_path, "other.example")

    async with serving(answering(b"{}"), server_tls(right)) as server:
        url = f"https://localhost:{server.port}/"
        with pytest.raises(FetchFault, match="CERTIFICATE_VERIFY_FAILED"):
            await fetcher().fetch(url)
        trusting = Fetcher(allow_loopback=True, tls=ssl.create_default_context(cafile=str(right)))
        assert await trusting.fetch(url) == b"{}"

    async with serving(answering(b"{}"), server_tls(wrong)) as server:
        trusting = Fetcher(allow_loopback=True, tls=ssl.create_default_context(cafile=str(wrong)))
        with pytest.raises(FetchFault, match="CERTIFICATE_VERIFY_FAILED"):
            await trusting.fetch(f"https://localhost:{server.port}/")


# ---------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/jwks",
        "HTTPS://Issuer.Example/jwks",
        "https://issuer.example:8443/a/b?c=d%20e",
        "https://issuer.example./jwks",
        "https://bücher.example/jwks",
        "https://1password.example/",
        "https://8.8.8.8/jwks",
        "https://[2606:4700:4700::1111]/jwks",
    ],
)
def test_public_https_urls_have_no_problem(url: str) -> None:
    assert url_problem(url, allow_loopback=False) is None


LOOPBACK = [
    "http://127.0.0.1:8080/jwks",
    "http://127.8.9.1/",
    "http://localhost:1/",
    "http://[::1]/",
    "https://127.0.0.1/",
]


@pytest.mark.parametrize("url", [*LOOPBACK, "http://LOCALHOST./", "http://[::ffff:127.0.0.1]/"])
def test_loopback_is_allowed_by_the_switch_alone(url: str) -> None:
    assert url_problem(url, allow_loopback=True) is None
    assert url_problem(url, allow_loopback=False) == "The key URL points at this machine itself."


@pytest.mark.parametrize("allow_loopback", [False, True], ids=["strict", "loopback allowed"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "https"),
        ("issuer.example/jwks", "https"),
        ("http://issuer.example/jwks", "https"),
        ("http://8.8.8.8/jwks", "https"),
        ("file:///etc/passwd", "https"),
        ("ftp://issuer.example/jwks", "https"),
        ("data:application/json,{}", "https"),
        ("https:///jwks", "host"),
        ("https://user@issuer.example/", "user name"),
        ("https://user:password@issuer.example/", "user name"),
        ("https://issuer.example/jwks#part", "fragment"),
        ("https://issuer.example/jwks#", "fragment"),
        ("https://issuer.example/a b", "spaces"),
        ("https://issuer.example/a\n", "control"),
        ("https://issuer.example\\@127.0.0.1/", "backslashes"),
        ("https://issuer.example/" + "a" * 2048, "longer"),
        ("https://issuer.example:port/", "parsed"),
        ("https://2130706433/", "host"),
        ("https://0x7f000001/", "host"),
        ("https://0177.0.0.1/", "parsed"),
        ("https://127.1/", "host"),
        ("https://127.0.0.1.2/", "host"),
        ("https://%31%32%37.0.0.1/", "host"),
        ("https://a..example/", "host"),
        ("https://" + "a" * 64 + ".example/", "host"),
        ("https://anything.localhost/", "this machine"),
        ("https://10.0.0.1/", "private"),
        ("https://172.16.5.4/", "private"),
        ("https://192.168.1.1/", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
        ("https://100.64.0.1/", "private"),
        ("https://0.0.0.0/", "private"),
        ("https://224.0.0.1/", "private"),
        ("https://255.255.255.255/", "private"),
        ("https://[::]/", "private"),
        ("https://[fe80::1]/", "private"),
        ("https://[fd00::1]/", "private"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://[64:ff9b::10.0.0.1]/", "private"),
        ("https://[2002:a00:1::]/", "private"),
    ],
)
def test_urls_that_keys_are_never_fetched_from_say_why(url: str, reason: str, *, allow_loopback: bool) -> None:
    problem = url_problem(url, allow_loopback=allow_loopback)
    assert problem is not None
    assert reason in problem
    assert problem.endswith(".")


async def test_a_url_with_a_problem_is_not_fetched() -> None:
    async with serving(answering(b"{}")) as server:
        with pytest.raises(FetchFault, match="this machine itself"):
            await Fetcher().fetch(server.url)
        assert server.connections == 0
