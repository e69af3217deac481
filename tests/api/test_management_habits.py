"""What the official Go client, the Terraform provider and the Node client are known to send, and what they need back.

The life cycles below are those of the Terraform provider (3.2.0): create, read to see no difference, change, delete.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.operator_tools import Made, Refusal, Tool, Way, make_project, open_tool
from tests.issuer import make_key
from tests.world import World

JWKS_URL = "https://example.com/.well-known/jwks.json"
PEM = "-----BEGIN PUBLIC KEY-----\r\nMIIB+/&<>é 1234567890abcdef\n-----END PUBLIC KEY-----"
SECOND = make_key("RSA").pem()
WHOM: dict[str, Any] = {"name": "Partner", "audience": "test-audience", "issuer": "test-issuer"}


@pytest.fixture
async def tool(world: World) -> Tool:
    return await open_tool(world)


@pytest.fixture
async def made(tool: Tool) -> Made:
    return await make_project(tool)


def state(profile: dict[str, Any]) -> dict[str, Any]:
    """What the Terraform provider keeps of a profile, and compares with the plan."""
    return {
        "profile_id": profile["profile_id"],
        "name": profile["name"],
        "audience": profile["audience"],
        "issuer": profile["issuer"],
        "jwks_url": profile["jwks_url"] or None,
        "attribute_mapping": profile["attribute_mapping"] or None,
        "pem_files": {(each["pem_file_id"], each["public_key"]) for each in profile["pem_files"]},
        "public_key_type": profile["public_key_type"],
        "can_jit_provision": profile["can_jit_provision"],
    }


# ---------------------------------------------------------------- profiles


async def test_a_jwk_profile_lives_as_terraform_makes_it(made: Made) -> None:
    profiles = made.test.below("trusted_token_profiles")
    # can_jit_provision false and pem_files empty are left out; a mapping that is not set is null.
    body = WHOM | {"jwks_url": JWKS_URL, "attribute_mapping": None, "public_key_type": "JWK"}
    created = (await profiles.post(body=body))["profile"]
    planned = WHOM | {
        "profile_id": created["profile_id"],
        "jwks_url": JWKS_URL,
        "attribute_mapping": None,
        "pem_files": set(),
        "public_key_type": "JWK",
        "can_jit_provision": False,
    }
    assert state(created) == planned
    profile = profiles.below(created["profile_id"])
    assert state((await profile.get())["profile"]) == planned
    # Every update sends these four, and null for a mapping that is not set.
    change = WHOM | {"name": "New", "attribute_mapping": None, "can_jit_provision": True}
    await profile.patch(body=change)
    assert state((await profile.get())["profile"]) == planned | {"name": "New", "can_jit_provision": True}
    change |= {"attribute_mapping": {"email": "email", "token_id": "sub"}, "jwks_url": JWKS_URL + "?2"}
    await profile.patch(body=change)
    after = state((await profile.get())["profile"])
    assert (after["attribute_mapping"], after["jwks_url"]) == ({"email": "email", "token_id": "sub"}, JWKS_URL + "?2")
    await profile.delete()
    with pytest.raises(Refusal, match="404 trusted_token_profile_not_found"):
        await profile.get()


async def test_a_pem_profile_lives_as_terraform_makes_it(made: Made) -> None:
    profiles = made.test.below("trusted_token_profiles")
    body = WHOM | {"attribute_mapping": None, "public_key_type": "PEM", "pem_files": [PEM], "can_jit_provision": True}
    created = (await profiles.post(body=body))["profile"]
    profile = profiles.below(created["profile_id"])
    assert [each["public_key"] for each in created["pem_files"]] == [PEM]
    assert state((await profile.get())["profile"]) == state(created)
    # The provider updates, then adds what is new, deletes what is gone, and reads the profile for the ids.
    await profile.patch(body=WHOM | {"attribute_mapping": None, "can_jit_provision": True})
    added = (await profile.post("/keys", {"public_key": SECOND}))["pem_file"]
    await profile.delete(f"/keys/{created['pem_files'][0]['pem_file_id']}")
    after = state((await profile.get())["profile"])
    assert after == state(created) | {"pem_files": {(added["pem_file_id"], SECOND)}}
    assert (await profile.get(f"/keys/{added['pem_file_id']}"))["pem_file"] == added
    await profile.delete()
    with pytest.raises(Refusal, match="404 trusted_token_profile_not_found"):
        await profile.get(f"/keys/{added['pem_file_id']}")


@pytest.mark.parametrize("pem_files", [{}, {"pem_files": None}, {"pem_files": []}], ids=["missing", "null", "empty"])
@pytest.mark.parametrize("jit", [{}, {"can_jit_provision": None}], ids=["missing", "null"])
async def test_what_go_leaves_out_counts_as_its_zero(made: Made, pem_files: Any, jit: Any) -> None:
    body = WHOM | {"jwks_url": JWKS_URL, "public_key_type": "JWK"} | pem_files | jit
    profile = (await made.test.post("/trusted_token_profiles", body))["profile"]
    assert (profile["pem_files"], profile["can_jit_provision"]) == ([], False)
    with pytest.raises(Refusal, match="must_have_pem_files"):
        await made.test.post("/trusted_token_profiles", WHOM | {"public_key_type": "PEM"} | pem_files | jit)


@pytest.mark.parametrize("mapping", [{}, {"attribute_mapping": None}], ids=["missing", "null"])
async def test_a_mapping_that_an_update_does_not_give_stays(made: Made, mapping: dict[str, Any]) -> None:
    body = WHOM | {"jwks_url": JWKS_URL, "attribute_mapping": {"email": "mail"}}
    created = (await made.test.post("/trusted_token_profiles", body))["profile"]
    change = {"name": "New"} | mapping
    after = (await made.test.patch(f"/trusted_token_profiles/{created['profile_id']}", change))["profile"]
    assert (after["name"], after["attribute_mapping"]) == ("New", {"email": "mail"})


# ---------------------------------------------------------------- redirect URLs


async def test_redirect_urls_live_as_terraform_makes_them(made: Made) -> None:
    urls = made.test.below("redirect_urls")
    url = "https://app.example/login?next=a%20b&expires_at={}"
    types = [{"type": "LOGIN", "is_default": False}, {"type": "INVITE", "is_default": True}]
    # The provider forbids promotion, since it takes a default it did not plan for an error.
    body: dict[str, Any] = {"url": url, "valid_types": types, "do_not_promote_defaults": True}
    planned = {"url": url, "valid_types": types}
    assert (await urls.post(body=body))["redirect_url"] == planned
    assert (await urls.get(url=url))["redirect_url"] == planned
    body["valid_types"] = [{"type": "SIGNUP", "is_default": False}]
    planned = {"url": url, "valid_types": body["valid_types"]}
    assert (await urls.put(body=body, url=url))["redirect_url"] == planned
    assert (await urls.get("/all"))["redirect_urls"] == [planned]
    await urls.delete(url=url, do_not_promote_defaults="true")
    with pytest.raises(Refusal, match="404"):
        await urls.get(url=url)
    assert (await urls.get("/all"))["redirect_urls"] == []


async def test_the_promotion_of_a_default_is_told_in_the_query_of_a_deletion(made: Made) -> None:
    urls = made.test.below("redirect_urls")
    for name in ("one", "two", "three"):
        body = {"url": f"https://app.example/{name}", "valid_types": [{"type": "LOGIN", "is_default": False}]}
        await urls.post(body=body | {"do_not_promote_defaults": False})
    await urls.delete(url="https://app.example/one", do_not_promote_defaults="true")
    left = (await urls.get("/all"))["redirect_urls"]
    assert [each["valid_types"][0]["is_default"] for each in left] == [False, False]
    await urls.put(body={"valid_types": [{"type": "LOGIN", "is_default": True}]}, url="https://app.example/two")
    await urls.delete(url="https://app.example/two")
    [last] = (await urls.get("/all"))["redirect_urls"]
    assert last == {"url": "https://app.example/three", "valid_types": [{"type": "LOGIN", "is_default": True}]}


# ---------------------------------------------------------------- all clients


@pytest.mark.parametrize("way", ["go", "node"])
async def test_every_client_reads_json_also_of_what_it_deletes(made: Made, way: Way) -> None:
    test = made.test.by(way)
    body = WHOM | {"public_key_type": "PEM", "pem_files": [PEM, PEM]}
    profile = (await test.post("/trusted_token_profiles", body))["profile"]
    here = test.below("trusted_token_profiles", profile["profile_id"])
    assert state((await here.patch())["profile"]) == state(profile)
    await here.delete(f"/keys/{profile['pem_files'][0]['pem_file_id']}")
    await here.delete()
    await test.post("/redirect_urls", {"url": "https://app.example"})
    await test.delete("/redirect_urls", url="https://app.example")
    secret = (await test.post("/secrets"))["secret"]
    await test.delete(f"/secrets/{secret['secret_id']}")
    await test.delete()
    await made.project.by(way).delete()


async def test_percent_encoded_parts_of_a_path_name_the_same(made: Made) -> None:
    profile = WHOM | {"jwks_url": JWKS_URL, "profile_id": "vercel_jwt"}
    await made.test.post("/trusted_token_profiles", profile)
    encoded = made.project.below("environments", "%74est", "trusted_token_profiles", "vercel%5Fjwt")
    assert (await encoded.get())["profile"]["profile_id"] == "vercel_jwt"
    with pytest.raises(Refusal, match="404 trusted_token_profile_not_found"):
        await made.test.get("/trusted_token_profiles/vercel_jwt%2Fkeys")


async def test_what_is_not_there_is_told_so_in_words_that_clients_look_for(made: Made, tool: Tool) -> None:
    for path in (
        "/trusted_token_profiles/none",
        "/trusted_token_profiles/none/keys/none",
        "/secrets/none",
        "/public_tokens/none",
    ):
        with pytest.raises(Refusal, match="not_found"):
            await made.test.get(path)
    with pytest.raises(Refusal, match="404 redirect_url_not_found"):
        await made.test.get("/redirect_urls", url="https://nobody.example")
    for environment in (made.project.below("environments", "none"), tool.below("pwa", "v3", "projects", "none")):
        with pytest.raises(Refusal, match="not_found"):
            await environment.get()


async def test_members_that_nobody_knows_are_ignored_and_what_the_path_says_counts(made: Made) -> None:
    body = WHOM | {"jwks_url": JWKS_URL, "surprise": [1], "project_slug": "other", "environment_slug": "other"}
    profile = (await made.test.post("/trusted_token_profiles", body))["profile"]
    change = {"profile_id": "other", "public_key_type": "PEM", "name": "New"}
    after = (await made.test.patch(f"/trusted_token_profiles/{profile['profile_id']}", change))["profile"]
    assert state(after) == state(profile) | {"name": "New"}
