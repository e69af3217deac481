"""The options of ``assay profile create`` and ``update`` for everything beyond names, keys and plain claims."""

from __future__ import annotations

from typing import Any

import pytest

from assay.stories.profiles import ProfileCreate
from tests.cli.conftest import Run

WHOM = ("--name", "P", "--issuer", "https://issuer.example", "--audience", "acme")
GOOD = (*WHOM, "--jwks-url", "https://issuer.example/jwks", "--map", "email=email")
OPTIONS = (
    *("--condition", "claims.hd == 'acme.example'", "--condition", "has(claims.sub)"),
    *("--additional-audience", "b", "--additional-audience", "c", "--single-audience"),
    *("--audience-claim", "/for", "--issuer-check", "none", "--typ", "JWT", "--typ", "absent"),
    *("--max-age-seconds", "60", "--max-lifetime-seconds", "3600", "--no-require-exp"),
    *("--replay", "token_id", "--no-trust-email", "--organization", "acme", "--session-ends-with-token"),
    *("--rotate-session-token", "--kept-claim", "hd", "--disable"),
)
FIELDS: dict[str, Any] = {
    "conditions": ["claims.hd == 'acme.example'", "has(claims.sub)"],
    "additional_audiences": ["b", "c"],
    "single_audience": True,
    "audience_claim": "/for",
    "issuer_check": "none",
    "typ": ["JWT", "absent"],
    "max_age_seconds": 60,
    "max_lifetime_seconds": 3600,
    "require_exp": False,
    "replay": "token_id",
    "trust_email": False,
    "organizations": ["acme"],
    "session_ends_with_token": True,
    "rotate_session_token": True,
    "kept_claims": ["hd"],
    "enabled": False,
}
BACK = (
    *("--clear", "conditions", "--clear", "additional_audiences", "--clear", "organizations", "--clear", "kept_claims"),
    *("--no-single-audience", "--audience-claim", "aud", "--issuer-check", "exact", "--clear", "max_age_seconds"),
    *("--typ", "absent", "--typ", "JWT", "--typ", "at+jwt", "--typ", "id_token+jwt"),
    *("--max-lifetime-seconds", "31622400", "--require-exp", "--replay", "off", "--trust-email"),
    *("--session-outlives-token", "--no-rotate-session-token", "--enable"),
)


@pytest.fixture
def on(run: Run, project: dict[str, Any]) -> Run:
    """Run a command about profiles of the project."""
    return lambda command, *arguments: run("profile", command, "--project-id", project["project_id"], *arguments)


def test_every_field_has_an_option_for_making_changing_and_taking_back(on: Run) -> None:
    usual = on("create", "--id", "p", *GOOD, "--json").json()["profile"]
    made = on("create", "--id", "q", *GOOD, *OPTIONS, "--json").json()["profile"]
    assert {name: made[name] for name in FIELDS} == FIELDS
    changed = on("update", "p", *OPTIONS, "--json").json()["profile"]
    assert {name: changed[name] for name in FIELDS} == FIELDS
    back = on("update", "p", *BACK, "--json").json()["profile"]
    assert back == usual | {"updated_at": back["updated_at"]}


def test_no_field_of_a_profile_is_left_out(on: Run) -> None:
    profile = on("create", *GOOD, "--json").json()["profile"]
    assert set(ProfileCreate.__struct_fields__) <= set(profile)
    beside = {"public_key_type", "profile_id", "name", "issuer", "audience", "jwks_url", "pem_files", "key_sources"}
    beside |= {"attribute_mapping", "can_jit_provision", "algorithms", "leeway_seconds", "keys_stale_limit"}
    assert set(ProfileCreate.__struct_fields__) - beside == set(FIELDS)


def test_what_is_seldom_said_is_shown_where_it_is_said(on: Run) -> None:
    plain = on("create", "--id", "p", *GOOD).out
    assert "conditions" not in plain
    assert "enabled" not in plain
    shown = on("create", "--id", "q", *GOOD, *OPTIONS).out
    assert "  conditions               claims.hd == 'acme.example'; has(claims.sub)\n" in shown
    assert "  enabled                  no\n" in shown
    assert "  max_age_seconds          60 seconds\n" in shown
    assert "  replay                   token_id\n" in shown


