"""``assay config``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay import config
from assay.keys.sealing import RootKey
from tests.cli.conftest import Run


def by_variable(run: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    return {row["variable"]: row for row in run("config", "--json", *arguments).json()["settings"]}


def test_every_setting_is_shown_with_its_meaning(run: Run) -> None:
    rows = by_variable(run)
    assert rows.keys() == {setting.variable for setting in config.SETTINGS}
    assert all(row["meaning"] for row in rows.values())
    lines = run("config").out
    assert all(f"{variable} = " in lines for variable in rows)


def test_each_value_says_where_it_comes_from(run: Run, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PUBLIC_URL", "https://assay.example")
    rows = by_variable(run)
    assert (rows["ASSAY_DATABASE"]["value"], rows["ASSAY_DATABASE"]["source"]) == (database, "environment")
    assert (rows["ASSAY_PUBLIC_URL"]["value"], rows["ASSAY_PUBLIC_URL"]["source"]) == (
        "https://assay.example",
        "environment",
    )
    assert (rows["ASSAY_LOG_LEVEL"]["value"], rows["ASSAY_LOG_LEVEL"]["source"]) == ("info", "default")
    option = by_variable(run, "--database", "sqlite:///other.db")["ASSAY_DATABASE"]
    assert (option["value"], option["source"]) == ("sqlite:///other.db", "--database")


def test_secrets_are_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = RootKey.generate().text()
    monkeypatch.setenv("ASSAY_ROOT_KEY", secret)
    assert by_variable(run)["ASSAY_ROOT_KEY"]["value"] == "(hidden)"
    for shown in (run("config"), run("config", "--json")):
        assert shown.code == 0
        assert secret not in shown.out + shown.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("ASSAY_LOG_LEVEL", "loud", id="level"),
        pytest.param("ASSAY_ALLOW_LOOPBACK_KEY_URLS", "yes", id="switch"),
        pytest.param("ASSAY_DATABASE", "mysql://", id="database"),
        pytest.param("ASSAY_ROOT_KEY", "short", id="root key"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_problem_here_and_a_refusal_elsewhere(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    shown = run("config", "--json")
    assert shown.code == 1
    assert shown.json()["problem"]
    refused = run("project", "list", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "configuration")


def test_looking_at_settings_makes_no_files(run: Run, tmp_path: Path) -> None:
    assert run("config").code == 0
    assert list(tmp_path.iterdir()) == []
