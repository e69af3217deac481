"""Two servers of Assay over a cluster whose primary is killed and cut off, and how long until they serve again.

Clients ask either server by chance, so that what one of them did is looked at through the other.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from tests import postgres
from tests.history.clients import Client, Held, Load
from tests.history.cluster import DATABASE, OWNER, PATRONI, POSTGRES, SERVER, WALSENDER, Cluster
from tests.history.history import Operation, Recorder
from tests.history.installation import set_up
from tests.history.network import Host, Network
from tests.process import COMMAND, Assay, Server

PEOPLE: Final = 100
PAUSE_SECONDS, AWAY_SECONDS = 0.2, 2.0
"""So long waits a client before it goes on, and while the service is away: the cluster is tried, not the speed.

What is revoked without an answer may have ended, and says nothing any more of what was lost.
"""

CALL_SECONDS: Final = 30
PROBE_SECONDS: Final = 5
PROMPT_SECONDS: Final = 1
"""Who has to wait longer is not served."""

PROBE_EVERY: Final = 0.5
IN_A_ROW: Final = 8
"""So many probes must be answered one after the other until a server is taken to serve again."""

SERVES_WITHIN: Final = 120.0
BEFORE_SECONDS, STALL_SECONDS = 3.0, 4.0
AUDITED: Final = 60
WITNESS, WITNESS_SECONDS = 2000, 0.05
CALLS: Final = ("attest", "authenticate")


class Scene(NamedTuple):
    """What a fault has at hand."""

    cluster: Cluster
    applications: list[Host]


class Fault(NamedTuple):
    """What happens; ``apart`` are the numbers of servers of Assay that reach no primary until it is mended.

    ``elects`` says whether another member must lead before it is mended, ``calls`` are those that must be served until
    then, and it lasts for ``holds`` seconds more.
    """

    name: str
    strike: Callable[[Scene], None]
    apart: tuple[int, ...] = ()
    elects: bool = True
    calls: tuple[str, ...] = CALLS
    holds: float = 6.0


class Outage(msgspec.Struct, frozen=True):
    """How long after a fault one kind of call was answered 200 in time by one server again, and stayed so, in seconds.

    0 when there was no answer that was none, or late.
    """

    fault: str
    call: str
    seconds: float


class Answer(NamedTuple):
    """What a probe was told."""

    server: int
    call: str
    asked: float
    answered: float
    ok: bool


# ---------------------------------------------------------------- faults


def _power(scene: Scene) -> None:
    primary = scene.cluster.primary()
    primary.host.kill()
    primary.reap()


def _both(scene: Scene) -> None:
    scene.cluster.primary().kill(PATRONI, *POSTGRES)


def _standby(scene: Scene) -> None:
    """Commits wait, until another one is the synchronous standby."""
    synchronous = scene.cluster.synchronous()
    synchronous.host.kill()
    synchronous.reap()


def _both_standbys(scene: Scene) -> None:
    """Nobody is left to acknowledge a commit."""
    for member in scene.cluster.standbys():
        member.kill(PATRONI, *POSTGRES)


def _postgresql(scene: Scene) -> None:
    scene.cluster.primary().kill(*POSTGRES)


def _unplug(scene: Scene) -> None:
    scene.cluster.primary().host.unplug()


def _members(scene: Scene) -> None:
    others = [member.host for member in scene.cluster.standbys()]
    scene.cluster.primary().host.cut_off_from(others)


def _with_one(scene: Scene) -> None:
    """The network falls into two parts: the old primary and one server of Assay, and all the rest."""
    others = [member.host for member in scene.cluster.standbys()]
    scene.cluster.primary().host.cut_off_from([*others, scene.applications[0]])
    scene.applications[1].cut_off_from(others)


def _frozen(scene: Scene) -> None:
    scene.cluster.primary().signal(PATRONI, signal.SIGSTOP)


def _stalled(scene: Scene) -> None:
    """Nothing is replicated for a while, and then the host is gone, with all that it had acknowledged meanwhile."""
    primary = scene.cluster.primary()
    if not primary.signal(WALSENDER, signal.SIGSTOP):
        raise AssertionError(f"nobody replicates from {primary.name}")
    time.sleep(STALL_SECONDS)
    primary.host.kill()
    primary.reap()


KILLS: Final = (
    Fault("the primary's host loses its power", _power),
    Fault("PostgreSQL and Patroni of the primary are killed", _both),
    Fault("PostgreSQL of the primary is killed, and nothing else", _postgresql, elects=False),
    Fault("the synchronous standby's host loses its power", _standby, elects=False),
)
CUTS: Final = (
    Fault("the primary's cable is unplugged", _unplug),
    Fault("the primary and one Assay are cut off from the rest", _with_one, apart=(1,)),
    Fault("the primary is cut off from the other members, and from no Assay", _members),
)
FROZEN: Final = Fault("Patroni of the primary is frozen, without a watchdog", _frozen)
ALONE: Final = Fault("no standby is left", _both_standbys, elects=False, calls=("authenticate",), holds=40.0)
STALLED: Final = Fault("replication stalls, then the primary's host loses its power", _stalled)


# ---------------------------------------------------------------- a run


class Service:
    """The servers of Assay over a cluster, their clients, and the record of the run."""

    def __init__(self, network: Network, cluster: Cluster, folder: Path, records: Path, *, seed: int) -> None:
        self.cluster = cluster
        self.faults: Counter[str] = Counter()
        self.outages: list[Outage] = []
        self.problems: list[str] = []
        self.recorder = Recorder(time.time, records)
        self.load: Load
        self.log: list[str] = []
        self._seed = seed
        self._away = 0
        self._hosts = [network.add("app1"), network.add("app2")]
        self._root_key = secrets.token_urlsafe(32)
        url = cluster.url(SERVER)
        self._assay = Assay(folder, {"ASSAY_DATABASE": url, "ASSAY_ROOT_KEY": self._root_key})
        self._servers: list[Server] = []

    async def set_up(self) -> None:
        """Make the database with its users and schema, whatever the clients need, and start the servers."""
        address = f"postgresql://{OWNER}@{self.cluster.primary().host.address}:5432"
        await postgres.execute(f"{address}/postgres", f"create database {DATABASE} encoding 'UTF8' template template0")
        await postgres.execute(f"{address}/postgres", f"create role {SERVER} login")
        self._assay.run("migrate", "--database", f"{address}/{DATABASE}", "--grant-to", SERVER)
        target = await set_up(self.cluster.url(SERVER), self._root_key)
        self.load = Load(target, self.recorder, time.time, seed=self._seed, people=PEOPLE, pause=self._pause)
        self.start()

    def start(self) -> None:
        """Start a server on each of its hosts."""
        for host in self._hosts:
            options = ("serve", "--host", host.address, "--port", "8080", "--metrics", "none")
            self._servers.append(Server(host.command(COMMAND, *options), self._assay.environ))

    def stop(self) -> None:
        """Stop them, and take down when one does not end as it should."""
        for server in self._servers:
            code = server.stop()
            self.log += server.log
            if code != 0:
                self.problems.append(f"told to stop, a server ended with exit code {code}")
        self._servers.clear()

    async def endure(self, fault: Fault, clients: int) -> None:
        """Let it happen under load, mend it when the others serve again, and look at what is left."""
        async with self._client() as http:
            working = asyncio.create_task(self.load.run(http, 10**9, clients))
            witness = Witness(self.load, http, WITNESS, random.Random(f"{self._seed}/witness"))
            try:
                await self._suffer(fault, witness)
            finally:
                self.load.gone.set()
                await working
            await witness.testify()
            await self.load.audit(http, most=AUDITED)

    async def look_again(self) -> None:
        """Start the servers anew, so that nothing is on its way any more, and look at everything."""
        await asyncio.to_thread(self.stop)
        self.recorder.settle()
        await asyncio.to_thread(self.start)
        async with self._client() as http:
            await self.load.audit(http)
        await asyncio.to_thread(self.stop)

    async def _suffer(self, fault: Fault, witness: Witness) -> None:
        watching = asyncio.create_task(witness.watch())
        await asyncio.sleep(BEFORE_SECONDS)
        old = await asyncio.to_thread(self.cluster.primary)
        await asyncio.to_thread(fault.strike, Scene(self.cluster, self._hosts))
        struck = time.monotonic()
        witness.is_done = True
        self.faults[fault.name] += 1
        elected = asyncio.create_task(asyncio.to_thread(self.cluster.wait_for_another, old if fault.elects else None))
        self._measure(fault, struck, await self._until_served(struck, fault, elected))
        await elected
        await watching
        await asyncio.sleep(fault.holds)
        await asyncio.to_thread(self._repair)
        await self._until_served(time.monotonic(), fault._replace(apart=(), calls=CALLS), elected)

    def _pause(self) -> float:
        """Longer while calls are answered 503."""
        before, self._away = self._away, self.load.statuses[503]
        return PAUSE_SECONDS if self._away == before else AWAY_SECONDS

    def _repair(self) -> None:
        for host in self._hosts:
            host.mend()
        self.cluster.repair()
        self.cluster.wait_until_whole()

    def _client(self) -> httpx.AsyncClient:
        urls = [httpx.URL(server.url) for server in self._servers]
        transport = Spread(urls, random.Random(f"{self._seed}/servers"))
        target = self.load.target
        return httpx.AsyncClient(base_url=urls[0], auth=target.auth, transport=transport, timeout=CALL_SECONDS)

    # -- when they serve again

    async def _until_served(self, since: float, fault: Fault, elected: asyncio.Task[None]) -> list[Answer]:
        """Ask each server for both again and again, until all but those apart have answered several in a row.

        That counts once a primary is ``elected``.
        """
        answers: list[Answer] = []
        awaited = [number for number in range(len(self._servers)) if number not in fault.apart]
        async with asyncio.TaskGroup() as probes:
            while not (elected.done() and _serves(answers, awaited, fault.calls)):
                if time.monotonic() > since + SERVES_WITHIN:
                    self.problems.append(f"{fault.name}: not served again within {SERVES_WITHIN:.0f} s")
                    break
                for number in awaited:
                    for call in fault.calls:
                        probes.create_task(self._probe(number, call, answers))
                await asyncio.sleep(PROBE_EVERY)
        return answers

    async def _probe(self, number: int, call: str, answers: list[Answer]) -> None:
        asked = time.monotonic()
        url, auth = self._servers[number].url, self.load.target.auth
        async with httpx.AsyncClient(base_url=url, auth=auth, timeout=PROBE_SECONDS, trust_env=False) as http:
            client = Client(self.load, http, 1000 + number, random.Random(f"{self._seed}/{asked}"))
            if call == "attest":
                await client.attest(self.load.target.profile)
            else:
                await client.authenticate((self.load.live or self.load.ended)[-1])
        told = getattr(client, "last", None)
        # A session may have been ended, or be unknown where the cluster forgets: that is an answer as well.
        ok = told is not None and (told.status_code == 200 or (call == "authenticate" and told.status_code == 404))
        answered = time.monotonic()
        answers.append(Answer(number, call, asked, answered, ok and answered - asked < PROMPT_SECONDS))

    def _measure(self, fault: Fault, struck: float, answers: list[Answer]) -> None:
        for call in fault.calls:
            for number in {answer.server for answer in answers}:
                of_one = [answer for answer in answers if (answer.server, answer.call) == (number, call)]
                failed = max((answer.asked for answer in of_one if not answer.ok), default=0.0)
                served = [answer.answered for answer in of_one if answer.ok and answer.asked > failed]
                if served:
                    self.outages.append(Outage(fault.name, call, min(served) - struck if failed else 0.0))


def _serves(answers: list[Answer], awaited: list[int], calls: tuple[str, ...]) -> bool:
    """Whether the last answers of all of them, in the order of the questions, were what they should be."""
    for number in awaited:
        for call in calls:
            of_one = sorted(answer[2:] for answer in answers if answer[:2] == (number, call))
            if len(of_one) < IN_A_ROW or not all(ok for *_, ok in of_one[-IN_A_ROW:]):
                return False
    return True


class Witness(Client):
    """Makes sessions until a fault, of which nobody else knows, ends every other one of them, and tells what is left.

    Others end without an answer what they have while the service is away, and that excuses whatever is lost.
    """

    is_done = False

    def __init__(self, load: Load, http: httpx.AsyncClient, number: int, chance: random.Random) -> None:
        super().__init__(load, http, number, chance)
        self._kept: list[Held] = []
        self._revoked: list[Held] = []

    async def watch(self) -> None:
        """Go on until it ``is_done``."""
        while not self.is_done:
            made = len(self._kept) + len(self._revoked)
            await self.attest(self._load.target.profile)
            if len(self._kept) + len(self._revoked) > made and made % 2:
                await self._revoke_one(self._kept.pop())
            await asyncio.sleep(WITNESS_SECONDS)

    async def testify(self) -> None:
        """Look at all of them, twice, so that both servers are asked."""
        for held in [*self._kept, *self._revoked] * 2:
            await self.authenticate(held)

    async def _revoke_one(self, held: Held) -> None:
        await self._ask("revoke", "/revoke", {"member_session_id": held.session_id}, session_id=held.session_id)
        self._revoked.append(held)

    def _body(self, profile: str) -> dict[str, Any]:
        token = self._load.target.token(f"witness-{self._chance.randrange(8)}@example.com", self._load.clock())
        body = {"profile_id": profile, "token": token, "organization_id": self._load.target.organization_id}
        return self._altered(body)

    def _keep(self, done: Operation, answer: dict[str, Any]) -> None:
        email = answer["member"]["email_address"]
        seen = done.seen[0]
        self._kept.append(Held(seen.session_id, seen.person, email, answer["session_token"], answer["session_jwt"]))


class Spread(httpx.AsyncBaseTransport):
    """Sends each request to one of the servers."""

    def __init__(self, urls: list[httpx.URL], chance: random.Random) -> None:
        self._urls = urls
        self._chance = chance
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        chosen = self._chance.choice(self._urls)
        request.url = request.url.copy_with(host=chosen.host, port=chosen.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
