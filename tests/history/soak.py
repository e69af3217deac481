"""``make soak``, the part that hurts: servers killed a hundred times under load, and disks that take nothing.

    python -m tests.history.soak --kills 100
    python -m tests.history.soak --kills 100 --workers 2 --seed 7
    python -m tests.history.soak --check history.jsonl

Prints operations, faults and anomalies; ends with 1 when there is an anomaly. The histories stay in ``--folder``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

from tests.history import machine, nemesis, rules
from tests.history.history import History, load
from tests.history.installation import Installation
from tests.history.nemesis import Endured, Trouble

INTERNAL: Final = "internal_server_error"
SHOWN: Final = 20


class Plan(NamedTuple):
    """What a run is told: ``folder`` for its databases, ``records`` for its histories, and how much of everything."""

    folder: Path
    records: Path
    kills: int
    operations: int
    clients: int
    workers: int
    seed: int
    seconds: float


class Disk(NamedTuple):
    """A disk, and what happens to it."""

    name: str
    disk: Callable[[Path], AbstractContextManager[Path]]
    begin: Trouble


DISKS: Final = (
    Disk("no file may be written (RLIMIT_FSIZE)", machine.any_disk, machine.no_file_grows),
    Disk("the disk is full (small tmpfs)", machine.small_disk, machine.full_disk),
    Disk("the database is read-only (chattr +i)", machine.any_disk, machine.read_only_files),
)


def main() -> int:
    """Run; the exit code."""
    chosen = _parser().parse_args()
    if chosen.check:
        return _report(chosen.check.name, load(chosen.check), Endured(), None)
    with tempfile.TemporaryDirectory(prefix="assay-soak-") as folder:
        records = chosen.folder or Path(tempfile.mkdtemp(prefix="assay-history-"))
        records.mkdir(parents=True, exist_ok=True)
        names = ("kills", "operations", "clients", "workers", "seed", "seconds")
        plan = Plan(Path(folder), records, **{name: getattr(chosen, name) for name in names})
        _say(f"seed {plan.seed}, {plan.workers} worker(s), {plan.clients} clients; histories in {records}")
        return asyncio.run(_run(plan))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak", description="Hurt Assay, and check what its clients saw.")
    parser.add_argument("--kills", type=int, default=100, help="how many SIGKILLs (default: 100)")
    parser.add_argument("--operations", type=int, default=300, help="how many operations per kill (default: 300)")
    parser.add_argument("--clients", type=int, default=16, help="how many at once (default: 16)")
    parser.add_argument("--workers", type=int, default=1, help="how many processes answer (default: 1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what decides who asks for what")
    parser.add_argument("--seconds", type=float, default=3600, help="after so long no further fault (default: 3600)")
    parser.add_argument("--folder", type=Path, help="where the histories go")
    parser.add_argument("--check", type=Path, help="check a history instead of making one")
    return parser


async def _run(plan: Plan) -> int:
    deadline = time.monotonic() + plan.seconds

    def goes_on() -> bool:
        return time.monotonic() < deadline

    failed = await _kills(plan, goes_on)
    for number, disk in enumerate(DISKS):
        if goes_on():
            failed |= await _trouble(plan, number, disk)
        else:
            _say(f"SKIPPED, out of time: {disk.name}")
    return failed


async def _kills(plan: Plan, goes_on: Callable[[], bool]) -> int:
    folder = plan.folder / "kills"
    folder.mkdir()
    installation = await _installed(plan, folder, "kills")
    endured = await nemesis.kill_again_and_again(
        installation, plan.kills, operations=plan.operations, clients=plan.clients, goes_on=goes_on
    )
    return _finish("kills", installation, endured)


async def _trouble(plan: Plan, number: int, disk: Disk) -> int:
    try:
        with disk.disk(plan.folder / f"disk-{number}") as folder:
            installation = await _installed(plan, folder, f"disk-{number}")
            endured = await nemesis.trouble(
                installation, disk.name, disk.begin, operations=plan.operations, clients=plan.clients
            )
            return _finish(disk.name, installation, endured)
    except machine.CannotDoThat as fault:
        _say(f"\nSKIPPED: {disk.name}: {fault}")
        return 0


async def _installed(plan: Plan, folder: Path, name: str) -> Installation:
    records = plan.records / f"{name}-{plan.seed}.jsonl"
    installation = Installation(folder, records, seed=plan.seed, workers=plan.workers)
    await installation.set_up()
    return installation


def _finish(name: str, installation: Installation, endured: Endured) -> int:
    installation.recorder.close()
    return _report(name, installation.recorder.history(), endured, installation.load.refusals)


def _report(name: str, history: History, endured: Endured, refusals: Counter[str] | None) -> int:
    outcomes = Counter(operation.outcome for operation in history.operations)
    violations = [str(violation) for violation in rules.check(history)]
    internal = refusals[INTERNAL] if refusals else 0
    anomalies = [*violations, *endured.problems, *([f"{internal} answers were internal errors"] if internal else [])]
    _say(f"\n{name}")
    _say(f"  operations  {len(history.operations):,}: {', '.join(f'{n:,} {what}' for what, n in outcomes.items())}")
    _say(f"  faults      {', '.join(f'{n} × {what}' for what, n in endured.faults.items()) or 'none'}")
    _say(f"  anomalies   {len(anomalies)}")
    for anomaly in anomalies[:SHOWN]:
        _say(f"    {anomaly}")
    return 1 if anomalies else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
