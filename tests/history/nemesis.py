"""Two runs that hurt: servers that are killed again and again, and a disk that takes nothing for a while."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import httpx
import msgspec

from tests.history import machine
from tests.history.clients import Client, Held
from tests.history.installation import Installation
from tests.process import Server

Trouble = Callable[[Server, Path], AbstractContextManager[None]]

PROBES: Final = 10
FRESH: Final = 8
"""So many sessions of those made last are known to a look at what goes on."""

ROUNDS: Final = 60
"""A disk is full when a write fails; until then this many rounds may go by."""

UNAVAILABLE: Final = "server_unavailable"


class Endured(msgspec.Struct):
    """What happened to the servers, and what they did that no server may."""

    faults: Counter[str] = msgspec.field(default_factory=Counter)
    problems: list[str] = msgspec.field(default_factory=list)


# ---------------------------------------------------------------- kills


async def kill_again_and_again(
    installation: Installation, kills: int, *, operations: int, clients: int, goes_on: Callable[[], bool]
) -> Endured:
    """Load servers and kill them, or one of their workers, at a moment that chance decides, then look at the rest."""
    endured, chance = Endured(), random.Random(f"kills {installation.load.seed}")
    server = installation.start()
    try:
        while endured.faults.total() < kills and goes_on():
            if await _kill_once(installation, server, chance, endured, (operations, clients)):
                server = installation.start()
        async with installation.client(server) as http:
            await installation.load.audit(http)
        _stop(server, endured)
    finally:
        end(server)
    return endured


async def _kill_once(
    installation: Installation, server: Server, chance: random.Random, endured: Endured, size: tuple[int, int]
) -> bool:
    """One kill under load. Whether that was the end of the server."""
    operations, clients = size
    workers = machine.workers_of(server)
    what, victims = "the server", [server.process.pid]
    if workers:
        worker = chance.choice(workers)
        others = ("one worker", [worker]), ("the server and its workers", [server.process.pid, *workers])
        what, victims = chance.choice([(what, victims), *others])

    def strike() -> None:
        machine.kill(*victims)
        if what != "one worker":
            installation.load.gone.set()

    left = chance.randrange(1, operations * 3 // 4)
    await installation.run(server, operations, clients, left=left, then=strike)
    endured.faults[f"SIGKILL of {what}"] += 1
    if what == "one worker":
        await _come_back(server, len(workers), endured)
        return False
    server.end(signal.SIGKILL)
    await asyncio.to_thread(machine.wait_for_end, workers)  # those that were left alone finish what they had
    installation.recorder.settle()
    return True


async def _come_back(server: Server, workers: int, endured: Endured) -> None:
    """Wait for the worker that takes the place of one that was killed."""
    for _ in range(100):
        if len(machine.workers_of(server)) == workers:
            return
        await asyncio.sleep(0.1)
    endured.problems.append(f"a worker was killed, and no other took its place:\n{''.join(server.log[-20:])}")


# ---------------------------------------------------------------- a disk in trouble


async def trouble(installation: Installation, name: str, begin: Trouble, *, operations: int, clients: int) -> Endured:
    """Load a server before, while and after its disk takes nothing, restart it, and look at what is left.

    Raises CannotDoThat.
    """
    endured, load = Endured(), installation.load
    server = installation.start()
    try:
        async with installation.client(server) as http:
            await load.run(http, operations, clients)
            with begin(server, installation.folder):
                endured.faults[name] += 1
                await _until_a_write_fails(installation, http, clients, endured)
                await _look_during(installation, http, endured)
                await load.run(http, operations, clients)
            await _look_after(installation, http, endured)
            await load.run(http, operations, clients)
        _stop(server, endured)
        installation.recorder.settle()
        server = installation.start()
        async with installation.client(server) as http:
            await load.audit(http)
        _stop(server, endured)
    finally:
        end(server)
    return endured


async def _until_a_write_fails(
    installation: Installation, http: httpx.AsyncClient, clients: int, endured: Endured
) -> None:
    load = installation.load
    for _ in range(ROUNDS):
        before = load.statuses[503]
        await load.run(http, 4 * clients, clients)
        if load.statuses[503] > before:
            return
    endured.problems.append(f"after {ROUNDS} rounds no write has failed")


async def _look_during(installation: Installation, http: httpx.AsyncClient, endured: Endured) -> None:
    """Attest says 503 with a reason, and when to try again; authenticate goes on."""
    client, live = installation.load.auditor(http), installation.load.live
    granted = [held for held in [*live][-FRESH:] if await _status(client, held) == 200]
    if not granted:
        endured.problems.append("no session that was made before can be authenticated")
    for held in (granted * PROBES)[:PROBES]:
        if (status := await _status(client, held)) != 200:
            endured.problems.append(f"authenticate says {status}")
    for _ in range(PROBES):
        await client.attest("idp")
        said = (client.last.status_code, client.last.json().get("error_type"))
        if said != (503, UNAVAILABLE) or "retry-after" not in client.last.headers:
            endured.problems.append(f"attest says {said}")


async def _look_after(installation: Installation, http: httpx.AsyncClient, endured: Endured) -> None:
    """Nothing needs a restart."""
    client = installation.load.auditor(http)
    for _ in range(PROBES):
        await client.attest("idp")
        if client.last.status_code != 200:
            endured.problems.append(f"afterwards attest says {client.last.status_code}: {client.last.text}")


async def _status(client: Client, held: Held) -> int:
    await client.authenticate(held)
    return client.last.status_code


def _stop(server: Server, endured: Endured) -> None:
    code = server.stop()
    if code != 0:
        endured.problems.append(f"told to stop, the server ended with exit code {code}:\n{''.join(server.log[-20:])}")


def end(server: Server) -> None:
    """Leave no process behind."""
    pids = [server.process.pid, *machine.workers_of(server)]
    if server.process.poll() is None:
        machine.kill(*pids)
        server.end(signal.SIGKILL)
