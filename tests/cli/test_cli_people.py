"""``assay person`` and ``assay sessions``: whom they are about, and that they ask first."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.model import Session
from tests import records
from tests.cli.conftest import Run
from tests.cli.inside import events, inside


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ada(run: Run, project: dict[str, Any], tmp_path: Path, database: str) -> str:
    """The project of a member ``ada`` of ``acme`` with a live session."""
    path = tmp_path / "members.csv"
    path.write_text("organization_slug,email_address,external_id\nacme,ada@acme.example,ada\n")
    project_id: str = project["project_id"]
    assert run("import", "members", str(path), "--project-id", project_id, "--create-organizations").code == 0

    async def start(ctx: Any) -> Session:
        (member,) = await ctx.store.members_by_external_id(project_id, "ada")
        (secret,) = await ctx.store.secrets(project_id)
        now = int(ctx.clock())
        session = records.session(member, started_at=now, last_accessed_at=now, expires_at=now + 3_600)
        await ctx.store.write(records.start(session, secret))
        return session

    inside(database, start)
    return project_id


def test_a_person_is_erased_after_a_yes(run: Run, ada: str, monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    whom = ("person", "erase", "--project-id", ada, "--member", "ada", "--organization", "acme")
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    kept = run(*whom)
    assert (kept.code, kept.out) == (1, "")
    assert "ada@acme.example" in kept.err
    assert "1 session, 0 attempts and 1 event" in kept.err
    assert kept.err.endswith("Nothing was done.\n")
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    erased = run(*whom)
    assert erased.code == 0
    assert "with 1 session, 0 attempts and 1 event." in erased.out
    assert events(database)[0].action == "person.erased"
    assert run(*whom, "--yes", "--json").json()["error_type"] == "member_not_found"


def test_where_nobody_can_be_asked_a_yes_is_needed(run: Run, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    refused = run("person", "erase", "--project-id", ada, "--member", "ada")
    assert refused.code == 2
    assert "--yes" in refused.err
    erased = run("person", "erase", "--project-id", ada, "--member", "ada", "--yes", "--json").json()
    assert (erased["subject_kind"], erased["erased"]["sessions"]) == ("member", 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("person", "erase"), "--member REF or --user REF", id="nobody"),
        pytest.param(
            ("person", "erase", "--member", "a", "--user", "b"), "--member REF or --user REF", id="two people"
        ),
        pytest.param(
            ("person", "erase", "--user", "a", "--organization", "b"), "goes with --member", id="a user in one"
        ),
        pytest.param(("sessions", "revoke"), "exactly one", id="nobody's sessions"),
        pytest.param(("sessions", "revoke", "--all", "--user", "a"), "exactly one", id="all and one"),
    ],
)
def test_whom_it_is_about_must_be_clear(run: Run, words: tuple[str, ...], says: str) -> None:
    refused = run(*words, "--project-id", "project-test-0", "--yes")
    assert refused.code == 2
    assert says in refused.err


def test_the_sessions_of_a_person_need_the_environment(run: Run) -> None:
    refused = run("sessions", "revoke", "--member", "ada")
    assert (refused.code, "--project-id" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("whose", "scope"),
    [
        pytest.param(("--member", "ada"), "member", id="a member"),
        pytest.param(("--organization", "acme", "--yes"), "organization", id="an organization"),
        pytest.param(("--profile", "vercel_jwt", "--yes"), "profile", id="a profile"),
        pytest.param(("--all", "--yes"), "environment", id="an environment"),
    ],
)
def test_sessions_end_and_are_counted(run: Run, ada: str, whose: tuple[str, ...], scope: str, database: str) -> None:
    ended = run("sessions", "revoke", *whose, "--project-id", ada, "--json").json()["revoked"]
    assert [(each["scope"], each["sessions"]) for each in ended] == [(scope, 1)]
    assert events(database)[0].action == f"{scope}.sessions_revoked"
    if scope == "profile":
        assert run("sessions", "revoke", *whose, "--project-id", ada).code == 1, "no such profile, no such session"
    else:
        assert "Ended 0 live sessions" in run("sessions", "revoke", *whose, "--project-id", ada).out


def test_all_sessions_of_the_server_end(run: Run, ada: str) -> None:
    ended = run("sessions", "revoke", "--all", "--yes", "--json").json()["revoked"]
    assert {each["target"]: each["sessions"] for each in ended}[ada] == 1
    assert len(ended) == 2


@pytest.mark.parametrize("whose", [("--organization", "acme"), ("--profile", "p"), ("--all",)], ids=lambda it: it[0])
def test_what_ends_many_sessions_asks_first(
    run: Run, ada: str, monkeypatch: pytest.MonkeyPatch, whose: tuple[str, ...], database: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    kept = run("sessions", "revoke", *whose, "--project-id", ada)
    assert (kept.code, kept.out) == (1, "")
    assert "End all sessions" in kept.err
    assert "revoked" not in events(database)[0].action


def test_without_projects_there_is_nothing_to_end(run: Run) -> None:
    assert "no session" in run("sessions", "revoke", "--all", "--yes").out
