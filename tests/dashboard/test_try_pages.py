"""Trying a token: the form, the explanation, the code of the real call, and a profile made from the token."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assay.dashboard import call_code
from assay.store import AttemptSearch
from assay.stories.attest import AttestRequest
from tests.dashboard.browsing import Visitor, signed_in, text_of
from tests.world import PROFILE_ID, World

_TEXTAREA = re.compile(r'<textarea id="token".*?>\n?(.*?)</textarea>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


async def tried(visitor: Visitor, token: str, **fields: str) -> httpx.Response:
    """The answer to a token that is judged by the usual profile."""
    return await visitor.post(f"{visitor.place}/try", **({"profile_id": PROFILE_ID, "token": token} | fields))


@pytest.fixture
async def visitor(world: World) -> Visitor:
    return await signed_in(world, "editor")


async def test_a_good_token_is_accepted_and_everything_is_shown_that_would_come_of_it(
    world: World, visitor: Visitor
) -> None:
    token = world.token(email="grace@acme.example")
    page = await tried(visitor, token, organization_id="acme", session_duration_minutes="60")
    said = text_of(page)
    assert page.status_code == 200
    for told in ("Accepted", "grace@acme.example", "would be made", "a new one", "Acme", "signature verified"):
        assert told in said
    assert "<details open>" not in page.text


async def test_a_refusal_opens_the_step_that_failed_and_says_what_to_do(world: World, visitor: Visitor) -> None:
    page = await tried(visitor, world.token(aud="another"), organization_id="acme")
    said = text_of(page)
    for told in ("Refused at the step “audience”", "jwt_invalid_audience", "What to do:", "Came 'another'"):
        assert told in said
    assert page.text.count("<details open>") == 1
    assert said.count("not reached") > 5


async def test_an_audience_that_almost_fits_gets_a_hint(world: World, visitor: Visitor) -> None:
    page = await tried(visitor, world.token(aud="Assay-Tests"))
    assert "<li>" in page.text[page.text.index("What to do:") : page.text.index("Every step")]


async def test_nothing_is_written_by_a_try(world: World, visitor: Visitor) -> None:
    await tried(visitor, world.token(), organization_id="acme")
    assert await world.context.store.search_attempts(world.b2b.project_id, AttemptSearch()) == []
    assert await world.context.store.member_count(world.b2b.project_id, world.acme.organization_id) == 0


def parts_of(token: str) -> Iterator[str]:
    """Nothing of these may be on a page: the whole, the signature, and the encoded payload."""
    _, payload, signature = token.split(".")
    return iter((token, payload, signature))


@pytest.mark.parametrize(
    ("claims", "fields"),
    [
        ({}, {"organization_id": "acme"}),
        ({"aud": "another"}, {}),
        ({}, {"profile_id": ""}),
        ({}, {"session_duration_minutes": "x"}),
    ],
    ids=["accepted", "refused", "no profile chosen", "a fault in the form"],
)
async def test_the_token_is_on_no_page_and_in_no_log_and_no_address(
    world: World, visitor: Visitor, claims: dict[str, Any], fields: dict[str, str]
) -> None:
    token = world.token(**claims)
    pages = [await tried(visitor, token, **fields), await visitor.post(f"{visitor.place}/try/profile", token=token)]
    for page in pages:
        assert "location" not in page.headers
        assert page.headers["cache-control"] == "no-store"
        for part in parts_of(token):
            assert part not in page.text
            assert part.encode() not in world.log_bytes()
    [left] = _TEXTAREA.findall(pages[0].text)
    assert left.strip() == ""


async def test_what_was_chosen_stays_in_the_form(world: World, visitor: Visitor) -> None:
    page = await tried(visitor, world.token(), organization_id="acme", session_duration_minutes="75")
    assert f'<option value="{PROFILE_ID}" selected>' in page.text
    assert 'value="acme"' in page.text
    assert 'value="75"' in page.text


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"token": ""}, "Paste a token."),
        ({"profile_id": ""}, "Choose the profile"),
        ({"session_duration_minutes": "an hour"}, "Minutes are a whole number."),
    ],
    ids=["token", "profile", "minutes"],
)
async def test_a_field_that_is_missing_or_wrong_is_said_so(
    world: World, visitor: Visitor, fields: dict[str, str], fault: str
) -> None:
    page = await tried(visitor, **({"token": world.token()} | fields))
    assert page.status_code == 400
    assert fault in text_of(page)


async def test_a_viewer_may_try_but_is_offered_no_change(world: World) -> None:
    visitor = await signed_in(world, "viewer")
    page = await tried(visitor, world.token(aud="another"))
    assert "Refused at the step" in text_of(page)
    assert "Make a profile" not in page.text
    assert "Edit the profile" not in page.text
    assert (await visitor.post(f"{visitor.place}/try/profile", token=world.token())).status_code == 403


async def test_a_past_attempt_fills_the_form_with_what_is_kept_of_it(world: World, visitor: Visitor) -> None:
    async with world.client(world.b2b) as client:
        body = world.attest_body(token=world.token(aud="another"), organization_id=world.acme.organization_id)
        await client.post("/v1/b2b/sessions/attest", json=body)
    page = await visitor.get(f"{visitor.place}/try", attempt=1)
    said = text_of(page)
    assert f'<option value="{PROFILE_ID}" selected>' in page.text
    assert "From a past attempt" in said
    assert "subject-1" in said
    assert (await visitor.get(f"{visitor.place}/try", attempt=2)).status_code == 404


async def test_texts_of_a_token_are_shown_as_text(world: World, visitor: Visitor) -> None:
    hostile = "<script>alert(1)</script>"
    for claims in ({"name": hostile}, {"aud": hostile}, {hostile: {hostile: hostile}}, {"iss": hostile}):
        for path in ("try", "try/profile"):
            token = world.token(**claims)
            page = await visitor.post(f"{visitor.place}/{path}", profile_id=PROFILE_ID, token=token)
            assert page.status_code == 200
            assert hostile not in page.text


async def test_a_token_becomes_the_form_of_a_profile(world: World, visitor: Visitor) -> None:
    token = world.token(iss="https://login.example/tenant", aud="shop")
    page = await visitor.post(f"{visitor.place}/try/profile", token=token)
    assert page.status_code == 200
    assert 'value="https://login.example/tenant"' in page.text
    assert 'value="shop"' in page.text
    assert "nothing is verified" in text_of(page)


async def test_an_explanation_leads_to_the_same_form_without_the_token(world: World, visitor: Visitor) -> None:
    page = await tried(visitor, world.token(iss="https://login.example/tenant", aud="shop"))
    form = page.text[page.text.index('value="propose"') :]
    fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(form[: form.index("</form>")])}
    assert fields["issuer"] == "https://login.example/tenant"
    opened = await visitor.post(f"{visitor.place}/new-profile", do="propose", **fields)
    assert opened.status_code == 200
    assert 'value="shop"' in opened.text


async def test_what_is_no_token_makes_no_profile(visitor: Visitor) -> None:
    page = await visitor.post(f"{visitor.place}/try/profile", token="rubbish")
    assert page.status_code == 400
    assert "no token that could be looked at" in text_of(page)


async def test_a_try_comes_from_a_page_of_ours(world: World, visitor: Visitor) -> None:
    assert (await tried(visitor, world.token(), csrf="forged")).status_code == 403


async def test_of_very_many_profiles_the_id_is_typed(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.dashboard.pages.try_token.MOST_LISTED", 0)
    page = await visitor.get(f"{visitor.place}/try", profile_id=PROFILE_ID)
    assert '<select id="profile_id"' not in page.text
    assert f'value="{PROFILE_ID}"' in page.text


# ---------------------------------------------------------------- the code of the real call


async def code_of(world: World, language: str, **members: Any) -> str:
    request = AttestRequest(profile_id=members.pop("profile_id", PROFILE_ID), token="the token", **members)
    environment = await world.context.store.environment(world.b2b.project_id)
    assert environment is not None
    return {each.language: each.text for each in call_code.calls("https://a.example", environment, request)}[language]


@pytest.mark.parametrize("language", ["curl", "Python", "Node"])
async def test_the_code_names_everything_but_the_secret_and_the_token(world: World, language: str) -> None:
    code = await code_of(world, language, organization_id="acme", session_duration_minutes=60)
    for part in (world.b2b.project_id, PROFILE_ID, "acme", "60", "SECRET", "TOKEN", "https://a.example"):
        assert part in code
    assert "the token" not in code
    assert world.b2b.secret not in code


async def test_the_python_code_is_python_whatever_the_operator_typed(world: World) -> None:
    code = await code_of(world, "Python", organization_id="a\"b'c\n")
    compile(code, "code", "exec")
    assert repr("a\"b'c\n") in code


async def test_the_curl_code_quotes_what_the_operator_typed(world: World) -> None:
    assert "'\"'\"'" in await code_of(world, "curl", organization_id="it's")


async def test_the_page_has_the_code_for_its_own_address_and_project(world: World, visitor: Visitor) -> None:
    said = html.unescape((await tried(visitor, world.token())).text)
    for part in ("curl http://assay.test/v1/b2b/sessions/attest", "stytch.B2BClient(", "new stytch.B2BClient({"):
        assert part in said
    page = await visitor.post(f"{visitor.consumer_place}/try", profile_id=PROFILE_ID, token=world.token())
    assert "curl http://assay.test/v1/sessions/attest" in html.unescape(page.text)
