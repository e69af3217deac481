"""The command line in this process, over a database of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from assay import cli

VARIABLES = (
    "ASSAY_DATABASE",
    "ASSAY_ROOT_KEY",
    "ASSAY_PUBLIC_URL",
    "ASSAY_ALLOW_LOOPBACK_KEY_URLS",
    "ASSAY_KEY_URL_NETWORKS",
    "ASSAY_LOG_LEVEL",
)


class Outcome(NamedTuple):
    """What one command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, all of it, as one JSON value."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database that commands use when they name no other."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    url = f"sqlite:///{tmp_path / 'assay.db'}"
    monkeypatch.setenv("ASSAY_DATABASE", url)
    return url


@pytest.fixture
def run(database: str, capsys: pytest.CaptureFixture[str]) -> Run:  # noqa: ARG001 - sets the environment
    """Run ``assay`` with these arguments."""

    def run_it(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = cli.main(arguments)
        return Outcome(code, *capsys.readouterr())

    return run_it


@pytest.fixture
def project(run: Run) -> dict[str, Any]:
    """A new B2B project, as ``project create --json`` tells of it."""
    made: dict[str, Any] = run("project", "create", "Acme", "--vertical", "b2b", "--json").json()
    return made
