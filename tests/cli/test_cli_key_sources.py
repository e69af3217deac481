"""Key sources on the command line: how they are given, and how they and their health are shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from assay.cli import key_sources
from assay.stories.key_sources import HmacGiven
from tests.certificates import certificate
from tests.cli.conftest import Outcome, Run
from tests.cli.inside import inside
from tests.issuer import make_key, serving

SECRET = "a shared secret of more than thirty-two bytes"
EC = make_key("P-256", "ec")
INLINE = json.dumps({"kind": "inline_jwks", "jwks": {"keys": [EC.jwk()]}})
HMAC = json.dumps({"kind": "hmac", "secret": SECRET})


@pytest.fixture
def create(run: Run, project: dict[str, Any]) -> Run:
    """Run ``profile create`` for the profile ``p`` with these arguments over good ones."""

    def create_it(*arguments: str) -> Outcome:
        whom = ("--id", "p", "--name", "P", "--issuer", "https://issuer.example", "--audience", "acme")
        where = ("--project-id", project["project_id"])
        return run("profile", "create", *where, *whom, "--map", "email=email", *arguments)

    return create_it


@pytest.fixture
def on(run: Run, project: dict[str, Any]) -> Run:
    """Run another command about the profile ``p``."""

    def run_it(command: str, *arguments: str) -> Outcome:
        return run("profile", command, "p", "--project-id", project["project_id"], *arguments)

    return run_it


def sources_of(outcome: Outcome) -> Any:
    assert outcome.code == 0, outcome.err
    return outcome.json()["profile"]["key_sources"]


def test_sources_are_given_as_json_in_their_order(create: Run, on: Run) -> None:
    jwks = {"kind": "jwks", "url": "https://issuer.example/jwks"}
    made = create("--key-source", INLINE, "--key-source", json.dumps(jwks), "--json")
    assert sources_of(made) == [json.loads(INLINE), jwks]
    assert made.json()["profile"]["public_key_type"] == "UNSPECIFIED"
    assert sources_of(on("show", "--json")) == sources_of(made)
    shown = on("show").out
    assert "keys 1" in shown
    assert "jwks url=https://issuer.example/jwks" in shown


@pytest.mark.parametrize("option", ["--jwks-url", "--pem"])
def test_the_older_options_are_shown_as_sources_too(create: Run, tmp_path: Path, option: str) -> None:
    (tmp_path / "key.pem").write_text(EC.pem())
    url = "https://issuer.example/jwks"
    expected = {"kind": "jwks", "url": url} if option == "--jwks-url" else {"kind": "pem", "public_keys": [EC.pem()]}
    value = url if option == "--jwks-url" else str(tmp_path / "key.pem")
    assert sources_of(create(option, value, "--json")) == [expected]


def test_a_source_and_what_is_in_it_may_stand_in_files(create: Run, on: Run, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [EC.jwk()]}))
    (tmp_path / "key.pem").write_text(EC.pem())
    whole = {"kind": "inline_jwks", "jwks_file": str(tmp_path / "keys.json")}
    (tmp_path / "source.json").write_text(json.dumps(whole))
    pem = json.dumps({"kind": "pem", "public_key_files": [str(tmp_path / "key.pem")]})
    made = create("--key-source", f"@{tmp_path / 'source.json'}", "--key-source", pem, "--json")
    assert sources_of(made) == [json.loads(INLINE), {"kind": "pem", "public_keys": [EC.pem()]}]
    ca = json.dumps({"kind": "jwks", "url": "https://i.example/jwks", "ca_pem_file": str(tmp_path / "key.pem")})
    refused = on("update", "--key-source", ca, "--json")
    assert "cannot be parsed as PEM certificates" in refused.json()["error_message"]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        pytest.param(f"{SECRET}\n".encode(), SECRET.encode(), id="text with a line break"),
        pytest.param(f"{SECRET}\r\n".encode(), SECRET.encode(), id="text with the line break of Windows"),
        pytest.param(SECRET.encode(), SECRET.encode(), id="text without a line break"),
        pytest.param(b"\xff" * 32 + b"\n", b"\xff" * 32 + b"\n", id="bytes, of which each counts"),
    ],
)
def test_a_secret_may_stand_in_a_file(tmp_path: Path, written: bytes, key: bytes) -> None:
    (tmp_path / "secret").write_bytes(written)
    [given] = key_sources.read([json.dumps({"kind": "hmac", "secret_file": str(tmp_path / "secret")})])
    assert isinstance(given, HmacGiven)
    assert given.secret_base64url is not None
    assert base64.urlsafe_b64decode(given.secret_base64url + "==") == key


def test_a_secret_is_shown_by_no_command_and_stored_in_no_readable_form(
    create: Run, on: Run, run: Run, project: dict[str, Any], database: str
) -> None:
    commands = [
        create("--key-source", HMAC, "--algorithm", "HS256"),
        on("update", "--key-source", HMAC),
        on("show"),
        on("show", "--json"),
        on("keys"),
        on("keys", "--json"),
        run("profile", "list", "--project-id", project["project_id"], "--json"),
        run("doctor", "--json"),
        on("update", "--key-source", json.dumps({"kind": "hmac", "secret": SECRET, "secret_base64url": "AAAA"})),
        on("update", "--key-source", json.dumps({"kind": "hmac", "secret": SECRET, "odd": 1})),
        on("update", "--key-source", f"{HMAC} "[:-2]),
    ]
    assert [each.code for each in commands] == [0] * 8 + [1, 2, 2]
    assert not any(SECRET in each.out + each.err for each in commands)
    events = inside(database, lambda ctx: ctx.store.events(None, 100))
    assert SECRET not in str(events)
    path = Path(database.removeprefix("sqlite:///"))
    assert not any(SECRET.encode() in file.read_bytes() for file in path.parent.glob("assay.db*"))


def test_a_shared_secret_outlives_a_change_of_root_key(create: Run, on: Run, run: Run) -> None:
    create("--key-source", HMAC, "--algorithm", "HS256")
    assert run("keys", "rewrap").code == 0
    [state] = on("keys", "--json").json()["key_sets"]
    assert (state["usable_keys"], state["problems"]) == (1, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("jwks", "cannot be read as JSON", id="no JSON"),
        pytest.param("[]", "not a JSON object", id="no object"),
        pytest.param('{"kind": "jwks"}', "url", id="member missing"),
        pytest.param('{"kind": "jwks", "url": "https://a.example", "url": "https://b.example"}', "repeats", id="twice"),
        pytest.param('{"kind": "jwks", "url": "https://a.example", "path": "x"}', "path", id="unknown member"),
        pytest.param("@/nowhere/source.json", "/nowhere/source.json cannot be read", id="no such file"),
        pytest.param("@LONG", "longer than", id="file that is too long"),
        pytest.param('{"kind": "hmac", "secret_file": 1}', "named by a string", id="file that is a number"),
        pytest.param('{"kind": "hmac", "secret_file": "/nowhere"}', "/nowhere cannot be read", id="no secret file"),
        pytest.param('{"kind": "pem", "public_key_files": "x"}', "list of files", id="text in place of a list"),
        pytest.param('{"kind": "pem", "public_key_files": ["DER"]}', "not text", id="key file that is not PEM"),
        pytest.param('{"kind": "inline_jwks", "jwks_file": "DER"}', "cannot be read as JSON", id="set that is none"),
        pytest.param('{"kind": "jwks", "url": "u", "ca_pem": "", "ca_pem_file": "DER"}', "one of them", id="both"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_so(create: Run, run: Run, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "der").write_bytes(b"\x30\x82\xff")
    (tmp_path / "long").write_text(" " * 100_000)
    text = text.replace("DER", str(tmp_path / "der")).replace("LONG", str(tmp_path / "long"))
    refused = create("--key-source", text)
    assert refused.code == 2
    assert words in refused.err
    assert "p" not in run("profile", "list", "--project-id", "none").out


@pytest.mark.parametrize("other", [("--jwks-url", "https://issuer.example/jwks"), ("--pem", "KEY")], ids=str)
def test_sources_stand_alone(create: Run, tmp_path: Path, other: tuple[str, str]) -> None:
    (tmp_path / "key.pem").write_text(EC.pem())
    option, value = other
    refused = create("--key-source", INLINE, option, value.replace("KEY", str(tmp_path / "key.pem")))
    assert refused.code == 2
    assert "--key-source" in refused.err


def test_the_stale_limit_and_opt_in_algorithms_are_kept(create: Run, on: Run) -> None:
    made = create("--key-source", INLINE, "--keys-stale-limit", "0", "--algorithm", "ES256", "--algorithm", "ML-DSA-65")
    assert made.code == 0
    profile = on("show", "--json").json()["profile"]
    assert (profile["keys_stale_limit"], profile["algorithms"]) == (0, ["ES256", "ML-DSA-65"])
    assert on("update", "--keys-stale-limit", "604801").code == 2


def test_long_members_of_sources_are_shown_in_short(create: Run, on: Run) -> None:
    pem = json.dumps({"kind": "pem", "public_keys": [EC.pem()] * 2})
    ca = json.dumps({"kind": "jwks", "url": "https://issuer.example/jwks", "ca_pem": certificate(EC)})
    bare = json.dumps({"kind": "jwks", "url": "https://issuer.example/bare"})
    assert create("--key-source", pem, "--key-source", INLINE, "--key-source", ca, "--key-source", bare).code == 0
    told = [line.split(maxsplit=2)[2] for line in on("show").out.splitlines() if line.startswith("  keys ")]
    size = len(json.dumps({"keys": [EC.jwk()]}))
    assert told == [
        "pem public_keys=2",
        f"inline_jwks jwks={size} bytes",
        "jwks url=https://issuer.example/jwks ca_pem=set",
        "jwks url=https://issuer.example/bare",
    ]


# ---------------------------------------------------------------- health


def test_the_health_of_keys_that_are_not_fetched_is_what_they_are(create: Run, on: Run) -> None:
    create("--key-source", INLINE)
    [state] = on("keys", "--json").json()["key_sets"]
    assert (state["kind"], state["url"], state["kids"], state["problems"]) == ("inline_jwks", None, ["ec"], [])
    assert state["usable_keys"] == 1
    assert on("show", "--json").json()["key_sets"] == [state]
    lines = on("keys").out.splitlines()
    assert lines == ["Key source 1: inline_jwks", "  usable keys  1", "  key ids      ec"]


def test_the_health_of_fetched_keys_is_known_after_a_fetch(
    create: Run, on: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_LOOPBACK_KEY_URLS", "1")
    with serving([EC]) as issuer:
        assert create("--jwks-url", issuer.jwks_url).code == 0
        [before] = on("keys", "--json").json()["key_sets"]
        assert issuer.requests == 0
        assert (before["last_fetched_at"], before["kids"], before["url"]) == (None, [], issuer.jwks_url)
        assert "never" in on("keys").out
        assert "next fetch" not in on("keys").out
        [after] = on("keys", "--fetch", "--json").json()["key_sets"]
        assert issuer.requests == 1
        assert (after["kids"], after["failures_in_a_row"], after["problems"]) == (["ec"], 0, [])
        assert after["last_fetched_at"] is not None
        assert after["next_fetch_at"] > after["last_fetched_at"]
        issuer.failing = 500
        [failed] = on("keys", "--fetch", "--json").json()["key_sets"]
        assert issuer.requests == 2
    assert (failed["kids"], failed["failures_in_a_row"]) == (["ec"], 1)
    assert "500" in failed["problems"][0]
    assert on("keys", "--json").json()["key_sets"][0]["failures_in_a_row"] == 1
    lines = on("keys").out
    assert all(words in lines for words in ("1 in a row", "problem: ", "next fetch", "seconds ago"))


def test_the_keys_of_an_unknown_profile_are_not_found(on: Run) -> None:
    assert on("keys", "--json").json()["error_type"] == "trusted_token_profile_not_found"
