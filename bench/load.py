"""The closed load: wrk on a core of its own, each of its connections asking again as soon as it is answered."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.figures import Load, counted_percentile, under_way
from bench.processes import LOAD_CORE, BenchFault

SCRIPT = Path(__file__).parent / "wrk.lua"
CONNECTIONS = 64
TIMEOUT_SECONDS = 10
SPARE_SECONDS = 60


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """What to post: ``bodies`` is a file with a body on each line, ``authorization`` the header."""

    path: str
    bodies: str
    authorization: str
    count: int


class _Report(msgspec.Struct):
    requests: int
    duration_us: int
    errors: int
    latencies: list[tuple[int, int]]
    """Microseconds, and how often."""


def require_wrk() -> None:
    """Install wrk where that can be done. Raises BenchFault elsewhere."""
    if shutil.which("wrk"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BenchFault("The bench needs wrk: apt-get install wrk (Debian and Ubuntu have it), or run it as root.")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"], check=True)


def drive(
    url: str, requests: Requests, seconds: float, *, connections: int = CONNECTIONS, cores: str = str(LOAD_CORE)
) -> Load:
    """Post for so many seconds. Raises BenchFault when wrk fails."""
    arguments = [
        *("taskset", "-c", cores, "wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(SCRIPT)),
        *(url, "--", requests.bodies, requests.path, requests.authorization),
        str(random.randrange(requests.count)),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=seconds + SPARE_SECONDS, check=False)
    line = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not line.startswith("{"):
        raise BenchFault(f"wrk failed: {done.stdout}{done.stderr}")
    return _load(msgspec.json.decode(line, type=_Report), connections)


def _load(report: _Report, connections: int) -> Load:
    each = report.requests // connections
    interval = report.duration_us // each if each else 0
    waits = seen(dict(report.latencies), interval)
    return Load(
        connections=connections,
        requests=report.requests,
        seconds=report.duration_us / 1e6,
        errors=report.errors,
        mean_us=sum(value * count for value, count in waits.items()) / max(sum(waits.values()), 1),
        p50_us=counted_percentile(waits, 0.5),
        p99_us=counted_percentile(waits, 0.99),
        under_way_us=under_way(waits),
    )


def seen(told: Mapping[int, int], interval: int) -> dict[int, int]:
    """The latencies that were seen, by how often, of those that wrk tells.

    wrk adds some: for each that is longer than twice the mean ``interval`` of a connection, those of requests that it
    would have sent meanwhile, each an interval shorter than the one before. That is a guess at another load than the
    one that ran, and Little's law does not hold for it.
    """
    left = dict(told)
    for value in sorted(told, reverse=True) if interval else ():
        for added in range(value - interval, interval, -interval):
            left[added] = left.get(added, 0) - left[value]
    return {value: count for value, count in left.items() if count > 0}
