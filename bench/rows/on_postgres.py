"""On PostgreSQL: attests beside SQLite's, what the store itself takes, and two workers.

With one worker PostgreSQL shares the load's core, so that the worker has its own to itself; with two all share both.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack

from bench import postgres, store_cost
from bench.bench import Bench
from bench.figures import Figure, Sample, cpu_ratio, median, quotable, rate_ratio
from bench.installation import PEOPLE, Installation
from bench.postgres import Postgres
from bench.processes import LOAD_CORE, SERVER_CORE, Server
from bench.results import Row
from bench.rounds import Taken, Target, interleaved, numbers, plain
from bench.store_cost import Cost, Job, told

OF_SQLITE = 0.85
MOST_STORE_US = 60.0
OF_ONE_WORKER = 1.5
ATTESTS_PER_SECOND = 3000
"""So many attests of the store alone per second that a configuration is to be measured."""

_BOTH = (SERVER_CORE, LOAD_CORE)
_POSTGRES, _LOAD = "postgres_cpu", "load_cpu"

Costs = dict[str, list[Cost]]

HOW_STORE = (
    "The store alone: a process with nothing but the store asks what an attest asks, each question after the answer to"
    " the one before, and writes what it writes, 64 at a time. What counts is the CPU of that process, driver and event"
    " loop included. SQLite does its work and its fsync in it, PostgreSQL in processes of its own, told apart."
)


def attest(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """One worker on PostgreSQL and one on SQLite in the same rounds; then the two stores alone."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running(bench.folder / "postgres"))
        installed = {
            "sqlite": bench.install("assay-sqlite"),
            "postgres": bench.install("assay-postgres", database=server.database("attest")),
        }
        with ExitStack() as serving:
            targets = [
                _target(bench, name, one, serving.enter_context(one.serving()), server)
                for name, one in installed.items()
            ]
            taken = interleaved(targets, bench.plan)
        costs = _store_costs(bench, installed, server)
        about = server.told()
    yield Row(
        name="pg-attest",
        title="attest on PostgreSQL, beside SQLite",
        figures=(*_against_sqlite(taken), *_of_stores(costs), *_plain(taken)),
        samples=_kept(taken),
        facts=(about, "The worker has one core; PostgreSQL and the load share the other.", HOW_STORE),
    )


def _target(bench: Bench, name: str, installation: Installation, worker: Server, server: Postgres) -> Target:
    installation.meet(worker, range(PEOPLE))
    requests = installation.attest_bodies("attest", bench.people())
    return Target(name=name, server=worker, requests=requests, counters=_beside(server))


def _beside(server: Postgres) -> Callable[[], dict[str, float]]:
    """The CPU that PostgreSQL and the load took so far, in seconds."""

    def counters() -> dict[str, float]:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)  # the load, which ends before it is asked again
        return {_POSTGRES: server.cpu_seconds(), _LOAD: ended.ru_utime + ended.ru_stime}

    return counters


def _against_sqlite(taken: Taken) -> Iterator[Figure]:
    yield Figure(
        name="postgres/sqlite",
        title="attest on PostgreSQL vs on SQLite, requests/s",
        value=rate_ratio(taken["postgres"], taken["sqlite"]),
        unit="×",
        wanted="at least",
        limit=OF_SQLITE,
    )
    yield Figure(
        name="sqlite-cpu/postgres",
        title="the same as own CPU on SQLite ÷ own CPU on PostgreSQL",
        value=cpu_ratio(taken["sqlite"], taken["postgres"]),
        unit="×",
    )


def _plain(taken: Taken) -> Iterator[Figure]:
    for name in taken:
        yield from plain(name, taken)
        if name != "sqlite":
            value = _beside_us(taken[name], _POSTGRES)
            yield Figure(name=f"{name}/{_POSTGRES}", title=f"{name}, CPU of PostgreSQL itself", value=value, unit="µs")


def _beside_us(samples: list[Sample], name: str) -> float | None:
    """CPU of somebody else per answer, in microseconds."""
    good = quotable(samples)
    return median([one.extra[name] / one.load.requests * 1e6 for one in good], len(samples))


