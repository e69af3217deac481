"""The pages about metrics name every metric there is, with its labels, and none that is not."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from assay.metrics import Metrics
from tests.docs import pages
from tests.world import World

REFERENCE = pages.ROOT / "docs" / "reference" / "metrics.md"
HOW_TO = pages.ROOT / "docs" / "how-to" / "monitor.md"

_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|(.*?)\| (.+) \|$", re.MULTILINE)
_NAME = re.compile(r"\bassay_\w+")


class Certificate:
    not_after = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
async def families(world: World) -> list[Metric]:
    """All there can be, after something of every kind has happened."""
    meter = world.context.meter
    meter.fetched(0.1, failed=True)
    meter.lagged(0.1)
    async with world.client(world.b2b) as client:
        await client.post("/v1/b2b/sessions/attest", json=world.attest_body())
    text = (await Metrics(world.context, Certificate()).exposition()).decode()
    return list(text_string_to_metric_families(text))


def described() -> dict[str, tuple[str, set[str]]]:
    """Metric to kind and labels, as the reference has them."""
    rows = _ROW.findall(REFERENCE.read_text(encoding="utf-8"))
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}


def name_of(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


async def test_every_metric_is_described_with_its_kind_and_no_other_is(families: list[Metric]) -> None:
    told = {name: kind for name, (kind, _) in described().items()}
    assert told == {name_of(family): family.type for family in families}


async def test_every_label_is_described(families: list[Metric]) -> None:
    told = described()
    labelled = [family for family in families if family.samples]
    assert len(labelled) > 20
    for family in labelled:
        found = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert told[name_of(family)][1] == found, family.name


async def test_alerts_ask_for_metrics_that_there_are(families: list[Metric]) -> None:
    there = {name_of(family) for family in families} | {f"{family.name}_bucket" for family in families}
    asked = set(_NAME.findall(HOW_TO.read_text(encoding="utf-8")))
    assert len(asked) > 5
    assert asked <= there
