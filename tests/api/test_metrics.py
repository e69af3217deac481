"""What a monitoring system is told of the key sets."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assay import errors
from assay.metrics import Metrics, exposition
from tests.process import Assay
from tests.world import PROFILE_ID, World

NAMES = {
    "assay_key_set_age_seconds",
    "assay_key_set_failures_in_a_row",
    "assay_key_set_last_fetch_timestamp_seconds",
    "assay_key_set_next_fetch_timestamp_seconds",
    "assay_key_set_usable_keys",
    "assay_key_set_problems",
}


def samples(text: str) -> dict[tuple[str, str], float]:
    """(metric, project id) to value."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, sample.labels["project_id"]): sample.value for family in families for sample in family.samples
    }


async def test_the_key_sets_of_all_profiles_are_told(world: World) -> None:
    text = (await exposition(world.context)).decode()
    told = samples(text)
    assert {family.name for family in text_string_to_metric_families(text)} == NAMES
    for tenant in (world.b2b, world.consumer):
        assert told["assay_key_set_usable_keys", tenant.project_id] == 1
        assert told["assay_key_set_failures_in_a_row", tenant.project_id] == 0
        assert told["assay_key_set_problems", tenant.project_id] == 0
    assert f'profile_id="{PROFILE_ID}"' in text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 404), ("HEAD", "/metrics", 200)]
)
async def test_there_is_nothing_else_on_that_address(world: World, method: str, path: str, status: int) -> None:
    transport = httpx.ASGITransport(app=Metrics(world.context))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        answer = await client.request(method, path)
    assert answer.status_code == status


async def test_a_store_that_is_away_is_not_taken_for_an_empty_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise errors.StoreUnavailable

    monkeypatch.setattr(world.context.store, "projects", away)
    transport = httpx.ASGITransport(app=Metrics(world.context))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        assert (await client.get("/metrics")).status_code == 503


def test_a_server_serves_its_metrics_beside_the_api_and_stops_with_it(tmp_path: Path) -> None:
    server = Assay(tmp_path).start("--metrics", "127.0.0.1:0")
    line = json.loads(server.line_with('"event":"metrics"'))
    url = f"http://{line['address']}{line['path']}"
    assert httpx.get(url).status_code == 200
    assert httpx.get(f"{server.url}/metrics").status_code == 404
    assert server.stop() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
