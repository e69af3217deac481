"""``assay backup`` and ``assay restore``: what they refuse, ask and say. The real server is in tests/acceptance."""

from __future__ import annotations

import io
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.keys.sealing import RootKey
from tests.cli.conftest import Run
from tests.cli.inside import events
from tests.process import Assay


class Terminal(io.StringIO):
    """A standard input at which somebody answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def file(run: Run, project: dict[str, Any], tmp_path: Path) -> Path:
    """A backup of a store that holds one project."""
    assert project["project_id"]
    path = tmp_path / "backups" / "assay.backup"
    path.parent.mkdir()
    assert run("backup", str(path)).code == 0
    return path


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine: from now on commands work on this store, which is not there yet and has no root key."""
    path = tmp_path / "other" / "assay.db"
    path.parent.mkdir()
    monkeypatch.setenv("ASSAY_DATABASE", f"sqlite:///{path}")
    return path


def give_key(tmp_path: Path, other: Path) -> None:
    """Carry the root key over as an operator would."""
    there = Path(f"{other}.root-key")
    there.touch(0o600)
    there.write_bytes((tmp_path / "assay.db.root-key").read_bytes())


def projects(run: Run) -> list[str]:
    return [each["name"] for each in run("project", "list", "--json").json()["projects"]]


