"""Interleaved rounds: every configuration once per round, so that a slow minute of the machine hits all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bench import floor
from bench.figures import Figure, Sample, fault_of, median, quotable
from bench.installation import calling
from bench.load import CONNECTIONS, Requests, drive
from bench.processes import LOAD_CORE, BenchFault, Server


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long to measure. ``deadline`` is on the monotonic clock: no round begins after it."""

    rounds: int = 5
    warm_seconds: float = 1
    load_seconds: float = 4
    probe_seconds: float = floor.PROBE_SECONDS
    deadline: float = float("inf")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration: a running server and what to post to it.

    ``signs`` is the algorithm of the session JWT, which the floor depends on; None: there is none. ``counters`` gives
    numbers that only grow; a sample holds how far they grew in its load.
    """

    name: str
    server: Server
    requests: Requests
    signs: str | None = "RS256"
    cores: str = str(LOAD_CORE)
    counters: Callable[[], dict[str, float]] = dict


Taken = dict[str, list[Sample]]
"""Samples of each configuration by its name."""


def interleaved(targets: Sequence[Target], plan: Plan) -> Taken:
    """Samples of each target by name. Rounds begin with another target each time.

    Raises BenchFault when a target refuses the first of its requests: what it did would not be worth measuring.
    """
    for target in targets:
        _check(target)
    found: Taken = {target.name: [] for target in targets}
    for number in numbers(plan):
        turn = number % len(targets)
        for target in (*targets[turn:], *targets[:turn]):
            try:
                sample = measured(target, plan, number)
            except BenchFault as fault:
                print(f"  {target.name}: no sample in round {number + 1}: {fault}", flush=True)
                continue
            found[target.name].append(sample)
            print(f"  {told(target.name, sample)}", flush=True)
    return found


def _check(target: Target) -> None:
    with Path(target.requests.bodies).open(encoding="utf-8") as bodies:
        body = json.loads(bodies.readline())
    with calling(target.server, target.requests.authorization) as call:
        if not call(target.requests.path, body).json().get("session_jwt"):
            raise BenchFault(f"{target.name} answers without a session JWT")


def numbers(plan: Plan) -> Iterator[int]:
    """The numbers of the rounds, as long as there is time."""
    for number in range(plan.rounds):
        if time.monotonic() > plan.deadline:
            print(f"  out of time after {number} of {plan.rounds} rounds")
            return
        yield number


def measured(target: Target, plan: Plan, number: int) -> Sample:
    """Warm up, probe, load, probe."""
    drive(target.server.url, target.requests, plan.warm_seconds, cores=target.cores)
    before = _floor(target, plan)
    counted, cpu = target.counters(), target.server.cpu_seconds()
    load = drive(target.server.url, target.requests, plan.load_seconds, connections=CONNECTIONS, cores=target.cores)
    took, grown = target.server.cpu_seconds() - cpu, target.counters()
    return Sample(
        round=number,
        load=load,
        cpu_seconds=took,
        floor_us=(before, _floor(target, plan)),
        extra={name: value - counted.get(name, 0) for name, value in grown.items()},
    )


def _floor(target: Target, plan: Plan) -> float:
    return floor.probe(target.signs, plan.probe_seconds) if target.signs else 0.0


def told(name: str, sample: Sample) -> str:
    """A line about a sample."""
    load, fault = sample.load, fault_of(sample.load)
    beside = f"floor {sample.floor:4.0f} µs ({sample.of_floor:.2f})" if sample.floor else " " * 20
    figures = (
        f"{name:14} round {sample.round + 1}  {load.rate:8.0f}/s  CPU {sample.cpu_us:6.0f} µs  "
        f"{beside}  p99 {load.p99_us / 1000:6.1f} ms"
    )
    return f"{figures}  not quoted: {fault}" if fault else figures


def plain(name: str, taken: Taken) -> tuple[Figure, ...]:
    """Rate, CPU and floor of a configuration: numbers of this machine, which nothing is demanded of."""
    samples = taken.get(name, [])
    good = quotable(samples)

    def figure(kind: str, values: list[float], unit: str) -> Figure:
        return Figure(name=f"{name}/{kind}", title=f"{name}, {kind}", value=median(values, len(samples)), unit=unit)

    rate = figure("answers", [sample.load.rate for sample in good], "/s")
    cpu = figure("CPU per answer", [sample.cpu_us for sample in good], "µs")
    floors = [sample.floor for sample in good if sample.floor]
    return (rate, cpu, figure("floor", floors, "µs")) if floors else (rate, cpu)
