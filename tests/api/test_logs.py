"""The log: one line per request, with the id of the answer and nothing that opens anything."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog

from assay import logs
from assay.api.application import Application
from tests.api.asgi import ask, chunks, credentials
from tests.world import World

SECRET_TEXT = "secret-value-that-must-not-show"


async def test_a_line_tells_of_a_request_what_an_operator_needs(world: World) -> None:
    async with world.client(world.b2b) as client:
        answer = await client.get("/v1/b2b/organizations/acme", params={"q": "x"})
    line = world.log_lines()[-1]
    assert line.pop("time").endswith("Z")
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/v1/b2b/organizations/{organization_id}",
        "status": 200,
        "request_id": answer.json()["request_id"],
        "environment": world.b2b.project_id,
    }


async def test_a_refusal_is_logged_with_its_code_and_its_private_reason(world: World) -> None:
    async with world.client(world.b2b) as client:
        body = world.attest_body(token=world.token(iss="https://elsewhere.example"))
        answer = await client.post("/v1/b2b/sessions/attest", json=body)
    line = world.log_lines()[-1]
    assert (line["status"], line["code"]) == (400, "jwt_invalid_issuer")
    assert line["request_id"] == answer.json()["request_id"]
    assert "https://elsewhere.example" in line["detail"]
    assert "elsewhere" not in answer.text


async def test_a_caller_who_is_not_known_yet_writes_no_name_into_the_log(world: World) -> None:
    await ask(world.app, "GET", "/v1/debug/whoami", headers=[(b"authorization", b"Basic c2VjcmV0LXZhbHVlOng=")])
    assert world.log_lines()[-1]["environment"] == ""
    assert b"secret-value" not in world.log_bytes()


async def test_probes_are_logged_for_debugging_alone(world: World) -> None:
    await ask(world.app, "GET", "/healthz")
    assert world.log_lines()[-1]["level"] == "debug"


async def test_nothing_that_opens_anything_reaches_the_log(world: World) -> None:
    token = world.token()
    async with world.client(world.b2b) as client:
        login = (await client.post("/v1/b2b/sessions/attest", json=world.attest_body(token=token))).json()
        opening = {"session_token": login["session_token"]}
        await client.post("/v1/b2b/sessions/authenticate", json=opening)
        await client.post("/v1/b2b/sessions/authenticate", json={"session_jwt": login["session_jwt"][:-4] + "AAAA"})
        await client.post("/v1/b2b/sessions/attest", json=world.attest_body(token=token[:-4] + "AAAA"))
        await client.post("/v1/b2b/sessions/attest", json={"profile_id": token, "token": token})
        await client.get(f"/v1/b2b/sessions/{login['session_token']}")
        await client.get(f"/v1/b2b/organizations/{login['session_token']}", params=opening)
        await client.post("/v1/b2b/sessions/revoke", json=opening, headers={"X-Stytch-Member-Session": "wrong"})
    shown = [world.b2b.secret, login["session_token"], login["session_jwt"], token, token.rpartition(".")[2]]
    for text in shown:
        assert text.encode() not in world.log_bytes()
    assert len(world.log_lines()) == 8


class FailingStore:
    """Breaks in a way that nobody foresaw, quoting what it worked on."""

    keeps_records = False

    async def caller(self, *_wanted: object) -> None:
        raise RuntimeError(SECRET_TEXT)


async def test_what_nobody_foresaw_is_an_answer_and_a_place_in_the_log_without_its_text(world: World) -> None:
    app = Application(msgspec.structs.replace(world.context, store=FailingStore()))
    answer = await ask(app, "GET", "/v1/debug/whoami", headers=[credentials(world.b2b)])
    assert (answer.status, answer.body["error_type"]) == (503, "internal_server_error")
    assert int(answer.headers["retry-after"]) > 0
    fault = world.log_lines("fault")[-1]
    assert fault["request_id"] == answer.body["request_id"]
    assert fault["exception"][0] == "builtins.RuntimeError"
    assert any(place.endswith("FailingStore.caller") for place in fault["exception"])
    assert SECRET_TEXT.encode() not in world.log_bytes()
    assert SECRET_TEXT not in json.dumps(answer.body)


def test_the_places_of_an_exception_name_its_causes_too() -> None:
    def broken() -> None:
        try:
            os.environ[SECRET_TEXT]
        except KeyError as cause:
            raise ValueError(SECRET_TEXT) from cause

    with pytest.raises(ValueError, match=SECRET_TEXT) as caught:
        broken()
    found = logs.places(caught.value)
    assert [place for place in found if place.startswith("builtins.")] == ["builtins.ValueError", "builtins.KeyError"]
    assert SECRET_TEXT not in "".join(found)


async def test_a_body_that_fails_to_be_read_leaves_no_trace_of_itself(world: World) -> None:
    body = chunks(f'{{"token": "{SECRET_TEXT}", "profile_id": 1}}'.encode())
    await ask(world.app, "POST", "/v1/b2b/sessions/attest", headers=[credentials(world.b2b)], receive=body)
    assert SECRET_TEXT.encode() not in world.log_bytes()


# ---------------------------------------------------------------- what libraries have to say


@pytest.fixture
def adopted() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.BytesIO()
    logs.configure("info", stream)
    logs.adopt_libraries()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_library_warning_is_a_line_without_its_arguments(adopted: io.BytesIO) -> None:
    logging.getLogger("some.library").warning("Cannot read %s", SECRET_TEXT)
    (line,) = lines(adopted)
    assert (line["event"], line["level"], line["logger"]) == ("library", "warning", "some.library")
    assert line["message"] == "Cannot read %s"
    assert SECRET_TEXT not in json.dumps(line)


def test_a_library_error_keeps_the_place_and_loses_the_text(adopted: io.BytesIO) -> None:
    try:
        int(SECRET_TEXT)
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: %s", SECRET_TEXT)
    (line,) = lines(adopted)
    assert line["message"] == "Task exception was never retrieved"
    assert line["exception"][0] == "builtins.ValueError"
    assert SECRET_TEXT not in json.dumps(line)


def test_library_chatter_is_left_out(adopted: io.BytesIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET %s", SECRET_TEXT)
    assert lines(adopted) == []


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.BytesIO()
    logs.configure("warning", stream)
    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


# ---------------------------------------------------------------- when lines are written


class Pipe(io.BytesIO):
    """Takes lines; ``parts`` are the writes, and ``broken`` makes the next one fail."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []
        self.broken = False

    def write(self, part: Any, /) -> int:
        if self.broken:
            raise BrokenPipeError
        self.parts.append(bytes(part))
        return super().write(part)


