"""What a monitoring system is told."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assay import errors
from assay.listening import DEFAULT_METRICS
from assay.metrics import Metrics
from assay.observing.meter import UNKNOWN
from tests.api.asgi import ask
from tests.certificates import server_files
from tests.process import COMMAND, Assay, Server
from tests.world import PROFILE_ID, World

KEY_SETS = {
    "assay_key_set_age_seconds",
    "assay_key_set_failures_in_a_row",
    "assay_key_set_last_fetch_timestamp_seconds",
    "assay_key_set_next_fetch_timestamp_seconds",
    "assay_key_set_usable_keys",
    "assay_key_set_problems",
}
ATTEST = "/v1/b2b/sessions/attest"


class Told:
    """What one answer of ``/metrics`` says."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float | None:
        """The value of the series with this name and these labels, all or some of them; None if there is none."""
        found = [each.value for each in self._samples if each.name == name and labels.items() <= each.labels.items()]
        assert len(found) <= 1, f"{name} {labels} are {len(found)} series"
        return found[0] if found else None

    def series(self, name: str) -> list[Mapping[str, str]]:
        return [each.labels for each in self._samples if each.name == name]


async def told(world: World) -> Told:
    return Told((await Metrics(world.context).exposition()).decode())


# ---------------------------------------------------------------- what is told


async def test_the_key_sets_of_all_profiles_are_told(world: World) -> None:
    found = await told(world)
    assert found.families.keys() >= KEY_SETS
    for tenant in (world.b2b, world.consumer):
        labels = {"project_id": tenant.project_id, "profile_id": PROFILE_ID}
        assert found("assay_key_set_usable_keys", **labels) == 1
        assert found("assay_key_set_failures_in_a_row", **labels) == 0
        assert found("assay_key_set_problems", **labels) == 0


async def test_attests_are_counted_by_project_profile_and_outcome(world: World) -> None:
    async with world.client(world.b2b) as client:
        for body in (world.attest_body(), world.attest_body(), world.attest_body(token=world.token(aud="another"))):
            await client.post(ATTEST, json=body)
    async with world.client(world.consumer) as client:
        await client.post("/v1/sessions/attest", json=world.consumer_attest_body())
    found = await told(world)
    here = {"project_id": world.b2b.project_id, "profile_id": PROFILE_ID}
    assert found("assay_attests_total", **here, code="granted") == 2
    assert found("assay_attests_total", **here, code="jwt_invalid_audience") == 1
    assert found("assay_attests_total", project_id=world.consumer.project_id, code="granted") == 1


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"profile_id": "made-up-1"}, "trusted_token_profile_not_found"),
        ({"profile_id": "made-up-2", "session_duration_minutes": 1}, "invalid_session_duration_minutes"),
    ],
    ids=["no such profile", "refused before the profile is looked for"],
)
async def test_a_profile_that_a_caller_made_up_makes_no_series(
    world: World, members: dict[str, object], code: str
) -> None:
    async with world.client(world.b2b) as client:
        answer = await client.post(ATTEST, json=world.attest_body(**members))
    assert answer.json()["error_type"] == code
    found = await told(world)
    assert found("assay_attests_total", profile_id=UNKNOWN, code=code) == 1
    assert "made-up" not in found.text


async def test_an_attest_that_the_store_could_not_write_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_write: object) -> None:
        raise errors.StoreUnavailable

    monkeypatch.setattr(world.context.store, "write", away)
    async with world.client(world.b2b) as client:
        assert (await client.post(ATTEST, json=world.attest_body())).status_code == 503
    assert (await told(world))("assay_attests_total", profile_id=PROFILE_ID, code=errors.StoreUnavailable.code) == 1


async def test_requests_are_counted_by_route_and_status_and_timed(world: World) -> None:
    async with world.client(world.b2b) as client:
        for slug in ("acme", "acme", "nobody"):
            await client.get(f"/v1/b2b/organizations/{slug}")
    found = await told(world)
    labels = {"method": "GET", "route": "/v1/b2b/organizations/{organization_id}"}
    assert found("assay_requests_total", **labels, status="200") == 2
    assert found("assay_requests_total", **labels, status="404") == 1
    assert found("assay_request_duration_seconds_count", **labels) == 3
    assert found("assay_request_duration_seconds_bucket", **labels, le="10.0") == 3
    seconds = found("assay_request_duration_seconds_sum", **labels)
    assert seconds is not None
    assert 0 < seconds < 10


async def test_paths_and_methods_that_a_caller_made_up_make_no_series(world: World) -> None:
    for number in range(3):
        await ask(world.app, f"MADE{number}", f"/made-up/{number}")
    found = await told(world)
    assert found("assay_requests_total", method="_OTHER", route="unmatched", status="404") == 3
    assert "made-up" not in found.text
    assert "MADE" not in found.text


async def test_live_sessions_are_counted_by_project_and_at_most_every_30_seconds(world: World) -> None:
    metrics = Metrics(world.context)
    async with world.client(world.b2b) as client:
        await client.post(ATTEST, json=world.attest_body(session_duration_minutes=5))
        assert _alive(world, await metrics.exposition()) == 1
        await client.post(ATTEST, json=world.attest_body(session_duration_minutes=60))
        world.clock.turn(29)
        assert _alive(world, await metrics.exposition()) == 1
        world.clock.turn(1)
        assert _alive(world, await metrics.exposition()) == 2
        world.clock.turn(300)
        assert _alive(world, await metrics.exposition()) == 1


