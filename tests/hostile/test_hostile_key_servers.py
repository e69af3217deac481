"""Key servers that misbehave (rows A84-A101), against the running process."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from assay.key_sources import JwksSource
from tests.hostile import certificates
from tests.hostile.arena import Arena
from tests.hostile.bad_keys import slug
from tests.hostile.forging import INVALID
from tests.hostile.keyserver import Behaviour, KeyServer, document, drip, endless, held, raw, redirect
from tests.issuer import Issuer, IssuerKey, make_key

UNAVAILABLE = "trusted_token_keys_unavailable"
DEADLINE_SECONDS = 5
GOOD = make_key("RSA", "good")
ISSUER = Issuer("https://issuer.example", [GOOD])
KEYS = json.dumps(ISSUER.jwks()).encode()


def token(arena: Arena, profile_id: str, key: IssuerKey = GOOD, kid: str | None = None) -> str:
    claims = arena.forge.claims(sub=f"server|{profile_id}", email=f"{profile_id}@server.example".lower())
    return Issuer(ISSUER.url, [key]).mint(claims | {"iss": ISSUER.url}, header={"kid": kid or key.kid})


def trust(arena: Arena, name: str, behaviour: Behaviour) -> tuple[str, str]:
    """A profile whose keys are served like this; its id, and the path."""
    profile_id = slug(name)
    path = f"/servers/{profile_id}"
    arena.add_profile(profile_id, jwks_url=arena.keys.answer(path, behaviour))
    return profile_id, path


def unavailable(arena: Arena, profile_id: str) -> str:
    """Nobody can be judged by this profile's keys; the private reason."""
    return arena.refused(token(arena, profile_id), UNAVAILABLE, profile_id, 503).reason


@pytest.fixture(scope="module")
def strict(arena: Arena) -> Iterator[Arena]:
    """Another process over the same store, without leave to fetch keys from loopback."""
    with arena.assay.serving(environ={"ASSAY_ALLOW_LOOPBACK_KEY_URLS": "0"}) as server:
        other = arena.beside(server)
        yield other
        other.http.close()
        assert other.leaks() == []


FORBIDDEN_URLS = {
    "A84 file": "file:///etc/passwd",
    "A84 ftp": "ftp://127.0.0.1:PORT/jwks",
    "A84 data": "data:application/json,%7B%22keys%22%3A%5B%5D%7D",
    "A84 gopher": "gopher://127.0.0.1:PORT/_",
    "A84 unix": "unix:///var/run/x",
    "A84 no scheme": "127.0.0.1:PORT/jwks",
    "A84 upper case": "FILE:///etc/passwd",
    "A85 loopback": "http://127.0.0.1:PORT/jwks",
    "A85 loopback over TLS": "https://127.0.0.1:PORT/jwks",
    "A85 localhost": "https://localhost:PORT/jwks",
    "A85 localhost with a dot": "https://localhost.:PORT/jwks",
    "A85 below localhost": "https://x.localhost:PORT/jwks",
    "A85 loopback, another": "https://127.9.9.9:PORT/jwks",
    "A85 decimal": "https://2130706433:PORT/jwks",
    "A85 octal": "https://0177.0.0.1:PORT/jwks",
    "A85 hexadecimal": "https://0x7f.0.0.1:PORT/jwks",
    "A85 short": "https://127.1:PORT/jwks",
    "A85 this host": "https://0.0.0.0:PORT/jwks",
    "A85 IPv6 loopback": "https://[::1]:PORT/jwks",
    "A85 IPv4 in IPv6": "https://[::ffff:127.0.0.1]:PORT/jwks",
    "A85 IPv4 in NAT64": "https://[64:ff9b::7f00:1]:PORT/jwks",
    "A85 IPv4 in 6to4": "https://[2002:7f00:1::]:PORT/jwks",
    "A85 metadata": "https://169.254.169.254/latest/meta-data",
    "A85 metadata with a public number": "https://168.63.129.16/metadata",
    "A85 IPv6 metadata": "https://[fd00:ec2::254]/latest/meta-data",
    "A85 private 10": "https://10.0.0.1/jwks",
    "A85 private 172": "https://172.16.0.1/jwks",
    "A85 private 192": "https://192.168.0.1/jwks",
    "A85 shared": "https://100.64.0.1/jwks",
    "A85 multicast": "https://224.0.0.1/jwks",
    "A85 IPv6 link-local": "https://[fe80::1]/jwks",
    "A85 IPv6 unique local": "https://[fc00::1]/jwks",
    "A85 user name": "https://issuer.example@127.0.0.1:PORT/jwks",
    "A85 backslash": "https://issuer.example\\@127.0.0.1:PORT/jwks",
    "A85 plain http": "http://issuer.example/jwks",
    "A85 fragment": "https://issuer.example/#@127.0.0.1:PORT/",
    "A85 white space": "https://127.0.0.1:PORT /jwks",
    "A85 a full stop of another script": "https://127\u30020\u30020\u30021:PORT/jwks",
}


