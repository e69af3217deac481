"""The frame of the dashboard in a real browser against the real process: signing in, keyboard, roles, colours, text."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.dashboard.browser import check_axe
from tests.dashboard.browsing import PASSWORD
from tests.dashboard.running import Served
from tests.dashboard.seeding import HOSTILE, OWNER, PROFILE_ID


async def focused(page: Page) -> str:
    """What the keyboard acts on, in a few words."""
    return str(
        await page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText || "
            "document.activeElement.name || '').trim()"
        )
    )


async def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until what has this text is focused. Raises AssertionError after a hundred times."""
    seen = []
    for _ in range(100):
        await page.keyboard.press("Tab")
        seen.append(await focused(page))
        if wanted in seen[-1]:
            return
    raise AssertionError(f"Tab never came to {wanted!r}, only to {seen}")


async def test_an_operator_signs_in_and_out(stranger: Page, server: Served) -> None:
    await stranger.goto(f"{server.place}/profiles?cursor=x")
    await stranger.get_by_label("E-mail address").fill(OWNER)
    await stranger.get_by_label("Password").fill(PASSWORD)
    await stranger.get_by_role("button", name="Sign in").click()
    await expect(stranger).to_have_url(f"{server.place}/profiles?cursor=x")
    await stranger.locator("summary", has_text=OWNER).click()
    await stranger.get_by_role("button", name="Sign out").click()
    await expect(stranger.get_by_text("You are signed out")).to_be_visible()
    await stranger.goto(f"{server.place}/profiles")
    await expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_wrong_password_is_told_in_the_form(stranger: Page, server: Served) -> None:
    await stranger.goto(f"{server.url}/sign-in")
    await stranger.get_by_label("E-mail address").fill("stranger@example.com")
    await stranger.get_by_label("Password").fill("not the right one")
    await stranger.get_by_role("button", name="Sign in").click()
    await expect(stranger.get_by_role("alert")).to_contain_text("is wrong")
    await expect(stranger.get_by_label("E-mail address")).to_have_value("stranger@example.com")
    await check_axe(stranger)


async def test_the_keyboard_alone_signs_in_and_opens_a_profile(stranger: Page, server: Served) -> None:
    await stranger.goto(f"{server.place}/profiles")
    await tab_to(stranger, "email")
    await stranger.keyboard.type(OWNER)
    await tab_to(stranger, "password")
    await stranger.keyboard.type(PASSWORD)
    await stranger.keyboard.press("Enter")
    await expect(stranger.get_by_role("heading", name="Trusted Auth Tokens")).to_be_visible()
    await stranger.keyboard.press("Tab")
    assert await focused(stranger) == "To the content"
    await stranger.keyboard.press("Enter")
    await tab_to(stranger, "Acme workforce")
    await stranger.keyboard.press("Enter")
    await expect(stranger).to_have_url(f"{server.place}/profiles/{PROFILE_ID}")


async def test_menus_open_and_close_by_the_keyboard(dashboard: Page) -> None:
    await tab_to(dashboard, "Acme Portal")
    await dashboard.keyboard.press("Enter")
    link = dashboard.get_by_role("link", name="All projects")
    await expect(link).to_be_visible()
    await check_axe(dashboard)
    await dashboard.keyboard.press("Escape")
    await expect(link).to_be_hidden()
    assert "Acme Portal" in await focused(dashboard)


async def test_what_is_focused_can_be_seen(dashboard: Page) -> None:
    await dashboard.keyboard.press("Tab")
    await dashboard.keyboard.press("Tab")
    outline = await dashboard.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


async def test_on_a_phone_the_menu_is_one_touch_away(dashboard: Page, server: Served) -> None:
    await dashboard.set_viewport_size({"width": 375, "height": 700})
    menu = dashboard.get_by_role("navigation", name="Dashboard")
    await expect(menu).to_be_hidden()
    await dashboard.get_by_role("link", name="Menu", exact=True).click()
    await expect(menu).to_be_visible()
    await check_axe(dashboard)
    await menu.get_by_role("link", name="Trusted Auth Tokens").click()
    await expect(dashboard).to_have_url(f"{server.place}/profiles")
    await expect(menu).to_be_hidden()


async def test_script_in_names_is_shown_as_text(dashboard: Page, server: Served) -> None:
    await dashboard.goto(f"{server.place}/profiles")
    await expect(dashboard.get_by_text(HOSTILE).first).to_be_visible()
    await dashboard.goto(f"{server.place}/profiles/broken")
    await expect(dashboard.get_by_role("heading", name=HOSTILE)).to_be_visible()
    assert await dashboard.evaluate("document.title") != "taken"


async def test_a_viewer_is_shown_nothing_that_changes_anything(viewer: Page, server: Served) -> None:
    await viewer.goto(f"{server.place}/profiles/{PROFILE_ID}")
    await expect(viewer.get_by_role("heading", name="Acme workforce")).to_be_visible()
    await expect(viewer.get_by_role("link", name="Delete")).to_have_count(0)
    await expect(viewer.get_by_role("link", name="Operators")).to_have_count(0)
    answer = await viewer.goto(f"{server.place}/profiles/{PROFILE_ID}/delete")
    assert answer is not None
    assert answer.status == 403


async def test_a_form_of_another_site_is_refused_by_the_browser_and_by_us(dashboard: Page, server: Served) -> None:
    """The page of another origin posts with the operator's own browser: no cookie comes along, and nothing happens."""
    target = f"{server.place}/profiles/{PROFILE_ID}/delete"
    form = f'<form method="post" action="{target}"><input name="name" value="Acme workforce"><button>Go</button></form>'
    await dashboard.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    await dashboard.goto("http://evil.example/")
    await dashboard.get_by_role("button", name="Go").click()
    await dashboard.wait_for_url(lambda url: "evil" not in url)
    await dashboard.goto(f"{server.place}/profiles/{PROFILE_ID}")
    await expect(dashboard.get_by_role("heading", name="Acme workforce")).to_be_visible()


async def test_the_colours_are_a_choice_that_stays(dashboard: Page, server: Served) -> None:
    await dashboard.emulate_media(color_scheme="light")
    before = await dashboard.evaluate("getComputedStyle(document.body).backgroundColor")
    await dashboard.locator("summary", has_text=OWNER).click()
    await dashboard.get_by_role("button", name="Dark").click()
    await dashboard.goto(f"{server.place}/profiles")
    after = await dashboard.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after


async def test_every_page_works_without_script(server: Served, stranger: Page) -> None:
    browser = stranger.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{server.place}/profiles")
    await page.get_by_label("E-mail address").fill(OWNER)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator("summary", has_text="Acme Portal").click()
    await page.get_by_role("link", name="All projects").click()
    await page.get_by_role("heading", name="Projects").wait_for()
    await context.close()
