"""``assay keys``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.keys.sealing import RootKey
from tests.cli.conftest import Outcome, Run
from tests.cli.inside import events


@pytest.fixture
def states(run: Run, project: dict[str, Any]) -> Any:
    """The kids of the project's signing keys by state."""

    def read() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key in run("keys", "list", "--project-id", project["project_id"], "--json").json()["keys"]:
            found.setdefault(key["state"], []).append(key["kid"])
        return found

    return read


@pytest.fixture
def rotate(run: Run, project: dict[str, Any]) -> Run:
    def rotate_it(*arguments: str) -> Outcome:
        return run("keys", "rotate", "--project-id", project["project_id"], *arguments)

    return rotate_it


def test_before_the_first_session_there_are_no_keys(run: Run, project: dict[str, Any]) -> None:
    listed = run("keys", "list", "--project-id", project["project_id"])
    assert (listed.code, listed.out) == (0, "There are no signing keys yet. The first session makes them.\n")


def test_rotating_promotes_the_next_key_and_publishes_another(rotate: Run, states: Any, database: str) -> None:
    rotate()
    before = states()
    assert rotate("--json").code == 0
    after = states()
    assert after["active"] == before["next"]
    assert set(after["retired"]) == {*before["retired"], *before["active"]}
    assert after["next"] != before["next"]
    assert {each.actor for each in events(database) if each.action == "signing_keys.rotated"} == {"cli"}


def test_rotating_to_another_algorithm_replaces_both_keys_and_a_second_time_rotates(
    run: Run, rotate: Run, states: Any, database: str
) -> None:
    rotate()
    before = states()
    keys = rotate("--algorithm", "ES256", "--json").json()["keys"]
    assert {(key["algorithm"], key["state"]) for key in keys} == {
        ("RS256", "retired"),
        ("ES256", "active"),
        ("ES256", "next"),
    }
    assert {*before["active"], *before["next"]} <= set(states()["retired"])
    first = states()
    rotate("--algorithm", "ES256")
    assert states()["active"] == first["next"]
    assert "ES256" in run("keys", "list").out
    told = [each.details.get("algorithm") for each in events(database) if each.action == "signing_keys.rotated"]
    assert "ES256" in told
    assert run("doctor").code == 0


def test_without_a_project_the_keys_of_all_are_listed(run: Run, rotate: Run, project: dict[str, Any]) -> None:
    rotate()
    other = run("project", "create", "Other", "--vertical", "consumer", "--json").json()
    run("keys", "rotate", "--project-id", other["project_id"])
    listed = run("keys", "list", "--json").json()["keys"]
    assert {key["project_id"] for key in listed} == {project["project_id"], other["project_id"]}


def test_private_halves_are_never_shown(rotate: Run) -> None:
    shown = rotate("--json")
    assert {key for each in shown.json()["keys"] for key in each} == {
        *("project_id", "kid", "state", "algorithm", "created_at", "activated_at", "retired_at")
    }


def test_an_unknown_project_has_no_keys(run: Run) -> None:
    refused = run("keys", "rotate", "--project-id", "project-test-0", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "project_not_found")


def test_rewrap_replaces_the_root_key_file_and_the_keys_still_sign(run: Run, rotate: Run, tmp_path: Path) -> None:
    rotate()
    file = tmp_path / "assay.db.root-key"
    before = file.read_text()
    assert run("keys", "rewrap", "--json").json() == {"rewrapped": 3}
    assert file.read_text() != before
    assert run("doctor").code == 0
    file.write_text(before)
    refused = run("project", "list", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "wrong_root_key")


def test_rewrap_takes_the_new_key_of_the_environment_from_a_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = RootKey.generate().text(), RootKey.generate().text()
    file = tmp_path / "new-key"
    file.write_text(f"{new}\n")
    monkeypatch.setenv("ASSAY_ROOT_KEY", old)
    made = run("project", "create", "Acme", "--vertical", "b2b", "--json").json()
    run("keys", "rotate", "--project-id", made["project_id"])
    assert "--new-key-file" in run("keys", "rewrap").err
    assert run("keys", "rewrap", "--new-key-file", str(file), "--json").json() == {"rewrapped": 3}
    assert run("project", "list").code == 1
    monkeypatch.setenv("ASSAY_ROOT_KEY", new)
    assert run("doctor").code == 0


@pytest.mark.parametrize(
    ("in_environment", "words"),
    [pytest.param(False, "leave out --new-key-file", id="key file"), pytest.param(True, "32 bytes", id="unusable key")],
)
def test_rewrap_changes_nothing_when_the_new_key_cannot_be_taken(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, *, in_environment: bool
) -> None:
    if in_environment:
        monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    file = tmp_path / "new-key"
    file.write_text("not a key")
    refused = run("keys", "rewrap", "--new-key-file", str(file))
    assert refused.code == 1
    assert words in refused.err
    assert "not a key" not in refused.err
    assert run("doctor").code == 0
