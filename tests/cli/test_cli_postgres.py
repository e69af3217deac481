"""Commands over a PostgreSQL database: ``assay migrate``, and what is done in another way there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.keys.sealing import RootKey
from assay.store import postgres_schema
from tests import postgres
from tests.cli.conftest import Run

PASSWORD = "hidden-in-the-address"
NEWEST = postgres_schema.migrations()[-1].number


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, database: str) -> Iterator[str]:
    """A migrated database that commands use, with a password in its address and a root key."""
    del database
    made = postgres.migrated()
    address = made.replace("postgres@", f"postgres:{PASSWORD}@")
    monkeypatch.setenv("ASSAY_DATABASE", address)
    monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    yield address
    postgres.drop(made)


def test_migrate_says_what_it_did(run: Run, url: str) -> None:
    del url
    fresh = postgres.server().database()
    first = run("migrate", "--database", fresh).out
    assert f"has schema {NEWEST}." in first
    assert all(f"Applied {one.name}." in first for one in postgres_schema.migrations())
    again = run("migrate", "--database", fresh, "--json").json()
    assert again == {"database": fresh, "schema": NEWEST, "applied": [], "months": []}


def test_migrate_works_with_a_file_too(run: Run, database: str) -> None:
    assert run("migrate", "--json").json() == {"database": database, "schema": NEWEST, "applied": [], "months": []}


def test_no_command_shows_the_password(run: Run, url: str, tmp_path: Path) -> None:
    commands = [
        ("config",),
        ("config", "--json"),
        ("doctor",),
        ("doctor", "--json"),
        ("migrate",),
        ("backup", str(tmp_path / "copy.db")),
        ("project", "list"),
        ("doctor", "--database", url.replace("/d", "/no")),
        ("migrate", "--database", url.replace("127.0.0.1", "127.0.0.1:x")),
    ]
    for command in commands:
        done = run(*command)
        assert done.out or done.err
        assert PASSWORD not in done.out + done.err, command


@pytest.mark.parametrize("command", [("backup",), ("restore", "--end-sessions", "--yes")], ids=lambda it: it[0])
def test_backups_are_left_to_postgresql(run: Run, url: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    del url
    file = tmp_path / "copy.db"
    done = run(*command, str(file))
    assert done.code == 1
    assert "pg_dump" in done.err
    assert not file.exists()


def test_the_root_key_must_be_set(run: Run, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del url
    monkeypatch.setenv("ASSAY_ROOT_KEY", "")
    monkeypatch.chdir(tmp_path)
    for command in (("project", "list"), ("doctor",), ("config",)):
        done = run(*command)
        assert done.code == 1
        assert "ASSAY_ROOT_KEY must be set" in done.out + done.err
    assert list(tmp_path.iterdir()) == []


def test_the_root_key_is_changed_with_a_new_one_from_a_file(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del url
    assert run("project", "create", "Acme", "--vertical", "b2b").code == 0
    fresh = RootKey.generate().text()
    (tmp_path / "fresh").write_text(fresh)
    assert run("keys", "rewrap", "--new-key-file", str(tmp_path / "fresh")).code == 0
    assert "root key" in run("project", "list").err
    monkeypatch.setenv("ASSAY_ROOT_KEY", fresh)
    assert run("project", "list").code == 0


def test_an_address_of_no_store_is_refused(run: Run) -> None:
    done = run("project", "list", "--database", "mysql://localhost/assay")
    assert done.code == 1
    assert "postgresql://USER@HOST/DATABASE" in done.err
