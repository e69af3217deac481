"""What is counted below the API: commits that fail, fetches of keys, the lateness of the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from assay import errors
from assay.keys.fetch import Fetched, FetchFault
from assay.observing import lag
from assay.observing.meter import Meter
from assay.observing.observed import observed_fetch, traced_store
from assay.observing.tracer import NO_TRACER
from assay.store.sqlite_checkpoints import Checkpoints
from assay.store.sqlite_lock import WriteLock
from assay.store.sqlite_writer import Writer
from tests.unit.memory_store import MemoryStore


def value(meter: Meter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(name, labels)


def ticks(*seconds: float) -> Callable[[], float]:
    """A timer that answers these."""
    left: Iterator[float] = iter(seconds)
    return lambda: next(left)


@pytest.mark.parametrize(("fails", "outcome"), [(False, "answered"), (True, "failed")])
async def test_a_fetch_is_counted_and_timed_whatever_its_outcome(fails: bool, outcome: str) -> None:
    async def fetch(url: str, ca_pem: str | None = None) -> Fetched:
        if fails:
            raise FetchFault("it is away")
        return Fetched(f"{url} {ca_pem}".encode())

    meter = Meter()
    observed = observed_fetch(fetch, meter, NO_TRACER, ticks(10.0, 10.3))
    if fails:
        with pytest.raises(FetchFault, match="it is away"):
            await observed("https://issuer.example/keys")
    else:
        assert (await observed("https://issuer.example/keys", "PEM")).document == b"https://issuer.example/keys PEM"
    assert value(meter, "assay_key_fetches_total", outcome=outcome) == 1
    assert value(meter, "assay_key_fetch_duration_seconds_bucket", le="0.5") == 1
    assert value(meter, "assay_key_fetch_duration_seconds_bucket", le="0.25") == 0


async def test_writes_wait_until_they_are_durable_and_a_commit_that_fails_is_counted(tmp_path: Path) -> None:
    def connect() -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    meter = Meter()
    writer = Writer(connect, WriteLock(str(tmp_path / "assay.db"), 0), Checkpoints(connect), meter)
    waiting = [asyncio.ensure_future(writer.commit([])) for _ in range(3)]
    await asyncio.sleep(0)
    assert value(meter, "assay_store_writes_waiting") == 3
    found = await asyncio.gather(*waiting, return_exceptions=True)
    await writer.close()
    assert {type(each) for each in found} == {errors.StoreUnavailable}
    assert value(meter, "assay_store_writes_waiting") == 0
    assert value(meter, "assay_store_failed_commits_total") == 1
    assert value(meter, "assay_store_commit_writes_bucket", le="2.0") == 0
    assert value(meter, "assay_store_commit_writes_bucket", le="4.0") == 1


async def test_the_loop_is_as_late_as_it_came_to_what_was_due() -> None:
    meter, measured = Meter(), asyncio.Event()

    def sleep(seconds: float) -> Awaitable[None]:
        assert seconds == lag.EVERY_SECONDS
        return naps.pop()()

    async def nap() -> None:
        return None

    async def never() -> None:
        measured.set()
        await asyncio.Event().wait()

    naps = [never, nap]
    async with lag.measured(meter, sleep=sleep, timer=ticks(5.0, 5.0 + lag.EVERY_SECONDS + 0.3, 7.0)):
        await measured.wait()
    assert value(meter, "assay_event_loop_lag_seconds_count") == 1
    assert value(meter, "assay_event_loop_lag_seconds_sum") == pytest.approx(0.3)


def test_a_store_without_traces_is_itself() -> None:
    store = MemoryStore().as_store()
    assert traced_store(store, NO_TRACER) is store
