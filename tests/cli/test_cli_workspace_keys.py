"""``assay workspace-key``."""

from __future__ import annotations

import pytest

from assay import errors
from assay.stories.workspace_keys import authenticate_operator
from tests.cli.conftest import Run
from tests.cli.inside import events, inside


def opens(database: str, key_id: str, secret: str) -> str:
    """Whom these credentials name."""
    return inside(database, lambda ctx: authenticate_operator(ctx, key_id, secret)).name


def test_a_new_key_opens_the_management_api(run: Run, database: str) -> None:
    made = run("workspace-key", "create", "--name", "terraform", "--json")
    printed = made.json()
    assert (made.code, made.err) == (0, "")
    assert printed["workspace_key_id"].startswith("workspace-key-prod-")
    assert len(printed["workspace_key_secret"]) == len("secret-prod-") + 43
    shown = opens(database, printed["workspace_key_id"], printed["workspace_key_secret"])
    assert shown == printed["workspace_key_id"]


def test_people_are_shown_the_id_and_the_secret(run: Run, database: str) -> None:
    made = run("workspace-key", "create")
    values = dict(line.split() for line in made.out.splitlines() if line.startswith("  workspace_key"))
    assert opens(database, values["workspace_key_id"], values["workspace_key_secret"]) == values["workspace_key_id"]


def test_the_list_shows_the_last_use_and_no_more_than_the_last_four_characters(run: Run, database: str) -> None:
    key = run("workspace-key", "create", "--name", "terraform", "--json").json()
    [listed] = run("workspace-key", "list", "--json").json()["workspace_keys"]
    assert (listed["name"], listed["last_four"]) == ("terraform", key["workspace_key_secret"][-4:])
    assert (listed["used_at"], listed["revoked_at"]) == (None, None)
    opens(database, key["workspace_key_id"], key["workspace_key_secret"])
    [listed] = run("workspace-key", "list", "--json").json()["workspace_keys"]
    assert listed["used_at"] >= listed["created_at"]
    for text in (run("workspace-key", "list").out, run("workspace-key", "list", "--json").out):
        assert key["workspace_key_secret"] not in text
        assert listed["used_at"] in text


def test_a_revoked_key_opens_nothing_and_is_still_listed(run: Run, database: str) -> None:
    key = run("workspace-key", "create", "--json").json()
    revoked = run("workspace-key", "revoke", key["workspace_key_id"], "--json")
    assert revoked.json() == {"workspace_key_id": key["workspace_key_id"], "revoked": True}
    with pytest.raises(errors.UnauthorizedCredentials):
        opens(database, key["workspace_key_id"], key["workspace_key_secret"])
    [listed] = run("workspace-key", "list", "--json").json()["workspace_keys"]
    assert listed["revoked_at"] is not None
    again = run("workspace-key", "revoke", key["workspace_key_id"], "--json")
    assert (again.code, again.json()["error_type"]) == (1, "workspace_key_not_found")


@pytest.mark.parametrize("name", ["a\nb", "x" * 129], ids=["control character", "too long"])
def test_a_name_that_no_key_may_have_is_refused(run: Run, name: str) -> None:
    refused = run("workspace-key", "create", "--name", name, "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "invalid_workspace_key_name")
    assert run("workspace-key", "list", "--json").json() == {"workspace_keys": []}


def test_the_audit_record_tells_of_keys_but_not_their_secrets(run: Run, database: str) -> None:
    key = run("workspace-key", "create", "--json").json()
    run("workspace-key", "revoke", key["workspace_key_id"])
    found = events(database)
    told = [(each.action, each.target, each.actor) for each in found if each.action.startswith("workspace_key")]
    assert sorted(told) == [
        ("workspace_key.created", key["workspace_key_id"], "cli"),
        ("workspace_key.revoked", key["workspace_key_id"], "cli"),
    ]
    assert key["workspace_key_secret"] not in repr(found)