def _store_costs(bench: Bench, installed: dict[str, Installation], server: Postgres) -> Costs:
    jobs = {name: _attests(bench, one, server if name == "postgres" else None) for name, one in installed.items()}
    found: Costs = {name: [] for name in jobs}
    for number in numbers(bench.plan):
        for name, job in jobs.items():
            found[name].append(store_cost.run(job, bench.folder))
            print(f"  {told(f'store, {name}', number, found[name][-1])}", flush=True)
    return found


def _attests(bench: Bench, installation: Installation, server: Postgres | None) -> Job:
    with installation.serving() as worker:
        (met,) = installation.meet(worker, [0])
    return Job(
        what="attest",
        url=installation.environ["ASSAY_DATABASE"],
        count=round(bench.plan.load_seconds * ATTESTS_PER_SECOND),
        environment_id=installation.project_id,
        secret=installation.secret,
        session_token=met["session_token"],
        people=PEOPLE,
        postgres=server.pid if server else None,
    )


def _of_stores(costs: Costs) -> Iterator[Figure]:
    def value(name: str, kind: str) -> float | None:
        return median([getattr(one, kind) for one in costs[name]], len(costs[name]))

    yield Figure(
        name="store/postgres",
        title="client CPU of the PostgreSQL store per attest, 64 in flight",
        value=value("postgres", "cpu_us"),
        unit="µs",
        wanted="at most",
        limit=MOST_STORE_US,
    )
    yield Figure(
        name="store/server", title="CPU of PostgreSQL for it", value=value("postgres", "server_cpu_us"), unit="µs"
    )
    yield Figure(
        name="store/rate", title="attests of the PostgreSQL store alone", value=value("postgres", "rate"), unit="/s"
    )
    yield Figure(
        name="store/sqlite", title="CPU of the SQLite store per attest", value=value("sqlite", "cpu_us"), unit="µs"
    )


# ---------------------------------------------------------------- workers


def workers(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """One worker on a core of its own, and two on both cores beside PostgreSQL and the load."""
    with ExitStack() as stack:
        targets = []
        for name, cores, beside in (("one", (SERVER_CORE,), (LOAD_CORE,)), ("two", _BOTH, _BOTH)):
            server = stack.enter_context(postgres.running(bench.folder / f"postgres-{name}", beside))
            installation = bench.install(f"assay-{name}", database=server.database("attest"))
            worker = stack.enter_context(installation.serving("--workers", str(len(cores)), cores=cores))
            targets.append(_target(bench, name, installation, worker, server))
        taken = interleaved(targets, bench.plan)
        about = server.told()
    yield Row(
        name="pg-workers",
        title="two workers on PostgreSQL",
        figures=(
            Figure(
                name="two/one",
                title="attest on PostgreSQL, two workers on both cores beside it and the load vs one, requests/s",
                value=rate_ratio(taken["two"], taken["one"]),
                unit="×",
                wanted="at least",
                limit=OF_ONE_WORKER,
            ),
            *_plain(taken),
        ),
        samples=_kept(taken),
        facts=(about, _room(taken)),
    )


def _room(taken: Taken) -> str:
    """How much two workers could give on these two cores, if they gave all of both."""
    own = median([one.cpu_us for one in quotable(taken["two"])], len(taken["two"]))
    alone = median([1e6 / one.load.rate for one in quotable(taken["one"])], len(taken["one"]))
    server, load = (_beside_us(taken["two"], name) for name in (_POSTGRES, _LOAD))
    if own is None or alone is None or server is None or load is None:
        return "Too few samples tell how much of the cores is left to two workers."
    most = len(_BOTH) * alone / (own + server + load)
    return (
        f"With two workers an attest takes {own:.0f} µs in a worker, {server:.0f} µs in PostgreSQL and {load:.0f} µs in"
        f" the load, all on the same two cores: {most:.2f} × one worker would use up both of them."
    )


def _kept(taken: Taken) -> dict[str, tuple[Sample, ...]]:
    return {name: tuple(samples) for name, samples in taken.items()}
