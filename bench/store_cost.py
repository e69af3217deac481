"""What the store alone costs: the reads and the write of an attest, or look-ups of sessions, without anything around.

``python -m bench.store_cost FILE`` runs a :class:`Job`; :func:`run` does so in a process on the server's core. Whatever
the driver does counts, all threads included; what is written is made before the clock starts.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
import uvloop

from assay import garbage, store
from assay.model import Attempt, Caller, Event, Member, Organization, Profile
from assay.model import Session as SessionRecord
from assay.rules import session_ids
from assay.store.opening import open_store
from assay.stories import credentials
from bench import tokens
from bench.figures import percentile
from bench.fill import RANDOM_BITS, SPREAD_MS
from bench.installation import PROFILE
from bench.load import CONNECTIONS
from bench.processes import SERVER_CORE, BenchFault, cpu_seconds

SPARE_SECONDS = 120
WARM_SHARE = 0.2
MILLISECOND = 0.001


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Which numbers the sessions of a filled database have: in even steps of time from ``first_ms`` on."""

    JITTER: ClassVar[int] = 2654435761

    first_ms: int
    count: int

    def number(self, place: int) -> int:
        """The number of the session at this place, from 1 to ``count`` - 1."""
        milliseconds = self.first_ms + place * SPREAD_MS // self.count
        return milliseconds << RANDOM_BITS | place * self.JITTER & (1 << RANDOM_BITS) - 1


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, so often, and so many at a time. ``session_token`` is that of a session of the first of ``people``.

    ``numbers`` are the sessions that are looked up. ``postgres`` is the server's first process, if there is one.
    """

    what: Literal["attest", "look up"]
    url: str
    count: int
    in_flight: int = CONNECTIONS
    environment_id: str
    secret: str
    session_token: str
    people: int
    numbers: Numbers | None = None
    postgres: int | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What it took. ``server_cpu_seconds`` is the CPU of PostgreSQL."""

    count: int
    seconds: float
    cpu_seconds: float
    server_cpu_seconds: float
    p50_us: float

    @property
    def rate(self) -> float:
        """So many a second."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU of this process for one, in microseconds."""
        return self.cpu_seconds / self.count * 1e6

    @property
    def server_cpu_us(self) -> float:
        """CPU of PostgreSQL for one, in microseconds."""
        return self.server_cpu_seconds / self.count * 1e6


def run(job: Job, folder: Path) -> Cost:
    """Run the job in a process on the server's core. Raises BenchFault when it fails."""
    path = folder / "store.json"
    path.write_bytes(msgspec.json.encode(job))
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "bench.store_cost", str(path)]
    limit = SPARE_SECONDS + job.count / 200
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise BenchFault(f"the store could not be measured: {done.stderr}")
    return msgspec.json.decode(done.stdout, type=Cost)


def told(name: str, number: int, cost: Cost) -> str:
    """A line about what one round took."""
    return (
        f"{name:16} round {number + 1}  {cost.rate:8.0f}/s  CPU {cost.cpu_us:6.1f} µs  "
        f"PostgreSQL {cost.server_cpu_us:6.1f} µs"
    )


Doing = Callable[[], Awaitable[object]]


async def measured(job: Job) -> Cost:
    """Open the store, warm up, and do the job."""
    opened = await open_store(job.url)
    try:
        prepare = _attests if job.what == "attest" else _look_ups
        await _done(await prepare(opened, job, round(job.count * WARM_SHARE) + 1), job.in_flight)
        doings = await prepare(opened, job, job.count)
        garbage.look_seldom()  # as a server does; and as many records as were prepared are never about in one
        return await _counted(doings, job)
    finally:
        await opened.close()


async def _counted(doings: list[Doing], job: Job) -> Cost:
    server = _server_cpu(job)
    begun, cpu = time.perf_counter(), time.process_time()
    waits = await _done(doings, job.in_flight)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - begun
    return Cost(
        count=len(doings),
        seconds=seconds,
        cpu_seconds=cpu,
        server_cpu_seconds=_server_cpu(job) - server,
        p50_us=percentile(waits, 0.5) * 1e6,
    )


def _server_cpu(job: Job) -> float:
    return cpu_seconds(job.postgres) if job.postgres else 0.0


