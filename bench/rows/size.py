"""What size does: ten million stored sessions beside ten thousand, and memory after a million attests."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack

from bench import fill
from bench.bench import Bench
from bench.figures import Figure, cpu_ratio
from bench.installation import PEOPLE, Installation
from bench.load import drive
from bench.processes import BenchFault
from bench.results import Row
from bench.rounds import Target, interleaved, plain

FEW = 10_000
SESSIONS_OF_ONE = 10
MOST_MEGABYTES = 110
MOST_GROWTH = 5
STEP_SECONDS = 5
SETTLED_SHARE = 0.3
"""Growth is judged from here on: before, caches and pools fill."""


def stored(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """Attest among many stored sessions and among few; a tenth as many people."""
    facts: list[str] = []
    with ExitStack() as stack:
        targets = []
        for name, sessions in (("few", FEW), ("many", bench.sessions)):
            people = max(PEOPLE, sessions // SESSIONS_OF_ONE)
            installation = _filled(bench, name, people, sessions, facts)
            server = stack.enter_context(installation.serving())
            requests = installation.attest_bodies("attest", bench.people(people))
            targets.append(Target(name=name, server=server, requests=requests))
        taken = interleaved(targets, bench.plan)
    yield Row(
        name="sessions",
        title=f"attest with {bench.sessions:,} sessions stored, and with {FEW:,}",
        figures=(
            Figure(
                name="many/few",
                title=f"attest with {bench.sessions:,} sessions stored vs {FEW:,}, CPU",
                value=cpu_ratio(taken["many"], taken["few"]),
                unit="×",
                wanted="at most",
                limit=1.2,
            ),
            *plain("few", taken),
            *plain("many", taken),
        ),
        samples={name: tuple(samples) for name, samples in taken.items()},
        facts=tuple(facts),
    )


def _filled(bench: Bench, name: str, people: int, sessions: int, facts: list[str]) -> Installation:
    installation = bench.install(f"assay-{name}")
    with installation.serving() as server:
        installation.meet(server, [0])
    seconds = fill.fill(installation.file, people, sessions)
    size = installation.file.stat().st_size / 1e6
    facts.append(f"{name}: {sessions:,} sessions of {people:,} people, a file of {size:,.0f} MB.")
    print(f"  {facts[-1]} Filled in {seconds:.0f} s.", flush=True)
    return installation


def memory(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """Attest so many times in one worker, and look at its memory on the way."""
    algorithm, installation = _quick(bench)
    points: list[tuple[float, float]] = []
    errors = 0
    with installation.serving() as server:
        installation.meet(server, range(PEOPLE))
        requests = installation.attest_bodies("attest", bench.people())
        done = PEOPLE
        points.append((done, server.memory() / 1e6))
        while done < bench.attests and time.monotonic() < bench.plan.deadline:
            load = drive(server.url, requests, STEP_SECONDS)
            done, errors = done + load.requests - load.errors, errors + load.errors
            points.append((done, server.memory() / 1e6))
            print(f"\r  {done:,} attests, {points[-1][1]:.0f} MB", end="", flush=True)
        own = server.memory("RssAnon") / 1e6
    print()
    settled = next((size for count, size in points if count >= SETTLED_SHARE * done), points[-1][1])
    whole = done >= bench.attests and not errors
    why = "" if whole else f"{done:,} attests only, {errors} errors"
    yield Row(
        name="memory",
        title=f"memory of a worker over {done:,} attests",
        figures=(
            Figure(
                name="memory",
                title=f"memory per worker after {done:,} attests",
                value=points[-1][1],
                unit="MB",
                wanted="at most",
                limit=MOST_MEGABYTES,
                note=why,
            ),
            Figure(
                name="growth",
                title=f"growth of it over the last {1 - SETTLED_SHARE:.0%} of them",
                value=points[-1][1] - settled,
                unit="MB",
                wanted="at most",
                limit=MOST_GROWTH,
            ),
        ),
        series={"memory": tuple(points)},
        facts=(
            f"Session JWTs were signed with {algorithm}.",
            f"Resident memory; {own:.0f} MB of it are the process's own, the rest are pages of files.",
        ),
    )


def _quick(bench: Bench) -> tuple[str, Installation]:
    """An Assay that attests as fast as it can: with ES256 a million take a third of the time."""
    try:
        return "ES256", bench.install("assay-memory", "ES256")
    except BenchFault:
        return "RS256", bench.install("assay-memory-rs256")