def test_a_mapping_has_names_pointers_expressions_and_json(on: Run) -> None:
    mapping = (
        *("--map", "email=/user/email", "--map-cel", "external_member_id=claims.a == 'b' ? claims.c : claims.d"),
        *("--map-json", 'role_ids={"from": "roles", "default": ["viewer"]}', "--map-json", 'name="a=b"'),
    )
    keys = ("--jwks-url", "https://issuer.example/jwks")
    made = on("create", "--id", "p", *WHOM, *keys, *mapping, "--json").json()
    assert made["problems"] == []
    assert made["profile"]["attribute_mapping"] == {
        "email": "/user/email",
        "external_member_id": {"cel": "claims.a == 'b' ? claims.c : claims.d"},
        "role_ids": {"from": "roles", "default": ["viewer"]},
        "name": "a=b",
    }
    shown = on("show", "p").out
    assert "email = /user/email" in shown
    assert 'role_ids = {"from": "roles", "default": ["viewer"]}' in shown
    changed = on("update", "p", "--map-cel", "email=claims.mail.lowerAscii()", "--json").json()["profile"]
    assert changed["attribute_mapping"] == {"email": {"cel": "claims.mail.lowerAscii()"}}
    assert on("update", "p", "--clear", "attribute_mapping", "--json").code == 1


def test_a_slip_in_an_expression_is_told_with_its_place(on: Run) -> None:
    refused = on("create", *GOOD, "--condition", "claims.hd = 'a'")
    assert refused.code == 1
    assert "Condition 1 cannot be compiled: line 1, column 11: " in refused.err
    refused = on("create", *GOOD, "--map-cel", "name=claims.name.upper()")
    assert "attribute_mapping maps name to something that can never work: line 1, column 18: " in refused.err
    assert on("list", "--json").json() == {"profiles": []}


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "an attribute twice over two options": (("--map-cel", "email=claims.mail"), "email is mapped twice"),
    "no expression": (("--map-cel", "name="), "ATTRIBUTE=CEL"),
    "no JSON": (("--map-json", "name={"), "what follows the = is not JSON"),
    "JSON with a member twice": (("--map-json", 'name={"from": "a", "from": "b"}'), "is not JSON"),
    "an issuer check that does not exist": (("--issuer-check", "prefix"), "--issuer-check"),
    "a replay that does not exist": (("--replay", "jti"), "--replay"),
    "no age": (("--max-age-seconds", "0"), "--max-age-seconds"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_option_is_told_so(on: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = on("create", *GOOD, *arguments)
    assert refused.code == 2
    assert words in refused.err
    assert on("list", "--json").json() == {"profiles": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--clear", "issuer"), "'issuer' is none of attribute_mapping, additional_audiences, conditions"),
        (("--clear", "conditions", "--condition", "claims.a == 'b'"), "conditions is given as well"),
        (("--clear", "attribute_mapping", "--map", "email=mail"), "attribute_mapping is given as well"),
    ],
    ids=["what cannot be taken away", "a list", "a mapping"],
)
def test_what_is_taken_away_is_not_given_as_well(on: Run, arguments: tuple[str, ...], words: str) -> None:
    on("create", "--id", "p", *GOOD)
    refused = on("update", "p", *arguments)
    assert (refused.code, words in refused.err) == (2, True)


def test_an_empty_condition_is_refused_and_never_left_out(on: Run) -> None:
    """A variable of the shell that is not set must not make a profile without its condition."""
    refused = on("create", *GOOD, "--condition", "", "--json")
    assert (refused.code, refused.json()["error_type"]) == (1, "trusted_token_profile_invalid_request")
    assert on("list", "--json").json() == {"profiles": []}


def test_a_profile_is_switched_off_whatever_its_problems(on: Run) -> None:
    on("create", "--id", "p", *GOOD, "--condition", "true", "--allow-problems")
    assert on("update", "p", "--name", "New").code == 1
    off = on("update", "p", "--disable", "--json")
    assert (off.code, off.json()["profile"]["enabled"], len(off.json()["problems"])) == (0, False, 1)
    assert on("update", "p", "--enable").code == 1
