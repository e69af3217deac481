"""Attest and authenticate at saturation, beside the floor, a raw echo, and two peers: all in the same rounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.bench import Bench, counted
from bench.figures import Figure, Sample, cpu_ratio, median, quotable, rate_ratio, spread
from bench.installation import AUTHENTICATE, PEOPLE, Installation, calling
from bench.load import Requests
from bench.peer_servers import PEERS
from bench.processes import BenchFault, Server, free_port, serving
from bench.results import Row
from bench.rounds import Taken, Target, interleaved, plain

NAMES = ("attest", "attest-es256", "authenticate", "peers")
SESSIONS = 500
"""Sessions that are authenticated in turn."""


def measure(names: Collection[str], bench: Bench) -> Iterator[Row]:
    """The rows asked for."""
    with ExitStack() as stack:
        targets = list(_targets(names, bench, stack))
        taken = interleaved(targets, bench.plan)
    for name, made in ROWS.items():
        if name in names:
            yield made(taken)


def _targets(names: Collection[str], bench: Bench, stack: ExitStack) -> Iterator[Target]:
    rs256 = bench.install("assay")
    server, counters = stack.enter_context(counted(rs256))
    sessions = [met["session_token"] for met in rs256.meet(server, range(PEOPLE))]
    if {"attest", "peers"} & set(names):
        attests = rs256.attest_bodies("attest", bench.people())
        yield Target(name="attest", server=server, requests=attests)
        if "peers" in names:
            yield from _peers(bench, rs256, attests, stack)
    if "attest-es256" in names:
        yield from _es256(bench, stack)
    if "authenticate" in names:
        bodies = rs256.authenticate_bodies("authenticate", sessions[:SESSIONS])
        yield Target(name="authenticate", server=server, requests=bodies, signs=None, counters=counters)
        echoing = stack.enter_context(echo(bench.folder, rs256, server, sessions[0]))
        yield Target(name="echo", server=echoing, requests=bodies, signs=None)


def _es256(bench: Bench, stack: ExitStack) -> Iterator[Target]:
    try:
        installation = bench.install("assay-es256", "ES256")
    except BenchFault as fault:
        print(f"  attest-es256 is left out: {fault}")
        return
    server = stack.enter_context(installation.serving())
    installation.meet(server, range(PEOPLE))
    attests = installation.attest_bodies("attest", bench.people())
    yield Target(name="attest-es256", server=server, requests=attests, signs="ES256")


def _peers(bench: Bench, assay: Installation, attests: Requests, stack: ExitStack) -> Iterator[Target]:
    for peer in PEERS:
        try:
            server = stack.enter_context(peer.serving(bench.folder, assay, PEOPLE))
        except BenchFault as fault:
            print(f"  {peer.name} is left out: {fault}")
            continue
        yield Target(name=peer.name, server=server, requests=attests)


@contextmanager
def echo(folder: Path, installation: Installation, server: Server, session_token: str) -> Iterator[Server]:
    """A raw echo of the answer to one authenticate."""
    with calling(server, installation.authorization) as call:
        answer = call(AUTHENTICATE, {"session_token": session_token})
    answer.json()
    path, port = folder / "echo.json", free_port()
    kept = {"status": answer.status, "headers": answer.headers, "body": answer.body.decode()}
    path.write_text(json.dumps(kept), encoding="utf-8")
    arguments = [sys.executable, "-m", "bench.echo", str(path), str(port)]
    with serving(arguments, port, folder / "echo.log", installation.environ) as echoing:
        yield echoing


def _attest(taken: Taken) -> Row:
    return Row(
        name="attest",
        title="attest: RS256 in, RS256 session JWT",
        figures=(
            of_floor("attest", "attest, RS256 session JWT: floor ÷ own CPU per request", taken, 0.60, 0.70),
            *plain("attest", taken),
        ),
        samples=_kept(taken, "attest"),
        facts=_facts(taken, "attest"),
    )


def _attest_es256(taken: Taken) -> Row:
    name = "attest-es256"
    return Row(
        name=name,
        title="attest: RS256 in, ES256 session JWT",
        figures=(
            of_floor(name, "attest, ES256 session JWT: floor ÷ own CPU per request", taken, 0.25, 0.40),
            *plain(name, taken),
        ),
        samples=_kept(taken, name),
        facts=_facts(taken, name),
    )


def _authenticate(taken: Taken) -> Row:
    ratio = Figure(
        name="authenticate/echo",
        title="authenticate by token, JWT reused: requests/s ÷ raw ASGI echo of the same bytes",
        value=rate_ratio(taken["authenticate"], taken["echo"]),
        wanted="at least",
        limit=0.40,
        aim=0.50,
        note=hit_rate(taken["authenticate"]),
    )
    in_cpu = Figure(
        name="echo-cpu/authenticate",
        title="the same as CPU of the echo ÷ own CPU",
        value=cpu_ratio(taken["echo"], taken["authenticate"]),
    )
    return Row(
        name="authenticate",
        title="authenticate by session token",
        figures=(ratio, in_cpu, *plain("authenticate", taken), *plain("echo", taken)),
        samples=_kept(taken, "authenticate", "echo"),
        facts=_facts(taken, "authenticate", "echo"),
    )


def _against_peers(taken: Taken) -> Row:
    figures = [
        Figure(
            name=f"attest/{peer.name}",
            title=f"attest vs the {peer.title}, requests/s",
            value=rate_ratio(taken["attest"], taken.get(peer.name, [])),
            unit="×",
            wanted="at least",
            limit=peer.limit,
            note="" if peer.name in taken else "left out",
        )
        for peer in PEERS
    ]
    names = [name for name in ("attest", *(peer.name for peer in PEERS)) if name in taken]
    return Row(
        name="peers",
        title="attest beside what one would write by hand",
        figures=(*figures, *(figure for name in names for figure in plain(name, taken))),
        samples=_kept(taken, *names),
        facts=_facts(taken, *names),
    )


ROWS: dict[str, Callable[[Taken], Row]] = {
    "attest": _attest,
    "attest-es256": _attest_es256,
    "authenticate": _authenticate,
    "peers": _against_peers,
}


def of_floor(name: str, title: str, taken: Taken, limit: float, aim: float) -> Figure:
    """The floor over the server's CPU, the median of the quotable samples."""
    samples = taken.get(name, [])
    return Figure(
        name=f"floor/{name}",
        title=title,
        value=median([sample.of_floor for sample in quotable(samples)], len(samples)),
        wanted="at least",
        limit=limit,
        aim=aim,
        note="" if samples else "left out",
    )


def hit_rate(samples: list[Sample]) -> str:
    """Which part of the answers reused a JWT, if the server counts that."""
    reused = sum(sample.extra.get("assay_session_jwts_reused", 0) for sample in samples)
    signed = sum(sample.extra.get("assay_session_jwts_signed", 0) for sample in samples)
    return f"hit rate {reused / (reused + signed):.1%}" if reused + signed else "hit rate unknown"


def _kept(taken: Taken, *names: str) -> dict[str, tuple[Sample, ...]]:
    return {name: tuple(taken.get(name, ())) for name in names}


def _facts(taken: Taken, *names: str) -> tuple[str, ...]:
    told = []
    for name in names:
        samples = taken.get(name, [])
        good = quotable(samples)
        told.append(
            f"{name}: {len(good)} of {len(samples)} samples pass the checks; CPU per answer varied by"
            f" {spread([sample.cpu_us for sample in good]):.0%} between rounds."
        )
    return tuple(told)
