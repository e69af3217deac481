"""Fixtures for the dashboard: the real process with something in it, and a browser that looks at it.

``server`` is one process per module over a fresh seeded database; ``dashboard`` is a page of an owner, ``editor`` and
``viewer`` pages of others, ``stranger`` one of nobody. All of them are Playwright's, so tests that use them are async.
Without a browser: ``tests/dashboard/browsing.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.dashboard.browser import opened_browser, require_browser
from tests.dashboard.running import Served, fresh_page, serving, sign_in
from tests.dashboard.seeding import EDITOR, OWNER, VIEWER


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a browser share the event loop that the browser lives in."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    require_browser()
    async with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``assay serve`` over a seeded database."""
    require_browser()
    with serving(tmp_path_factory.mktemp("dashboard")) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(browser: Browser) -> AsyncIterator[Page]:
    """A page of a browser without any cookie."""
    async with fresh_page(browser) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard(browser: Browser, server: Served) -> AsyncIterator[Page]:
    """A page of an owner who is signed in, at the overview of the B2B project's TEST environment."""
    async with fresh_page(browser) as page:
        await sign_in(page, server, OWNER)
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def editor(browser: Browser, server: Served) -> AsyncIterator[Page]:
    """The same of an editor."""
    async with fresh_page(browser) as page:
        await sign_in(page, server, EDITOR)
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def viewer(browser: Browser, server: Served) -> AsyncIterator[Page]:
    """The same of a viewer."""
    async with fresh_page(browser) as page:
        await sign_in(page, server, VIEWER)
        yield page
