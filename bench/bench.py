"""What every row is handed: where to work, how long to measure, the partner that signs."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import tokens
from bench.installation import PEOPLE, Installation
from bench.processes import Server, free_port
from bench.rounds import Plan

_COUNTER = re.compile(r"^(assay_session_jwts_(?:signed|reused))_total(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


class Bench:
    """One run. ``folder`` is on a real disk; ``sessions`` and ``attests`` are how many the two large rows make."""

    def __init__(self, folder: Path, plan: Plan, *, sessions: int, attests: int, prepared: int) -> None:
        self.folder = folder
        self.plan = plan
        self.sessions = sessions
        self.attests = attests
        self.prepared = prepared
        self.partner = tokens.Partner()

    def start_clock(self, seconds: float) -> None:
        """No round begins later than so many seconds from now."""
        self.plan = msgspec.structs.replace(self.plan, deadline=time.monotonic() + seconds)

    def install(self, name: str, algorithm: str = "RS256", database: str | None = None) -> Installation:
        """A fresh Assay. Raises BenchFault where this version cannot sign session JWTs with ``algorithm``."""
        installation = Installation(self.folder / name, self.partner, database)
        if algorithm != "RS256":
            installation.run("keys", "rotate", "--project-id", installation.project_id, "--algorithm", algorithm)
        return installation

    def people(self, count: int = PEOPLE) -> list[int]:
        """As many people as tokens are prepared, each of ``count`` equally often, spread over all of them."""
        step = max(1, count // self.prepared)
        return [number * step % count for number in range(self.prepared)]


@contextmanager
def counted(installation: Installation) -> Iterator[tuple[Server, Counters]]:
    """``assay serve`` with metrics, and what they count."""
    port = free_port()
    with installation.serving(metrics=port) as server:
        yield server, Counters(port)


class Counters:
    """The counters of session JWTs, as the metrics of one server tell them."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"

    def __call__(self) -> dict[str, float]:
        """Their values by name; none in a version that does not count them."""
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            return {name: float(value) for name, value in _COUNTER.findall(answer.read().decode())}
