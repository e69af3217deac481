"""``assay profile guess``: from a token to a command that can be pasted."""

from __future__ import annotations

import io
import shlex
import time
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.issuer import ABSENT, Issuer, make_key, serving, sign

ISSUER = Issuer("https://login.acme.example", [make_key("RSA")])
GITHUB = {"iss": "https://token.actions.githubusercontent.com", "repository_owner_id": "77", "repository_id": "8"}
SECRET = b"a shared secret of more than thirty-two bytes"


def parts_shown(token: str, text: str) -> list[str]:
    return [part for part in token.split(".") if part in text]


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["for people", "for programs"])
@pytest.mark.parametrize("claims", [{}, GITHUB], ids=["unknown issuer", "preset"])
def test_no_part_of_the_token_is_ever_shown(run: Run, options: tuple[str, ...], claims: dict[str, Any]) -> None:
    token = ISSUER.mint(claims)
    guessed = run("profile", "guess", token, *options)
    assert (guessed.code, guessed.err) == (0, "")
    assert parts_shown(token, guessed.out) == []


@pytest.mark.parametrize("text", ["aaa.bbb", "e30.e30.c2lnbmF0dXJl"], ids=["two segments", "no header"])
def test_what_is_no_token_is_refused_without_being_shown(run: Run, text: str) -> None:
    guessed = run("profile", "guess", text, "--json")
    assert (guessed.code, guessed.json()["error_type"]) == (1, "invalid_trusted_auth_token")
    assert parts_shown(text, guessed.out + guessed.err) == []


def test_a_token_is_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(ISSUER.mint(GITHUB) + "\n"))
    guessed = run("profile", "guess", "-", "--json").json()
    assert guessed["preset"] == "github_actions"


def test_more_than_a_token_on_standard_input_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a" * 70_000))
    guessed = run("profile", "guess", "-")
    assert (guessed.code, "aaaa" in guessed.out + guessed.err) == (2, False)


@pytest.mark.parametrize("vertical", ["b2b", "consumer"])
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(GITHUB, id="preset"),
        pytest.param({}, id="unknown issuer"),
        pytest.param({"org_id": "o'1 $x", "aud": "a b"}, id="values that a shell would read"),
        pytest.param({"exp": ABSENT}, id="no end"),
    ],
)
def test_the_command_that_is_proposed_makes_a_profile(run: Run, vertical: str, claims: dict[str, Any]) -> None:
    project = run("project", "create", "Acme", "--vertical", vertical, "--json").json()
    token = ISSUER.mint(claims)
    options = ("--vertical", vertical, "--project-id", project["project_id"], "--json")
    guessed = run("profile", "guess", token, *options).json()
    words = shlex.split(guessed["command"])
    assert words[0] == "assay"
    made = run(*words[1:], "--json")
    assert made.code == 0, made.err
    assert made.json()["problems"] == []
    assert made.json()["profile"]["audience"] == guessed["members"]["audience"]


def test_a_token_under_a_shared_secret_asks_for_the_secret(
    run: Run, project: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    claims = {"iss": "acme", "aud": "a", "sub": "s", "iat": now, "exp": now + 60}
    guessed = run("profile", "guess", sign({"alg": "HS256"}, claims, "HS256", SECRET), "--json").json()
    assert "keys" in guessed["missing"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    words = shlex.split(guessed["command"].replace("PROJECT_ID", project["project_id"]))
    made = run(*words[1:], "--json").json()
    assert (made["problems"], made["profile"]["algorithms"]) == ([], ["HS256"])


def test_an_issuer_without_https_is_never_looked_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_LOOPBACK_KEY_URLS", "1")
    with serving([make_key("RSA")]) as issuer:
        guessed = run("profile", "guess", issuer.mint(), "--fetch", "--json").json()
    assert (guessed["key_document"], issuer.requests) == (None, 0)


def test_a_key_that_cannot_be_fetched_is_told(run: Run) -> None:
    token = Issuer("https://127.0.0.1:1", [make_key("RSA")]).mint()
    guessed = run("profile", "guess", token, "--fetch")
    assert guessed.code == 0
    assert "No key was found at https://127.0.0.1:1/" in guessed.out


def test_what_the_operator_must_know_stands_before_the_command(run: Run) -> None:
    guessed = run("profile", "guess", ISSUER.mint({"exp": 1_000_000_000}))
    assert "Warning: The token has expired" in guessed.out.partition("assay profile create")[0]
    assert "Nothing of this is verified" in guessed.out.splitlines()[0]
