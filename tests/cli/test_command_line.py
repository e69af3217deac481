"""What all commands have in common: help, wrong words, refusals, output; and the real process."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command

from assay import __version__, cli
from assay.keys.sealing import RootKey
from tests.cli.conftest import Run
from tests.process import Assay


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command below the group, by its words."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        found += commands(command, (*path, name)) if below else [((*path, name), command)]
    return found


COMMANDS = commands(get_command(cli.app))
WITHOUT_DATABASE = {("copy",), ("preset", "list"), ("preset", "show"), ("profile", "guess")}


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"assay {__version__}\n", "")


def test_without_a_command_help_is_printed(run: Run) -> None:
    shown = run()
    assert (shown.code, shown.out) == (2, "")
    assert "project create" in shown.err


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS], ids=" ".join)
def test_help_tells_what_a_command_does_and_every_option_means(run: Run, words: tuple[str, ...]) -> None:
    command = dict(COMMANDS)[words]
    shown = run(*words, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert command.help
    assert all(parameter.help for parameter in command.params)
    assert ("--database" in shown.out) == (words not in WITHOUT_DATABASE)
    assert ("--json" in shown.out) == (words != ("serve",))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("frobnicate",), id="no such command"),
        pytest.param(("project", "list", "--frobnicate"), id="no such option"),
        pytest.param(("project", "create", "Acme"), id="an option is missing"),
        pytest.param(("project", "create", "--vertical", "b2b"), id="an argument is missing"),
        pytest.param(("project", "create", "Acme", "--vertical", "b2c"), id="a value that is none of the choices"),
        pytest.param(("serve", "--port", "70000"), id="a port out of range"),
        pytest.param(("serve", "--port", "http"), id="a port that is no number"),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_what_is_wrong(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("assay: ")
    assert "--help" in refused.err
    assert "Traceback" not in refused.err
    in_json = run(*arguments, "--json")
    assert (in_json.code, in_json.json().keys()) == (2, {"error_type", "error_message"})


def test_a_database_that_cannot_be_made_is_a_sentence(run: Run, tmp_path: Path) -> None:
    refused = run("project", "list", "--database", f"sqlite:///{tmp_path}/nowhere/assay.db")
    assert (refused.code, refused.out) == (1, "")
    assert "directory does not exist" in refused.err
    assert "Traceback" not in refused.err


def test_a_port_in_use_is_a_sentence(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("serve", "--port", str(taken.getsockname()[1]))
    assert refused.code == 1
    assert "in use" in refused.err
    assert "--port" in refused.err


def test_a_server_does_not_start_with_a_wrong_root_key(
    run: Run, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project
    monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    refused = run("serve", "--port", "0")
    assert (refused.code, refused.out) == (1, "")
    assert "another root key" in refused.err


def test_the_installed_command_prints_one_json_object_and_its_notices_elsewhere(tmp_path: Path) -> None:
    assay = Assay(tmp_path, {"ASSAY_LOG_LEVEL": "debug"})
    done = assay.command("project", "create", "Acme", "--vertical", "b2b", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["project_id"].startswith("project-test-")
    refused = assay.command("profile", "show", "p", "--project-id", "project-test-0", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error_type"] == "project_not_found"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_served_database_answers_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    assay = Assay(tmp_path)
    made = assay.create_project("Acme", "b2b")
    server = assay.start()
    try:
        auth = (made["project_id"], made["secret"])
        answer = httpx.get(f"{server.url}/v1/b2b/organizations/none", auth=auth, trust_env=False)
        assert answer.json()["error_type"] == "organization_not_found"
    finally:
        code = server.end(number)
    assert code == 0
    assert not any("Traceback" in line for line in server.log)
