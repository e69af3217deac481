"""The proof that the rules bite: every mutant, and the rules that caught it.

    python -m tests.history.proof

runs a service that is right and all that are wrong, and prints which rules each of them broke, as a table.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.history import rules, running
from tests.history.disks import Synchronous
from tests.history.mutants import CASES, Case

OPERATIONS: Final = 120
TRIES: Final = 5
"""A mutant that only shows in a race may win it all through one run."""

POWER_CUTS: Final[dict[str, Synchronous]] = {
    "a commit that is not synced until the next checkpoint (synchronous=normal)": "normal",
    "nothing is ever synced (synchronous=off)": "off",
}
"""Mutants that only a power cut shows; S1 must catch them."""


async def found(case: Case, folder: Path) -> Counter[str]:
    """How often the mutant broke each rule, in the first run in which it broke the one that must catch it."""
    broken = Counter[str]()
    for seed in range(TRIES):
        with pytest.MonkeyPatch.context() as patch:
            case.spoil(patch)
            history, _ = await running.run(_folder(folder, seed), seed=seed, operations=OPERATIONS, mutant=case.mutant)
        broken = Counter(violation.rule for violation in rules.check(history))
        if case.rule in broken:
            break
    return broken


async def found_by_power_cut(synchronous: Synchronous, folder: Path) -> Counter[str]:
    """As :func:`found`, of what a power cut leaves of a store with this ``synchronous``."""
    broken = Counter[str]()
    for seed in range(TRIES):
        history = await running.run_with_power_cut(
            _folder(folder, seed), seed=seed, operations=OPERATIONS, synchronous=synchronous
        )
        broken = Counter(violation.rule for violation in rules.check(history))
        if "S1" in broken:
            break
    return broken


async def _main() -> int:
    with tempfile.TemporaryDirectory() as name:
        rows = await _rows(Path(name))
    sys.stdout.write("| what is wrong | must be caught by | caught by |\n|---|---|---|\n")
    sys.stdout.writelines(f"| {what} | {rule or 'none'} | {_told(broken)} |\n" for what, rule, broken in rows)
    return 0 if all(bool(broken) == bool(rule) and rule in {*broken, ""} for _, rule, broken in rows) else 1


async def _rows(folder: Path) -> list[tuple[str, str, Counter[str]]]:
    history, _ = await running.run(_folder(folder, "right"), seed=0, operations=OPERATIONS)
    rows = [("nothing", "", Counter(violation.rule for violation in rules.check(history)))]
    rows.append(("nothing, and a power cut", "", await found_by_power_cut("full", _folder(folder, "full"))))
    for what, case in CASES.items():
        rows.append((what, case.rule, await found(case, _folder(folder, what.replace(" ", "-")))))
    for what, synchronous in POWER_CUTS.items():
        rows.append((what, "S1", await found_by_power_cut(synchronous, _folder(folder, synchronous))))
    return rows


def _told(broken: Counter[str]) -> str:
    return ", ".join(f"{rule} ({count} ×)" for rule, count in sorted(broken.items())) or "none"


def _folder(parent: Path, name: object) -> Path:
    folder = parent / str(name)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    raise SystemExit(asyncio.run(_main()))
