"""``assay doctor`` finds what is wrong, and says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from assay.keys.sealing import RootKey
from tests.cli.conftest import Run
from tests.issuer import Issuer, make_key, serving


def trust(run: Run, project: dict[str, Any], *keys: str) -> None:
    """Register the profile ``idp`` whose keys these arguments name."""
    whom = ("--id", "idp", "--name", "N", "--issuer", "https://issuer.example", "--audience", "a")
    made = run(
        *("profile", "create", "--project-id", project["project_id"], *whom, *keys),
        *("--map", "email=email", "--allow-problems"),
    )
    assert made.code == 0


def check_of(run: Run, name: str, target: str = "") -> dict[str, Any]:
    """The one check of this name; the exit code must agree with what the checks say."""
    outcome = run("doctor", "--json")
    printed = outcome.json()
    assert printed["ok"] == all(check["ok"] for check in printed["checks"])
    assert outcome.code == (0 if printed["ok"] else 1)
    [found] = [check for check in printed["checks"] if check["check"] == name and target in check["target"]]
    assert found["ok"] or found["next"]
    return dict(found)


def test_all_is_well_when_each_profiles_keys_are_there(
    run: Run, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_LOOPBACK_KEY_URLS", "1")
    run("keys", "rotate", "--project-id", project["project_id"])
    with serving([make_key("RSA", "key-1"), make_key("P-256", "key-2")]) as issuer:
        trust(run, project, "--jwks-url", issuer.jwks_url)
        before = issuer.requests
        profile = check_of(run, "profile")
        assert issuer.requests == before + 1
    assert profile["ok"]
    assert profile["kids"] == ["key-1", "key-2"]
    assert len(check_of(run, "signing keys", project["project_id"])["kids"]) == 2


def test_people_read_one_line_a_check(run: Run, project: dict[str, Any]) -> None:
    lines = run("doctor").out.splitlines()
    assert lines[-1] == "All is well."
    assert {line.split()[0] for line in lines[:-2]} == {"ok"}
    assert any(project["project_id"] in line for line in lines)


def test_a_fresh_database_is_well_and_says_what_comes_first(run: Run) -> None:
    check = check_of(run, "projects")
    assert check["ok"]
    assert "assay project create" in check["next"]


def test_keys_that_cannot_be_fetched_are_a_problem(
    run: Run, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_LOOPBACK_KEY_URLS", "1")
    with serving() as issuer:
        trust(run, project, "--jwks-url", issuer.jwks_url)
        issuer.failing = 500
        check = check_of(run, "profile")
    assert not check["ok"]
    assert "status 500" in check["message"]
    assert "assay profile update idp" in check["next"]


def test_a_url_that_is_never_fetched_is_told_once(run: Run, project: dict[str, Any]) -> None:
    trust(run, project, "--jwks-url", "http://127.0.0.1:1/jwks")
    assert check_of(run, "profile")["message"] == "The key URL points at this machine itself."


def test_a_pem_that_cannot_be_read_is_a_problem(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no key at all")
    trust(run, project, "--pem", str(tmp_path / "bad.pem"))
    assert not check_of(run, "profile")["ok"]


def test_a_pem_that_can_be_read_is_well(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "good.pem").write_text(Issuer(keys=[make_key("RSA")]).keys[0].pem())
    trust(run, project, "--pem", str(tmp_path / "good.pem"))
    assert check_of(run, "profile")["message"] == "1 key can be used"


def test_a_problem_names_its_source_when_there_are_several(
    run: Run, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_LOOPBACK_KEY_URLS", "1")
    with serving([make_key("RSA", "key-1")]) as issuer:
        given = [f'{{"kind": "jwks", "url": "{url}"}}' for url in (issuer.jwks_url, issuer.url + "/none")]
        trust(run, project, "--key-source", given[0], "--key-source", given[1])
        check = check_of(run, "profile")
    assert check["kids"] == ["key-1"]
    assert "Key source 2 (jwks): " in check["message"]
    assert "Key source 1" not in check["message"]
    assert "404" in check["message"]


def test_another_root_key_is_a_problem(run: Run, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert project
    monkeypatch.setenv("ASSAY_ROOT_KEY", RootKey.generate().text())
    check = check_of(run, "root key")
    assert (check["ok"], check["target"]) == (False, "ASSAY_ROOT_KEY")


def test_a_signing_key_that_was_changed_is_a_problem(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    run("keys", "rotate", "--project-id", project["project_id"])
    tamper(tmp_path, "update signing_keys set sealed_private_key = zeroblob(64) where state = 'next'")
    assert not check_of(run, "signing keys", project["project_id"])["ok"]


def test_a_signing_key_that_is_gone_is_a_problem(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    run("keys", "rotate", "--project-id", project["project_id"])
    tamper(tmp_path, "delete from signing_keys where state = 'next'")
    check = check_of(run, "signing keys", project["project_id"])
    assert (check["ok"], len(check["kids"])) == (False, 1)


def test_a_newer_schema_is_a_problem(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    assert project
    tamper(tmp_path, "insert into schema_migrations values (9999, 'later', 0)")
    assert not check_of(run, "schema")["ok"]
    refused = run("project", "list", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "schema_too_new")


def test_the_file_of_another_program_is_a_problem(run: Run, tmp_path: Path) -> None:
    (tmp_path / "assay.db").write_bytes(b"something else, and long enough to be looked at" * 100)
    assert not check_of(run, "store")["ok"]
    refused = run("project", "list", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "store")


def test_settings_that_cannot_be_used_are_a_problem(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_LOG_LEVEL", "loud")
    assert not check_of(run, "settings")["ok"]


def tamper(folder: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "assay.db")) as connection, connection:
        connection.execute(statement)
