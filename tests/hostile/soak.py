"""``make soak``: the differential run, with other examples each time, for as long as it is told.

    python -m tests.hostile.soak --seconds 600
    python -m tests.hostile.soak --examples 100000

Prints how many examples ran and which differences they showed; ends with 1 and the least example at the first
difference that is not on the list.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

from tests.hostile import differential

BATCH = 2_000


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description="Compare Assay with PyJWT and joserfc for long.")
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: 600)")
    parser.add_argument("--examples", type=int, help="how many examples, instead of how long")
    chosen = parser.parse_args()
    started, total = time.monotonic(), differential.Tally()

    def more() -> bool:
        if chosen.examples is not None:
            return total.examples < int(chosen.examples)
        return time.monotonic() - started < float(chosen.seconds)

    try:
        _batches(total, more, chosen.examples)
    except differential.Unexplained as found:
        _say(f"After {total.examples:,} examples a difference that is not on the list:\n{found}")
        return 1
    _report(total, time.monotonic() - started)
    return 0


def _batches(total: differential.Tally, more: Callable[[], bool], examples: int | None) -> None:
    while more():
        size = BATCH if examples is None else min(BATCH, examples - total.examples)
        differential.run(size, derandomize=False, tally=total)


def _report(total: differential.Tally, seconds: float) -> None:
    _say(f"{total.examples:,} examples in {seconds:.0f} s, {total.granted:,} of them granted by Assay.")
    _say(f"{total.differences.total():,} differences, all of them on the list:")
    names: Counter[tuple[str, str]] = total.differences
    for (oracle, name), count in names.most_common():
        _say(f"  {count:>8,}  {oracle:<8} {name}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
