"""The lines of requests, as they are made apart from all others."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from assay import logs
from assay.config import LogLevel
from assay.observing.request_log import REQUEST_LOG


def lines(level: LogLevel, *, quiet: bool = False, worker: int | None = None, **findings: str) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    logs.configure(level, stream, worker=worker)
    REQUEST_LOG.answered("GET", "/healthz", 200, 0.0123456, "request-id", "project", quiet=quiet, **findings)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_the_members_of_all_lines_and_its_own_in_a_fixed_order() -> None:
    (line,) = lines("info", code="bad_request", detail="private")
    assert line.pop("time").endswith("Z")
    assert list(line.items()) == [
        ("method", "GET"),
        ("route", "/healthz"),
        ("status", 200),
        ("ms", 12.35),
        ("request_id", "request-id"),
        ("environment", "project"),
        ("code", "bad_request"),
        ("detail", "private"),
        ("event", "request"),
        ("level", "info"),
    ]


def test_what_is_not_there_is_left_out() -> None:
    (line,) = lines("info")
    assert line.keys().isdisjoint({"code", "detail", "worker"})


def test_a_worker_tells_its_number() -> None:
    assert [line["worker"] for line in lines("info", worker=3)] == [3]


@pytest.mark.parametrize(
    ("level", "quiet", "levels"),
    [
        ("debug", True, ["debug"]),
        ("debug", False, ["info"]),
        ("info", True, []),
        ("info", False, ["info"]),
        ("warning", False, []),
        ("error", False, []),
    ],
)
def test_lines_below_the_level_are_left_out(level: LogLevel, quiet: bool, levels: list[str]) -> None:
    assert [line["level"] for line in lines(level, quiet=quiet)] == levels