def test_a_backup_is_for_its_owner_alone_and_the_root_key_is_not_in_it(run: Run, file: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = (tmp_path / "assay.db.root-key").read_text().strip()
    assert key.encode() not in file.read_bytes()
    told = run("backup", f"{file}.2")
    assert f"The root key is not in it. It is in {tmp_path / 'assay.db.root-key'}" in told.out
    assert key not in told.out + told.err


def test_where_the_root_key_comes_from_the_environment_the_backup_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    run("project", "list")
    told = run("backup", str(tmp_path / "backup"), "--json").json()
    assert told["root_key"] == "ASSAY_ROOT_KEY"
    assert told["made_at"]


def test_a_backup_needs_no_root_key(run: Run, file: Path, tmp_path: Path) -> None:
    """Whoever makes backups at night need not be able to open them."""
    (tmp_path / "assay.db.root-key").unlink()
    assert run("backup", f"{file}.2").code == 0


def test_a_backup_writes_over_nothing(run: Run, file: Path) -> None:
    before = file.read_bytes()
    refused = run("backup", str(file))
    assert (refused.code, refused.out) == (1, "")
    assert "is there already" in refused.err
    assert file.read_bytes() == before


def test_without_a_database_there_is_nothing_to_back_up(run: Run, other: Path, tmp_path: Path) -> None:
    refused = run("backup", str(tmp_path / "backup"), "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "store")
    assert not other.exists()


def test_what_was_there_is_back_and_what_came_since_is_kept_aside(
    run: Run, file: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("project", "create", "Later", "--vertical", "b2b")
    done = run("restore", str(file), "--end-sessions", "--yes", "--json").json()
    assert projects(run) == ["Acme"]
    assert done["database"] == database
    monkeypatch.setenv("ASSAY_DATABASE", f"sqlite:///{done['replaced']}")
    with sqlite3.connect(done["replaced"]) as replaced:
        assert replaced.execute("select name from projects order by name").fetchall() == [("Acme",), ("Later",)]
    replaced.close()


@pytest.mark.parametrize(("option", "word"), [("--end-sessions", "ended"), ("--keep-sessions", "kept")])
def test_the_audit_record_tells_of_the_restore(run: Run, file: Path, database: str, option: str, word: str) -> None:
    made_at = run("backup", f"{file}.2", "--json").json()["made_at"]
    assert run("restore", f"{file}.2", option, "--yes").code == 0
    told = events(database)[0]
    assert (told.action, told.target, told.actor) == ("store.restored", f"{file.name}.2", "cli")
    assert told.details == {"backup_made_at": made_at, "sessions": word}


def test_on_another_machine_it_needs_the_root_key(run: Run, file: Path, other: Path, tmp_path: Path) -> None:
    refused = run("restore", str(file), "--keep-sessions", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "wrong_root_key")
    assert f"{other}.root-key" in refused.err
    assert [*other.parent.iterdir()] == []
    give_key(tmp_path, other)
    assert run("restore", str(file), "--keep-sessions").code == 0
    assert projects(run) == ["Acme"]


@pytest.mark.parametrize("place", ["environment", "file"])
def test_with_another_root_key_nothing_is_replaced(
    run: Run, file: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("project", "create", "Later", "--vertical", "b2b")
    held = tmp_path / "assay.db.root-key"
    right, wrong = held.read_text(), RootKey.generate().text()
    if place == "environment":
        monkeypatch.setenv("ASSAY_ROOT_KEY", wrong)
    else:
        held.write_text(wrong)
    refused = run("restore", str(file), "--end-sessions", "--yes", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "wrong_root_key")
    assert wrong not in refused.out + refused.err
    monkeypatch.delenv("ASSAY_ROOT_KEY", raising=False)
    held.write_text(right)
    assert projects(run) == ["Acme", "Later"]


def test_a_backup_from_before_a_change_of_the_root_key_needs_the_old_one(run: Run, file: Path, tmp_path: Path) -> None:
    held = tmp_path / "assay.db.root-key"
    old = held.read_text()
    assert run("keys", "rewrap").code == 0
    new = held.read_text()
    assert run("restore", str(file), "--end-sessions", "--yes").code == 1
    assert run("project", "list").code == 0
    held.write_text(old)
    assert old != new
    assert run("restore", str(file), "--end-sessions", "--yes").code == 0
    assert projects(run) == ["Acme"]


def test_a_change_of_the_root_key_that_was_cut_short_hides_no_backup(run: Run, file: Path, tmp_path: Path) -> None:
    """Then the right key may still have the name that it got before the commit."""
    held = tmp_path / "assay.db.root-key"
    held.rename(f"{held}.new")
    held.touch(0o600)
    held.write_text(RootKey.generate().text())
    assert run("restore", str(file), "--end-sessions", "--yes").code == 0
    assert projects(run) == ["Acme"]


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 1000)


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:16384] = bytes(8192)
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def _foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("create table recipes (name text)")
    connection.close()


def _same_habits(path: Path) -> None:
    """Another program's database, whose table of migrations has the same name."""
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("create table schema_migrations (version text)")
    connection.close()


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("insert into schema_migrations (number, name, applied_at) values (999, 'later', 1)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "error_type"),
    [
        pytest.param(_garbage, "store", id="garbage"),
        pytest.param(_damage, "store", id="overwritten in the middle"),
        pytest.param(_cut, "store", id="cut off"),
        pytest.param(_foreign, "store", id="another program's"),
        pytest.param(_same_habits, "store", id="another program's with migrations"),
        pytest.param(_newer, "schema_too_new", id="made by a newer version"),
        pytest.param(Path.unlink, "store", id="not there"),
    ],
)
def test_what_is_no_sound_backup_of_ours_replaces_nothing(run: Run, file: Path, spoil: Any, error_type: str) -> None:
    run("project", "create", "Later", "--vertical", "b2b")
    spoil(file)
    refused = run("restore", str(file), "--end-sessions", "--yes", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, error_type)
    assert str(file) in refused.err
    assert projects(run) == ["Acme", "Later"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--yes",), "--keep-sessions, which makes those live again", id="no choice"),
        pytest.param(("--yes", "--end-sessions", "--keep-sessions"), "choose one", id="both choices"),
        pytest.param(("--end-sessions",), "--yes", id="nobody says yes"),
    ],
)
def test_without_a_terminal_everything_is_said_beforehand(
    run: Run, file: Path, database: str, options: tuple[str, ...], says: str
) -> None:
    refused = run("restore", str(file), *options)
    assert refused.code == 2
    assert says in " ".join(refused.err.split())
    assert "store.restored" not in {each.action for each in events(database)}


@pytest.mark.parametrize(
    ("answers", "becomes"),
    [
        pytest.param("y\n\n", "ended", id="the choice that is offered first"),
        pytest.param("y\ny\n", "ended", id="yes"),
        pytest.param("y\nn\n", "kept", id="no"),
    ],
)
def test_on_a_terminal_it_asks_what_becomes_of_the_sessions(
    run: Run, file: Path, answers: str, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answers))
    done = run("restore", str(file), "--json")
    assert "would be live again" in done.err
    assert done.json()["sessions"] == becomes


def test_who_says_no_keeps_everything(run: Run, file: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert run("restore", str(file), "--keep-sessions").code == 1
    assert "store.restored" not in {each.action for each in events(database)}


def test_while_a_server_runs_it_is_refused(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    backup = str(tmp_path / "backup")
    assay.create_project("Acme", "b2b")
    with assay.serving():
        assay.run("backup", backup)
        refused = assay.command("restore", backup, "--keep-sessions", "--yes")
        assert refused.returncode == 1
        assert "in use; stop every process" in refused.stderr
    assay.run("restore", backup, "--keep-sessions", "--yes")
