"""The pages about profiles, without a browser: what they show, what they refuse, and what is stored."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from assay import errors
from assay.keys.fetch import Fetched, FetchFault
from assay.model import DriftNotice, Observations
from assay.store import CreateProfile, Observe
from assay.stories import profile_health, profiles
from assay.stories.profiles import ProfileUpdate
from tests.calls import OPERATOR
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.fetched import document
from tests.issuer import make_key
from tests.world import PROFILE_ID, World, open_world

NEW = {
    "do": "save",
    "name": "Partner",
    "profile_id": "partner",
    "issuer": "https://partner.example",
    "audience": "portal",
    "keys": "jwks",
    "jwks_url": "https://partner.example/jwks",
    "attribute_0": "email",
    "value_0": "email",
    "attribute_1": "name",
    "value_1": '{"from": "full_name", "default": "somebody"}',
    "audience_claim": "aud",
    "issuer_check": "exact",
    "replay": "off",
    "leeway_seconds": "30",
    "max_age_seconds": "",
    "max_lifetime_seconds": "3600",
    "keys_stale_limit": "86400",
    "typ": "JWT\nat+jwt",
    "conditions": "claims.hd == 'partner.example'",
    "algorithms": ["RS256", "ES256"],
    "enabled": "on",
    "require_exp": "on",
    "trust_email": "on",
}


@pytest_asyncio.fixture
async def editor(world: World) -> AsyncIterator[Visitor]:
    visitor = await signed_in(world, "editor")
    yield visitor
    await visitor.client.aclose()


async def fields_of(page: httpx.Response) -> dict[str, Any]:
    """The form of a profile as a browser would post it unchanged."""
    inside = page.text[page.text.index('id="profile"') :]
    fields: dict[str, Any] = {"do": "save"}
    for tag in re.findall(r"<input [^>]+>", inside):
        marks = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if marks.get("type") != "checkbox":
            fields[marks["name"]] = html.unescape(marks.get("value", ""))
        elif " checked" in tag:
            fields.setdefault(marks["name"], []).append(marks.get("value", "on"))
    for name, text in re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>\n(.*?)</textarea>', inside, re.DOTALL):
        fields[name] = html.unescape(text)
    for name, options in re.findall(r'<select id="[^"]+" name="([^"]+)"[^>]*>(.*?)</select>', inside, re.DOTALL):
        fields[name] = re.search(r'value="([^"]*)" selected', options)[1]  # type: ignore[index]
    return fields


async def test_a_profile_is_made_as_the_form_describes_it(world: World, editor: Visitor) -> None:
    answer = await editor.post(f"{editor.place}/new-profile", **NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard/{editor.place}/profiles/partner")
    stored = await profiles.require_profile(world.context, world.b2b.project_id, "partner")
    assert (stored.issuer, stored.audience, stored.jwks_url) == (NEW["issuer"], "portal", NEW["jwks_url"])
    assert stored.attribute_mapping == {"email": "email", "name": {"from": "full_name", "default": "somebody"}}
    assert (stored.algorithms, stored.typ) == (("RS256", "ES256"), ("JWT", "at+jwt"))
    assert stored.conditions == ("claims.hd == 'partner.example'",)
    assert (stored.max_lifetime_seconds, stored.max_age_seconds) == (3600, None)
    assert (stored.enabled, stored.can_jit_provision, stored.single_audience) == (True, False, False)
    event = (await world.context.store.events(world.b2b.project_id, 1))[0]
    assert (event.action, "editor@example.com" in event.actor) == ("profile.created", True)


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no name": ({"name": ""}, "name", "name must have"),
    "an id with a space": ({"profile_id": "a b"}, "profile_id", "letters, digits"),
    "an id that is taken": ({"profile_id": PROFILE_ID}, "profile_id", "already"),
    "no URL": ({"jwks_url": ""}, "jwks_url", "needs a jwks_url"),
    "a private key": ({"keys": "pem", "pem_1": "PRIVATE"}, "pem_files", "private key"),
    "sources that are no list": ({"keys": "sources", "key_sources": "{}"}, "key_sources", "JSON list"),
    "an unknown source": ({"keys": "sources", "key_sources": '[{"kind": "fax"}]'}, "key_sources", "not well-formed"),
    "a leeway that is no number": ({"leeway_seconds": "much"}, "leeway_seconds", "whole number"),
    "a leeway too long": ({"leeway_seconds": "301"}, "leeway_seconds", "from 0 to 300"),
    "half a row": ({"attribute_2": "token_id"}, "attribute_mapping", "an attribute and a value"),
    "an attribute twice": ({"attribute_2": "email", "value_2": "mail"}, "attribute_mapping", "mapped twice"),
    "the other vertical": ({"attribute_2": "external_user_id", "value_2": "sub"}, "attribute_mapping", "external"),
    "no algorithm": ({"algorithms": []}, "algorithms", "must be a list"),
    "no such check": ({"issuer_check": "roughly"}, "issuer_check", "Choose one of"),
    "no expiry and no age": ({"require_exp": ""}, "require_exp", "max_age_seconds"),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_stored(
    world: World, editor: Visitor, case: str
) -> None:
    change, field, told = FAULTS[case]
    if change.get("pem_1") == "PRIVATE":
        change = change | {"pem_1": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}
    before = await world.context.store.profiles(world.b2b.project_id)
    answer = await editor.post(f"{editor.place}/new-profile", **(NEW | change))
    assert answer.status_code == 400
    shown = re.search(rf'id="{field}-fault">([^<]*)<', answer.text)
    assert shown, f"there is no place for faults of {field}"
    assert told in html.unescape(shown[1])
    assert await world.context.store.profiles(world.b2b.project_id) == before


async def test_a_profile_with_problems_is_saved_only_all_the_same(world: World, editor: Visitor) -> None:
    broken = NEW | {"jwks_url": "http://partner.example/jwks"}
    answer = await editor.post(f"{editor.place}/new-profile", **broken)
    assert answer.status_code == 400
    assert "Save all the same" in text_of(answer)
    assert await world.context.store.profile(world.b2b.project_id, "partner") is None
    answer = await editor.post(f"{editor.place}/new-profile", **broken, allow_problems="on")
    assert answer.status_code == 303
    assert await world.context.store.profile(world.b2b.project_id, "partner") is not None
    assert "1 problem" in text_of(await editor.get(f"{editor.place}/profiles"))


async def test_a_profile_with_problems_can_always_be_switched_off(world: World, editor: Visitor) -> None:
    broken = {**NEW, "jwks_url": "http://partner.example/jwks"}
    del broken["enabled"]
    assert (await editor.post(f"{editor.place}/new-profile", **broken)).status_code == 303
    stored = await profiles.require_profile(world.context, world.b2b.project_id, "partner")
    assert not stored.enabled


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="PEM"),
        pytest.param({"key_sources": '[{"kind": "discovery"}]'}, id="discovery"),
        pytest.param({"key_sources": '[{"kind": "jwks", "url": "https://a.example/k"}]'}, id="JWKS"),
        pytest.param({"key_sources": '[{"kind": "hmac", "secret": "0123456789abcdef0123456789abcdef"}]'}, id="secret"),
    ],
)
async def test_a_form_that_is_saved_unchanged_changes_nothing(
    world: World, editor: Visitor, change: dict[str, str]
) -> None:
    if change:
        algorithms = ["HS256"] if "hmac" in change["key_sources"] else ["RS256"]
        given = NEW | change | {"keys": "sources", "algorithms": algorithms, "conditions": ""}
        assert (await editor.post(f"{editor.place}/new-profile", **given)).status_code == 303
    profile_id = "partner" if change else PROFILE_ID
    before = await profiles.require_profile(world.context, world.b2b.project_id, profile_id)
    page = await editor.get(f"{editor.place}/profiles/{profile_id}/edit")
    assert "0123456789abcdef" not in page.text
    answer = await editor.post(f"{editor.place}/profiles/{profile_id}/edit", **await fields_of(page))
    assert answer.status_code == 303, text_of(answer)
    after = await profiles.require_profile(world.context, world.b2b.project_id, profile_id)
    assert after == replace(before, revision=after.revision, updated_at=after.updated_at)


async def test_keys_change_from_pem_to_a_url_and_back(world: World, editor: Visitor) -> None:
    path = f"{editor.place}/profiles/{PROFILE_ID}/edit"
    before = await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)
    given = await fields_of(await editor.get(path))
    answer = await editor.post(path, **(given | {"keys": "jwks", "jwks_url": "https://a.example/k"}))
    assert answer.status_code == 303
    after = await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)
    assert (after.public_key_type, after.jwks_url, after.pem_files) == ("JWK", "https://a.example/k", ())
    given = await fields_of(await editor.get(path))
    answer = await editor.post(path, **(given | {"keys": "pem", "pem_1": before.pem_files[0].public_key}))
    assert answer.status_code == 303
    after = await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)
    assert (after.public_key_type, after.jwks_url, len(after.pem_files)) == ("PEM", None, 1)


async def test_a_change_that_somebody_else_made_meanwhile_is_not_lost(world: World, editor: Visitor) -> None:
    path = f"{editor.place}/profiles/{PROFILE_ID}/edit"
    given = await fields_of(await editor.get(path))
    other = ProfileUpdate(audience="changed meanwhile")
    await profiles.update_profile(
        world.context, world.b2b.project_id, PROFILE_ID, other, by=OPERATOR, allow_problems=True
    )
    answer = await editor.post(path, **given)
    assert (answer.status_code, "Somebody has changed this profile" in text_of(answer)) == (400, True)
    stored = await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)
    assert stored.audience == "changed meanwhile"


@pytest.mark.parametrize(("what", "there"), [("keys-pem", "pem_1"), ("keys-sources", "key_sources")])
async def test_other_fields_for_keys_come_without_script_and_keep_what_was_typed(
    world: World, editor: Visitor, what: str, there: str
) -> None:
    answer = await editor.post(f"{editor.place}/new-profile", **(NEW | {"do": what}))
    assert answer.status_code == 200
    assert f'<textarea id="{there}"' in answer.text
    assert (await fields_of(answer))["jwks_url"] == NEW["jwks_url"]
    assert 'value="https://partner.example"' in answer.text
    assert await world.context.store.profile(world.b2b.project_id, "partner") is None


async def test_a_row_is_added_without_script(editor: Visitor) -> None:
    rows = re.compile(r'name="attribute_\d+"')
    before = await editor.post(f"{editor.place}/new-profile", **(NEW | {"do": "keys-jwks"}))
    after = await editor.post(f"{editor.place}/new-profile", **(NEW | {"do": "row"}))
    assert len(rows.findall(after.text)) == len(rows.findall(before.text)) + 1


async def test_a_preset_asks_for_its_settings_and_fills_the_form(editor: Visitor) -> None:
    page = await editor.get(f"{editor.place}/new-profile", preset="auth0")
    assert 'name="setting_domain"' in page.text
    settings = {"setting_domain": "acme.eu.auth0.com", "setting_client_id": "K1AUPhZq"}
    answer = await editor.post(f"{editor.place}/new-profile", do="preset", preset="auth0", **settings)
    given = await fields_of(answer)
    assert (given["issuer"], given["audience"]) == ("https://acme.eu.auth0.com/", "K1AUPhZq")
    assert given["jwks_url"] == "https://acme.eu.auth0.com/.well-known/jwks.json"
    assert "The issuer has a slash at its end." in text_of(answer)
    saved = await editor.post(f"{editor.place}/new-profile", **given)
    assert saved.status_code == 303, text_of(saved)


async def test_a_setting_that_does_not_fit_is_told_beside_it(editor: Visitor) -> None:
    settings = {"setting_domain": "https://acme", "setting_client_id": "K1AUPhZq"}
    answer = await editor.post(f"{editor.place}/new-profile", do="preset", preset="auth0", **settings)
    assert answer.status_code == 400
    assert re.search(r'id="setting_domain-fault">[^<]*looks like', answer.text)
    assert 'value="K1AUPhZq"' in answer.text


async def test_a_link_fills_the_form(editor: Visitor) -> None:
    page = await editor.get(f"{editor.place}/new-profile", issuer="https://a.example", can_jit_provision="on")
    given = await fields_of(page)
    assert (given["issuer"], given["can_jit_provision"], given["require_exp"]) == ("https://a.example", ["on"], ["on"])
    assert given["leeway_seconds"] == "30"


async def test_faults_are_told_while_typing_and_nothing_is_written(world: World, editor: Visitor) -> None:
    typed = NEW | {"name": "", "profile_id": "a b", "jwks_url": "http://partner.example"}
    before = await world.context.store.events(world.b2b.project_id, 9)
    answer = await editor.post(f"{editor.place}/new-profile/check", **typed)
    assert "letters, digits" in re.search(r'id="profile_id-fault"[^>]*>([^<]*)<', answer.text)[1]  # type: ignore[index]
    assert re.search(r'id="name-fault"[^>]*></span>', answer.text), "nobody has come to the name yet"
    assert "https" in answer.text[answer.text.index('id="problems"') :]
    assert re.search(r'id="jwks_url-fault"[^>]*>The key URL must start with https', answer.text)
    assert await world.context.store.events(world.b2b.project_id, 9) == before


async def test_faults_of_a_profile_that_is_there_are_told_while_typing(editor: Visitor) -> None:
    given = await fields_of(await editor.get(f"{editor.place}/profiles/{PROFILE_ID}/edit"))
    answer = await editor.post(f"{editor.place}/profiles/{PROFILE_ID}/check", **(given | {"leeway_seconds": "999"}))
    assert re.search(r'id="leeway_seconds-fault"[^>]*>[^<]*from 0 to 300', answer.text)


async def test_the_list_shows_what_became_of_the_last_day(world: World, editor: Visitor) -> None:
    async with world.client(world.b2b) as client:
        for audience in (None, "somebody else"):
            claims = {"aud": audience} if audience else {}
            await client.post("/v1/b2b/sessions/attest", json=world.attest_body(token=world.token(**claims)))
    page = await editor.get(f"{editor.place}/profiles")
    assert 'aria-label="The last 24 hours: 1 granted, 1 refused"' in page.text
    world.clock.turn(12 * 3600)
    visitor = await signed_in(world, "viewer", "later@example.com")
    page = await visitor.get(f"{editor.place}/profiles/{PROFILE_ID}")
    assert "1 granted, 1 refused" in page.text
    world.clock.turn(12 * 3600)
    visitor = await signed_in(world, "viewer", "much.later@example.com")
    assert "0 granted, 0 refused" in (await visitor.get(f"{editor.place}/profiles")).text


async def test_the_list_shows_drift(world: World, editor: Visitor) -> None:
    notice = DriftNotice(kind="new_algorithm", value="ES256", noticed_at=int(world.clock.now))
    seen = Observations(environment_id=world.b2b.project_id, profile_id=PROFILE_ID, tokens=20, notices=(notice,))
    await world.context.store.write(Observe(observations=seen))
    assert "1 drift notice" in text_of(await editor.get(f"{editor.place}/profiles"))
    assert "A new algorithm: ES256" in text_of(await editor.get(f"{editor.place}/profiles/{PROFILE_ID}"))


async def test_the_list_comes_in_pages_and_is_searched(world: World, editor: Visitor) -> None:
    known = await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)
    for number in range(30):
        more = replace(known, profile_id=f"p{number:02}", name=f"Partner {number:02}", created_at=known.created_at + 1)
        await world.context.store.write(CreateProfile(profile=more))
    first = await editor.get(f"{editor.place}/profiles")
    onward = re.search(r'href="([^"]+)">Next page', first.text)
    assert onward
    second = await editor.client.get(html.unescape(onward[1]))
    names = re.findall(r">(Partner \d\d)<", first.text + second.text)
    assert names == [f"Partner {number:02}" for number in range(30)]
    assert "Next page" not in second.text
    found = await editor.get(f"{editor.place}/profiles", words="partner 07")
    assert re.findall(r">(Partner \d\d)<", found.text) == ["Partner 07"]


async def test_fetch_keys_now_shows_what_the_url_gives(tmp_path: Path) -> None:
    keys = [make_key("RSA"), make_key("P-256")]
    answers: list[Fetched | FetchFault] = [Fetched(document=document(*keys) + b" " * 9000, max_age=None)]

    async def fetch(url: str, ca_pem: str | None = None) -> Fetched:
        assert (url, ca_pem) == (NEW["jwks_url"], None)
        given = answers.pop()
        if isinstance(given, FetchFault):
            raise given
        return given

    async with open_world(tmp_path, fetch=fetch) as world:
        editor = await signed_in(world, "editor")
        await editor.post(f"{editor.place}/new-profile", **NEW)
        assert "not fetched yet" in text_of(await editor.get(f"{editor.place}/profiles"))
        answer = await editor.post(f"{editor.place}/profiles/partner/keys")
        assert answer.status_code == 200
        assert all(f"<code>{key.kid}</code>" in answer.text for key in keys)
        assert "Only the beginning is shown." in text_of(answer)
        assert " " * (profile_health.MOST_EXCERPT_BYTES + 1) not in answer.text
        assert "fresh" in text_of(await editor.get(f"{editor.place}/profiles"))
        answers.append(FetchFault("the server said 500"))
        answer = await editor.post(f"{editor.place}/profiles/partner/keys")
        assert "The last fetch failed: the server said 500" in text_of(answer)
        assert "stale" in text_of(await editor.get(f"{editor.place}/profiles"))


async def test_delete_says_how_many_sessions_came_from_it(world: World, editor: Visitor) -> None:
    async with world.client(world.b2b) as client:
        await client.post("/v1/b2b/sessions/attest", json=world.attest_body())
    page = await editor.get(f"{editor.place}/profiles/{PROFILE_ID}/delete")
    assert "1 live session came from this profile" in text_of(page)
    refused = await editor.post(f"{editor.place}/profiles/{PROFILE_ID}/delete", name="something else")
    assert refused.status_code == 400
    stored = await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)
    assert (await editor.post(f"{editor.place}/profiles/{PROFILE_ID}/delete", name=stored.name)).status_code == 303
    with pytest.raises(errors.TrustedTokenProfileNotFound):
        await profiles.require_profile(world.context, world.b2b.project_id, PROFILE_ID)


@pytest.mark.parametrize(
    "path",
    ["new-profile", "new-profile/check", *(f"profiles/{PROFILE_ID}/{what}" for what in ("edit", "check", "keys"))],
)
async def test_a_viewer_can_change_nothing(world: World, path: str) -> None:
    viewer = await signed_in(world, "viewer")
    before = await world.context.store.profiles(world.b2b.project_id)
    answer = await viewer.post(f"{viewer.place}/{path}", **NEW)
    assert answer.status_code == 403
    assert await world.context.store.profiles(world.b2b.project_id) == before
    for shown in ("profiles", f"profiles/{PROFILE_ID}"):
        page = await viewer.get(f"{viewer.place}/{shown}")
        assert page.status_code == 200
        assert not re.search(r"New profile|>Edit<|>Delete<|Fetch keys now", page.text)


async def test_consumer_projects_offer_their_own_attributes(editor: Visitor) -> None:
    page = await editor.get(f"{editor.consumer_place}/new-profile")
    offered = re.findall(r'<option value="(\w+)"></option>', page.text)
    assert "external_user_id" in offered
    assert "external_member_id" not in offered


@pytest.mark.parametrize("word", ["new", "check", "edit", "keys", "new-profile"])
async def test_whatever_word_is_the_id_of_a_profile_its_page_is_found(editor: Visitor, word: str) -> None:
    assert (await editor.post(f"{editor.place}/new-profile", **(NEW | {"profile_id": word}))).status_code == 303
    page = await editor.get(f"{editor.place}/profiles/{word}")
    assert page.status_code == 200
    assert str(NEW["name"]) in page.text
    assert (await editor.get(f"{editor.place}/profiles/{word}/edit")).status_code == 200
