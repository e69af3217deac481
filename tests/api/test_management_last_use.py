"""When a secret or workspace key was last used: noted now and then, and never in the way of a call."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from assay import errors
from assay.api.application import Application
from assay.model import Secret
from assay.store import Store, TouchSecret, TouchWorkspaceKey, Write
from assay.stories.last_use import NOTED_EVERY_SECONDS, LastUse
from tests.api.asgi import ask, basic
from tests.world import Operating, Tenant, World

WHOAMI = "/v1/debug/whoami"
PROJECTS = "/pwa/v3/projects"


class Watched:
    """The store, with what was written about use; ``is_full`` makes such writes fail."""

    def __init__(self, store: Store, *, is_full: bool = False) -> None:
        self._store = store
        self._is_full = is_full
        self.touches: list[Write] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, write: Write) -> None:
        if isinstance(write, TouchSecret | TouchWorkspaceKey):
            self.touches.append(write)
            if self._is_full:
                raise errors.StoreUnavailable(detail="the disk is full")
        await self._store.write(write)


class Process:
    """One server process over the world's database, which remembers nothing of the others."""

    def __init__(self, world: World, *, is_full: bool = False) -> None:
        self.store = Watched(world.context.store, is_full=is_full)
        context = msgspec.structs.replace(world.context, store=self.store, last_use=LastUse())
        self._app = Application(context)

    async def call(self, caller: Tenant | Operating) -> int:
        path = WHOAMI if isinstance(caller, Tenant) else PROJECTS
        return (await ask(self._app, "GET", path, headers=[basic(*caller.auth)])).status


async def caller_of(world: World, kind: str) -> Tenant | Operating:
    return world.consumer if kind == "secret" else await world.operator()


async def used_at(world: World, caller: Tenant | Operating) -> int | None:
    if isinstance(caller, Tenant):
        [secret] = await world.context.store.secrets(caller.project_id)
        return secret.used_at
    [key] = await world.context.store.workspace_keys()
    return key.used_at


@pytest.fixture(params=["secret", "workspace key"])
async def caller(world: World, request: pytest.FixtureRequest) -> Tenant | Operating:
    """Somebody who called long ago, if ever."""
    found = await caller_of(world, request.param)
    world.clock.turn(NOTED_EVERY_SECONDS)
    return found


async def test_of_many_calls_at_once_one_notes_the_use(world: World, caller: Tenant | Operating) -> None:
    process = Process(world)
    assert await asyncio.gather(*(process.call(caller) for _ in range(20))) == [200] * 20
    assert len(process.store.touches) == 1
    assert await used_at(world, caller) == world.clock.now


async def test_the_use_is_noted_again_after_five_minutes(world: World, caller: Tenant | Operating) -> None:
    process = Process(world)
    await process.call(caller)
    world.clock.turn(NOTED_EVERY_SECONDS - 1)
    await process.call(caller)
    assert await used_at(world, caller) == world.clock.now - NOTED_EVERY_SECONDS + 1
    world.clock.turn(1)
    await process.call(caller)
    assert await used_at(world, caller) == world.clock.now
    assert len(process.store.touches) == 2


async def test_what_another_process_noted_is_not_noted_again(world: World, caller: Tenant | Operating) -> None:
    one, other = Process(world), Process(world)
    await one.call(caller)
    world.clock.turn(1)
    await other.call(caller)
    assert (len(one.store.touches), len(other.store.touches)) == (1, 0)


async def test_a_store_that_takes_no_writes_fails_no_call_and_is_not_asked_each_time(
    world: World, caller: Tenant | Operating
) -> None:
    process = Process(world, is_full=True)
    assert [await process.call(caller) for _ in range(3)] == [200, 200, 200]
    assert len(process.store.touches) == 1
    world.clock.turn(NOTED_EVERY_SECONDS)
    assert await process.call(caller) == 200
    assert len(process.store.touches) == 2


async def test_wrong_credentials_are_no_use(world: World, caller: Tenant | Operating) -> None:
    before = await used_at(world, caller)
    process = Process(world)
    wrong = msgspec.structs.replace(caller, secret="secret-test-wrong")
    assert await process.call(wrong) == 401
    assert process.store.touches == []
    assert await used_at(world, caller) == before


async def test_the_management_api_shows_when_a_secret_was_used(world: World) -> None:
    [secret] = await world.context.store.secrets(world.b2b.project_id)
    projects = await world.context.store.projects()
    slug = next(each.slug for each in projects if each.project_id == world.b2b.caller.environment.project_id)
    world.clock.turn(3600)
    async with world.client(world.b2b) as backend, world.client(await world.operator()) as operator:
        await backend.get(WHOAMI)
        path = f"{PROJECTS}/{slug}/environments/test/secrets/{secret.secret_id}"
        shown = (await operator.get(path)).json()["secret"]
    assert shown == {
        "secret_id": secret.secret_id,
        "last_four": world.b2b.secret[-4:],
        "created_at": "2026-05-28T20:26:40Z",
        "used_at": "2026-05-28T21:26:40Z",
    }


async def test_a_secret_that_is_not_used_has_no_last_use(world: World) -> None:
    unused: Secret = (await world.context.store.secrets(world.b2b.project_id))[0]
    assert unused.used_at is not None
    projects = await world.context.store.projects()
    slug = next(each.slug for each in projects if each.project_id == world.b2b.caller.environment.project_id)
    async with world.client(await world.operator()) as operator:
        path = f"{PROJECTS}/{slug}/environments/production/secrets"
        made = (await operator.post(path)).json()["secret"]
        shown = (await operator.get(f"{path}/{made['secret_id']}")).json()["secret"]
    assert shown["used_at"] is None
