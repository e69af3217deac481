"""``assay preset``, and profiles made by presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.rules.presets import all_presets
from tests.cli.conftest import Run
from tests.issuer import make_key

GITHUB = ("--preset", "github_actions", "--set", "audience=https://api.example.com", "--set", "owner_id=77")
PIN = 'claims.repository_owner_id == "77"'


def create(run: Run, project: dict[str, Any], *options: str) -> Any:
    return run("profile", "create", "--project-id", project["project_id"], *options, "--json")


def test_every_preset_is_listed_for_people_and_for_programs(run: Run) -> None:
    names = [preset.name for preset in all_presets()]
    assert [each["name"] for each in run("preset", "list", "--json").json()["presets"]] == names
    assert [line.split()[0] for line in run("preset", "list").out.splitlines()[1:]] == names


@pytest.mark.parametrize("preset", all_presets(), ids=lambda preset: preset.name)
def test_a_preset_is_shown_with_its_settings_its_notes_and_a_command_to_paste(run: Run, preset: Any) -> None:
    shown = run("preset", "show", preset.name)
    assert (shown.code, shown.err) == (0, "")
    for text in (preset.title, preset.docs, *preset.notes, *(each.about for each in preset.settings.values())):
        assert text in shown.out
    assert f"assay profile create --project-id PROJECT_ID --preset {preset.name}" in shown.out
    assert run("preset", "show", preset.name, "--json").json()["profile"] == preset.profile


def test_an_unknown_preset_is_told(run: Run) -> None:
    shown = run("preset", "show", "nobody", "--json")
    assert (shown.code, shown.json()["error_type"]) == (1, "preset_not_found")
    assert "assay preset list" in shown.err


def test_a_preset_makes_a_profile_without_problems(run: Run, project: dict[str, Any]) -> None:
    made = create(run, project, *GITHUB, "--id", "ci")
    profile = made.json()["profile"]
    assert (made.code, made.json()["problems"]) == (0, [])
    assert (profile["profile_id"], profile["name"]) == ("ci", "GitHub Actions")
    assert profile["issuer"] == "https://token.actions.githubusercontent.com"
    assert profile["audience"] == "https://api.example.com"
    assert profile["conditions"] == [PIN]
    assert profile["jwks_url"] == "https://token.actions.githubusercontent.com/.well-known/jwks"
    assert profile["attribute_mapping"]["external_member_id"] == "repository_id"
    assert profile["can_jit_provision"] is False


def test_options_stand_over_the_preset_and_conditions_are_added_to_its_own(run: Run, project: dict[str, Any]) -> None:
    more = 'claims.ref == "refs/heads/main"'
    options = ("--name", "CI", "--leeway-seconds", "0", "--jit", "--condition", more, "--map", "name=workflow")
    profile = create(run, project, *GITHUB, *options).json()["profile"]
    assert (profile["name"], profile["leeway_seconds"], profile["can_jit_provision"]) == ("CI", 0, True)
    assert profile["conditions"] == [PIN, more]
    assert profile["attribute_mapping"]["name"] == "workflow"
    assert profile["attribute_mapping"]["external_member_id"] == "repository_id"


def test_keys_that_are_given_replace_those_of_the_preset(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text(make_key("RSA").pem(), "ascii")
    profile = create(run, project, *GITHUB, "--pem", str(pem)).json()["profile"]
    assert [source["kind"] for source in profile["key_sources"]] == ["pem"]
    assert profile["conditions"] == [PIN]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        pytest.param(("--preset", "nobody"), 1, "no preset 'nobody'", id="unknown preset"),
        pytest.param(GITHUB[:4], 1, "needs the setting owner_id", id="missing setting"),
        pytest.param((*GITHUB, "--set", "team=a"), 1, "no setting team", id="unknown setting"),
        pytest.param((*GITHUB[:4], "--set", "owner_id=x"), 1, "owner_id looks like 1234567", id="wrong form"),
        pytest.param((*GITHUB, "--set", "owner_id=78"), 2, "owner_id is set twice", id="set twice"),
        pytest.param((*GITHUB, "--set", "owner_id"), 2, "SETTING=VALUE", id="no value"),
        pytest.param(("--set", "owner_id=77"), 2, "settings are those of a --preset", id="setting without preset"),
        pytest.param((*GITHUB[:4], "--set", "owner_id=@nowhere"), 2, "nowhere cannot be read", id="no such file"),
        pytest.param((*GITHUB, "--jwks-url", "https://a.example", "--key-source", "{}"), 2, "", id="two kinds of keys"),
        pytest.param(("--issuer", "i", "--audience", "a"), 2, "--name", id="no name and no preset"),
        pytest.param(("--name", "n", "--issuer", "i", "--audience", "a"), 2, "--jwks-url or --pem", id="no keys"),
    ],
)
def test_what_does_not_go_together_is_refused(
    run: Run, project: dict[str, Any], options: tuple[str, ...], code: int, told: str
) -> None:
    made = create(run, project, *options)
    assert made.code == code
    assert told in made.err
    assert run("profile", "list", "--json").json() == {"profiles": []}


def test_a_setting_from_a_file_is_its_text_without_the_last_line_break(
    run: Run, project: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "owner").write_text("77\n", "ascii")
    made = create(run, project, *GITHUB[:4], "--set", f"owner_id=@{tmp_path / 'owner'}")
    assert made.json()["profile"]["conditions"] == [PIN]
