"""``assay import``."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from assay.cli.progress import BAR_SECONDS, LINE_SECONDS, Progress
from assay.stories.import_job import FAULTS_KEPT
from tests.cli.conftest import Run
from tests.cli.inside import events, inside

MEMBERS = "organization_slug,mail,name\nacme,ada@acme.example,Ada\nacme,bob@acme.example,Bob\n"
MAP = ("--map", "mail=email_address")


@pytest.fixture
def members(tmp_path: Path) -> Path:
    path = tmp_path / "members.csv"
    path.write_text(MEMBERS)
    return path


def test_members_are_imported_and_told(run: Run, project: dict[str, Any], members: Path, database: str) -> None:
    of = ("--project-id", project["project_id"], *MAP)
    done = run("import", "members", str(members), *of, "--create-organizations")
    assert (done.code, done.err) == (0, "")
    assert "2 rows. 2 new, 0 already there" in done.out
    assert done.out.endswith("Created 2 members and 1 organization, updated 0.\n")
    again = run("import", "members", str(members), *of, "--json")
    assert (again.code, again.json()["same"], again.json()["written"]) == (0, 2, True)
    assert [event.actor for event in events(database)[:2]] == ["cli", "cli"]


def test_users_are_imported_out_of_an_array(run: Run, tmp_path: Path, database: str) -> None:
    made = run("project", "create", "Shop", "--vertical", "consumer", "--json").json()
    path = tmp_path / "users.json"
    path.write_text(json.dumps([{"emails": [{"email": "ada@home.example"}], "user_id": "old-1"}], indent=2))
    of = ("--project-id", made["project_id"], "--keep-ids-as-external")
    assert run("import", "users", str(path), *of, "--json").json()["created"] == 1
    user = inside(database, lambda ctx: ctx.store.user(made["project_id"], "old-1"))
    assert user is not None
    assert user.email == "ada@home.example"


def test_the_csv_of_the_hosted_services_export_is_imported_as_it_is(run: Run, tmp_path: Path, database: str) -> None:
    """Its columns are the members of the user object, and its cells JSON, quotes doubled."""
    made = run("project", "create", "Shop", "--vertical", "consumer", "--json").json()
    path = tmp_path / "users.csv"
    path.write_text(
        '"user_id","status","created_at","name","emails","phone_numbers","trusted_metadata","providers"\n'
        '"user-live-16d9ba61-97a1-4ba4-9720-b03761dc50c6","active","2024-01-01T00:00:00Z",'
        '"{""first_name"":""Ada"",""middle_name"":"""",""last_name"":""Lovelace""}",'
        '"[{""email_id"":""email-live-1"",""email"":""ada@home.example"",""verified"":true}]",[],{},[]\n'
    )
    of = ("--project-id", made["project_id"], "--map", "user_id=trusted_metadata.stytch_user_id", "--json")
    found = run("import", "users", str(path), *of).json()
    assert (found["created"], found["unused"], found["notes"]) == (1, {}, {})
    _, user = inside(database, lambda ctx: ctx.store.user_candidates(made["project_id"], None, "ada@home.example"))
    assert user is not None
    assert (user.name.last_name, user.email_verified) == ("Lovelace", True)
    assert user.trusted_metadata == {"stytch_user_id": "user-live-16d9ba61-97a1-4ba4-9720-b03761dc50c6"}


def test_faults_are_listed_by_line_and_stop_the_import(run: Run, project: dict[str, Any], members: Path) -> None:
    of = ("--project-id", project["project_id"], *MAP)
    refused = run("import", "members", str(members), *of)
    assert refused.code == 1
    assert "2     there is no such organization" in refused.out
    assert "3     there is no such organization" in refused.out
    assert "Nothing was written." in refused.out
    assert run("import", "members", str(members), *of, "--json").json()["faults"][0]["line"] == 2


def test_all_faults_go_into_a_file(run: Run, project: dict[str, Any], tmp_path: Path) -> None:
    bad, faults = tmp_path / "bad.jsonl", tmp_path / "faults.jsonl"
    bad.write_text("{}\n" * (FAULTS_KEPT + 5))
    of = ("--project-id", project["project_id"], "--faults", str(faults))
    shown = run("import", "members", str(bad), *of)
    assert "… and 5 more; --faults FILE lists them all." in shown.out
    told = [json.loads(line) for line in faults.read_text().splitlines()]
    assert [fault["line"] for fault in told] == list(range(1, FAULTS_KEPT + 6))


def test_faulty_rows_can_be_left_out_and_others_updated(run: Run, project: dict[str, Any], members: Path) -> None:
    of = ("--project-id", project["project_id"], *MAP, "--create-organizations", "--skip-faulty", "--json")
    run("import", "members", str(members), *of)
    members.write_text(MEMBERS.replace("Ada\n", "Countess\n") + "acme,nobody,\n")
    found = run("import", "members", str(members), *of)
    assert (found.code, found.json()["different"], found.json()["updated"]) == (0, 1, 0)
    assert run("import", "members", str(members), *of, "--update").json()["updated"] == 1


def test_a_check_writes_nothing(run: Run, project: dict[str, Any], members: Path, database: str) -> None:
    of = ("--project-id", project["project_id"], *MAP, "--create-organizations", "--check")
    checked = run("import", "members", str(members), *of)
    assert (checked.code, "can be imported as it is" in checked.out) == (0, True)
    assert [event.action for event in events(database)] == ["project.created"]


def test_an_import_into_one_organization(run: Run, project: dict[str, Any], members: Path) -> None:
    of = ("--project-id", project["project_id"], *MAP)
    run("import", "members", str(members), *of, "--create-organizations")
    members.write_text("mail\neve@acme.example\n")
    found = run("import", "members", str(members), *of, "--organization", "acme", "--json")
    assert found.json()["created"] == 1


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        pytest.param(("--map", "mail"), 2, "COLUMN=FIELD", id="a mapping without a field"),
        pytest.param(("--map", "post=email_address"), 1, "no column 'post'", id="a mapping of no column"),
        pytest.param(("--format", "xml"), 2, "xml", id="a format that is none"),
        pytest.param(("--organization", "globex"), 1, "organization", id="an unknown organization"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    run: Run, project: dict[str, Any], members: Path, options: tuple[str, ...], code: int, says: str
) -> None:
    refused = run("import", "members", str(members), "--project-id", project["project_id"], *options)
    assert (refused.code, refused.out) == (code, "")
    assert says in refused.err


def test_the_people_of_another_vertical_are_refused(run: Run, project: dict[str, Any], members: Path) -> None:
    refused = run("import", "users", str(members), "--project-id", project["project_id"], "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "wrong_vertical")


# ---------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_gets_a_bar_that_ends_with_the_line() -> None:
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock)
    progress.tell("checked", 1, 0.1)
    clock.now += BAR_SECONDS
    progress.tell("checked", 500, 0.5)
    progress.tell("checked", 600, 0.6)
    progress.tell("checked", 1_000, 1)
    progress.close()
    half, full = "#" * 15 + "-" * 15, "#" * 30
    assert stream.getvalue() == f"\rchecked [{half}]  50% 500 rows \rchecked [{full}] 100% 1000 rows \n"


def test_anything_else_gets_a_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock)
    for second in range(0, 25, 5):
        clock.now = float(second)
        progress.tell("written", second, second / 25)
    progress.close()
    assert LINE_SECONDS == 10
    assert stream.getvalue() == "assay: written 10 rows (40%)\nassay: written 20 rows (80%)\n"
