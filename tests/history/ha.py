"""``make soak-ha``: PostgreSQL under Patroni with etcd, whose primary is killed and cut off under load. Needs root.

    python -m tests.history.ha --kills 6 --cuts 4
    python -m tests.history.ha --kills 1 --cuts 0 --seed 7

First in synchronous mode, strict: no rule may be broken. Then in asynchronous mode, where replication stalls before the
primary is killed: the rules must show that acknowledged writes were lost. Prints operations, faults, anomalies, and how
long it took to serve again; ends with 1 when either is otherwise, or Assay did not serve again. The histories and logs
stay in ``--folder``.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.history import rules
from tests.history.cluster import LOOP_WAIT, RETRY_TIMEOUT, TTL, Cluster
from tests.history.failover import ALONE, CALLS, CUTS, FROZEN, KILLS, STALLED, Fault, Outage, Service
from tests.history.machine import CannotDoThat
from tests.history.network import Network
from tests.history.soak import INTERNAL, SHOWN


class Found(NamedTuple):
    """How often rules were broken, and whatever else was wrong."""

    violations: int = 0
    problems: int = 0


class Plan(NamedTuple):
    """What a run is told."""

    records: Path
    clients: int
    seed: int
    dcs: str


def main() -> int:
    """Run; the exit code."""
    chosen = _parser().parse_args()
    records = chosen.folder or Path(tempfile.mkdtemp(prefix="assay-history-"))
    records.mkdir(parents=True, exist_ok=True)
    plan = Plan(records, chosen.clients, chosen.seed, chosen.dcs)
    _say(f"seed {plan.seed}, {plan.clients} clients, two servers; histories and logs in {records}")
    _say(f"Patroni: ttl {TTL}, loop_wait {LOOP_WAIT}, retry_timeout {RETRY_TIMEOUT}")
    strict = [*_some(KILLS, chosen.kills), *_some(CUTS, chosen.cuts)]
    strict += [*_some((FROZEN,), chosen.frozen), *_some((ALONE,), chosen.alone)]
    try:
        kept = _run(plan, "synchronous, strict", strict, synchronous=True) if strict else Found()
        lost = _run(plan, "asynchronous", [STALLED] * chosen.losses, synchronous=False) if chosen.losses else Found()
    except CannotDoThat as fault:
        _say(f"CANNOT RUN: {fault}")
        return 1
    _say(f"\nsynchronous mode: rules broken {kept.violations} times, and it must be never")
    if chosen.losses:
        _say(f"asynchronous mode: rules broken {lost.violations} times, and it must be some times")
    _say(f"other problems: {kept.problems + lost.problems}")
    is_right = kept.violations == 0 and bool(lost.violations) == bool(chosen.losses)
    return 0 if is_right and kept.problems + lost.problems == 0 else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak-ha", description="Hurt a cluster of PostgreSQL under Assay.")
    parser.add_argument("--kills", type=int, default=6, help="how often the primary is killed (default: 6)")
    parser.add_argument("--cuts", type=int, default=4, help="how often it is cut off (default: 4)")
    parser.add_argument("--frozen", type=int, default=1, help="how often its Patroni is frozen (default: 1)")
    parser.add_argument("--alone", type=int, default=1, help="how often it loses all standbys (default: 1)")
    parser.add_argument("--losses", type=int, default=1, help="faults in asynchronous mode (default: 1)")
    parser.add_argument("--clients", type=int, default=8, help="how many at once (default: 8)")
    # With etcd3, Patroni 3.0.2 takes its lock back by force when the network is mended: acknowledged writes are lost.
    parser.add_argument("--dcs", choices=("etcd", "etcd3"), default="etcd", help="etcd's interface (default: etcd)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what decides who asks for what")
    parser.add_argument("--folder", type=Path, help="where the histories and the logs go")
    return parser


def _some(faults: tuple[Fault, ...], count: int) -> list[Fault]:
    return [faults[number % len(faults)] for number in range(count)]


def _run(plan: Plan, name: str, faults: list[Fault], *, synchronous: bool) -> Found:
    """One cluster from its start to its end, and what was wrong."""
    _say(f"\n{name}")
    folder = Path(tempfile.mkdtemp(prefix="assay-ha-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    network = Network()
    try:
        cluster = Cluster(network, folder, synchronous=synchronous, dcs=plan.dcs)
        records = plan.records / f"{name.replace(', ', '-')}-{plan.seed}.jsonl"
        service = Service(network, cluster, folder, records, seed=plan.seed)
        asyncio.run(_endured(service, faults, plan.clients))
        return _report(service)
    finally:
        network.remove()
        _keep_logs(folder, plan.records / name.replace(", ", "-"))
        shutil.rmtree(folder, ignore_errors=True)


async def _endured(service: Service, faults: list[Fault], clients: int) -> None:
    await asyncio.to_thread(service.cluster.start)
    try:
        await service.set_up()
        for fault in faults:
            began = time.monotonic()
            await service.endure(fault, clients)
            _say(f"  {fault.name}: mended and looked at after {time.monotonic() - began:.0f} s")
        await service.look_again()
    except TimeoutError as fault:
        service.problems.append(f"the cluster did not come to rest: {fault}")
    finally:
        service.stop()
        service.recorder.close()


def _report(service: Service) -> Found:
    history = service.recorder.history()
    outcomes = Counter(operation.outcome for operation in history.operations)
    violations = rules.check(history)
    internal = service.load.refusals[INTERNAL]
    anomalies = [*map(str, violations), *service.problems]
    anomalies += [f"{internal} answers were internal errors"] if internal else []
    _say(f"  operations  {len(history.operations):,}: {', '.join(f'{n:,} {what}' for what, n in outcomes.items())}")
    _say(f"  faults      {', '.join(f'{n} × {what}' for what, n in service.faults.items())}")
    unknown = Counter(operation.error for operation in history.operations if operation.outcome == "unknown")
    waited = max((each.completed - each.invoked for each in history.operations if each.error), default=0) / 1e9
    _say(f"  unknown     {dict(unknown)}; the longest wait for an answer that was none: {waited:.1f} s")
    for name in service.faults:
        _say(f"  {name}, until 200: {_by_call([each for each in service.outages if each.fault == name])}")
    _say(f"  all of them, until 200: {_by_call(service.outages)}")
    sessions = Counter(rule for rule, _ in {(each.rule, each.session_id) for each in violations})
    of_rules = ", ".join(f"{rule}: {count} sessions" for rule, count in sorted(sessions.items()))
    _say(f"  anomalies   {len(anomalies)}{f' ({of_rules})' if of_rules else ''}")
    for anomaly in anomalies[:SHOWN]:
        _say(f"    {anomaly}")
    return Found(len(violations), len(anomalies) - len(violations))


def _by_call(outages: list[Outage]) -> str:
    return "; ".join(f"{call} {_told([each.seconds for each in outages if each.call == call])}" for call in CALLS)


def _told(seconds: list[float]) -> str:
    if not seconds:
        return "not measured"
    return f"median {statistics.median(seconds):.1f} s, worst {max(seconds):.1f} s"


def _keep_logs(folder: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*/*.log"):
        shutil.copy(log, kept / f"{log.parent.name}-{log.name}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