@pytest.mark.parametrize("name", FORBIDDEN_URLS)
def test_a_key_url_that_points_inside_is_a_problem_and_never_fetched(strict: Arena, name: str) -> None:
    profile_id = slug(name)
    url = FORBIDDEN_URLS[name].replace("PORT", str(strict.trap.port))
    strict.add_profile(profile_id, jwks_url=url)
    started = time.monotonic()
    assert unavailable(strict, profile_id)
    assert time.monotonic() - started < 2
    assert strict.trap.connections == 0


@pytest.mark.parametrize("name", [name for name in FORBIDDEN_URLS if name.startswith("A84")])
def test_a_scheme_other_than_https_is_a_problem_even_on_loopback(arena: Arena, name: str) -> None:
    url = FORBIDDEN_URLS[name].replace("PORT", str(arena.trap.port))
    assert arena.add_profile(slug(f"{name} loopback"), jwks_url=url)
    assert unavailable(arena, slug(f"{name} loopback"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("inside", [False, True], ids=["to the trap", "to the keys themselves"])
def test_a87_no_redirect_is_followed(arena: Arena, status: int, *, inside: bool) -> None:
    target = f"/servers/target-{status}"
    arena.keys.answer(target, raw(KEYS))
    url = arena.keys.url + target if inside else f"{arena.trap.url}/jwks"
    profile_id, path = trust(arena, f"A87 {status} {inside}", redirect(url, status, KEYS))
    assert str(status) in unavailable(arena, profile_id)
    assert (arena.keys.hits[path], arena.keys.hits[target]) == (1, 0)


def test_a87_neither_refresh_nor_link_is_followed(arena: Arena) -> None:
    lines = {"Refresh": f"0; url={arena.trap.url}", "Link": f"<{arena.trap.url}>; rel=alternate"}
    profile_id, _ = trust(arena, "A87 refresh", raw(b"{}", headers=lines))
    assert unavailable(arena, profile_id)


def test_a88_a_body_without_end_is_left_early(arena: Arena) -> None:
    sent: list[int] = []
    profile_id, _ = trust(arena, "A88 endless", endless(sent))
    started = time.monotonic()
    assert unavailable(arena, profile_id)
    assert time.monotonic() - started < DEADLINE_SECONDS
    for _ in range(200):
        if sent:
            break
        threading.Event().wait(0.02)  # the server notices a moment later that nobody listens
    assert sent[0] < 20 * 1024 * 1024


def test_a88_a_long_body_with_good_keys_at_its_head_is_refused(arena: Arena) -> None:
    long = KEYS[:-1] + b"," + b" " * 600_000 + b'"x":1}'
    profile_id, _ = trust(arena, "A88 long", raw(long))
    assert unavailable(arena, profile_id)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-unknown", "gzip, identity"])
def test_a89_a_compressed_body_is_refused_unopened(arena: Arena, encoding: str) -> None:
    bomb = gzip.compress(KEYS + b" " * 60_000_000) if encoding == "gzip" else gzip.compress(KEYS)
    profile_id, path = trust(arena, f"A89 {encoding}", raw(bomb, headers={"Content-Encoding": encoding}))
    assert "compress" in unavailable(arena, profile_id)
    assert arena.keys.headers[path]["accept-encoding"] == "identity"


def test_a90_a93_a_drip_ends_at_the_deadline_and_delays_nobody_else(arena: Arena) -> None:
    """One key set drips from the start, another one once it is known; its known key goes on serving meanwhile."""
    stop = threading.Event()
    dripping, _ = trust(arena, "A90 drip", drip(KEYS, stop))
    known, path = trust(arena, "A93 known", raw(KEYS))
    arena.granted(token(arena, known), known)
    arena.keys.answer(path, drip(KEYS, stop))
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(arena.attest, token(arena, dripping), dripping)
        second = pool.submit(arena.attest, token(arena, known, kid="unknown"), known)
        for _ in range(5):
            one = time.monotonic()
            arena.attest(token(arena, known), known).raise_for_status()
            assert time.monotonic() - one < 2
        assert first.result().json()["error_type"] == UNAVAILABLE
        assert second.result().status_code in {400, 503}
    stop.set()
    assert DEADLINE_SECONDS - 1 < time.monotonic() - started < DEADLINE_SECONDS + 3


def test_a91_a_flood_of_unknown_kids_causes_one_fetch_and_delays_nobody(arena: Arena) -> None:
    profile_id, path = trust(arena, "A91 flood", raw(KEYS))
    arena.granted(token(arena, profile_id), profile_id)
    for number in range(200):
        arena.attest(token(arena, profile_id, kid=f"unknown-{number}"), profile_id)
    started = time.monotonic()
    arena.granted(token(arena, profile_id), profile_id)
    assert time.monotonic() - started < 1
    assert arena.keys.hits[path] <= 2


def test_a92_while_the_endpoint_fails_it_is_hardly_asked(arena: Arena) -> None:
    profile_id, path = trust(arena, "A92 failing", raw(b"", status=500))
    for number in range(50):
        answer = arena.attest(token(arena, profile_id, kid=f"unknown-{number}"), profile_id)
        assert (answer.status_code, answer.json()["error_type"]) == (503, UNAVAILABLE)
        assert int(answer.headers["retry-after"]) > 0
    assert arena.keys.hits[path] <= 2


OUTAGES: dict[str, Behaviour] = {
    "A94 500": raw(b"", status=500),
    "A94 404": raw(b"", status=404),
    "A94 broken off": raw(KEYS[:40], headers={"Content-Length": "4000"}),
    "A94 redirect": redirect("https://issuer.example/moved"),
    "A97 empty set": document({"keys": []}),
    "A97 no usable key": document({"keys": [None, {"kty": "oct", "k": "AAAA"}]}),
    "A97 empty object": document({}),
    "A98 HTML": raw(b"<!doctype html><title>Maintenance</title>", content_type="text/html"),
    "A98 nothing": raw(b"", status=204),
    "A98 nothing with 200": raw(b""),
    "A98 a number": raw(b"1"),
    "A98 JSON and more": raw(KEYS + b"x"),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_the_last_good_keys_serve_through_an_outage(arena: Arena, name: str) -> None:
    profile_id, path = trust(arena, name, raw(KEYS))
    arena.granted(token(arena, profile_id), profile_id)
    arena.keys.answer(path, OUTAGES[name])
    answer = arena.attest(token(arena, profile_id, kid="unknown"), profile_id)
    assert answer.status_code in {400, 503}
    arena.granted(token(arena, profile_id), profile_id)


@pytest.mark.parametrize("name", OUTAGES)
def test_what_is_no_key_set_is_none_from_the_start(arena: Arena, name: str) -> None:
    profile_id, path = trust(arena, f"{name} first", OUTAGES[name])
    assert unavailable(arena, profile_id)
    arena.keys.answer(path, raw(KEYS))


@pytest.mark.parametrize("status", [201, 203, 206, 226, 300, 304, 403, 404, 410, 500, 599])
def test_a98_good_keys_under_a_status_other_than_200_are_refused(arena: Arena, status: int) -> None:
    profile_id, _ = trust(arena, f"A98 status {status}", raw(KEYS, status=status))
    assert str(status) in unavailable(arena, profile_id)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html; charset=utf-8", "application/octet-stream", "x"])
def test_a98_a_wrong_content_type_alone_is_no_reason(arena: Arena, content_type: str) -> None:
    profile_id, _ = trust(arena, f"A98 type {content_type}", raw(KEYS, content_type=content_type))
    arena.granted(token(arena, profile_id), profile_id)


def test_a94_a96_another_worker_and_a_restart_live_on_what_was_fetched(arena: Arena) -> None:
    """What one process fetched serves the next, even while the issuer is away, and the two ask no more than one."""
    profile_id, path = trust(arena, "A94 restart", raw(KEYS))
    arena.granted(token(arena, profile_id), profile_id)
    arena.keys.answer(path, raw(b"", status=503))
    with arena.assay.serving() as server:
        other = arena.beside(server)
        other.granted(token(arena, profile_id), profile_id)
        for number in range(20):
            for worker in (arena, other):
                assert worker.attest(token(arena, profile_id, kid=f"u-{number}"), profile_id).status_code in {400, 503}
        other.granted(token(arena, profile_id), profile_id)
        assert arena.keys.hits[path] <= 2
        other.http.close()
        assert other.leaks() == []


CERTIFICATES: dict[str, Callable[[], certificates.Chain]] = {
    "A99 self-signed": certificates.self_signed,
    "A99 unknown authority": certificates.issued,
    "A99 expired": lambda: certificates.issued(days=-1),
    "A99 another host": lambda: certificates.issued(name="issuer.example"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a99_a_certificate_that_proves_nothing_is_refused(arena: Arena, name: str) -> None:
    with KeyServer.running(CERTIFICATES[name]().context()) as keys:
        profile_id = slug(name)
        arena.add_profile(profile_id, jwks_url=keys.answer("/jwks", raw(KEYS)))
        assert "certificate" in unavailable(arena, profile_id).lower()
        assert not keys.hits


@pytest.mark.parametrize(
    ("name", "chain", "granted"),
    [
        ("good", {}, True),
        ("expired", {"days": -1}, False),
        ("another host", {"name": "issuer.example"}, False),
        ("another address", {"name": "127.0.0.2"}, False),
    ],
    ids=["good", "expired", "another host", "another address"],
)
def test_a99_a_private_authority_excuses_nothing_else(
    arena: Arena, name: str, chain: dict[str, Any], *, granted: bool
) -> None:
    """With the authority named in the profile, dates and names are still checked."""
    made = certificates.issued(**chain)
    with KeyServer.running(made.context()) as keys:
        profile_id, url = slug(f"A99 CA {name}"), keys.answer("/jwks", raw(KEYS))
        arena.add_profile(profile_id, key_sources=(JwksSource(url=url, ca_pem=made.authority_pem),))
        if granted:
            arena.granted(token(arena, profile_id), profile_id)
        else:
            assert "certificate" in unavailable(arena, profile_id).lower()
        assert bool(keys.hits) == granted


def test_a100_keys_are_known_by_profile_not_by_kid(arena: Arena) -> None:
    mine, theirs = make_key("RSA", "same"), IssuerKey("same", make_key("RSA", "theirs").private_key)
    first, _ = trust(arena, "A100 first", document({"keys": [mine.jwk()]}))
    second, _ = trust(arena, "A100 second", document({"keys": [theirs.jwk()]}))
    for _ in range(2):
        arena.granted(token(arena, first, mine), first)
        arena.granted(token(arena, second, theirs), second)
        arena.refused(token(arena, second, mine), INVALID, second)
        arena.refused(token(arena, first, theirs), INVALID, first)


def test_a101_an_answer_for_an_older_version_of_the_profile_counts_no_more(arena: Arena) -> None:
    """The keys are changed because one of them leaked; a fetch of the old ones is under way at that moment."""
    asked, release = threading.Event(), threading.Event()
    new = make_key("RSA", "new")
    profile_id, _ = trust(arena, "A101 changed", held(KEYS, asked, release))
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(arena.attest, token(arena, profile_id), profile_id)
        assert asked.wait(10)
        arena.change_profile(profile_id, jwks_url=arena.keys.answer("/servers/new", document({"keys": [new.jwk()]})))
        release.set()
        assert old.result().json().get("error_type") == INVALID
    arena.refused(token(arena, profile_id), INVALID, profile_id)
    arena.granted(token(arena, profile_id, new), profile_id)
