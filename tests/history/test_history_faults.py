"""The soak run in small: a real server is killed under load, and another one may write no file for a while."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.history import machine, nemesis, rules
from tests.history.installation import Installation
from tests.history.nemesis import Endured

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at and held back in Linux's ways")

CLIENTS = 8


@pytest.fixture
async def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path, tmp_path / "history.jsonl", seed=1)
    await made.set_up()
    return made


async def test_a_server_that_is_killed_under_load_loses_nothing_that_it_acknowledged(
    installation: Installation,
) -> None:
    endured = await nemesis.kill_again_and_again(installation, 1, operations=80, clients=CLIENTS, goes_on=lambda: True)
    assert endured.faults == {"SIGKILL of the server": 1}
    nothing_amiss(installation, endured)


async def test_a_server_that_may_write_no_file_refuses_to_attest_goes_on_to_authenticate_and_recovers(
    installation: Installation,
) -> None:
    endured = await nemesis.trouble(installation, "no writes", machine.no_file_grows, operations=40, clients=CLIENTS)
    assert endured.faults == {"no writes": 1}
    assert installation.load.refusals[nemesis.UNAVAILABLE] >= nemesis.PROBES
    nothing_amiss(installation, endured)


def nothing_amiss(installation: Installation, endured: Endured) -> None:
    installation.recorder.close()
    history = installation.recorder.history()
    assert endured.problems == []
    assert rules.check(history) == []
    assert any(operation.outcome == "unknown" for operation in history.operations)
