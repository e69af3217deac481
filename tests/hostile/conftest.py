"""The arena of the hostile tests, one per module; see ``arena.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.arena import Arena, open_arena


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("arena")) as opened:
        yield opened
