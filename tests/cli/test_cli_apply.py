"""``assay apply`` and ``assay export``."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import errors
from assay.stories import profiles
from tests.cli.conftest import Outcome, Run
from tests.cli.inside import events
from tests.issuer import make_key
from tests.process import Assay

TEXT = """
[projects.acme]
name = "Acme"
vertical = "b2b"

[projects.acme.environments.live]
type = "live"
name = "Live"

[projects.acme.environments.live.profiles.idp]
name = "IdP"
issuer = "https://idp.example"
audience = "acme"
pem_files = ["keys/idp.pem"]
attribute_mapping = { email = "email" }
"""
NOT_DONE = 3


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "idp.pem").write_text(make_key("P-256").pem())
    path = tmp_path / "assay.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def apply(run: Run, file: Path) -> Callable[..., Outcome]:
    """Run ``assay apply`` over the file, with ``text`` in it."""

    def apply_it(*options: str, text: str = TEXT) -> Outcome:
        file.write_text(text)
        return run("apply", str(file), *options)

    return apply_it


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def test_it_makes_what_the_file_says_and_a_second_run_changes_nothing(apply: Run, database: str) -> None:
    made = apply("--yes")
    assert (made.code, made.err) == (0, "")
    assert "+ profile acme/live/idp\n" in made.out
    assert made.out.endswith("Plan: 3 to create, 0 to change, 0 to delete.\nDone.\n")
    before = events(database)
    assert {each.actor for each in before} == {"cli"}
    again = apply("--yes")
    assert (again.code, again.out) == (0, "Nothing to change.\n")
    assert events(database) == before


def test_changed_fields_are_shown_from_old_to_new(apply: Run) -> None:
    apply("--yes")
    text = TEXT.replace('"acme"', '"other"').replace('"IdP"', '"\\u001b[2J"')
    shown = apply("--dry-run", text=text)
    assert '    audience: "acme" -> "other"\n' in shown.out
    assert "\x1b" not in shown.out


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        pytest.param((), "Nothing was changed. Add --yes to make these changes.\n", id="nobody to ask"),
        pytest.param(("--dry-run",), "Nothing was changed.", id="dry run"),
        pytest.param(("--dry-run", "--yes"), "Nothing was changed.", id="dry run, whoever says yes"),
    ],
)
def test_what_nobody_agreed_to_is_not_done(apply: Run, database: str, options: tuple[str, ...], hint: str) -> None:
    shown = apply(*options)
    assert shown.code == NOT_DONE
    assert "+ project acme\n" in shown.out
    assert hint in shown.out
    assert events(database) == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param("y\n", 0, id="yes"),
        pytest.param("n\n", NOT_DONE, id="no"),
        pytest.param("\n", NOT_DONE, id="enter"),
        pytest.param("", NOT_DONE, id="end of input"),
    ],
)
def test_on_a_terminal_it_asks(
    apply: Run, database: str, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    asked = apply()
    assert asked.code == code
    assert "Make these changes? [y/N]" in asked.err
    assert bool(events(database)) == (code == 0)


def test_nothing_is_asked_where_there_is_nothing_to_change(apply: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    apply("--yes")
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    assert apply() == (0, "Nothing to change.\n", "")


def test_json_is_one_object_and_asks_nobody(apply: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    shown = apply("--json")
    assert (shown.code, shown.err) == (NOT_DONE, "")
    assert (shown.json()["applied"], shown.json()["done"]) == (False, [])
    assert shown.json()["left"] == ["project acme", "environment acme/live", "profile acme/live/idp"]
    assert shown.json()["changes"][0] == {
        "action": "create",
        "kind": "project",
        "place": ["acme"],
        "fields": [{"name": "name", "old": None, "new": "Acme"}, {"name": "vertical", "old": None, "new": "b2b"}],
        "notes": [],
    }
    done = apply("--json", "--yes")
    assert (done.code, done.json()["applied"], done.json()["left"]) == (0, True, [])
    assert done.json()["done"] == shown.json()["left"]
    again = apply("--json", "--yes").json()
    assert (again["changes"], again["done"]) == ([], [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(TEXT.replace("audience", "audiense"), "invalid_configuration_file", id="a mistake in the file"),
        pytest.param(TEXT.replace("idp.pem", "nowhere.pem"), "invalid_configuration_file", id="a file that is missing"),
        pytest.param(
            TEXT.replace("live]\n", "live]\nsettings = { user_lock_ttl = -1 }\n"), "configuration_refused", id="refused"
        ),
        pytest.param(TEXT.replace('"email"', '""'), "configuration_refused", id="problems"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exit_code_1(apply: Run, database: str, text: str, code: str) -> None:
    refused = apply("--yes", "--json", text=text)
    assert (refused.code, refused.json()["error_type"]) == (1, code)
    assert refused.err.startswith("assay: ")
    assert events(database) == []


def test_problems_can_be_meant(apply: Run) -> None:
    saved = apply("--yes", "--allow-problems", text=TEXT.replace('"email" }', '"" }'))
    assert saved.code == 0
    assert "Problems, saved all the same:\n  profile acme/live/idp: attribute_mapping maps email" in saved.out


def test_deletes_are_marked(apply: Run) -> None:
    apply("--yes")
    text = TEXT.partition("[projects.acme.environments.live.profiles")[0]
    assert apply("--yes", text=text).out == "Nothing to change.\n"
    assert "- profile acme/live/idp WILL BE DELETED\n" in apply("--prune", text=text).out
    assert apply("--prune", "--yes", text=text).code == 0


def test_projects_are_deleted_only_by_name_of_that_option(apply: Run, run: Run) -> None:
    apply("--yes")
    assert "stays (with the environment live: 0 users" in apply("--prune", text="").out
    assert apply("--delete-projects", text="").code == 2
    gone = apply("--prune", "--delete-projects", "--yes", text="")
    assert "- project acme WILL BE DELETED\n" in gone.out
    assert run("project", "list", "--json").json() == {"projects": []}


@pytest.mark.parametrize(
    "arguments", [pytest.param((), id="no file"), pytest.param(("nowhere.toml",), id="no such file")]
)
def test_a_wrong_command_line_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("apply", *arguments).code == 2


def test_a_stop_in_the_middle_says_what_is_left(apply: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_it: Any = profiles.create_profile
    made: list[str] = []

    async def fails_the_second_time(*arguments: Any, **options: Any) -> Any:
        # The first time is the rehearsal.
        made.append("profile")
        if len(made) == 2:
            raise errors.StoreUnavailable
        return await make_it(*arguments, **options)

    monkeypatch.setattr(profiles, "create_profile", fails_the_second_time)
    stopped = apply("--yes")
    assert stopped.code == 1
    assert "Done before it stopped:\n  project acme\n  environment acme/live\n" in stopped.out
    assert "Not done:\n  profile acme/live/idp\nApply again to do the rest.\n" in stopped.err
    rest = apply("--yes", "--json")
    assert (rest.code, rest.json()["done"]) == (0, ["profile acme/live/idp"])


def test_a_stop_in_the_middle_is_in_the_json_too(apply: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    apply("--yes")

    async def changed(*_arguments: Any) -> None:
        raise errors.ConfigurationChangedMeanwhile

    monkeypatch.setattr("assay.stories.declared.meanwhile.check", changed)
    stopped = apply("--yes", "--json", text=TEXT.replace("IdP", "New"))
    assert (stopped.code, stopped.json()["error_type"]) == (1, "configuration_changed_meanwhile")
    assert (stopped.json()["applied"], stopped.json()["left"]) == (False, ["profile acme/live/idp"])


# ---------------------------------------------------------------- export


def test_an_export_goes_to_standard_output(apply: Run, run: Run, file: Path) -> None:
    apply("--yes")
    shown = run("export")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("# Assay configuration")
    assert "-----BEGIN PUBLIC KEY-----" in shown.out
    file.write_text(shown.out)
    assert run("apply", str(file)).out == "Nothing to change.\n"
    assert run("export", "--json").json() == {"configuration": shown.out}


def test_an_export_to_a_directory_has_keys_beside_it(apply: Run, run: Run, tmp_path: Path) -> None:
    apply("--yes")
    folder = tmp_path / "exported"
    assert run("export", str(folder)).out == f"Wrote {folder}/assay.toml and 1 files beside it.\n"
    key = folder / "keys" / "acme-live-idp-1.pem"
    assert key.read_bytes() == (tmp_path / "keys" / "idp.pem").read_bytes()
    assert run("apply", str(folder / "assay.toml")).out == "Nothing to change.\n"
    assert run("export", str(folder), "--overwrite", "--json").json() == {"files": [f"{folder}/assay.toml", str(key)]}


def test_files_that_are_there_are_not_replaced_by_mistake(apply: Run, run: Run, file: Path) -> None:
    apply("--yes")
    refused = run("export", str(file.parent))
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert file.read_text() == TEXT


def test_one_project_can_be_exported(apply: Run, run: Run) -> None:
    apply("--yes")
    apply("--yes", text='[projects.other]\nname = "Other"\nvertical = "consumer"\n')
    assert "projects.acme" not in run("export", "--project", "other").out
    missing = run("export", "--project", "nobody", "--json")
    assert (missing.code, missing.json()["error_type"]) == (1, "project_not_found")


def test_an_empty_database_is_an_empty_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text(run("export").out)
    assert run("apply", str(tmp_path / "empty.toml")).out == "Nothing to change.\n"


def test_the_installed_command_takes_a_secret_out_of_its_environment(tmp_path: Path) -> None:
    source = '[{ kind = "hmac", secret_env = "SHOP_SECRET" }]'
    text = TEXT.replace('pem_files = ["keys/idp.pem"]', f'algorithms = ["HS256"]\nkey_sources = {source}')
    (tmp_path / "assay.toml").write_text(text)
    secret = "a secret that is long enough for that"
    assay = Assay(tmp_path, {"SHOP_SECRET": secret})
    done = assay.command("apply", str(tmp_path / "assay.toml"), "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert secret not in done.stdout
    assert secret not in assay.command("export").stdout
