"""In a browser: a token is tried, refused for its audience, the profile mended, and the token accepted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.browser import Traffic, check_axe, check_fits, require_browser
from tests.dashboard.running import Served, serving, sign_in
from tests.dashboard.seeding import EDITOR, PROFILE_ID
from tests.issuer import Issuer, make_key

ISSUER = Issuer(keys=[make_key("RSA")])
AUDIENCE = "acme-portal"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The seeded installation, whose profiles trust an issuer that is at hand here."""
    require_browser()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.dashboard.seeding.make_key", lambda _family: ISSUER.keys[0])
        with serving(tmp_path_factory.mktemp("dashboard")) as served:
            yield served


def token(**claims: object) -> str:
    """A token of somebody of Acme, made now."""
    usual = {"email": "grace@acme.example", "sub": "idp|grace", "email_verified": True}
    return ISSUER.mint(usual | claims, now=time.time())


async def try_it(page: Page, pasted: str) -> None:
    await page.get_by_label("Profile", exact=True).select_option(PROFILE_ID)
    await page.get_by_label("Trusted auth token", exact=True).fill(pasted)
    await page.get_by_label("Organization (optional)").fill("acme")
    await page.get_by_role("button", name="Try it").click()


async def test_a_token_is_refused_the_profile_mended_and_the_token_accepted(stranger: Page, server: Served) -> None:
    page, pasted = stranger, token(aud=AUDIENCE)
    await sign_in(page, server, EDITOR)
    traffic = Traffic(page)
    await page.get_by_role("link", name="Try a token").click()
    await try_it(page, pasted)
    await expect(page.get_by_role("heading", name="Refused at the step “audience”")).to_be_visible()
    await expect(page.locator(".steps details[open] .name")).to_have_text("Audience")
    await check_axe(page)
    await check_fits(page)
    await page.get_by_role("link", name="Edit the profile").click()
    await page.get_by_label("Audience", exact=True).fill(AUDIENCE)
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.get_by_text("Saved the profile.")).to_be_visible()
    await page.get_by_role("link", name="Try a token").first.click()
    await try_it(page, pasted)
    await expect(page.get_by_role("heading", name="Accepted")).to_be_visible()
    await expect(page.get_by_label("Trusted auth token", exact=True)).to_have_value("")
    await check_axe(page)
    assert [each.url for each in traffic.requests if pasted in each.url] == []
    assert traffic.faults == []


async def test_a_token_fills_the_form_of_a_new_profile(editor: Page, server: Served) -> None:
    await editor.goto(f"{server.place}/try")
    pasted = token(iss="https://login.example/tenant", aud="shop")
    await editor.get_by_label("Trusted auth token", exact=True).fill(pasted)
    await editor.get_by_role("button", name="Make a profile from this token").click()
    await expect(editor.get_by_label("Issuer", exact=True)).to_have_value("https://login.example/tenant")
    await expect(editor.get_by_label("Audience", exact=True)).to_have_value("shop")
    assert pasted not in await editor.content()


async def test_a_new_attempt_appears_by_itself_until_the_list_is_paused(viewer: Page, server: Served) -> None:
    await viewer.clock.install()
    await viewer.goto(f"{server.place}/attempts?outcome=refused")
    rows = viewer.locator("#live tbody tr")
    before = await rows.count()
    looks: list[str] = []
    viewer.on("request", lambda request: looks.append(request.url))
    async with viewer.expect_response(lambda answer: "looks=1" in answer.url):
        await viewer.clock.run_for(5_000)
    await expect(rows).to_have_count(before)
    async with viewer.expect_response(lambda answer: "looks=2" in answer.url):
        await viewer.clock.run_for(5_000)
    await viewer.get_by_role("link", name="Pause").click()
    await expect(viewer.get_by_text("Paused.")).to_be_visible()
    looks.clear()
    await viewer.clock.run_for(60_000)
    assert looks == []
