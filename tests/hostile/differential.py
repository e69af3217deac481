"""One comparison of Assay with both oracles, and a count of what was found."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings

from tests.hostile import oracles
from tests.hostile.differences import explanation
from tests.hostile.mutations import Plan, make, plans


class Unexplained(AssertionError):
    """Two judges differ, and nothing on the list says why."""


class Tally:
    """What a run has seen: examples, tokens that Assay granted, and explained differences by oracle and name."""

    def __init__(self) -> None:
        self.examples = 0
        self.granted = 0
        self.differences: Counter[tuple[str, str]] = Counter()

    def compare(self, plan: Plan) -> None:
        """Judge the plan's token three times. Raises Unexplained."""
        token = make(plan)
        ours = oracles.ours(plan, token)
        self.examples += 1
        self.granted += ours.granted
        for oracle in oracles.ORACLES:
            theirs = oracles.verdict(oracle, plan, token)
            if ours.granted == theirs.granted:
                if (
                    ours.claims is not None
                    and theirs.claims is not None
                    and not oracles.same(ours.claims, theirs.claims)
                ):
                    raise Unexplained(f"{oracle} reads other claims in {plan}: {theirs.claims}, not {ours.claims}")
                continue
            name = explanation(token, ours, oracle, theirs)
            if name is None:
                raise Unexplained(f"Assay: {ours}; {oracle}: {theirs}; {plan}; {token}")
            self.differences[oracle, name] += 1


def run(examples: int, *, derandomize: bool, tally: Tally | None = None) -> Tally:
    """Compare so many tokens, and count them in ``tally`` if one is given.

    Raises Unexplained with the least plan that shows a difference off the list.
    """
    counted = tally or Tally()

    @settings(
        max_examples=examples,
        derandomize=derandomize,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def compare(plan: Plan) -> None:
        counted.compare(plan)

    compare()
    return counted
