"""Clients that log people in, look at their sessions, change and end them, all at once, and take down what they hear.

What an answer means: 200 is ok; 4xx says that nothing was done. A 503 to a call that writes says only that nothing is
known to have happened: a commit whose last sync failed may be found again after a crash. So that is unknown, and so
is whatever ended without an answer, unless the connection was never made.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import httpx
import msgspec

from tests.history.history import STAMP, Kind, Operation, Outcome, Recorder, Seen, digest
from tests.issuer import Issuer

PATH: Final = "/v1/b2b/sessions"
READING: Final[frozenset[Kind]] = frozenset({"authenticate", "list"})
GONE_SECONDS: Final = 1
AUDITOR: Final = -1
MINUTES: Final = (5, 30, 60, 120)


def _nothing() -> None:
    """What happens to most servers."""


class Target(msgspec.Struct, frozen=True):
    """Where the clients are known: their credentials, whose tokens are taken, and by which profiles.

    ``once`` names the profile that takes each token once.
    """

    auth: tuple[str, str]
    issuer: Issuer
    organization_id: str
    profile: str = "idp"
    once: str = "once"
    alg: str = "RS256"

    def token(self, person: str, now: float) -> str:
        """A token of the issuer for the person with this address."""
        return self.issuer.mint({"email": person, "sub": person}, now=now, alg=self.alg)


class Held(msgspec.Struct, frozen=True):
    """A session that a client may use: its secrets stay here, and out of the history."""

    session_id: str
    person: str
    email: str
    token: str
    jwt: str


class Load:
    """The clients of one run. ``clock`` is the service's, in seconds; ``seed`` decides who asks for what.

    ``pause`` says how many seconds a client waits before it goes on.
    ``counts`` counts operations by kind and outcome, ``statuses`` the answers by status, ``refusals`` by error type.
    """

    def __init__(
        self,
        target: Target,
        recorder: Recorder,
        clock: Callable[[], float],
        *,
        seed: int,
        people: int = 8,
        pause: Callable[[], float] | None = None,
    ) -> None:
        self.target = target
        self.recorder = recorder
        self.clock = clock
        self.seed = seed
        self.people = people
        self.pause = pause
        self.live: deque[Held] = deque(maxlen=48)
        self.ended: deque[Held] = deque(maxlen=24)
        self.used: deque[dict[str, Any]] = deque(maxlen=8)
        self.members: dict[str, str] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[int] = Counter()
        self.refusals: Counter[str] = Counter()
        self.gone = asyncio.Event()
        self.left = 0
        self.values = 0
        self._rounds = 0
        self._surprise = (0, _nothing)

    async def run(
        self,
        http: httpx.AsyncClient,
        operations: int,
        clients: int,
        *,
        left: int = 0,
        then: Callable[[], None] = _nothing,
    ) -> None:
        """Let the clients work until so many operations were asked for, or ``gone`` is set.

        When only so many are ``left``, something happens to the server ``then``, while they are at it.
        """
        self.left = operations
        self._surprise = left, then
        self.gone.clear()
        self._rounds += 1
        seeds = [f"{self.seed}/{self._rounds}/{number}" for number in range(clients)]
        workers = [Client(self, http, number, random.Random(seed)) for number, seed in enumerate(seeds)]
        await asyncio.gather(*(worker.work() for worker in workers))

    def take(self) -> bool:
        """Whether there is one operation more to ask for."""
        left, then = self._surprise
        if self.left == left:
            then()
        self.left -= 1
        return self.left >= 0 and not self.gone.is_set()

    def auditor(self, http: httpx.AsyncClient) -> Client:
        """A client that looks at what the others did."""
        return Client(self, http, AUDITOR, random.Random(f"{self.seed}/audit"))

    async def audit(self, http: httpx.AsyncClient, most: int = 200) -> None:
        """Look twice at what the run left behind: everybody's sessions, and those of which the tokens are at hand."""
        auditor = self.auditor(http)
        for _ in range(2):
            for person in list(self.members.values()):
                await auditor.list_of(person)
            for held in [*self.live, *self.ended][-most:]:
                await auditor.authenticate(held)


