"""The real process with something in it, and pages of browsers that are signed in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.async_api import Browser, Page

from tests.dashboard.browser import WAIT_MILLISECONDS
from tests.dashboard.browsing import PASSWORD
from tests.dashboard.samples import Seeded
from tests.dashboard.seeding import seed
from tests.process import Assay, Server


class Served(NamedTuple):
    """A running process; ``url`` is that of its dashboard. ``cookies`` are those of operators who signed in before."""

    assay: Assay
    server: Server
    seeded: Seeded
    url: str
    cookies: dict[str, list[Any]]

    @property
    def place(self) -> str:
        """The address of the B2B project's TEST environment, to which sections are appended."""
        return "/".join((self.url, *self.seeded.b2b_place))

    @property
    def consumer_place(self) -> str:
        """The same for the consumer project."""
        return "/".join((self.url, *self.seeded.consumer_place))


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """``assay serve`` over a seeded database in ``folder``, as long as the block runs."""
    assay = Assay(folder)
    seeded = seed(assay.database)
    with assay.serving() as server:
        yield Served(assay, server, seeded, f"{server.url}/dashboard", {})


@asynccontextmanager
async def fresh_page(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page in a context of its own: no cookie, no cache. ``options`` are Playwright's."""
    context = await browser.new_context(**options)
    context.set_default_timeout(WAIT_MILLISECONDS)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def sign_in(page: Page, served: Served, email: str, password: str = PASSWORD) -> None:
    """Be signed in, and go to the overview of the B2B project's TEST environment.

    A session of an earlier test is used again as long as it lives.
    """
    overview = f"{served.place}/overview"
    if email in served.cookies:
        await page.context.add_cookies(served.cookies[email])
        await page.goto(overview)
        if page.url == overview:
            return
    await page.goto(f"{served.url}/sign-in")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: "sign-in" not in url)
    served.cookies[email] = await page.context.cookies()
    await page.goto(overview)
