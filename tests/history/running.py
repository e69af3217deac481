"""Short runs against an Assay in this process, whose clock the run turns and whose store may be a mutant."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import httpx
import msgspec

from assay import config
from assay.api.application import Application
from assay.app import open_context
from assay.store import Store
from assay.stories import profiles
from assay.stories.context import Context
from tests.calls import OPERATOR
from tests.history import disks
from tests.history.clients import Load, Target
from tests.history.disks import Synchronous
from tests.history.history import History, Recorder
from tests.issuer import AUDIENCE
from tests.whole import WholeBodies
from tests.world import BASE_URL, Clock, World, open_world

CLIENTS: Final = 12
TICK_SECONDS: Final = 0.05
"""So much later is it for the service at each request: what is cached for a second lives for twenty of them."""

LEAP_SECONDS: Final = 240
LEAP_EVERY: Final = 30
"""And so much at each of so many, so that sessions expire."""

Clocked = Callable[[], float]
Wrap = Callable[[Store, Clocked], Any]
"""Makes a mutant of a store, given the service's clock."""


def untouched(store: Store, _clock: Clocked) -> Store:
    """No mutant."""
    return store


async def target_of(world: World) -> Target:
    """What the clients use; makes the profile that takes each token once."""
    profile = profiles.ProfileCreate(
        profile_id="once",
        name="Once only",
        issuer=world.issuer.url,
        audience=AUDIENCE,
        pem_files=(world.issuer.keys[0].pem(),),
        attribute_mapping={"email": "email", "token_id": "jti"},
        can_jit_provision=True,
        replay="token_id",
    )
    await profiles.create_profile(world.context, world.b2b.project_id, profile, by=OPERATOR, allow_problems=False)
    return Target(world.b2b.auth, world.issuer, world.acme.organization_id)


async def run(
    folder: Path, *, seed: int, operations: int, mutant: Wrap = untouched, audited: bool = True
) -> tuple[History, Load]:
    """A whole run, and what its clients counted."""
    async with open_world(folder) as world:
        recorder = Recorder(world.clock, folder / "history.jsonl")
        load = Load(await target_of(world), recorder, world.clock, seed=seed)
        async with client_of(world.context, load.target, world.clock, mutant) as http:
            await load.run(http, operations, CLIENTS)
            recorder.settle()
            if audited:
                await load.audit(http, most=40)
        recorder.close()
        return recorder.history(), load


@asynccontextmanager
async def reopened(folder: Path, clock: Clock) -> AsyncIterator[Context]:
    """The Assay whose files lie in the folder."""
    settings = config.read({"ASSAY_DATABASE": f"sqlite:///{folder / 'assay.db'}"})
    async with open_context(settings, clock=clock, monotonic=clock) as context:
        yield context


def client_of(
    context: Context,
    target: Target,
    clock: Clock,
    mutant: Wrap = untouched,
    is_dead: Callable[[], bool] = lambda: False,
) -> httpx.AsyncClient:
    """The clients' way into this process. Once it ``is_dead`` no answer arrives."""
    changed = msgspec.structs.replace(context, store=cast("Store", mutant(context.store, clock)))
    transport = Ticking(httpx.ASGITransport(app=WholeBodies(Application(changed))), clock, is_dead)
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=target.auth)


class Ticking(httpx.AsyncBaseTransport):
    """Turns the clock at each request, and loses the answers of a service that died meanwhile."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: Clock, is_dead: Callable[[], bool]) -> None:
        self._inner = inner
        self._clock = clock
        self._is_dead = is_dead
        self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._count += 1
        self._clock.turn(TICK_SECONDS if self._count % LEAP_EVERY else LEAP_SECONDS)
        response = await self._inner.handle_async_request(request)
        if self._is_dead():
            raise httpx.ReadError("no answer")
        return response


async def run_with_power_cut(
    folder: Path, *, seed: int, operations: int, synchronous: Synchronous = "full", kept: float = 0.0
) -> History:
    """Cut the power under load, go on from what the drive has, and look at what is left of it.

    ``kept`` is the share of the blocks not synced that the drive keeps all the same.
    """
    chance, disk = random.Random(seed), disks.Disk()
    before, after = folder / "before", folder / "after"
    before.mkdir()
    after.mkdir()
    with disks.installed(disk, synchronous):
        async with open_world(before) as world:
            recorder = Recorder(world.clock)
            load = Load(await target_of(world), recorder, world.clock, seed=seed)
            disk.rest()

            def cut() -> None:
                disk.cut(after, chance, kept)
                load.gone.set()

            async with client_of(world.context, load.target, world.clock, is_dead=load.gone.is_set) as http:
                await load.run(http, operations, CLIENTS, left=chance.randrange(operations // 2), then=cut)
                load.gone.clear()
        recorder.settle()
        disks.recover(before, after)
        async with reopened(after, world.clock) as context, client_of(context, load.target, world.clock) as http:
            await load.audit(http)
    return recorder.history()
