"""``assay events``: the record as lines, as JSON, and as it grows."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.cli import following
from assay.model import Event
from assay.store import RecordEvents
from assay.store.opening import open_store
from assay.stories import audit
from tests import records
from tests.cli.conftest import Run
from tests.cli.inside import inside
from tests.process import COMMAND, Assay


def record(database: str, *events: Event) -> None:
    inside(database, lambda ctx: ctx.store.write(RecordEvents(events=events)))


def numbered(printed: str) -> list[int]:
    return [json.loads(line)["number"] for line in printed.splitlines()]


@pytest.fixture
def written(project: dict[str, Any], database: str) -> str:
    """A project with five more events; its id."""
    project_id: str = project["project_id"]
    record(database, *(records.event(project_id, action=f"change.{number}") for number in range(5)))
    return project_id


def test_the_newest_are_shown_oldest_first(run: Run, written: str) -> None:
    shown = run("events", "--limit", "2").out.splitlines()
    assert [line.split()[2] for line in shown] == ["change.3", "change.4"]
    assert shown[0].startswith("5 2025-06-15T")
    assert f"member-test-1 by secret-test-1 in {written} email=ada@acme.example" in shown[0]


def test_the_whole_record_is_exported_as_json_lines(run: Run, written: str) -> None:
    lines = [json.loads(line) for line in run("events", "--after", "0", "--json-lines").out.splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[-1] == {
        "number": 6,
        "created_at": "2025-06-15T15:06:40Z",
        "project_id": written,
        "action": "change.4",
        "target": "member-test-1",
        "actor": "secret-test-1",
        "request_id": "",
        "details": {"email": "ada@acme.example"},
    }


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        pytest.param(("--after", "3"), [4, 5, 6], id="after a number"),
        pytest.param(("--after", "3", "--limit", "2"), [4, 5], id="the oldest of those"),
        pytest.param(("--after", "6"), [], id="after the last"),
        pytest.param(("--limit", "0"), [], id="none"),
    ],
)
def test_what_is_shown_can_be_bounded(
    run: Run, written: str, options: tuple[str, ...], numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert written
    assert numbered(run("events", *options, "--json-lines").out) == numbers
    monkeypatch.setattr(audit, "MAX_LIMIT", 2)
    assert numbered(run("events", *options, "--json-lines").out) == numbers, "read in several batches"


def test_one_environment_can_be_asked_for(run: Run, written: str) -> None:
    assert run("events", "--project-id", written, "--json").json()["events"][0]["action"] == "change.0"
    unknown = run("events", "--project-id", "project-test-0", "--json")
    assert (unknown.code, unknown.json()["error_type"]) == (1, "project_not_found")


def test_control_characters_do_not_reach_the_terminal(run: Run, written: str, database: str) -> None:
    record(database, records.event(written, target="\x1b[2J"))
    assert "\\x1b[2J" in run("events", "--limit", "1").out


def test_one_json_object_and_following_exclude_each_other(run: Run) -> None:
    assert run("events", "--json", "--follow").code == 2


@pytest.mark.parametrize(("options", "first"), [((), 2), (("--limit", "0"), 7), (("--after", "5"), 6)])
def test_following_shows_what_happens_and_ends_with_ctrl_c(
    run: Run, written: str, database: str, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], first: int
) -> None:
    pauses: list[int] = []

    async def pause() -> None:
        pauses.append(len(pauses))
        if len(pauses) > 2:
            raise KeyboardInterrupt
        await write_meanwhile()

    async def write_meanwhile() -> None:
        store = await open_store(database)
        await store.write(RecordEvents(events=(records.event(written, action="later"),)))
        await store.close()

    monkeypatch.setattr(following, "pause", pause)
    followed = run("events", "--project-id", written, "--follow", "--json-lines", *options)
    assert followed.code == 0
    assert numbered(followed.out) == list(range(first, 9))


def test_a_reader_that_closes_the_pipe_ends_it_quietly(run: Run, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb", buffering=0), write_through=True) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert run("events", "--json-lines", "--after", "0").code == 0


def test_the_real_process_follows_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    made = assay.create_project("Acme", "b2b")
    words = [COMMAND, "events", "--follow", "--json-lines", "--after", "0"]
    follower = subprocess.Popen(
        words, env=assay.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["action"] == "project.created"
        assay.run("project", "secret", "create", "--project-id", made["project_id"])
        assert json.loads(follower.stdout.readline())["action"] == "secret.created"
    finally:
        follower.send_signal(signal.SIGINT)
        _, complaints = follower.communicate(timeout=30)
    assert (follower.returncode, complaints) == (0, "")
