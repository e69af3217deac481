"""Profiles in a real browser: made from a preset, by a URL and by PEM, changed, and left alone by viewers."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.dashboard.browser import check_axe, check_fits
from tests.dashboard.running import Served, fresh_page, sign_in
from tests.dashboard.seeding import EDITOR
from tests.issuer import make_key


async def fill(page: Page, name: str, issuer: str) -> None:
    """The fields that every profile has, and a mapping by which somebody can be found."""
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Issuer", exact=True).fill(issuer)
    await page.get_by_label("Audience", exact=True).fill("portal")
    await page.get_by_label("Attribute 1").fill("email")
    await page.get_by_label("Comes from (row 1)").fill("email")


async def create(page: Page) -> None:
    await page.get_by_role("button", name="Create the profile").click()


async def test_a_profile_from_a_preset(editor: Page, server: Served) -> None:
    await editor.goto(f"{server.place}/new-profile")
    await editor.get_by_label("Preset").select_option("auth0")
    await editor.get_by_role("button", name="Choose").click()
    await editor.get_by_label("Domain").fill("acme.eu.auth0.com")
    await editor.get_by_label("Client id").fill("K1AUPhZq8mRi")
    await check_axe(editor)
    await editor.get_by_role("button", name="Fill the form").click()
    await expect(editor.get_by_label("Issuer", exact=True)).to_have_value("https://acme.eu.auth0.com/")
    await editor.get_by_label("Name", exact=True).fill("Auth0 by preset")
    await check_axe(editor)
    await create(editor)
    await expect(editor.get_by_role("heading", level=1)).to_have_text("Auth0 by preset")
    await expect(editor.get_by_role("main")).to_contain_text("https://acme.eu.auth0.com/.well-known/jwks.json")


async def test_a_profile_by_url_with_faults_told_while_typing(editor: Page, server: Served) -> None:
    await editor.goto(f"{server.place}/new-profile")
    await fill(editor, "By URL", "https://url.example")
    await editor.get_by_label("Profile id (optional)").fill("not an id")
    await expect(editor.get_by_text("profile_id has 1 to 128 letters")).to_be_visible()
    await expect(editor.get_by_label("Profile id (optional)")).to_have_attribute("aria-invalid", "true")
    await editor.get_by_label("JWKS URL").fill("http://url.example/jwks")
    await expect(editor.locator("#problems")).to_contain_text("https")
    await check_axe(editor)
    await editor.get_by_label("Profile id (optional)").fill("by_url")
    await editor.get_by_label("JWKS URL").fill("https://url.example/jwks")
    await expect(editor.get_by_text("profile_id has 1 to 128 letters")).to_have_count(0)
    await expect(editor.locator("#problems .notice")).to_have_count(0)
    await create(editor)
    await expect(editor).to_have_url(f"{server.place}/profiles/by_url")


async def test_a_profile_by_pem_is_changed_and_deleted(editor: Page, server: Served) -> None:
    await editor.goto(f"{server.place}/new-profile")
    await fill(editor, "By PEM", "https://pem.example")
    await editor.get_by_role("button", name="Use public keys instead").click()
    await expect(editor.get_by_label("Issuer", exact=True)).to_have_value("https://pem.example")
    await editor.get_by_label("Public key 1").fill(make_key("P-256").pem())
    await create(editor)
    await expect(editor.get_by_role("heading", level=1)).to_have_text("By PEM")
    await editor.get_by_role("link", name="Edit").click()
    await editor.get_by_label("Audience", exact=True).fill("another portal")
    await editor.locator("details.fold > summary").click()
    await editor.get_by_label("Leeway (seconds)").fill("5")
    await check_axe(editor)
    await editor.get_by_role("button", name="Save", exact=True).click()
    await expect(editor.get_by_role("main")).to_contain_text("another portal")
    await expect(editor.get_by_role("main")).to_contain_text("5 seconds")
    await editor.get_by_role("link", name="Delete").click()
    await editor.get_by_label("Name of the profile").fill("By PEM")
    await editor.get_by_role("button", name="Delete the profile").click()
    await expect(editor.get_by_role("status").first).to_contain_text("Deleted the profile")


async def test_a_profile_by_keyboard_alone(editor: Page, server: Served) -> None:
    await editor.goto(f"{server.place}/profiles")
    await editor.get_by_role("link", name="New profile").focus()
    await editor.keyboard.press("Enter")
    await editor.wait_for_url("**/new-profile")
    typed = {"name": "By keyboard", "issuer": "https://keys.example", "audience": "portal", "attribute_0": "email"}
    typed |= {"value_0": "email", "jwks_url": "https://keys.example/jwks"}
    for _ in range(60):
        await editor.keyboard.press("Tab")
        focused = await editor.evaluate("document.activeElement.name || ''")
        if focused in typed:
            await editor.keyboard.type(typed.pop(focused))
        if not typed:
            break
    assert not typed, f"Tab never came to {sorted(typed)}"
    await editor.keyboard.press("Enter")
    await expect(editor.get_by_role("heading", level=1)).to_have_text("By keyboard")


async def test_a_profile_without_script(browser: Browser, server: Served) -> None:
    async with fresh_page(browser, java_script_enabled=False) as page:
        await sign_in(page, server, EDITOR)
        await page.goto(f"{server.place}/new-profile")
        await fill(page, "Without script", "https://plain.example")
        await page.get_by_role("button", name="Add a row").click()
        await expect(page.get_by_label("Name", exact=True)).to_have_value("Without script")
        await page.get_by_label("JWKS URL").fill("http://plain.example/jwks")
        await create(page)
        await expect(page.locator("#problems")).to_contain_text("https")
        await page.get_by_label("Save all the same").check()
        await create(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Without script")


async def test_a_viewer_is_offered_no_change_and_allowed_none(viewer: Page, server: Served) -> None:
    await viewer.goto(f"{server.place}/profiles")
    await expect(viewer.get_by_role("link", name="New profile")).to_have_count(0)
    await viewer.goto(f"{server.place}/profiles/idp")
    await expect(viewer.get_by_role("link", name=re.compile("Edit|Delete"))).to_have_count(0)
    answer = await viewer.goto(f"{server.place}/profiles/idp/edit")
    assert answer is not None
    assert answer.status == 403


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_the_form_with_all_its_parts_open_fits_and_reads_well(
    browser: Browser, server: Served, width: int, colours: str
) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": colours}
    async with fresh_page(browser, **options) as page:
        await sign_in(page, server, EDITOR)
        await page.goto(f"{server.place}/new-profile?preset=entra_multitenant")
        await page.locator("details.fold > summary").click()
        await check_axe(page)
        await check_fits(page)
