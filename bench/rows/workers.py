"""Two workers on both cores, with the load beside them, against one worker on a core of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator
from contextlib import ExitStack

from bench.bench import Bench
from bench.figures import Figure, rate_ratio
from bench.installation import COMMAND, PEOPLE
from bench.processes import LOAD_CORE, SERVER_CORE, BenchFault
from bench.results import Row
from bench.rounds import Target, interleaved, plain

LEAST = 1.5


def measure(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """The row, with the reason in it when this version has no workers."""
    try:
        yield _measured(bench)
    except BenchFault as fault:
        print(f"  left out: {fault}")
        yield Row(name="workers", title=TITLE, figures=(_ratio(None, str(fault).splitlines()[0]),))


TITLE = "two workers on one file"


def _measured(bench: Bench) -> Row:
    told = subprocess.run([COMMAND, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    if "--workers" not in told:
        raise BenchFault("this version has no --workers")
    with ExitStack() as stack:
        targets = []
        for name, options, cores in (
            ("one", (), (SERVER_CORE,)),
            ("two", ("--workers", "2"), (SERVER_CORE, LOAD_CORE)),
        ):
            installation = bench.install(f"assay-{name}-workers")
            server = stack.enter_context(installation.serving(*options, cores=cores))
            installation.meet(server, range(PEOPLE))
            requests = installation.attest_bodies("attest", bench.people())
            targets.append(Target(name=name, server=server, requests=requests))
        taken = interleaved(targets, bench.plan)
    return Row(
        name="workers",
        title=TITLE,
        figures=(_ratio(rate_ratio(taken["two"], taken["one"])), *plain("one", taken), *plain("two", taken)),
        samples={name: tuple(samples) for name, samples in taken.items()},
    )


def _ratio(value: float | None, note: str = "") -> Figure:
    return Figure(
        name="two/one",
        title="attest, two workers on both cores beside the load vs one, requests/s",
        value=value,
        unit="×",
        wanted="at least",
        limit=LEAST,
        note=note,
    )
