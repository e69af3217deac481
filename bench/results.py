"""What is kept of a run: bench/results.json, a row at a time, so that a row can be measured again by itself."""

from __future__ import annotations

import datetime as dt
import os
import platform
import ssl
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import Figure, Sample
from bench.processes import BenchFault

ROOT = Path(__file__).parents[1]
FILE = ROOT / "bench" / "results.json"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a row was measured on, and what was measured."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    openssl: str
    revision: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its figures, and what they came of. ``series`` are points of a line; ``facts`` are told in words."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    measured_at: str = ""
    seconds: float = 0
    command: str = ""
    machine: Machine | None = None
    samples: dict[str, tuple[Sample, ...]] = {}
    series: dict[str, tuple[tuple[float, float], ...]] = {}
    facts: tuple[str, ...] = ()


class Results(msgspec.Struct, frozen=True):
    """All rows by name."""

    rows: dict[str, Row] = {}


def load(path: Path = FILE) -> Results:
    """What is kept so far. Raises BenchFault for a file that another version of the bench wrote."""
    if not path.exists():
        return Results()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.DecodeError as fault:
        raise BenchFault(f"{path} cannot be read, so put it aside and measure all rows: {fault}") from None


def keep(row: Row, path: Path = FILE) -> None:
    """Put a row in the place of the one of its name."""
    rows = load(path).rows | {row.name: row}
    text = msgspec.json.format(msgspec.json.encode(Results(dict(sorted(rows.items())))), indent=1)
    path.write_bytes(text + b"\n")


def stamped(row: Row, seconds: float, command: str) -> Row:
    """The row with when, where and how it was measured."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return msgspec.structs.replace(row, measured_at=now, seconds=round(seconds, 1), command=command, machine=machine())


def machine() -> Machine:
    """This machine."""
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=os.cpu_count() or 0,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        openssl=_openssl(),
        revision=_revision(),
    )


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text("utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""


def _openssl() -> str:
    try:
        from cryptography.hazmat.backends.openssl import backend  # noqa: PLC0415 - what signs, which may be missing
    except ImportError:
        return ssl.OPENSSL_VERSION
    version: Any = backend.openssl_version_text()
    return str(version)


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
