"""Profiles in the management API beyond what official clients know: chosen ids, more fields, and what is wrong."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from assay.rules.algorithms import DEFAULT_ALGORITHMS
from tests.api.operator_tools import Made, Refusal, Tool, make_project, open_tool
from tests.issuer import make_key
from tests.world import NOW, World

URL = "https://issuer.example/keys"
WHOM: dict[str, Any] = {"name": "P", "audience": "a", "issuer": "https://issuer.example"}
JWK: dict[str, Any] = WHOM | {"jwks_url": URL, "attribute_mapping": {"email": "email"}}
RSA = make_key("RSA").pem()


@pytest.fixture
async def tool(world: World) -> Tool:
    return await open_tool(world)


@pytest.fixture
async def made(tool: Tool) -> Made:
    return await make_project(tool)


@pytest.fixture
def profiles(made: Made) -> Tool:
    """The profiles of the TEST environment of a B2B project."""
    return made.test.below("trusted_token_profiles")


async def test_a_profile_shows_all_its_fields(profiles: Tool, world: World) -> None:
    created = (await profiles.post(body=JWK | {"profile_id": "vercel_jwt"}))["profile"]
    assert created == JWK | {
        "profile_id": "vercel_jwt",
        "pem_files": [],
        "can_jit_provision": False,
        "public_key_type": "JWK",
        "algorithms": list(DEFAULT_ALGORITHMS),
        "leeway_seconds": 30,
        "key_sources": [{"kind": "jwks", "url": URL}],
        "keys_stale_limit": 86_400,
        "max_age_seconds": None,
        "max_lifetime_seconds": 366 * 86_400,
        "require_exp": True,
        "additional_audiences": [],
        "single_audience": False,
        "audience_claim": "aud",
        "issuer_check": "exact",
        "typ": ["absent", "JWT", "at+jwt", "id_token+jwt"],
        "conditions": [],
        "replay": "off",
        "trust_email": True,
        "organizations": [],
        "session_ends_with_token": False,
        "rotate_session_token": False,
        "enabled": True,
        "kept_claims": [],
        "problems": [],
        "created_at": "2026-05-28T20:26:40Z",
        "updated_at": "2026-05-28T20:26:40Z",
    }
    assert NOW == 1_780_000_000
    world.clock.turn(60)
    updated = (await profiles.patch("/vercel_jwt", {"leeway_seconds": 0, "algorithms": ["ES256"]}))["profile"]
    changed = {"leeway_seconds": 0, "algorithms": ["ES256"], "updated_at": "2026-05-28T20:27:40Z"}
    assert updated == created | changed
    assert (await profiles.get("/vercel_jwt"))["profile"] == updated
    assert (await profiles.get())["profiles"] == [updated]


async def test_an_id_is_chosen_once_in_its_environment(profiles: Tool, made: Made) -> None:
    await profiles.post(body=JWK | {"profile_id": "vercel_jwt"})
    with pytest.raises(Refusal, match="400 trusted_token_profile_id_already_used"):
        await profiles.post(body=JWK | {"profile_id": "vercel_jwt"})
    with pytest.raises(Refusal, match="400 trusted_token_profile_invalid_request"):
        await profiles.post(body=JWK | {"profile_id": "vercel.jwt"})
    await made.live.post("/trusted_token_profiles", JWK | {"profile_id": "vercel_jwt"})


OTHERWISE: dict[str, Any] = {
    "max_age_seconds": 600,
    "max_lifetime_seconds": 3600,
    "require_exp": False,
    "additional_audiences": ["b"],
    "single_audience": True,
    "audience_claim": "/authz/for",
    "issuer_check": "none",
    "typ": ["JWT"],
    "conditions": ['claims.hd == "acme.example"', "header.alg == 'RS256' && claims.n > 1"],
    "replay": "token_id",
    "trust_email": False,
    "organizations": ["acme"],
    "session_ends_with_token": True,
    "rotate_session_token": True,
    "enabled": False,
    "kept_claims": ["hd"],
}


async def test_every_further_field_is_given_changed_shown_and_taken_back(profiles: Tool) -> None:
    usual = (await profiles.post(body=JWK | {"profile_id": "usual"}))["profile"]
    made = (await profiles.post(body=JWK | OTHERWISE | {"profile_id": "p"}))["profile"]
    assert made == usual | OTHERWISE | {"profile_id": "p"}
    assert (await profiles.patch("/usual", OTHERWISE))["profile"] == made | {"profile_id": "usual"}
    back = {field: usual[field] for field in OTHERWISE} | {"max_age_seconds": 0}
    assert (await profiles.patch("/p", back))["profile"] == usual | {"profile_id": "p"}
    assert (await profiles.patch("/p", dict.fromkeys(OTHERWISE)))["profile"] == usual | {"profile_id": "p"}


@pytest.mark.parametrize("field", OTHERWISE)
async def test_a_further_field_of_another_form_is_refused_by_name_and_not_stored(profiles: Tool, field: str) -> None:
    await profiles.post(body=JWK | {"profile_id": "p"})
    for value in ({"a": 1}, 1.5):
        with pytest.raises(Refusal, match=f"400 bad_request: {field}"):
            await profiles.post(body=JWK | {field: value})
        with pytest.raises(Refusal, match=f"400 bad_request: {field}"):
            await profiles.patch("/p", {"name": "New", field: value})
    assert [each["name"] for each in (await profiles.get())["profiles"]] == ["P"]


MAPPING: dict[str, Any] = {
    "email": "https://acme.example/mail",
    "external_member_id": "/user/id",
    "role_ids": {"from": "/roles", "default": []},
    "email_verified": {"cel": "claims.xms_edov == '1'"},
    "trusted_metadata.plan": {"cel": "claims.?plan.orValue('free')", "default": None},
}


async def test_every_form_of_a_mapping_is_kept_as_given(profiles: Tool) -> None:
    made = (await profiles.post(body=JWK | {"profile_id": "p", "attribute_mapping": MAPPING}))["profile"]
    assert (made["attribute_mapping"], made["problems"]) == (MAPPING, [])
    assert (await profiles.get("/p"))["profile"] == made


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "a url that is not https": ({"jwks_url": "http://issuer.example/keys"}, "https"),
    "a url that points inside": ({"jwks_url": "https://169.254.169.254/keys"}, "address"),
    "text that is no key": ({"jwks_url": None, "pem_files": ["not a key"]}, "PEM file 1"),
    "no way to say who it is": ({"attribute_mapping": {"token_id": "jti"}}, "attribute_mapping"),
    "an expression with a slip": (
        {"attribute_mapping": {"email": {"cel": "claims.mail.lowerAsci()"}}},
        "line 1, column 22: undeclared reference to 'lowerAsci'",
    ),
    "a condition with a slip": (
        {"conditions": ["claims.a == 'b'", "claims.a = 'b'"]},
        "Condition 2 cannot be compiled",
    ),
    "a condition that every token meets": ({"conditions": ["true"]}, "the same value for every token"),
    "a shared issuer for everybody": (
        {"issuer": "https://gitlab.com", "attribute_mapping": {"external_member_id": "project_id"}},
        "No condition tells yours from theirs",
    ),
    "an attribute nobody knows": ({"attribute_mapping": {"email": "email", "user_id": "sub"}}, "user_id"),
}


@pytest.mark.parametrize("name", PROBLEMS)
async def test_what_cannot_work_is_kept_as_given_and_told_of(profiles: Tool, name: str) -> None:
    members, words = PROBLEMS[name]
    created = (await profiles.post(body=JWK | members))["profile"]
    assert any(words in problem for problem in created["problems"]), created["problems"]
    listed = (await profiles.get())["profiles"]
    shown = (await profiles.get(f"/{created['profile_id']}"))["profile"]
    touched = (await profiles.patch(f"/{created['profile_id']}", {"name": "P"}))["profile"]
    assert [created] == listed == [shown] == [touched]
    for field in ("jwks_url", "attribute_mapping"):
        assert created[field] == (JWK | members)[field]


async def test_the_problems_of_a_profile_come_with_its_pem_files(profiles: Tool) -> None:
    body = WHOM | {"profile_id": "p", "pem_files": [RSA], "attribute_mapping": {"email": "email"}}
    [only] = (await profiles.post(body=body))["profile"]["pem_files"]
    added = await profiles.post("/p/keys", {"public_key": "not a key"})
    assert len(added["problems"]) == 1
    assert (await profiles.get(f"/p/keys/{only['pem_file_id']}"))["problems"] == added["problems"]
    assert (await profiles.delete(f"/p/keys/{added['pem_file']['pem_file_id']}"))["problems"] == []
    gone = await profiles.delete(f"/p/keys/{only['pem_file_id']}")
    assert gone["problems"] == ["There is no PEM file, so every token is refused."]
    assert (await profiles.get("/p"))["profile"]["problems"] == gone["problems"]


SOURCES: list[dict[str, Any]] = [
    {"kind": "discovery", "url": "https://issuer.example/.well-known/openid-configuration"},
    {"kind": "pem", "public_keys": [RSA]},
]


async def test_key_sources_are_given_shown_and_replaced(profiles: Tool) -> None:
    body = WHOM | {"profile_id": "p", "key_sources": SOURCES, "attribute_mapping": {"email": "email"}}
    created = (await profiles.post(body=body))["profile"]
    assert (created["public_key_type"], created["jwks_url"], created["pem_files"]) == ("UNSPECIFIED", None, [])
    assert created["key_sources"] == SOURCES
    with pytest.raises(Refusal, match="cannot_add_pem_file_to_non_pem_trusted_token_profile"):
        await profiles.post("/p/keys", {"public_key": RSA})
    one = [{"kind": "jwks", "url": URL}]
    after = (await profiles.patch("/p", {"key_sources": one}))["profile"]
    assert (after["public_key_type"], after["jwks_url"], after["key_sources"]) == ("JWK", URL, one)


WRONG_SOURCES = {
    "an unknown kind": ([{"kind": "magic"}], "bad_request: key_sources"),
    "a member that may be a restriction": ([{"kind": "jwks", "url": URL, "only": 1}], "bad_request: key_sources"),
    "none at all": ([], "trusted_token_profile_invalid_request"),
    "beside a jwks_url": (SOURCES, "trusted_token_profile_invalid_request"),
}


@pytest.mark.parametrize("name", WRONG_SOURCES)
async def test_sources_that_make_no_sense_are_refused(profiles: Tool, name: str) -> None:
    sources, words = WRONG_SOURCES[name]
    with pytest.raises(Refusal, match=words):
        await profiles.post(body=JWK | {"key_sources": sources})


async def test_a_shared_secret_goes_in_and_never_comes_out(profiles: Tool, world: World) -> None:
    secret = "correct horse battery staple, and then some"
    source = {"kind": "hmac", "secret": secret}
    body = WHOM | {"profile_id": "p", "algorithms": ["HS256"], "key_sources": [source]}
    answers = [
        await profiles.post(body=body),
        await profiles.get("/p"),
        await profiles.get(),
        await profiles.patch("/p", {"name": "New"}),
    ]
    for answer in answers:
        [shown] = (answer.get("profiles") or [answer["profile"]])[0]["key_sources"]
        assert shown == {"kind": "hmac"}
    refused: list[dict[str, Any]] = [
        {"key_sources": [source, source]},
        {"key_sources": [source | {"secret_base64url": "AAAA"}]},
        {"key_sources": [source | {"secrett": secret}]},
        {"key_sources": [{"kind": "hmac", "secret": [secret]}]},
        {"key_sources": [{"kind": "hmac"}]},
    ]
    for change in refused:
        with pytest.raises(Refusal) as caught:
            await profiles.patch("/p", change)
        assert secret not in str(caught.value)
    assert secret.encode() not in world.log_bytes()
    for event in await world.context.store.events(None, 100):
        assert secret not in str(event)


async def test_a_private_key_is_not_stored_and_not_repeated(profiles: Tool, world: World) -> None:
    inside = base64.b64encode(b"\x30\x2e very private indeed").decode()
    private = f"-----BEGIN PRIVATE KEY-----\n{inside}\n-----END PRIVATE KEY-----"
    await profiles.post(body=WHOM | {"profile_id": "p", "pem_files": [RSA]})
    with pytest.raises(Refusal, match="400 invalid_public_key") as caught:
        await profiles.post("/p/keys", {"public_key": private})
    assert inside not in caught.value.message
    with pytest.raises(Refusal, match="400 invalid_public_key"):
        await profiles.post(body=WHOM | {"pem_files": [private]})
    assert inside.encode() not in world.log_bytes()
    assert len((await profiles.get())["profiles"]) == 1


async def test_profiles_of_other_environments_are_answered_as_those_that_are_not_there(
    tool: Tool, made: Made, profiles: Tool
) -> None:
    created = (await profiles.post(body=WHOM | {"pem_files": [RSA]}))["profile"]
    [pem_file] = created["pem_files"]
    other = await make_project(tool, "CONSUMER")
    for environment in (made.live, other.test):
        elsewhere = environment.below("trusted_token_profiles")
        assert (await elsewhere.get())["profiles"] == []
        for path in (f"/{created['profile_id']}", f"/{created['profile_id']}/keys/{pem_file['pem_file_id']}"):
            foreign, unknown = [await _refusal(elsewhere, each) for each in (path, "/none" + path.removeprefix("/"))]
            assert (foreign.status, foreign.error_type, foreign.message) == (
                unknown.status,
                unknown.error_type,
                unknown.message,
            )


async def _refusal(tool: Tool, path: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await tool.get(path)
    with pytest.raises(Refusal, match="404"):
        await tool.delete(path)
    return caught.value


async def test_each_change_is_an_event_under_the_workspace_key(profiles: Tool, world: World) -> None:
    created = await profiles.post(body=WHOM | {"profile_id": "p", "pem_files": [RSA]})
    await profiles.patch("/p", {"name": "New"})
    added = (await profiles.post("/p/keys", {"public_key": RSA}))["pem_file"]["pem_file_id"]
    await profiles.delete(f"/p/keys/{added}")
    await profiles.delete("/p")
    events = [event for event in await world.context.store.events(None, 100) if event.target.startswith("p")]
    told = [(each.action, each.target) for each in events if each.action.startswith(("profile.", "pem_file."))]
    assert told[:5] == [
        ("profile.deleted", "p"),
        ("pem_file.deleted", f"p/{added}"),
        ("pem_file.created", f"p/{added}"),
        ("profile.updated", "p"),
        ("profile.created", "p"),
    ]
    first = next(each for each in events if (each.action, each.target) == ("profile.created", "p"))
    assert first.actor.startswith("workspace-key-prod-")
    assert first.request_id == created["request_id"]