@pytest.fixture
def pipe() -> Pipe:
    made = Pipe()
    logs.configure("info", made)
    return made


def events(part: bytes) -> list[str]:
    return [json.loads(line)["event"] for line in part.splitlines()]


async def test_the_lines_of_one_turn_are_written_together(pipe: Pipe) -> None:
    log = structlog.get_logger()
    log.info("one")
    log.info("two")
    assert pipe.parts == []
    await asyncio.sleep(0)
    assert [events(part) for part in pipe.parts] == [["one", "two"]]
    log.info("three")
    await asyncio.sleep(0)
    assert events(pipe.parts[-1]) == ["three"]


async def test_a_warning_is_written_at_once_after_what_waits(pipe: Pipe) -> None:
    log = structlog.get_logger()
    log.info("one")
    log.warning("two")
    assert events(pipe.getvalue()) == ["one", "two"]


def test_without_an_event_loop_a_line_is_written_at_once(pipe: Pipe) -> None:
    structlog.get_logger().info("one")
    assert events(pipe.getvalue()) == ["one"]


async def test_a_line_of_another_thread_is_written_at_once_after_what_waits(pipe: Pipe) -> None:
    log = structlog.get_logger()
    log.info("one")
    await asyncio.to_thread(log.info, "two")
    await asyncio.sleep(0)
    assert events(pipe.getvalue()) == ["one", "two"]


async def test_no_part_is_larger_than_what_a_pipe_takes_whole(pipe: Pipe) -> None:
    log = structlog.get_logger()
    for number in range(100):
        log.info("line", number=number, text="x" * 100)
    log.info("long", text="x" * 10_000)
    log.info("last")
    await asyncio.sleep(0)
    assert len(events(pipe.getvalue())) == 102
    assert len(pipe.parts) < 10
    assert all(part.endswith(b"\n") for part in pipe.parts)
    assert [events(part) for part in pipe.parts if len(part) > select.PIPE_BUF] == [["long"]]


async def test_lines_that_cannot_be_written_are_not_kept(pipe: Pipe) -> None:
    log = structlog.get_logger()
    log.info("one")
    pipe.broken = True
    with pytest.raises(BrokenPipeError):
        logs.flush()
    pipe.broken = False
    log.info("two")
    await asyncio.sleep(0)
    assert events(pipe.getvalue()) == ["two"]


ENDS = {"by itself": "pass", "by a fault of the loop": "raise SystemExit(3)", "by being asked to": "sys.exit(3)"}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_waits_is_written_before_the_process_ends(end: str) -> None:
    script = f"""
import asyncio, sys, structlog
from assay import logs
logs.configure("info")
async def main():
    structlog.get_logger().info("one")
    {end}
loop = asyncio.new_event_loop()
loop.create_task(main())
loop.call_soon(loop.stop)
loop.run_forever()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert events(ended.stderr.splitlines()[0]) == ["one"]


async def test_a_loop_that_ended_before_its_lines_were_written_holds_back_no_others(pipe: Pipe) -> None:
    log = structlog.get_logger()
    await asyncio.to_thread(_log_in_a_loop_that_stops, log)
    log.info("two")
    await asyncio.sleep(0)
    assert events(pipe.getvalue()) == ["one", "two"]


def _log_in_a_loop_that_stops(log: Any) -> None:
    async def line() -> None:
        log.info("one")
        asyncio.get_running_loop().stop()

    loop = asyncio.new_event_loop()
    with contextlib.suppress(RuntimeError):
        loop.run_until_complete(line())
    loop.close()
