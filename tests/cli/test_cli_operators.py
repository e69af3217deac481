"""``assay operator``."""

from __future__ import annotations

import pytest

from assay.stories import internal, signing_in
from assay.stories.operators import Role
from tests.cli.conftest import Run
from tests.cli.inside import events, inside

ADA = "ada@example.com"
PASSWORD = "correct horse battery staple"


def joined(run: Run, database: str, email: str = ADA, role: Role = "owner") -> None:
    """Invite somebody, who follows the link."""
    link = run("operator", "invite", email, "--role", role, "--json").json()["link"]
    token = link.partition("token=")[2]
    inside(database, lambda ctx: signing_in.with_link(ctx, token, "", PASSWORD, "request-id-test-1"))


def test_an_invitation_is_a_link_that_lets_somebody_in(run: Run, database: str) -> None:
    made = run("operator", "invite", ADA, "--role", "editor", "--url", "https://assay.example/", "--json").json()
    assert made["link"].startswith("https://assay.example/dashboard/welcome?token=")
    assert (made["email"], made["role"]) == (ADA, "editor")
    token = made["link"].partition("token=")[2]
    came = inside(database, lambda ctx: signing_in.with_link(ctx, token, "", PASSWORD, "request-id-test-1"))
    assert (came.signed_in.email, came.signed_in.role) == (ADA, "editor")


def test_people_are_shown_the_link_and_until_when_it_works(run: Run) -> None:
    told = run("operator", "invite", ADA, "--role", "viewer").out
    assert "http://127.0.0.1:8080/dashboard/welcome?token=" in told
    assert "It is shown only now" in told


def test_the_list_shows_role_and_state(run: Run, database: str) -> None:
    joined(run, database)
    run("operator", "invite", "vera@example.com", "--role", "viewer")
    listed = run("operator", "list", "--json").json()["operators"]
    assert [(each["email"], each["role"], each["joined"]) for each in listed] == [
        (ADA, "owner", True),
        ("vera@example.com", "viewer", False),
    ]
    assert "vera@example.com" in run("operator", "list").out


def test_a_role_is_changed_and_somebody_removed(run: Run, database: str) -> None:
    joined(run, database)
    joined(run, database, "vera@example.com", "viewer")
    changed = run("operator", "role", "vera@example.com", "editor", "--json").json()
    assert changed["operator"]["role"] == "editor"
    removed = run("operator", "remove", "vera@example.com", "--json").json()
    assert removed["removed"] is True
    assert [each["email"] for each in run("operator", "list", "--json").json()["operators"]] == [ADA]
    by_command = {event.action for event in events(database) if event.actor == "cli"}
    assert {"operator.invited", "operator.role_changed", "operator.removed"} <= by_command


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("role", ADA, "viewer"), "last_owner"),
        (("remove", ADA), "last_owner"),
        (("invite", ADA, "--role", "viewer"), "last_owner"),
        (("remove", "nobody@example.com"), "operator_not_found"),
        (("invite", "not an address", "--role", "viewer"), "invalid_email"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_refused(run: Run, database: str, arguments: tuple[str, ...], code: str) -> None:
    joined(run, database)
    refused = run("operator", *arguments, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, code)


def test_an_unknown_role_is_a_fault_of_the_command_line(run: Run) -> None:
    assert run("operator", "invite", ADA, "--role", "admin").code == 2


def test_the_project_of_the_operators_is_in_no_list(run: Run, database: str) -> None:
    joined(run, database)
    run("project", "create", "Acme", "--vertical", "b2b")
    assert internal.PROJECT_SLUG not in run("project", "list", "--json").out
    assert internal.PROJECT_SLUG not in run("export").out
