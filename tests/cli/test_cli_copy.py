"""``assay copy``: what it refuses, says and prints. What it does to the rows is in tests/store."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.keys.sealing import RootKey
from assay.store import copying
from tests import postgres
from tests.cli.conftest import Run
from tests.process import Assay
from tests.store import contents

PASSWORD = "correct-horse-battery"


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A file that is not there yet."""
    (tmp_path / "other").mkdir()
    return f"sqlite:///{tmp_path / 'other' / 'assay.db'}"


@pytest.fixture
def server() -> Iterator[str]:
    """An empty database of PostgreSQL."""
    made = postgres.migrated()
    yield made
    postgres.drop(made)


def names(run: Run, database: str) -> list[str]:
    return [each["name"] for each in run("project", "list", "--database", database, "--json").json()["projects"]]


def test_a_project_moves_to_postgresql_and_back(
    run: Run, project: dict[str, Any], database: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project["project_id"]
    key = RootKey.generate().text()
    monkeypatch.setenv("ASSAY_ROOT_KEY", key)
    there = run("copy", "--from", database, "--to", server, "--json").json()
    assert (there["from"], there["to"], there["is_finished"]) == (database, server, True)
    assert there["rows"] == there["inserted"] == sum(each["rows"] for each in there["tables"]) > 0
    assert names(run, server) == ["Acme"]
    monkeypatch.delenv("ASSAY_ROOT_KEY")
    monkeypatch.setenv("ASSAY_ROOT_KEY_FROM", key)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    told = run("copy", "--from", server, "--to", back)
    assert told.code == 0, told.err
    assert "It can be used now." in told.out
    assert names(run, back) == ["Acme"]
    assert (tmp_path / "back.db.root-key").read_text().strip() not in {
        key,
        (tmp_path / "assay.db.root-key").read_text(),
    }


def test_while_a_server_runs_the_copy_is_a_preparation(tmp_path: Path, target: str) -> None:
    assay = Assay(tmp_path)
    assay.create_project("Acme", "b2b")
    arguments = ("copy", "--from", assay.database, "--to", target)
    with assay.serving():
        assert not assay.run(*arguments)["is_finished"]
        told = assay.command(*arguments)
        assert told.returncode == 0
        assert "stays closed" in told.stdout
        for command in (("project", "list"), ("serve", "--port", "0"), ("copy", "--check", *arguments[1:])):
            options = ("--database", target) if command[0] != "copy" else ()
            refused = assay.command(*command, *options)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "unfinished copy" in refused.stderr
        checks = json.loads(assay.command("doctor", "--database", target, "--json").stdout)["checks"]
        assert [each["check"] for each in checks if not each["ok"]] == ["store"]
        assay.create_project("Later", "b2b")
    done = assay.run(*arguments)
    assert done["is_finished"]
    assert done["inserted"] > 0
    assert [each["name"] for each in assay.run("project", "list", "--database", target)["projects"]] == [
        "Acme",
        "Later",
    ]


def test_a_server_that_comes_while_the_source_is_read_for_the_last_time_is_kept_out(
    run: Run, project: dict[str, Any], database: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []
    claimed = copying.refuse_used

    async def meanwhile(found: Any) -> Any:
        late = ("project", "create", "Late", "--vertical", "b2b")
        refused.append(Assay(Path("/"), {"ASSAY_DATABASE": database}).command(*late).stderr)
        return await claimed(found)

    monkeypatch.setattr(copying, "refuse_used", meanwhile)
    assert run("copy", "--from", database, "--to", target, "--json").json()["is_finished"]
    assert all("database is locked" in each for each in refused)
    assert names(run, database) == names(run, target) == ["Acme"]
    assert project["project_id"]


def test_comparing_finds_what_was_changed(run: Run, project: dict[str, Any], database: str, target: str) -> None:
    ends = ("--from", database, "--to", target)
    assert run("copy", *ends).code == 0
    same = run("copy", *ends, "--check")
    assert (same.code, same.out.splitlines()[-1]) == (0, "They hold the same.")
    contents.change(target.removeprefix("sqlite:///"), "update secrets set revoked_at = 1")
    found = run("copy", *ends, "--check", "--json")
    assert found.code == 1
    assert [each["table"] for each in found.json()["tables"] if not each["is_equal"]] == ["secrets"]
    assert project["project_id"]


def test_comparing_makes_nothing(run: Run, project: dict[str, Any], database: str, target: str, tmp_path: Path) -> None:
    refused = run("copy", "--from", database, "--to", target, "--check")
    assert refused.code == 1
    assert [*(tmp_path / "other").iterdir()] == []
    assert project["project_id"]


@pytest.mark.usefixtures("project")
def test_the_source_needs_its_root_key(
    run: Run, database: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "assay.db.root-key"
    right = held.read_text().strip()
    held.unlink()
    monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    refused = run("copy", "--from", database, "--to", target, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "wrong_root_key")
    assert "ASSAY_ROOT_KEY_FROM" in refused.err
    assert [*(tmp_path / "other").iterdir()] == []
    monkeypatch.setenv("ASSAY_ROOT_KEY_FROM", right)
    done = run("copy", "--from", database, "--to", target)
    assert done.code == 0
    assert right not in done.out + done.err


@pytest.mark.usefixtures("project")
def test_no_root_key_is_made_for_a_store_that_is_refused(run: Run, database: str, tmp_path: Path, target: str) -> None:
    run("copy", "--from", database, "--to", target)
    key = tmp_path / "other" / "assay.db.root-key"
    key.unlink()
    assert "finished copy" in run("copy", "--from", database, "--to", target).err
    assert not key.exists()


@pytest.mark.usefixtures("project")
def test_one_database_is_not_copied_into_itself(run: Run, database: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    refused = run("copy", "--from", database, "--to", f"sqlite:///{tmp_path / 'other' / '..' / 'assay.db'}")
    assert refused.code == 2
    assert "the same database" in refused.err


def test_a_source_that_is_not_there_is_not_made(run: Run, database: str, target: str) -> None:
    refused = run("copy", "--from", database, "--to", target, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "store")
    assert not Path(database.removeprefix("sqlite:///")).exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("query", ["", "?pgbouncer=1"])
def test_no_word_holds_a_password(
    run: Run, database: str, server: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ROOT_KEY_FROM", "")
    monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    address = server.replace("postgres@", f"postgres:{PASSWORD}@") + query
    for ends in (("--from", database, "--to", address), ("--from", address, "--to", database)):
        for more in ((), ("--json",), ("--check",)):
            said = run("copy", *ends, *more)
            assert PASSWORD not in said.out + said.err
    gone = address.replace("/d", "/no-such-database-")
    said = run("copy", "--from", database, "--to", gone)
    assert said.code == 1
    assert PASSWORD not in said.err


@pytest.mark.usefixtures("project")
def test_postgresql_needs_a_root_key_of_its_own(run: Run, database: str, server: str) -> None:
    refused = run("copy", "--from", database, "--to", server, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "configuration")
    assert contents.rows(server, "select * from meta") == []


@pytest.mark.usefixtures("project")
def test_on_a_terminal_there_is_a_bar(run: Run, database: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", shown := Terminal(written := io.BytesIO()))
    assert run("copy", "--from", database, "--to", target).code == 0
    shown.flush()
    assert b"checked [##############################] 100%" in written.getvalue()


@pytest.mark.usefixtures("project")
def test_after_ctrl_c_it_says_how_to_go_on(
    run: Run, database: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("assay.cli.progress.Progress.tell", stop)
        stopped = run("copy", "--from", database, "--to", target)
    assert stopped.code == 130
    assert "Run the same command again" in stopped.err
    assert run("copy", "--from", database, "--to", target, "--json").json()["is_finished"]
