"""Fetching from an issuer that may be slow, broken or hostile."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Any

import httpcore
import pytest

from assay.keys.fetch import MAX_DOCUMENT_BYTES, Fetcher, FetchFault, Resolve, url_problem
from tests import keyserver
from tests.keyserver import Behaviour, answering, certificate, certificate_text, server_tls, serving


def fetcher(deadline: float = 5.0) -> Fetcher:
    return Fetcher(allow_loopback=True, deadline=deadline)


# ---------------------------------------------------------------- answers


async def test_the_body_comes_back_whatever_its_content_type() -> None:
    async with serving(answering(b'{"keys": []}', "Content-Type: text/plain")) as server:
        assert (await fetcher().fetch(server.url)).document == b'{"keys": []}'
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
    for status in ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
        async with serving(keyserver.redirecting("/other", status)) as server:
            with pytest.raises(FetchFault, match=status[:3]):
                await fetcher().fetch(server.url)
            assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
async def test_a_compressed_answer_is_refused(encoding: str) -> None:
    async with serving(answering(b"\x1f\x8b", f"Content-Encoding: {encoding}")) as server:
        with pytest.raises(FetchFault, match="compressed"):
            await fetcher().fetch(server.url)


async def test_an_answer_that_says_identity_is_taken() -> None:
    async with serving(answering(b"{}", "Content-Encoding: identity")) as server:
        assert (await fetcher().fetch(server.url)).document == b"{}"


async def test_the_longest_body_allowed_is_taken_and_one_byte_more_is_not() -> None:
    async with serving(answering(b"x" * MAX_DOCUMENT_BYTES)) as server:
        assert len((await fetcher().fetch(server.url)).document) == MAX_DOCUMENT_BYTES
    async with serving(answering(b"x" * (MAX_DOCUMENT_BYTES + 1))) as server:
        with pytest.raises(FetchFault, match="longer than"):
            await fetcher().fetch(server.url)


async def test_an_endless_body_is_cut_off_while_it_comes() -> None:
    async with serving(keyserver.endless) as server:
        with pytest.raises(FetchFault, match="longer than"):
            await fetcher().fetch(server.url)


async def test_garbage_is_a_fault_with_a_short_reason() -> None:
    async with serving(keyserver.garbage) as server:
        with pytest.raises(FetchFault) as caught:
            await fetcher().fetch(server.url)
        assert len(str(caught.value)) < 300


async def test_a_body_that_breaks_off_is_a_fault() -> None:
    async with serving(keyserver.cut) as server:
        with pytest.raises(FetchFault):
            await fetcher().fetch(server.url)


async def test_a_closed_port_is_a_fault() -> None:
    async with serving(answering(b"")) as server:
        url = server.url
    with pytest.raises(FetchFault, match="ConnectError"):
        await fetcher().fetch(url)


# ---------------------------------------------------------------- time


async def test_silence_ends_at_the_deadline() -> None:
    async with serving(keyserver.silent) as server:
        with pytest.raises(FetchFault, match=r"within 0\.05 seconds"):
            await fetcher(deadline=0.05).fetch(server.url)


@pytest.mark.parametrize("behave", [keyserver.dripping, keyserver.dripping_headers], ids=["body", "headers"])
async def test_the_deadline_holds_for_the_whole_answer_however_steadily_it_drips(behave: Behaviour) -> None:
    async with serving(behave) as server:
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
        assert (await fetcher().fetch(server.url)).document == b"{}"


# ---------------------------------------------------------------- TLS


def named(host: str) -> Fetcher:
    """Looks up every name as loopback, which is a listed network."""
    return Fetcher(networks=[ipaddress.ip_network("127.0.0.0/8")], resolve=answers_of({host: ["127.0.0.1"]}))


HOST = "issuer.example"


async def test_a_private_ca_is_trusted_for_the_source_that_names_it(tmp_path: Path) -> None:
    authority = certificate(tmp_path, "authority")
    own = certificate(tmp_path, HOST, issuer=authority)
    async with serving(answering(b"{}"), server_tls(own)) as server:
        fetched = await named(HOST).fetch(server.url_of(HOST), certificate_text(authority))
        assert fetched.document == b"{}"
        assert server.names == [HOST], "the real name is what is asked for and verified"
        assert f"host: {HOST}:{server.port}\r\n".encode() in server.requests[0].lower()


async def test_certificates_that_must_not_be_trusted(tmp_path: Path) -> None:
    """Security A99."""
    authority = certificate(tmp_path, "authority")
    other = certificate(tmp_path, "another authority")
    cases = {
        "signed by itself": (certificate(tmp_path, HOST, name="self"), None),
        "another authority": (certificate(tmp_path, HOST, issuer=other, name="other"), authority),
        "public authorities are not trusted": (certificate(tmp_path, HOST, issuer=authority, name="own"), other),
        "another host": (certificate(tmp_path, "other.example", issuer=authority), authority),
        "the address": (certificate(tmp_path, "127.0.0.1", issuer=authority), authority),
        "expired": (certificate(tmp_path, HOST, days=(-3, -1), issuer=authority, name="old"), authority),
        "not yet valid": (certificate(tmp_path, HOST, days=(1, 3), issuer=authority, name="young"), authority),
    }
    for name, (own, trusted) in cases.items():
        async with serving(answering(b"{}"), server_tls(own)) as server:
            with pytest.raises(FetchFault, match="CERTIFICATE_VERIFY_FAILED"):
                await named(HOST).fetch(server.url_of(HOST), certificate_text(trusted) if trusted else None)
            assert server.requests == [], name


async def test_what_one_source_trusts_no_other_does(tmp_path: Path) -> None:
    authority = certificate(tmp_path, "authority")
    own = certificate(tmp_path, HOST, issuer=authority)
    async with serving(answering(b"{}"), server_tls(own)) as server:
        one = named(HOST)
        await one.fetch(server.url_of(HOST), certificate_text(authority))
        for ca_pem in (None, certificate_text(certificate(tmp_path, "another"))):
            with pytest.raises(FetchFault, match="CERTIFICATE_VERIFY_FAILED"):
                await one.fetch(server.url_of(HOST), ca_pem)
        assert len(server.requests) == 1


@pytest.mark.parametrize("ca_pem", ["", "not a certificate"])
async def test_a_private_ca_that_cannot_be_read_is_a_fault_and_not_the_usual_trust(ca_pem: str) -> None:
    with pytest.raises(FetchFault, match="private CA"):
        await named(HOST).fetch("https://issuer.example/", ca_pem)


# ---------------------------------------------------------------- addresses


def answers_of(table: dict[str, list[str]]) -> Resolve:
    async def resolve(host: str, _port: int) -> list[str]:
        return table[host]

    return resolve


class Recorder(httpcore.AsyncMockBackend):
    """Connects nowhere; remembers where to it was asked to, and fails for ``dead`` addresses."""

    def __init__(self, *dead: str) -> None:
        super().__init__([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}"])
        self.dead = dead
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, port: int, *rest: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if host in self.dead:
            raise httpcore.ConnectError
        return await super().connect_tcp(host, port, *rest, **more)


def recorded(addresses: list[str], *dead: str, **options: Any) -> tuple[Fetcher, Recorder]:
    recorder = Recorder(*dead)
    return Fetcher(resolve=answers_of({HOST: addresses}), network=recorder, **options), recorder


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    looked_up: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        """First public, then this machine: the second answer must never be asked for (security A86)."""
        looked_up.append(host)
        return ["93.184.215.14"] if len(looked_up) == 1 else ["127.0.0.1"]

    recorder = Recorder()
    await Fetcher(resolve=rebinding, network=recorder).fetch(f"https://{HOST}/jwks")
    assert (looked_up, recorder.asked) == ([HOST], ["93.184.215.14"])
    with pytest.raises(FetchFault, match="address that keys are not fetched from"):
        await Fetcher(resolve=rebinding, network=recorder).fetch(f"https://{HOST}/jwks")
    assert recorder.asked == ["93.184.215.14"]


FORBIDDEN = [
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.192",
    "192.88.99.1",
    "100.100.100.200",
    "224.0.0.251",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "3fff::1",
    "100::1",
    "5f00::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("mixed", [False, True], ids=["alone", "beside a public one"])
@pytest.mark.parametrize("address", FORBIDDEN)
async def test_a_name_with_a_forbidden_address_is_not_fetched_from(address: str, *, mixed: bool) -> None:
    found = ["93.184.215.14", address] if mixed else [address]
    for allow_loopback in (False, True):
        fetcher, recorder = recorded(found, allow_loopback=allow_loopback)
        with pytest.raises(FetchFault, match="address that keys are not fetched from"):
            await fetcher.fetch(f"https://{HOST}/jwks")
        assert recorder.asked == []


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
async def test_a_public_address_is_connected_to(address: str) -> None:
    fetcher, recorder = recorded([address])
    assert (await fetcher.fetch(f"https://{HOST}/jwks")).document == b"{}"
    assert recorder.asked == [address]


async def test_a_dead_address_is_followed_by_the_next() -> None:
    fetcher, recorder = recorded(["2606:4700:4700::1111", "8.8.8.8", "8.8.8.8"], "2606:4700:4700::1111")
    assert (await fetcher.fetch(f"https://{HOST}/jwks")).document == b"{}"
    assert recorder.asked == ["2606:4700:4700::1111", "8.8.8.8"]
    fetcher, recorder = recorded(["1.1.1.1", "8.8.8.8"], "1.1.1.1", "8.8.8.8")
    with pytest.raises(FetchFault, match="ConnectError"):
        await fetcher.fetch(f"https://{HOST}/jwks")


@pytest.mark.parametrize("found", [[], ["not an address"]])
async def test_a_name_without_an_address_is_a_fault(found: list[str]) -> None:
    fetcher, recorder = recorded(found)
    with pytest.raises(FetchFault, match="address"):
        await fetcher.fetch(f"https://{HOST}/jwks")
    assert recorder.asked == []


async def test_a_name_that_cannot_be_looked_up_is_a_fault() -> None:
    async def failing(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(FetchFault, match="gaierror"):
        await Fetcher(resolve=failing).fetch(f"https://{HOST}/jwks")


async def test_looking_up_counts_for_the_deadline() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(FetchFault, match="within"):
        await Fetcher(resolve=never, deadline=0.05).fetch(f"https://{HOST}/jwks")


NETWORKS = [
    ipaddress.ip_network(text) for text in ("10.1.0.0/16", "fd00::/8", "169.254.0.0/16", "fe80::/10", "0.0.0.0/8")
]


@pytest.mark.parametrize("address", ["10.1.2.3", "fd12:3456::1", "::ffff:10.1.2.3"])
async def test_a_listed_network_is_allowed_over_https_alone(address: str) -> None:
    fetcher, recorder = recorded([address], networks=NETWORKS)
    await fetcher.fetch(f"https://{HOST}/jwks")
    assert recorder.asked == [address]
    with pytest.raises(FetchFault, match="https"):
        await fetcher.fetch(f"http://{HOST}/jwks")
    literal = f"[{address}]" if ":" in address else address
    assert url_problem(f"https://{literal}/", allow_loopback=False, networks=NETWORKS) is None
    assert url_problem(f"http://{literal}/", allow_loopback=False, networks=NETWORKS) is not None


@pytest.mark.parametrize(
    "address", ["10.2.0.1", "169.254.169.254", "169.254.1.1", "fd00:ec2::254", "fe80::1", "0.0.0.0", "224.0.0.1"]
)
async def test_listing_a_network_never_opens_what_hands_out_credentials(address: str) -> None:
    fetcher, recorder = recorded([address], networks=NETWORKS)
    with pytest.raises(FetchFault, match="not fetched from"):
        await fetcher.fetch(f"https://{HOST}/jwks")
    assert recorder.asked == []


@pytest.mark.parametrize("found", [["8.8.8.8"], ["127.0.0.1", "10.0.0.1"]])
async def test_without_tls_nothing_but_loopback_is_spoken_to(found: list[str]) -> None:
    """Whoever can make localhost point elsewhere must not get a request without TLS."""
    recorder = Recorder()
    fetcher = Fetcher(allow_loopback=True, resolve=answers_of({"localhost": found}), network=recorder)
    with pytest.raises(FetchFault, match="not fetched from"):
        await fetcher.fetch("http://localhost/jwks")
    assert recorder.asked == []


# ---------------------------------------------------------------- freshness


@pytest.mark.parametrize(
    ("headers", "max_age"),
    [
        ([], None),
        (["Cache-Control: max-age=600"], 600),
        (["Cache-Control: public, Max-Age=600, must-revalidate"], 600),
        (['Cache-Control: max-age="600"'], 600),
        (["Cache-Control: max-age=600", "Cache-Control: max-age=60"], 60),
        (["Cache-Control: max-age=600", "Age: 100"], 500),
        (["Cache-Control: max-age=600", "Age: 700"], 0),
        (["Cache-Control: max-age=600", "Age: young"], 600),
        (["Cache-Control: max-age=-1"], None),
        (["Cache-Control: max-age=99999999999999"], None),
        (["Cache-Control: s-maxage=600"], None),
        (["Cache-Control: no-store"], None),
        (["Expires: Thu, 01 Jan 2099 00:00:00 GMT"], None),
    ],
)
async def test_how_long_the_answer_says_it_stays_true(headers: list[str], max_age: int | None) -> None:
    async with serving(answering(b"{}", *headers)) as server:
        assert (await fetcher().fetch(server.url)).max_age == max_age


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