class Client:
    """One of them. ``number`` tells it apart in the history; ``last`` is the last answer that it got."""

    last: httpx.Response

    def __init__(self, load: Load, http: httpx.AsyncClient, number: int, chance: random.Random) -> None:
        self._load = load
        self._http = http
        self._number = number
        self._chance = chance

    async def work(self) -> None:
        """Ask for one thing after the other."""
        while self._load.take():
            if self._load.pause is not None:
                await asyncio.sleep(self._load.pause())
            await self._step()

    async def _step(self) -> None:
        names = list(_WEIGHTS)
        (name,) = self._chance.choices(names, [_WEIGHTS[each] for each in names])
        if name == "attest" or not self._load.live:
            await self.attest(self._load.target.profile)
        elif name == "attest-once":
            await self._once()
        elif name == "list":
            await self.list_of(self._chance.choice(list(self._load.members.values())))
        elif name == "revoke-all":
            await self._revoke_all()
        else:
            await self._use(name)

    async def _use(self, name: str) -> None:
        gone = name == "authenticate" and self._load.ended and self._chance.random() < 1 / 3
        held = self._chance.choice(self._load.ended) if gone else self._live()
        if name == "authenticate":
            await self.authenticate(held)
        elif name == "extend":
            await self._extend(held)
        elif name == "attest-onto":
            await self._attest_onto(held)
        else:
            await self._revoke(held)

    def _live(self) -> Held:
        """One of them all, or one of the newest, for which all clients fight."""
        live = list(self._load.live)
        return self._chance.choice(live[-3:] if self._chance.random() < 1 / 2 else live)

    # -- what makes sessions

    async def attest(self, profile: str) -> None:
        await self._start("attest", self._body(profile))

    async def _once(self) -> None:
        """A token that works once: for the first time, or again, or twice at the same time."""
        again = self._chance.random()
        if again < 1 / 3 and self._load.used:
            body = self._chance.choice(self._load.used)
            await self._start("attest-once", body if again < 1 / 9 else self._altered(body))
            return
        body = self._body(self._load.target.once)
        self._load.used.append(body)
        twice = [body, self._altered(body)] if again > 2 / 3 else [body]
        await asyncio.gather(*(self._start("attest-once", each) for each in twice))

    def _body(self, profile: str) -> dict[str, Any]:
        number = self._chance.randrange(self._load.people)
        token = self._load.target.token(f"person-{number}@example.com", self._load.clock())
        body = {"profile_id": profile, "token": token, "organization_id": self._load.target.organization_id}
        return self._altered(body)

    def _altered(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same token in a request of its own; the stamp makes the difference, and names the attest for ever."""
        stamp = self._chance.getrandbits(50)
        minutes = self._chance.choice(MINUTES)
        return {**body, "session_duration_minutes": minutes, "session_custom_claims": {STAMP: stamp}}

    async def _start(self, kind: Kind, body: dict[str, Any]) -> None:
        mark = digest(body["token"]) if kind == "attest-once" else ""
        done, answer = await self._ask(kind, "/attest", body, mark=mark)
        if done.outcome == "ok":
            self._keep(done, answer)

    def _keep(self, done: Operation, answer: dict[str, Any]) -> None:
        person, email = done.seen[0].person, answer["member"]["email_address"]
        self._load.members[email] = person
        session_id, token, jwt = done.seen[0].session_id, answer["session_token"], answer["session_jwt"]
        self._load.live.append(Held(session_id, person, email, token, jwt))

    # -- what looks at them

    async def authenticate(self, held: Held) -> None:
        await self._ask("authenticate", "/authenticate", self._named(held), shown=digest(held.token))

    async def list_of(self, person: str) -> None:
        query = {"organization_id": self._load.target.organization_id, "member_id": person}
        await self._ask("list", "", query, person=person)

    def _named(self, held: Held) -> dict[str, Any]:
        if self._number != AUDITOR and self._chance.random() < 1 / 4:
            return {"session_jwt": held.jwt}
        return {"session_token": held.token}

    # -- what changes and ends them

    async def _extend(self, held: Held) -> None:
        """Once, or twice at the same time: neither change may undo the other."""
        times = 2 if self._chance.random() < 1 / 3 else 1
        bodies = [self._named(held) | self._change() for _ in range(times)]
        shown = digest(held.token)
        await asyncio.gather(*(self._ask("extend", "/authenticate", body, shown=shown) for body in bodies))
        if times > 1:
            await self.authenticate(held)

    def _change(self) -> dict[str, Any]:
        """More time, a greater value of one of the claims, or both."""
        self._load.values += 1
        claims = {"session_custom_claims": {f"claim-{self._load.values % 3}": self._load.values}}
        minutes = {"session_duration_minutes": self._chance.choice(MINUTES)}
        return self._chance.choice((claims, minutes, claims | minutes))

    async def _attest_onto(self, held: Held) -> None:
        token = self._load.target.token(held.email, self._load.clock())
        body = {"profile_id": self._load.target.profile, "token": token, "session_token": held.token}
        body["organization_id"] = self._load.target.organization_id
        await self._ask("attest-onto", "/attest", body | self._change(), shown=digest(held.token))

    async def _revoke(self, held: Held) -> None:
        self._end(held)
        if self._chance.random() < 1 / 2:
            body = {"member_session_id": held.session_id}
            await self._ask("revoke", "/revoke", body, session_id=held.session_id)
        else:
            await self._ask("revoke", "/revoke", self._named(held), shown=digest(held.token))
        if self._chance.random() < 1 / 2:
            await self.authenticate(held)

    async def _revoke_all(self) -> None:
        person = self._chance.choice(list(self._load.members.values()))
        for held in [each for each in self._load.live if each.person == person]:
            self._end(held)
        await self._ask("revoke-all", "/revoke", {"member_id": person}, person=person)

    def _end(self, held: Held) -> None:
        """Seldom use it from now on; most of it is to be refused, and some of it races with the revoke."""
        with suppress(ValueError):
            self._load.live.remove(held)
        self._load.ended.append(held)

    # -- asking

    async def _ask(self, kind: Kind, path: str, body: dict[str, Any], **named: Any) -> tuple[Operation, dict[str, Any]]:
        load = self._load
        minutes, claims = body.get("session_duration_minutes"), body.get("session_custom_claims", {})
        request = digest(msgspec.json.encode(body).decode())
        operation = load.recorder.invoke(self._number, kind, minutes=minutes, claims=claims, request=request, **named)
        done, answer = operation, dict[str, Any]()
        try:
            response = self.last = await self._send(kind, PATH + path, body)
        except httpx.TransportError as fault:
            done = load.recorder.complete(operation, _without_answer(fault), error=type(fault).__name__)
            await self._wait_for_the_end(fault)
        else:
            load.statuses[response.status_code] += 1
            answer = response.json()
            load.refusals[answer.get("error_type", "")] += 1
            outcome = outcome_of(kind, response.status_code)
            done = load.recorder.complete(operation, outcome, **learned(kind, answer))
        load.counts[kind, done.outcome] += 1
        return done, answer

    async def _send(self, kind: Kind, path: str, body: dict[str, Any]) -> httpx.Response:
        if kind == "list":
            return await self._http.get(path, params=body)
        return await self._http.post(path, json=body)

    async def _wait_for_the_end(self, fault: httpx.TransportError) -> None:
        """Nobody listens: whoever ended the server is about to say so."""
        if isinstance(fault, httpx.ConnectError):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._load.gone.wait(), GONE_SECONDS)


_WEIGHTS: Final = {
    "attest": 22,
    "attest-once": 8,
    "attest-onto": 6,
    "authenticate": 34,
    "extend": 14,
    "revoke": 11,
    "revoke-all": 1,
    "list": 4,
}


def outcome_of(kind: Kind, status: int) -> Outcome:
    """What a status says about whether the call had its effect."""
    if status == 200:
        return "ok"
    return "fail" if status < 500 or kind in READING else "unknown"


def learned(kind: Kind, answer: dict[str, Any]) -> dict[str, Any]:
    """The fields of an operation that stand in its answer."""
    if answer["status_code"] != 200:
        return {"error": answer["error_type"]}
    sessions = answer["member_sessions"] if kind == "list" else [answer.get("member_session")]
    seen = tuple(_seen(session) for session in sessions if session)
    return {"seen": seen, "token": digest(answer["session_token"]) if "session_token" in answer else ""}


def _seen(session: dict[str, Any]) -> Seen:
    expires_at = int(datetime.fromisoformat(session["expires_at"]).timestamp())
    return Seen(session["member_session_id"], session["member_id"], expires_at, session["custom_claims"])


def _without_answer(fault: httpx.TransportError) -> Outcome:
    return "fail" if isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout) else "unknown"