async def _done(doings: Sequence[Doing], in_flight: int) -> list[float]:
    """How long each took, in seconds."""
    left, waits = iter(doings), []

    async def one_after_the_other(mine: Iterator[Doing]) -> None:
        for doing in mine:
            begun = time.perf_counter()
            await doing()
            waits.append(time.perf_counter() - begun)

    await asyncio.gather(*(one_after_the_other(left) for _ in range(in_flight)))
    return waits


# ---------------------------------------------------------------- the look-up of authenticate


async def _look_ups(opened: store.Store, job: Job, count: int) -> list[Doing]:
    numbers = job.numbers
    if numbers is None:
        raise BenchFault("look-ups need numbers")
    wanted = [numbers.number(random.randrange(1, numbers.count)) for _ in range(count)]
    return [_look_up(opened, job.environment_id, number) for number in wanted]


def _look_up(opened: store.Store, environment_id: str, number: int) -> Doing:
    async def doing() -> None:
        view = await opened.session(environment_id, number)
        if view is None or view.member is None:
            raise BenchFault(f"session {number} is not there")

    return doing


# ---------------------------------------------------------------- what an attest asks and writes


class _Known(msgspec.Struct, frozen=True):
    """What an attest finds, and the records of one that took place, of which others are made."""

    caller: Caller
    profile: Profile
    organization: Organization
    session: SessionRecord
    attempt: Attempt
    event: Event


async def _attests(opened: store.Store, job: Job, count: int) -> list[Doing]:
    known = await _known(opened, job)
    members = [await _member(opened, known, person) for person in range(job.people)]
    now = time.time()
    # A millisecond each, so that no two numbers are the same by chance.
    minted = (session_ids.mint(now + place * MILLISECOND, secrets.token_bytes) for place in range(count))
    return [
        _attest(opened, job, place % job.people, _write(known, members[place % job.people], one))
        for place, one in enumerate(minted)
    ]


async def _known(opened: store.Store, job: Job) -> _Known:
    environment_id = job.environment_id
    caller = await opened.caller(environment_id, credentials.hash_secret(job.secret))
    profile = await opened.profile(environment_id, PROFILE)
    view = await opened.session(environment_id, session_ids.number_of_token(job.session_token))
    attempts = await opened.attempts(environment_id, 1)
    events = [one for one in await opened.events(environment_id, 1000) if one.action == "session.started"]
    if not (caller and profile and view and view.organization and attempts and events):
        raise BenchFault(f"{environment_id} holds no attest to make others of")
    return _Known(caller, profile, view.organization, view.session, attempts[0], events[0])


async def _member(opened: store.Store, known: _Known, person: int) -> Member:
    key = known.organization.environment_id, known.organization.organization_id
    member, _ = await opened.member_candidates(*key, tokens.external_id(person), tokens.email(person))
    if member is None:
        raise BenchFault(f"person {person} is not there")
    return member


def _write(known: _Known, member: Member, minted: session_ids.Minted) -> store.StartSession:
    now, replace = int(time.time()), msgspec.structs.replace
    session = replace(
        known.session,
        number=minted.number,
        id_tail=minted.id_tail,
        token_hash=minted.token_hash,
        subject_id=member.member_id,
    )
    session_id = session_ids.session_id(session)
    return store.StartSession(
        session=session,
        guard=store.Guard(
            environment_id=session.environment_id,
            secret_id=known.caller.secret.secret_id,
            profile_id=known.profile.profile_id,
            profile_revision=known.profile.revision,
            now=now,
        ),
        attempt=replace(known.attempt, subject_id=member.member_id, session_id=session_id, subject=member.external_id),
        events=(replace(known.event, target=session_id),),
    )


def _attest(opened: store.Store, job: Job, person: int, write: store.StartSession) -> Doing:
    environment_id, secret_hash = job.environment_id, credentials.hash_secret(job.secret)
    external_id, email = tokens.external_id(person), tokens.email(person)

    async def doing() -> None:
        """In the order of a real one: each waits for the one before."""
        await opened.caller(environment_id, secret_hash)
        await opened.profile(environment_id, PROFILE)
        organization = await opened.organization(environment_id, tokens.ORGANIZATION, by_slug=False)
        organization_id = organization.organization_id if organization else ""
        await opened.member_candidates(environment_id, organization_id, external_id, email)
        await opened.write(write)

    return doing


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(uvloop.run(measured(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job))))
    )
