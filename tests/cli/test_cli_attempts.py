"""``assay explain`` and ``assay attempts``: why a token was refused, in a terminal and for programs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from assay import errors
from assay.cli import attempts, explain, following
from assay.model import Attempt
from assay.stories.attest import AttestRequest, attest
from assay.stories.context import Call, Context
from assay.stories.projects import authenticate_caller
from tests.cli.conftest import Run
from tests.cli.inside import inside
from tests.issuer import AUDIENCE, Issuer, make_key

MAPPING = ("--map", "email=email", "--map", "token_id=jti", "--map", "organization_id=org")


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("https://login.example", [make_key("RSA")])


@pytest.fixture
def profile(run: Run, project: dict[str, Any], issuer: Issuer, tmp_path: Path) -> dict[str, Any]:
    pem = tmp_path / "key.pem"
    pem.write_text(issuer.keys[0].pem())
    whom = ("--issuer", issuer.url, "--audience", AUDIENCE, "--pem", str(pem), "--jit")
    made = run(
        "profile", "create", "--id", "login", "--name", "Login", *whom, *MAPPING, "--project-id", project["project_id"]
    )
    assert made.code == 0, made.err
    return project


@pytest.fixture
def ask(run: Run, profile: dict[str, Any]) -> Run:
    """``assay explain`` with the profile."""
    return lambda *more: run("explain", "--project-id", profile["project_id"], "--profile-id", "login", *more)


def attested(database: str, project: dict[str, Any], token: str, request_id: str) -> None:
    """An attest of this token, whatever comes of it."""

    async def attest_it(ctx: Context) -> None:
        caller = await authenticate_caller(ctx, project["project_id"], project["secret"])
        request = AttestRequest(profile_id="login", token=token)
        with contextlib.suppress(errors.Error):
            await attest(ctx, Call(caller=caller, request_id=request_id), request)

    inside(database, attest_it)


# ---------------------------------------------------------------- explain


def test_a_token_that_would_be_granted_exits_with_0(ask: Run, issuer: Issuer) -> None:
    told = ask(issuer.mint({"org": "acme"}))
    assert told.code == 0
    assert told.out.startswith("✓ granted")
    assert "✓ passed       audience" in told.out
    assert "What the token says (verified):" in told.out
    assert "It would come to:" in told.out
    assert '"stytch_member"' in told.out


def test_a_token_that_would_be_refused_exits_with_1_and_says_why(ask: Run, issuer: Issuer) -> None:
    told = ask(issuer.mint({"aud": f"{AUDIENCE}/"}))
    assert (told.code, told.err) == (1, "")
    assert told.out.startswith("✗ refused: jwt_invalid_audience")
    for part in ("the reason", "What to do:", "Perhaps:", "by a slash at the end", "✗ failed       audience"):
        assert part in told.out
    assert "· not reached  times" in told.out
    assert "NOT verified" in told.out


def test_json_prints_one_object_with_the_same_members_as_the_api(ask: Run, issuer: Issuer) -> None:
    told = ask(issuer.mint({"aud": "x"}), "--json")
    assert told.code == 1
    document = told.json()
    assert (document["verdict"], document["error_type"]) == ("refused", "jwt_invalid_audience")
    assert "request_id" not in document
    assert [each["outcome"] for each in document["steps"]].count("failed") == 1


def test_the_token_is_read_from_standard_input(ask: Run, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"  {issuer.mint({'org': 'acme'})}\n"))
    assert ask("-").code == 0


def test_organization_and_duration_are_those_of_the_request(ask: Run, issuer: Issuer) -> None:
    token = issuer.mint()
    assert ask(token, "--json").json()["error_type"] == "token_missing_organization_id_claim"
    assert ask(token, "--organization", "nowhere", "--json").json()["error_type"] == "organization_not_found"
    token = issuer.mint({"org": "acme"})
    assert ask(token, "--session-duration-minutes", "1", "--json").json()["steps"][0]["outcome"] == "failed"


def test_the_signature_and_control_characters_stay_out_of_the_terminal(ask: Run, issuer: Issuer) -> None:
    token = issuer.mint({"aud": "\x1b[2Jx", "act": issuer.mint()})
    for form in ((), ("--json",)):
        told = ask(token, *form)
        assert "\x1b" not in told.out
        assert token.rpartition(".")[2] not in told.out
        assert "(a token, left out)" in told.out


def test_an_unknown_project_is_a_refusal_of_the_command(run: Run, database: str) -> None:
    told = run("explain", "x", "--project-id", "project-test-none", "--profile-id", "login")
    assert told.code == 1
    assert told.err.startswith("assay:")
    assert database


def test_a_terminal_without_our_signs_gets_plain_ones(
    ask: Run, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        explain, "_MARKS", {name: (f"\udcff{plain}", plain) for name, (_, plain) in explain._MARKS.items()}
    )
    assert ask(issuer.mint({"org": "acme"})).out.startswith("+ granted")


# ---------------------------------------------------------------- attempts


@pytest.fixture
def three(database: str, profile: dict[str, Any], issuer: Issuer) -> dict[str, Any]:
    """A granted attest and two refused ones."""
    attested(database, profile, issuer.mint({"org": "acme", "sub": "ada"}), "request-id-test-1")
    attested(database, profile, issuer.mint({"aud": "x", "sub": "bob\x1b[2J"}), "request-id-test-2")
    attested(database, profile, "nonsense", "request-id-test-3")
    return profile


def test_attempts_are_shown_oldest_first_and_what_is_unverified_is_marked(run: Run, three: dict[str, Any]) -> None:
    told = run("attempts", "--project-id", three["project_id"])
    granted, refused, nonsense = told.out.splitlines()
    assert "granted login" in granted
    assert "[issuer=https://login.example subject=ada" in granted
    assert "for member-test-" in granted
    assert "refused login jwt_invalid_audience: aud must contain" in refused
    assert r"[unverified: issuer=https://login.example subject=bob\x1b[2J" in refused
    assert "refused login invalid_trusted_auth_token: the token has 1 segments" in nonsense
    assert "request-id-test-3" in nonsense


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--outcome", "refused"), [2, 3]),
        (("--error-type", "jwt_invalid_audience"), [2]),
        (("--request-id", "request-id-test-3"), [3]),
        (("--subject", "ada"), [1]),
        (("--issuer", "https://login.example", "--outcome", "granted"), [1]),
        (("--profile-id", "other"), []),
        (("--since", "2020-01-01T00:00:00Z"), [1, 2, 3]),
        (("--until", "2020-01-01T00:00:00Z"), []),
        (("--limit", "1"), [3]),
        (("--after", "1"), [2, 3]),
        (("--after", "0", "--limit", "2"), [1, 2]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_attempts_are_filtered(run: Run, three: dict[str, Any], filters: tuple[str, ...], found: list[int]) -> None:
    told = run("attempts", "--json", *filters)
    assert told.code == 0
    assert [each["request_id"][-1] for each in told.json()["attempts"]] == [str(number) for number in found]
    assert all(each["project_id"] == three["project_id"] for each in told.json()["attempts"])


def test_json_lines_hold_an_object_each(run: Run, three: dict[str, Any]) -> None:
    lines = [json.loads(line) for line in run("attempts", "--json-lines").out.splitlines()]
    assert [each["error_type"] for each in lines] == [None, "jwt_invalid_audience", "invalid_trusted_auth_token"]
    assert {each["project_id"] for each in lines} == {three["project_id"]}
    assert set(lines[0]) >= {"number", "created_at", "request_id", "verified", "kept_claims", "milliseconds", "details"}


def test_following_shows_what_comes_later(
    run: Run, three: dict[str, Any], database: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause() -> None:
        pauses.append(time.monotonic())
        if len(pauses) > 1:
            raise KeyboardInterrupt
        await asyncio.to_thread(attested, database, three, issuer.mint({"aud": "late"}), "request-id-test-4")

    monkeypatch.setattr(following, "pause", pause)
    told = run("attempts", "--follow", "--limit", "0", "--outcome", "refused", "--json-lines")
    assert [json.loads(line)["request_id"] for line in told.out.splitlines()] == ["request-id-test-4"]
    assert told.code == 0


@pytest.mark.parametrize("form", ["--follow", "--json-lines"])
def test_one_object_cannot_be_followed(run: Run, database: str, form: str) -> None:
    assert run("attempts", "--json", form).code == 2
    assert database


def test_a_time_that_cannot_be_read_is_said(run: Run, database: str) -> None:
    told = run("attempts", "--since", "yesterday")
    assert told.code == 1
    assert "--since: expected a time" in told.err
    assert database


def test_every_field_of_a_line_is_one_of_the_record() -> None:
    assert set(attempts._SAYS) <= set(Attempt.__struct_fields__)


# ---------------------------------------------------------------- notices


def test_profile_show_tells_what_was_new(run: Run, profile: dict[str, Any], database: str, issuer: Issuer) -> None:
    for number in range(21):
        claims = {"org": "acme"} | ({"late": 1} if number == 20 else {})
        attested(database, profile, issuer.mint(claims), f"request-id-test-{number}")
    shown = run("profile", "show", "login", "--project-id", profile["project_id"])
    assert "What was new about its tokens:" in shown.out
    assert "tokens have the claim late since then" in shown.out
    document = run("profile", "show", "login", "--project-id", profile["project_id"], "--json").json()
    assert [(each["kind"], each["value"]) for each in document["notices"]] == [("claim_started", "late")]
    assert "profile.drift_noticed login" in run("events", "--limit", "1").out
