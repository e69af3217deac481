"""``assay project``."""

from __future__ import annotations

from typing import Any

import pytest

from assay import errors
from assay.stories.projects import authenticate_caller
from tests.cli.conftest import Run
from tests.cli.inside import events, inside


def opens(database: str, project_id: str, secret: str) -> str:
    """Which kind of environment these credentials open."""
    caller = inside(database, lambda ctx: authenticate_caller(ctx, project_id, secret))
    return caller.environment.kind


def public_tokens(database: str, project_id: str) -> list[str]:
    return [each.public_token for each in inside(database, lambda ctx: ctx.store.public_tokens(project_id))]


def test_a_new_project_comes_with_credentials_that_open_its_test_environment(run: Run, database: str) -> None:
    made = run("project", "create", "Acme Shop", "--vertical", "consumer", "--json")
    printed = made.json()
    assert (made.code, made.err) == (0, "")
    assert printed["project_slug"].startswith("acme-shop-")
    assert (printed["environment_slug"], printed["vertical"]) == ("test", "consumer")
    assert printed["public_token"].startswith("public-token-test-")
    assert opens(database, printed["project_id"], printed["secret"]) == "test"


def test_live_prints_the_credentials_of_the_live_environment(run: Run, database: str) -> None:
    printed = run("project", "create", "Acme", "--vertical", "b2b", "--live", "--json").json()
    assert printed["environment_slug"] == "production"
    assert opens(database, printed["project_id"], printed["secret"]) == "live"


def test_people_are_shown_the_credentials_and_the_command_to_run_next(run: Run, database: str) -> None:
    made = run("project", "create", "Acme", "--vertical", "b2b", "--database", database)
    values = dict(
        line.split(maxsplit=1) for line in made.out.splitlines() if line.startswith("  p") or "secret-" in line
    )
    assert opens(database, values["project_id"], values["secret"]) == "test"
    following = made.out.splitlines()[-1]
    assert following.startswith(f"  assay profile create --project-id {values['project_id']} ")
    assert following.endswith(f"--database {database}")


def test_the_list_shows_both_environments_of_each_project(run: Run, project: dict[str, Any]) -> None:
    listed = run("project", "list", "--json").json()["projects"]
    assert [each["project_slug"] for each in listed] == [project["project_slug"]]
    environments = {each["environment_slug"]: each["project_id"] for each in listed[0]["environments"]}
    assert environments.keys() == {"production", "test"}
    assert environments["test"] == project["project_id"]
    assert project["project_id"] in run("project", "list").out


def test_an_empty_list_says_how_to_make_a_project(run: Run) -> None:
    assert "assay project create" in run("project", "list").out


def test_a_name_that_no_project_may_have_is_refused_with_its_error_type(run: Run) -> None:
    refused = run("project", "create", "a\nb", "--vertical", "b2b", "--json")
    assert refused.code == 1
    assert refused.json()["error_type"] == "invalid_project_name"
    assert refused.json()["error_message"] in refused.err


def test_secrets_rotate_without_a_moment_in_which_none_is_live(
    run: Run, database: str, project: dict[str, Any]
) -> None:
    whose = ("--project-id", project["project_id"])
    second = run("project", "secret", "create", *whose, "--json").json()
    assert opens(database, project["project_id"], second["secret"]) == "test"
    assert opens(database, project["project_id"], project["secret"]) == "test"
    first_id = next(
        each["secret_id"]
        for each in run("project", "secret", "list", *whose, "--json").json()["secrets"]
        if each["secret_id"] != second["secret_id"]
    )
    revoked = run("project", "secret", "revoke", first_id, *whose, "--json")
    assert revoked.json() == {"secret_id": first_id, "revoked": True}
    with pytest.raises(errors.UnauthorizedCredentials):
        opens(database, project["project_id"], project["secret"])
    assert opens(database, project["project_id"], second["secret"]) == "test"


def test_a_list_of_secrets_shows_no_more_than_the_last_four_characters(run: Run, project: dict[str, Any]) -> None:
    whose = ("--project-id", project["project_id"])
    listed = run("project", "secret", "list", *whose, "--json")
    [secret] = listed.json()["secrets"]
    assert secret["last_four"] == project["secret"][-4:]
    assert secret["revoked_at"] is None
    for text in (listed.out, run("project", "secret", "list", *whose).out):
        assert project["secret"] not in text
        assert project["secret"][-4:] in text


@pytest.mark.parametrize(
    ("arguments", "error_type"),
    [
        pytest.param(("create", "--project-id", "project-test-0"), "project_not_found", id="create, unknown project"),
        pytest.param(("list", "--project-id", "project-test-0"), "project_not_found", id="list, unknown project"),
        pytest.param(("revoke", "secret-0"), "secret_not_found", id="revoke, unknown secret"),
    ],
)
def test_what_does_not_exist_is_refused(
    run: Run, project: dict[str, Any], arguments: tuple[str, ...], error_type: str
) -> None:
    whose = () if "--project-id" in arguments else ("--project-id", project["project_id"])
    refused = run("project", "secret", *arguments, *whose, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, error_type)


def test_the_audit_record_names_the_command_line_as_the_actor(run: Run, database: str, project: dict[str, Any]) -> None:
    run("project", "secret", "create", "--project-id", project["project_id"])
    assert [(each.action, each.actor) for each in events(database) if "secret" in each.action] == [
        ("secret.created", "cli")
    ]
    assert ("project.created", "cli") in [(each.action, each.actor) for each in events(database)]


def test_the_list_of_secrets_shows_when_each_was_last_used(run: Run, database: str, project: dict[str, Any]) -> None:
    whose = ("--project-id", project["project_id"])
    [unused] = run("project", "secret", "list", *whose, "--json").json()["secrets"]
    assert unused["used_at"] is None
    opens(database, project["project_id"], project["secret"])
    [used] = run("project", "secret", "list", *whose, "--json").json()["secrets"]
    assert used["used_at"] >= used["created_at"]
    assert run("project", "secret", "list", *whose).out.count(used["used_at"]) >= 1


def test_both_environments_of_a_new_project_have_a_public_token(run: Run, database: str) -> None:
    run("project", "create", "Acme", "--vertical", "b2b")
    [listed] = run("project", "list", "--json").json()["projects"]
    for environment in listed["environments"]:
        [token] = public_tokens(database, environment["project_id"])
        assert token.startswith(f"public-token-{environment['environment_kind']}-")
