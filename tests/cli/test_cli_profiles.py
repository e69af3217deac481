"""``assay profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.cli.conftest import Outcome, Run
from tests.cli.inside import events
from tests.issuer import make_key

JWKS_URL = "https://issuer.example/jwks"


@pytest.fixture
def create(run: Run, project: dict[str, Any]) -> Run:
    """Run ``profile create`` with these arguments over good ones."""

    def create_it(*arguments: str) -> Outcome:
        whom = ("--name", "Vercel", "--issuer", "https://issuer.example", "--audience", "acme")
        return run("profile", "create", "--project-id", project["project_id"], *whom, *arguments)

    return create_it


@pytest.fixture
def on(run: Run, project: dict[str, Any]) -> Run:
    """Run another command about profiles of the project."""

    def run_it(command: str, *arguments: str) -> Outcome:
        return run("profile", command, "--project-id", project["project_id"], *arguments)

    return run_it


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_text(make_key("RSA").pem())
    return path


GOOD = ("--jwks-url", JWKS_URL, "--map", "email=user_email", "--map", "token_id=jti")


def test_a_profile_with_a_jwks_url_has_what_it_was_given(create: Run) -> None:
    made = create("--id", "vercel_jwt", *GOOD, "--jit", "--leeway-seconds", "0", "--algorithm", "ES256", "--json")
    assert (made.code, made.err) == (0, "")
    profile = made.json()["profile"]
    assert made.json()["problems"] == []
    assert profile["profile_id"] == "vercel_jwt"
    assert (profile["name"], profile["issuer"], profile["audience"]) == ("Vercel", "https://issuer.example", "acme")
    assert (profile["public_key_type"], profile["jwks_url"], profile["pem_files"]) == ("JWK", JWKS_URL, [])
    assert profile["attribute_mapping"] == {"email": "user_email", "token_id": "jti"}
    assert (profile["can_jit_provision"], profile["leeway_seconds"], profile["algorithms"]) == (True, 0, ["ES256"])


def test_without_choices_a_profile_is_the_careful_default(create: Run) -> None:
    profile = create(*GOOD, "--json").json()["profile"]
    assert profile["profile_id"].startswith("trusted-auth-token-profile-test-")
    assert (profile["can_jit_provision"], profile["leeway_seconds"]) == (False, 30)
    assert "RS256" in profile["algorithms"]
    assert "HS256" not in profile["algorithms"]


def test_pem_files_are_kept_byte_for_byte(create: Run, pem: Path) -> None:
    profile = create("--pem", str(pem), "--pem", str(pem), "--map", "email=email", "--json").json()["profile"]
    assert profile["public_key_type"] == "PEM"
    assert [each["public_key"] for each in profile["pem_files"]] == [pem.read_text()] * 2


def test_claim_names_are_taken_literally(create: Run) -> None:
    claim = "https://acme.example/claims?kind=role"
    profile = create("--jwks-url", JWKS_URL, "--map", "email=a.b", "--map", f"role_ids={claim}", "--json").json()
    assert profile["profile"]["attribute_mapping"] == {"email": "a.b", "role_ids": claim}


def test_a_profile_with_problems_is_not_saved_unless_told_to(create: Run, on: Run) -> None:
    bad = ("--id", "odd", "--jwks-url", "http://127.0.0.1/jwks", "--map", "email=email")
    refused = create(*bad, "--json")
    assert refused.code == 1
    assert refused.json()["error_type"] == "trusted_token_profile_has_problems"
    assert "points at this machine itself" in refused.err
    assert "--allow-problems" in refused.err
    assert on("list", "--json").json() == {"profiles": []}
    saved = create(*bad, "--allow-problems", "--json")
    assert saved.code == 0
    assert saved.json()["problems"] == ["The key URL points at this machine itself."]
    assert on("list", "--json").json()["profiles"][0]["problems"] == saved.json()["problems"]
    assert "points at this machine itself" in on("show", "odd").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--map", "email=email"), "--jwks-url or --pem", id="no keys"),
        pytest.param((*GOOD, "--pem", "KEY"), "--jwks-url or --pem", id="both kinds of keys"),
        pytest.param(("--jwks-url", JWKS_URL, "--map", "email"), "ATTRIBUTE=CLAIM", id="mapping without a claim"),
        pytest.param(("--jwks-url", JWKS_URL, "--map", "=email"), "ATTRIBUTE=CLAIM", id="mapping without attribute"),
        pytest.param((*GOOD, "--map", "email=mail"), "email is mapped twice", id="attribute mapped twice"),
        pytest.param((*GOOD, "--leeway-seconds", "301"), "--leeway-seconds", id="leeway too long"),
        pytest.param(("--pem", "/nowhere/key.pem"), "/nowhere/key.pem", id="no such file"),
        pytest.param(("--pem", "DER"), "not text", id="key file that is not PEM"),
        pytest.param(("--pem", "LONG"), "too long", id="key file that is something else"),
    ],
)
def test_a_wrong_command_line_is_told_so(
    create: Run, on: Run, pem: Path, arguments: tuple[str, ...], words: str
) -> None:
    (pem.parent / "der").write_bytes(b"\x30\x82\xff")
    (pem.parent / "long").write_text("x" * 100_000)
    files = {"KEY": str(pem), "DER": str(pem.parent / "der"), "LONG": str(pem.parent / "long")}
    refused = create(*(files.get(each, each) for each in arguments))
    assert refused.code == 2
    assert words in refused.err
    assert on("list", "--json").json() == {"profiles": []}


def test_a_private_key_pasted_by_mistake_is_refused_and_not_repeated(create: Run, tmp_path: Path) -> None:
    key = make_key("P-256").private_key
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    (tmp_path / "private.pem").write_text(text)
    refused = create("--pem", str(tmp_path / "private.pem"), "--map", "email=email", "--allow-problems", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "invalid_public_key")
    assert text.splitlines()[1] not in refused.out + refused.err


def test_an_update_changes_what_is_given_and_leaves_the_rest(create: Run, on: Run) -> None:
    create("--id", "p", *GOOD, "--jit")
    changed = on("update", "p", "--issuer", "https://other.example", "--map", "email=email", "--no-jit", "--json")
    profile = changed.json()["profile"]
    assert (profile["issuer"], profile["audience"]) == ("https://other.example", "acme")
    assert profile["attribute_mapping"] == {"email": "email"}
    assert profile["can_jit_provision"] is False
    assert profile["jwks_url"] == JWKS_URL
    shown = on("show", "p", "--json").json()
    assert (shown["profile"], shown["problems"]) == (profile, [])


def test_an_update_with_nothing_to_change_is_told_so(create: Run, on: Run) -> None:
    create("--id", "p", *GOOD)
    assert on("update", "p").code == 2


def test_an_update_that_makes_problems_is_refused_too(create: Run, on: Run) -> None:
    create("--id", "p", *GOOD)
    assert on("update", "p", "--jwks-url", "https://10.0.0.1/").code == 1
    assert on("show", "p", "--json").json()["profile"]["jwks_url"] == JWKS_URL
    assert on("update", "p", "--jwks-url", "https://10.0.0.1/", "--allow-problems").code == 0


def test_a_deleted_profile_is_gone(create: Run, on: Run) -> None:
    create("--id", "p", *GOOD)
    assert on("delete", "p", "--json").json() == {"profile_id": "p", "deleted": True}
    gone = on("show", "p", "--json")
    assert (gone.code, gone.json()["error_type"]) == (1, "trusted_token_profile_not_found")
    assert on("delete", "p").code == 1
    assert on("list").out == "Nobody is trusted yet.\n"


def test_without_a_project_the_profiles_of_all_are_listed(
    create: Run, run: Run, on: Run, project: dict[str, Any]
) -> None:
    create("--id", "p", *GOOD)
    other = run("project", "create", "Other", "--vertical", "b2b", "--json").json()
    whom = ("--name", "Q", "--issuer", "https://issuer.example", "--audience", "acme")
    run("profile", "create", "--project-id", other["project_id"], "--id", "q", *whom, *GOOD)
    listed = run("profile", "list", "--json").json()["profiles"]
    assert {(each["project_id"], each["profile_id"]) for each in listed} == {
        (project["project_id"], "p"),
        (other["project_id"], "q"),
    }
    assert [each["profile_id"] for each in on("list", "--json").json()["profiles"]] == ["p"]


def test_every_change_is_in_the_audit_record_as_done_by_the_command_line(create: Run, on: Run, database: str) -> None:
    create("--id", "p", *GOOD)
    on("update", "p", "--name", "New")
    on("delete", "p")
    recorded = [(each.action, each.actor) for each in events(database) if each.target == "p"]
    assert sorted(recorded) == [("profile.created", "cli"), ("profile.deleted", "cli"), ("profile.updated", "cli")]


def test_a_name_cannot_drive_the_terminal_of_whoever_lists_it(create: Run, on: Run) -> None:
    create("--id", "p", *GOOD)
    on("update", "p", "--name", "\x1b[2Jgone")
    assert "\x1b" not in on("list").out
    assert "\\x1b[2Jgone" in on("list").out
    assert on("show", "p", "--json").json()["profile"]["name"] == "\x1b[2Jgone"
