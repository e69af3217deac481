"""Whether time tells what the answer does not: pairs of requests that are refused alike, asked in random order."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

from bench import tokens
from bench.bench import Bench
from bench.figures import Figure, difference
from bench.installation import ATTEST, AUTHENTICATE, Installation, attest_body, basic
from bench.keyserver import key_server
from bench.processes import LOAD_CORE, on_core
from bench.results import Row

TRIES = 3000
PREFIX_TRIES = 50_000
PROFILE = "published"
BULKY_MS = 5.0


class Pair(NamedTuple):
    """Two requests that must not be told apart; ``tries`` of each."""

    name: str
    title: str
    first: bytes
    second: bytes
    tries: int = TRIES


def measure(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """The row."""
    installation, chance = bench.install("assay-timing"), random.Random(1)  # the order, not a secret
    with key_server(bench.partner.jwk()) as url, installation.serving() as server, on_core(LOAD_CORE):
        installation.create_profile(PROFILE, "--jwks-url", url, "--allow-problems")
        met = installation.meet(server, range(20))
        figures = []
        with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
            for pair in _pairs(installation, str(met[-1]["session_token"])):
                figures.append(_compared(connection, pair, chance))
                print(f"  {figures[-1].title}: {figures[-1].value:.1f} µs; {figures[-1].note}", flush=True)
            figures.append(_bulky(connection, installation))
    yield Row(
        name="timing",
        title="what time tells",
        figures=tuple(figures),
        facts=(
            (
                "Two requests that are refused alike are asked in random order over one connection. Noise is what the"
                " medians of the same waits differ by in 99 of 100 random ways to deal them into two."
            ),
        ),
    )


def _pairs(installation: Installation, session_token: str) -> Iterator[Pair]:
    """The pairs, each a known and an unknown."""
    partner, own = installation.partner, installation.authorization
    body = attest_body(partner.mint(0))
    yield Pair(
        "project",
        "wrong secret of a known project, and of an unknown one (R44)",
        _request(ATTEST, body, basic(installation.project_id, "wrong")),
        _request(ATTEST, body, basic(installation.project_id[:-4] + "0000", "wrong")),
    )
    yield Pair(
        "kid",
        "wrong signature under a known kid, and under an unknown one (A104)",
        _request(ATTEST, attest_body(partner.forge(0), PROFILE), own),
        _request(ATTEST, attest_body(partner.of_unknown_kid(0), PROFILE), own),
    )
    yield Pair(
        "strange kid",
        "unknown kid of the usual form, and one that looks like SQL (R12)",
        _request(ATTEST, attest_body(partner.of_unknown_kid(0), PROFILE), own),
        _request(ATTEST, attest_body(_signed_by("'; drop table"), PROFILE), own),
    )
    yield Pair(
        "session",
        "wrong token of a known session, and of an unknown one (A104)",
        _authenticate(session_token[:-8] + "AAAAAAAA", own),
        _authenticate("A" + session_token[1:-8] + "AAAAAAAA", own),
    )
    yield Pair(
        "prefix",
        "wrong token that begins like the good one, and one that ends so (R45)",
        _authenticate(session_token[:-1] + ("A" if session_token[-1] != "A" else "E"), own),
        _authenticate(session_token[:12] + ("A" if session_token[12] != "A" else "E") + session_token[13:], own),
        PREFIX_TRIES,
    )


def _signed_by(kid: str) -> str:
    return f"{tokens.unsigned(kid, 0)}.{tokens.encode(tokens.noise())}"


def _compared(connection: socket.socket, pair: Pair, chance: random.Random) -> Figure:
    first: list[float] = []
    second: list[float] = []
    asked = ((pair.first, first), (pair.second, second))
    order = [number % 2 for number in range(2 * pair.tries)]
    chance.shuffle(order)
    for request, _ in asked:
        for _ in range(50):
            _wait(connection, request)
    for number in order:
        request, waits = asked[number]
        waits.append(_wait(connection, request))
    observed, noise = difference(first, second, chance)
    return Figure(
        name=pair.name,
        title=pair.title,
        value=observed,
        unit="µs",
        wanted="at most",
        limit=round(noise, 1),
        note=f"{pair.tries:,} tries of each; noise {noise:.1f} µs of {sorted(first)[len(first) // 2]:.0f} µs",
    )


def _bulky(connection: socket.socket, installation: Installation) -> Figure:
    """A JWE that asks for two thousand million rounds of PBKDF2; the median of some tries."""
    header = tokens.encode({"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "c2FsdA"})
    token = ".".join([header, *(["AAAA"] * 4)])
    request = _request(ATTEST, attest_body(token), installation.authorization)
    waits = sorted(_wait(connection, request) for _ in range(200))
    return Figure(
        name="jwe",
        title="a JWE with PBES2 and p2c 2³¹ - 1 is refused within (R17)",
        value=waits[len(waits) // 2] / 1000,
        unit="ms",
        wanted="at most",
        limit=BULKY_MS,
    )


def _authenticate(session_token: str, authorization: str) -> bytes:
    return _request(AUTHENTICATE, {"session_token": session_token}, authorization)


def _request(path: str, body: Mapping[str, object], authorization: str) -> bytes:
    text = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: {authorization}"
    )
    return f"{head}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def _wait(connection: socket.socket, request: bytes) -> float:
    """Microseconds until the whole answer is there."""
    begun = time.perf_counter_ns()
    connection.sendall(request)
    answer = connection.recv(65536)
    while not _is_whole(answer):
        answer += connection.recv(65536)
    return (time.perf_counter_ns() - begun) / 1000


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    start = head.find(b"content-length: ") + 16
    return start > 15 and len(body) >= int(head[start:].split(b"\r", 1)[0])  # noqa: PLR2004 - found at all
