"""A real browser: Debian's Chromium, driven by Playwright, and what is looked at in every page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, Request, Response, async_playwright

from tests import cannot

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[1] / "sdk" / "node" / "node_modules" / "axe-core" / "axe.min.js"
MOST_BYTES = 150_000
WAIT_MILLISECONDS = 10_000

_WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


def require_browser() -> None:
    """Skip without a browser, loudly; where everything is meant to be tested (``CI=true``) fail instead."""
    missing = [f"{path}: {hint}" for path, hint in _NEEDED.items() if not path.exists()]
    if missing:
        cannot.run("the dashboard was NOT looked at in a browser; " + "; ".join(missing))


_NEEDED = {CHROMIUM: "apt-get install chromium", AXE: "run tests/prepare.sh"}


@asynccontextmanager
async def opened_browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


async def check_axe(page: Page) -> None:
    """Raise AssertionError unless axe-core finds no violation of WCAG 2.2 AA in the page as it is now."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", list(_WCAG)
    )
    told = [
        f"{each['id']}: {each['help']}: " + "; ".join(node["html"][:200] for node in each["nodes"])
        for each in found["violations"]
    ]
    assert told == [], f"{page.url}:\n" + "\n".join(told)


async def check_fits(page: Page) -> None:
    """Raise AssertionError when the page is wider than its window: nobody should scroll to both sides."""
    too_wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert too_wide <= 0, f"{page.url} is {too_wide} pixels too wide"


class Traffic:
    """Everything that a page asks for; attach it before going there."""

    def __init__(self, page: Page) -> None:
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self._responses: list[Response] = []
        page.on("request", self._asked)
        page.on("response", self._answered)
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda fault: self.faults.append(str(fault)))

    # Playwright marks the functions that it calls, which those of a list do not bear.
    def _asked(self, request: Request) -> None:
        self.requests.append(request)

    def _answered(self, response: Response) -> None:
        self._responses.append(response)

    def outside(self, url: str) -> list[str]:
        """Requests that did not go to the server at ``url``."""
        return [each.url for each in self.requests if not each.url.startswith((f"{url}/", "data:"))]

    def weight(self) -> int:
        """Bytes of all bodies together, as their headers tell: a browser that goes on forgets the bodies."""
        return sum(int(each.headers.get("content-length", "0")) for each in self._responses)