async def test_live_sessions_are_counted_once_for_all_who_ask_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def alive(now: int) -> dict[str, int]:
        asked.append(now)
        await asyncio.sleep(0)
        return {}

    monkeypatch.setattr(world.context.store, "sessions_alive", alive)
    metrics = Metrics(world.context)
    await asyncio.gather(metrics.exposition(), metrics.exposition())
    assert asked == [int(world.clock.now)]


def _alive(world: World, text: bytes) -> float | None:
    return Told(text.decode())("assay_sessions_alive", project_id=world.b2b.project_id)


async def test_commits_and_signatures_are_counted(world: World) -> None:
    before = await told(world)
    async with world.client(world.b2b) as client:
        await asyncio.gather(*(client.post(ATTEST, json=world.attest_body()) for _ in range(3)))
    after = await told(world)
    assert after("assay_session_jwts_signed_total") == (before("assay_session_jwts_signed_total") or 0) + 3
    assert _grown(before, after, "assay_store_commit_writes_sum") >= 3
    assert _grown(before, after, "assay_store_commit_writes_count") >= 1
    assert _grown(before, after, "assay_store_commit_duration_seconds_count") >= 1
    assert after("assay_store_writes_waiting") == 0
    assert after("assay_store_failed_commits_total") == 0


def _grown(before: Told, after: Told, name: str) -> float:
    return (after(name) or 0) - (before(name) or 0)


async def test_the_process_and_its_version_are_told(world: World) -> None:
    found = await told(world)
    assert found("assay_build_info") == 1
    assert found("process_resident_memory_bytes")
    assert found.series("python_info")


async def test_when_a_series_began_is_not_told(world: World) -> None:
    await ask(world.app, "GET", "/healthz")
    assert "_created" not in (await told(world)).text


# ---------------------------------------------------------------- where it is told


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 404), ("HEAD", "/metrics", 200)]
)
async def test_there_is_nothing_else_on_that_address(world: World, method: str, path: str, status: int) -> None:
    transport = httpx.ASGITransport(app=Metrics(world.context))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        answer = await client.request(method, path)
    assert answer.status_code == status


@pytest.mark.parametrize("read", ["projects", "sessions_alive"])
async def test_a_store_that_is_away_is_not_taken_for_an_empty_server(
    world: World, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    async def away(*_arguments: object) -> None:
        raise errors.StoreUnavailable

    monkeypatch.setattr(world.context.store, read, away)
    transport = httpx.ASGITransport(app=Metrics(world.context))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        assert (await client.get("/metrics")).status_code == 503


def _url(server: Server) -> str:
    line = json.loads(server.line_with('"event":"metrics"'))
    return f"http://{line['address']}{line['path']}"


def test_a_server_serves_its_metrics_beside_the_api_and_stops_with_it(tmp_path: Path) -> None:
    server = Assay(tmp_path).start("--metrics", "127.0.0.1:0")
    url = _url(server)
    httpx.get(f"{server.url}/healthz")
    found = Told(httpx.get(url).text)
    assert found("assay_requests_total", route="/healthz", status="200") == 1
    assert "assay_event_loop_lag_seconds" in found.families
    assert httpx.get(f"{server.url}/metrics").status_code == 404
    assert server.stop() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_the_end_of_the_certificate_is_told(tmp_path: Path) -> None:
    server = Assay(tmp_path).start("--metrics", "127.0.0.1:0", *server_files(tmp_path).options)
    try:
        line = json.loads(server.line_with('"event":"certificate"'))
        ends = Told(httpx.get(_url(server)).text)("assay_tls_certificate_not_after_timestamp_seconds")
    finally:
        server.stop()
    assert ends == dt.datetime.fromisoformat(line["not_after"]).timestamp()


def test_the_default_port_being_taken_stops_nobody(tmp_path: Path) -> None:
    with _taken(DEFAULT_METRICS.port):
        server = Server([COMMAND, "serve", "--port", "0"], Assay(tmp_path).environ)
        try:
            line = json.loads(server.line_with('"event":"no_metrics"'))
            assert httpx.get(f"{server.url}/healthz").status_code == 200
        finally:
            assert server.stop() == 0
    assert "cannot listen on 127.0.0.1 port 9464" in line["reason"]


@contextlib.contextmanager
def _taken(port: int) -> Iterator[None]:
    """By us, or by whoever has it already."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def test_a_port_that_was_asked_for_and_is_taken_is_a_fault(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = Assay(tmp_path).command("serve", "--port", "0", "--metrics", where)
    assert refused.returncode == 1
    assert "cannot listen on 127.0.0.1" in refused.stderr
    assert "--metrics" in refused.stderr


def test_metrics_can_be_turned_off(tmp_path: Path) -> None:
    server = Assay(tmp_path).start("--metrics", "none")
    httpx.get(f"{server.url}/healthz")
    assert server.stop() == 0
    assert not [line for line in server.log if 'metrics"' in line]  # as an event; paths have the word in them too
