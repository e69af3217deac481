"""Ten million sessions in PostgreSQL beside ten thousand: what the look-up of authenticate costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec

from bench import fill_postgres, postgres, store_cost
from bench.bench import Bench
from bench.figures import Figure, median
from bench.installation import PEOPLE, Installation
from bench.postgres import Postgres
from bench.processes import BenchFault
from bench.results import Row
from bench.rounds import numbers
from bench.rows.size import FEW, SESSIONS_OF_ONE
from bench.store_cost import Cost, Job, Numbers, told

MOST_OF_FEW = 1.2
LOOK_UPS_PER_SECOND = 10_000
ONES_PER_SECOND = 1000
"""So many look-ups, together and one at a time, per second that a configuration is to be measured."""


def measure(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """The look-up of a session among many and among few, each drawn at random of all."""
    facts: list[str] = []
    with postgres.running(bench.folder / "postgres", settings=postgres.WITH_STATEMENTS) as server:
        jobs = {
            name: _filled(bench, server, name, sessions, facts)
            for name, sessions in (("many", bench.sessions), ("few", FEW))
        }
        found = _look_ups(bench, jobs)
        about = server.told()
    yield Row(
        name="pg-size",
        title=f"look-up of a session in PostgreSQL with {bench.sessions:,} stored, and with {FEW:,}",
        figures=tuple(_of_size(found, f"{bench.sessions:,}")),
        facts=(*facts, about, HOW_SIZE),
    )


HOW_SIZE = (
    "Each look-up is of a session drawn at random of all, as if nobody came back sooner than others. Both databases"
    " were read into memory before. Statement time is what PostgreSQL counts (pg_stat_statements) for a statement that"
    " asks for one session, one at a time; CPU is taken 64 at a time, where one statement asks for many."
)


_COUNTED = """
select sum(total_exec_time), sum(calls) from pg_stat_statements
where query like '%from sessions where number%'
    and dbid = (select oid from pg_database where datname = current_database())
"""


class _LookedUp(msgspec.Struct, frozen=True, kw_only=True):
    """One round of one size."""

    together: Cost
    alone: Cost
    statement_us: float


def _filled(bench: Bench, server: Postgres, name: str, sessions: int, facts: list[str]) -> Job:
    people, url = max(PEOPLE, sessions // SESSIONS_OF_ONE), server.database(name)
    installation = bench.install(f"assay-{name}", database=url)
    with installation.serving() as worker:
        (met,) = installation.meet(worker, [0])
    seconds, placed = fill_postgres.fill(url, people, sessions)
    postgres.execute(url, "create extension pg_stat_statements")
    ((bytes_,),) = postgres.fetch(url, "select pg_database_size(current_database())")
    facts.append(f"{name}: {sessions:,} sessions of {people:,} people, a database of {bytes_ / 1e6:,.0f} MB.")
    print(f"  {facts[-1]} Filled in {seconds:.0f} s.", flush=True)
    postgres.read_into_memory(url)
    return _look_up(bench, installation, met["session_token"], placed, server)


def _look_up(bench: Bench, installation: Installation, token: str, placed: Numbers, server: Postgres) -> Job:
    return Job(
        what="look up",
        url=installation.environ["ASSAY_DATABASE"],
        count=round(bench.plan.load_seconds * LOOK_UPS_PER_SECOND),
        environment_id=installation.project_id,
        secret=installation.secret,
        session_token=token,
        people=PEOPLE,
        numbers=placed,
        postgres=server.pid,
    )


def _look_ups(bench: Bench, jobs: dict[str, Job]) -> dict[str, list[_LookedUp]]:
    found: dict[str, list[_LookedUp]] = {name: [] for name in jobs}
    for number in numbers(bench.plan):
        for name, job in jobs.items():
            together = store_cost.run(job, bench.folder)
            ones = msgspec.structs.replace(job, in_flight=1, count=round(bench.plan.load_seconds * ONES_PER_SECOND))
            postgres.execute(job.url, "select pg_stat_statements_reset()")
            alone = store_cost.run(ones, bench.folder)
            found[name].append(_LookedUp(together=together, alone=alone, statement_us=_statement_us(job.url)))
            beside = f"statement {found[name][-1].statement_us:.0f} µs, {alone.p50_us:.0f} µs in all"
            print(f"  {told(name, number, together)}  {beside}", flush=True)
    return found


def _statement_us(url: str) -> float:
    """The mean time of the statement of look-ups since the last reset."""
    ((milliseconds, calls),) = postgres.fetch(url, _COUNTED)
    if not calls:
        raise BenchFault("pg_stat_statements has not seen the statement of look-ups")
    return float(milliseconds) / float(calls) * 1000


def _of_size(found: dict[str, list[_LookedUp]], many: str) -> Iterator[Figure]:
    kinds: dict[str, tuple[str, Callable[[_LookedUp], float]]] = {
        "cpu": ("client CPU of a look-up, 64 in flight", lambda one: one.together.cpu_us),
        "statement": ("statement time of a look-up", lambda one: one.statement_us),
        "server": ("CPU of PostgreSQL for a look-up, 64 in flight", lambda one: one.together.server_cpu_us),
        "wait": ("wait for a look-up, one at a time", lambda one: one.alone.p50_us),
    }
    for kind, (title, of) in kinds.items():
        pairs = zip(found["many"], found["few"], strict=True)
        ratio = median([of(mine) / of(other) for mine, other in pairs], len(found["few"]))
        is_wanted = kind in {"cpu", "statement"}
        yield Figure(
            name=f"many/few/{kind}",
            title=f"{title} with {many} sessions stored vs {FEW:,}",
            value=ratio,
            unit="×",
            wanted="at most" if is_wanted else None,
            limit=MOST_OF_FEW if is_wanted else None,
        )
    for name in ("few", "many"):
        taken = found[name]
        for kind, (title, of) in kinds.items():
            value = median([of(one) for one in taken], len(taken))
            yield Figure(name=f"{name}/{kind}", title=f"{name}, {title}", value=value, unit="µs")
