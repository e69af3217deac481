"""Stories run against a real store, with a clock that stands still until it is turned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assay.model import Member, Organization
from assay.store import Store
from assay.store.opening import open_store
from assay.stories.context import Call, Context
from tests.calls import Clock, calling
from tests.stories.people import new, organize


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'assay.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def ctx(store: Store, clock: Clock) -> Context:
    """A world without keys: the directory needs none."""
    none: Any = None
    return Context(
        store=store,
        keys=none,
        signer=none,
        token_seal=none,
        settings=none,
        cursor_key=b"k" * 32,
        seal=none,
        clock=clock,
    )


@pytest.fixture
async def call(store: Store) -> Call:
    """A call to the TEST environment of a B2B project."""
    return await calling(store, "acme", "b2b")


@pytest.fixture
async def elsewhere(store: Store) -> Call:
    """A call of another tenant of the same store, who must never see or touch anything."""
    return await calling(store, "rival", "b2b")


@pytest.fixture
async def consumer(store: Store) -> Call:
    """A call to the TEST environment of a consumer project."""
    return await calling(store, "shop", "consumer")


@pytest.fixture
async def consumer_elsewhere(store: Store) -> Call:
    """As ``elsewhere``, of a consumer project."""
    return await calling(store, "kiosk", "consumer")


@pytest.fixture
async def acme(ctx: Context, call: Call) -> Organization:
    return await organize(ctx, call, "acme")


@pytest.fixture
async def other(ctx: Context, call: Call) -> Organization:
    return await organize(ctx, call, "other")


@pytest.fixture
async def ada(ctx: Context, call: Call, acme: Organization) -> Member:
    return await new(ctx, call, acme, "ada@acme.example", external_id="sub|ada", name="Ada")
