"""``python -m bench``: measure all rows, some of them, or the two ratios of ``make bench-short``; write the page."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import page, profile, results, rows
from bench.bench import Bench
from bench.load import require_wrk
from bench.processes import LOAD_CORE, SERVER_CORE, BenchFault
from bench.rounds import Plan

SESSIONS = 10_000_000
ATTESTS = 1_000_000
PREPARED = 12_000
SHORT = ("attest", "authenticate")
IN_MEMORY = {"tmpfs", "ramfs"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    chosen = _parser().parse_args(arguments)
    os.chdir(results.ROOT)
    try:
        chosen.command(chosen)
    except BenchFault as fault:
        print(f"bench: {fault}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What Assay costs, as ratios of one run.")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure rows, keep them in bench/results.json, write the page")
    run.add_argument("--only", help=f"rows, with commas between: {', '.join(rows.NAMES)}")
    run.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    run.add_argument("--seconds", type=float, default=4, help="seconds of load per round and configuration")
    run.add_argument("--sessions", type=int, default=SESSIONS, help="how many the large table holds")
    run.add_argument("--attests", type=int, default=ATTESTS, help="after how many the memory is told")
    where = "where figures are kept; the page is written only from the usual place"
    run.add_argument("--results", type=lambda text: Path(text).resolve(), default=results.FILE, help=where)
    run.set_defaults(command=_run)
    short = commands.add_parser("short", help="the ratios of attest and authenticate, in less than a minute")
    short.set_defaults(command=_short)
    pages = commands.add_parser("page", help="write docs/explanation/performance.md from what is kept")
    pages.set_defaults(command=lambda _: page.write(results.load()))
    profiling = commands.add_parser("profile", help="where a server under load spends its time, by py-spy")
    profiling.add_argument("what", choices=SHORT, nargs="?", default="attest")
    profiling.add_argument("--seconds", type=int, default=20)
    profiling.set_defaults(command=_profile)
    return parser


def _run(chosen: argparse.Namespace) -> None:
    names = chosen.only.split(",") if chosen.only else list(rows.NAMES)
    if unknown := set(names) - set(rows.NAMES):
        raise BenchFault(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(rows.NAMES)}")
    results.load(chosen.results)  # a file that cannot be read is told before anything is measured
    plan = Plan(rounds=chosen.rounds, load_seconds=chosen.seconds)
    begun = time.monotonic()
    failed: list[str] = []
    for group in rows.groups(names):
        try:
            with _bench(plan, sessions=chosen.sessions, attests=chosen.attests) as bench:
                for row in _measured(group, bench):
                    results.keep(row, chosen.results)
        except (BenchFault, subprocess.SubprocessError, OSError) as fault:
            print(f"bench: {', '.join(group.names)}: {fault}", file=sys.stderr)
            failed += group.names
    print(f"\nmeasured in {(time.monotonic() - begun) / 60:.0f} minutes")
    kept = results.load(chosen.results)
    print(page.table(kept))
    if chosen.results == results.FILE:
        page.write(kept)
    if failed:
        raise BenchFault(f"not measured: {', '.join(failed)}")


def _short(_: argparse.Namespace) -> None:
    plan = Plan(rounds=3, warm_seconds=1, load_seconds=2)
    group = rows.Group(SHORT, rows.groups(SHORT)[0].measure, 120)
    with _bench(plan, prepared=2000) as bench:
        found = {row.name: row for row in _measured(group, bench)}
    print(page.table(results.Results(found)))


def _profile(chosen: argparse.Namespace) -> None:
    with _bench(Plan()) as bench:
        print(f"written: {profile.record(bench, chosen.what, chosen.seconds)}")


def _measured(group: rows.Group, bench: Bench) -> Iterator[results.Row]:
    print(f"\n{', '.join(group.names)}", flush=True)
    begun = time.monotonic()
    bench.start_clock(group.seconds)
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    for row in group.measure(group.names, bench):
        yield results.stamped(row, time.monotonic() - begun, command)


@contextmanager
def _bench(
    plan: Plan, *, sessions: int = SESSIONS, attests: int = ATTESTS, prepared: int = PREPARED
) -> Iterator[Bench]:
    _check_machine()
    require_wrk()
    parent = Path(os.environ.get("BENCH_FOLDER", results.ROOT / ".bench"))
    parent.mkdir(exist_ok=True)
    _check_disk(parent)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield Bench(folder, plan, sessions=sessions, attests=attests, prepared=prepared)
    except BaseException:
        for database in folder.rglob("*.db*"):
            database.unlink()
        print(f"what the servers said is kept in {folder}", file=sys.stderr)
        raise
    else:
        shutil.rmtree(folder)


def _check_machine() -> None:
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise BenchFault("the bench needs two cores: one for the server, one for the load")
    if shutil.which("taskset") is None:
        raise BenchFault("the bench needs taskset: apt-get install util-linux")
    if os.getloadavg()[0] > 1:
        print(f"this machine is busy (load {os.getloadavg()[0]:.1f}): ratios hold, other figures do not")


def _check_disk(folder: Path) -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    above = {mount[1]: mount[2] for mount in mounts if folder.resolve().is_relative_to(mount[1])}
    if above[max(above, key=len)] in IN_MEMORY:
        raise BenchFault(f"{folder} is in memory, where fsync costs nothing; set BENCH_FOLDER to a folder on a disk")


if __name__ == "__main__":
    raise SystemExit(main())
