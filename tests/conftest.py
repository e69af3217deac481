"""Fixtures for every test; what they hold is told where it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from tests import explaining, postgres
from tests.explaining import ExplainedFirst
from tests.world import World, open_world


def pytest_unconfigure() -> None:
    """The server that tests of PostgreSQL started ends with them."""
    postgres.end()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A whole Assay in this process; see ``tests/world.py``."""
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """No test writes into the log of another one."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def explained(monkeypatch: pytest.MonkeyPatch) -> ExplainedFirst:
    """Every attest of every test is explained first; see ``tests/explaining.py``."""
    return explaining.install(monkeypatch)


@pytest.fixture
def unexplained(explained: ExplainedFirst) -> None:
    """For a test in which asking for the keys changes the world: nobody asks for them but attest itself."""
    explained.off = True
