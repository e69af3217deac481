"""Where a server under load spends its time: a flame graph by py-spy, for whoever makes something cheaper."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.bench import Bench
from bench.installation import PEOPLE
from bench.load import drive
from bench.peer_servers import venv
from bench.results import ROOT

SAMPLES_PER_SECOND = 250
BESIDE_SECONDS = 2


def record(bench: Bench, what: str, seconds: int) -> Path:
    """Record a server for so many seconds of attests or authenticates; where the SVG is.

    Raises BenchFault when py-spy is not installed or may not read the server's memory.
    """
    spy, written = venv() / "bin" / "py-spy", ROOT / ".bench" / f"{what}.svg"
    written.parent.mkdir(exist_ok=True)
    installation = bench.install("assay")
    with installation.serving() as server:
        met = installation.meet(server, range(PEOPLE))
        requests = (
            installation.attest_bodies("attest", bench.people())
            if what == "attest"
            else installation.authenticate_bodies("authenticate", [one["session_token"] for one in met])
        )
        drive(server.url, requests, 1)
        options = ["--duration", str(seconds), "--rate", str(SAMPLES_PER_SECOND), "--output", str(written)]
        with subprocess.Popen([str(spy), "record", "--pid", str(server.worker), *options]) as recording:
            load = drive(server.url, requests, seconds + BESIDE_SECONDS)
            recording.wait()
    print(f"{load.rate:.0f} answers a second beside the profiler, {load.errors} errors")
    return written
