"""PostgreSQL is stopped and started under load: 503 meanwhile, no restart of Assay, nothing amiss in the history."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests import postgres
from tests.history import rules
from tests.history.clients import Load
from tests.history.history import Recorder
from tests.history.installation import set_up
from tests.process import Assay

CLIENTS = 8
BACK_WITHIN = 10.0
"""So many seconds after its return requests must be served again."""


@pytest.fixture
def address() -> Iterator[str]:
    made = postgres.migrated()
    yield made
    postgres.server().stop()  # whatever has become of it: it is there again for the next test
    postgres.server().start()
    postgres.drop(made)


@pytest.fixture
async def load(address: str, tmp_path: Path) -> AsyncIterator[tuple[Load, Recorder, httpx.AsyncClient]]:
    root_key = secrets.token_urlsafe(32)
    recorder = Recorder(time.time, tmp_path / "history.jsonl")
    made = Load(await set_up(address, root_key), recorder, time.time, seed=1)
    with Assay(tmp_path, {"ASSAY_DATABASE": address, "ASSAY_ROOT_KEY": root_key}).serving() as server:
        async with httpx.AsyncClient(
            base_url=server.url, auth=made.target.auth, trust_env=False, timeout=BACK_WITHIN
        ) as http:
            yield made, recorder, http
    recorder.close()


async def test_postgresql_stopped_and_started_under_load_loses_nothing_and_needs_no_restart(
    load: tuple[Load, Recorder, httpx.AsyncClient],
) -> None:
    clients, recorder, http = load
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        stopping.append(asyncio.create_task(asyncio.to_thread(postgres.server().stop)))

    await clients.run(http, 120, CLIENTS, left=60, then=stop)
    await stopping[0]
    before = clients.statuses.copy()
    await clients.run(http, 3 * CLIENTS, CLIENTS)
    assert set(clients.statuses - before) == {503}
    await asyncio.to_thread(postgres.server().start)
    await served_again(clients, http)
    before = clients.statuses.copy()
    await clients.run(http, 80, CLIENTS)
    assert 503 not in clients.statuses - before
    recorder.settle()
    await clients.audit(http, most=20)
    assert rules.check(recorder.history()) == []
    assert set(clients.statuses) <= {200, 400, 404, 503}
    assert {"ok", "unknown"} <= {operation.outcome for operation in recorder.history().operations}


async def served_again(load: Load, http: httpx.AsyncClient) -> None:
    auditor = load.auditor(http)
    async with asyncio.timeout(BACK_WITHIN):
        while True:
            await auditor.attest(load.target.profile)
            if auditor.last.status_code == 200:
                return
