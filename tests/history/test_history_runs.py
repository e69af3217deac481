"""Many clients at once, against a service that is right and against services that are not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.history import proof, rules, running
from tests.history.disks import Disk, Synchronous
from tests.history.history import load
from tests.history.mutants import CASES, Case

pytestmark = pytest.mark.usefixtures("unexplained")


@pytest.mark.parametrize("seed", range(2))
async def test_many_clients_find_nothing_amiss(tmp_path: Path, seed: int) -> None:
    history, run = await running.run(tmp_path, seed=seed, operations=250)
    assert rules.check(history) == []
    done = {kind for (kind, outcome), count in run.counts.items() if outcome == "ok" and count}
    refused = {kind for (kind, outcome), count in run.counts.items() if outcome == "fail" and count}
    assert done == {"attest", "attest-once", "attest-onto", "authenticate", "extend", "revoke", "revoke-all", "list"}
    assert {"attest-once", "authenticate"} <= refused
    assert set(run.statuses) == {200, 400, 404}


async def test_the_lines_of_a_run_tell_the_same_and_no_secret(tmp_path: Path) -> None:
    history, run = await running.run(tmp_path, seed=3, operations=60)
    lines = tmp_path / "history.jsonl"
    assert load(lines) == history
    text = lines.read_text()
    assert all(held.token not in text and held.jwt not in text for held in (*run.live, *run.ended))
    assert all(body["token"] not in text for body in run.used)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_mutant_is_caught(case: Case, tmp_path: Path) -> None:
    assert case.rule in await proof.found(case, tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.5], ids=["nothing", "every other block"])
async def test_a_power_cut_takes_nothing_that_was_acknowledged(tmp_path: Path, kept: float) -> None:
    """Whatever the drive keeps of what was not synced."""
    history = await running.run_with_power_cut(tmp_path, seed=1, operations=100, kept=kept)
    assert rules.check(history) == []
    assert {"ok", "unknown"} <= {operation.outcome for operation in history.operations}


@pytest.mark.parametrize("synchronous", proof.POWER_CUTS.values(), ids=proof.POWER_CUTS)
async def test_a_power_cut_shows_a_missing_fsync(synchronous: Synchronous, tmp_path: Path) -> None:
    assert "S1" in await proof.found_by_power_cut(synchronous, tmp_path)


def test_every_rule_is_proved_by_a_mutant_that_it_must_catch() -> None:
    assert {case.rule for case in CASES.values()} == set(rules.RULES)


def test_a_drive_keeps_what_was_synced_and_nothing_else(tmp_path: Path) -> None:
    disk = Disk()
    disk.wrote("file", 0, b"synced")
    disk.sync("file")
    disk.wrote("file", 6, b" and lost")
    disk.wrote("file", 2, None)
    disk.wrote("never synced", 0, b"lost")
    disk.cut(tmp_path, random.Random(0), kept=0)
    assert (tmp_path / "file").read_bytes() == b"synced"
    assert (tmp_path / "never synced").read_bytes() == b""
