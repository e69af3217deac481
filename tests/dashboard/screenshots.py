"""``make screenshots``: every page of the table, at both widths, as the README and the how-tos show it.

``python -m tests.dashboard.screenshots [FOLDER] [--only NAME] [--dark]`` writes ``NAME-1440.png`` and ``NAME-375.png``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Page, ViewportSize

from assay.dashboard.table import Row
from tests.dashboard.browser import opened_browser
from tests.dashboard.running import Served, fresh_page, serving, sign_in
from tests.dashboard.samples import name_of, pages, path_of
from tests.dashboard.seeding import OWNER

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZES: tuple[ViewportSize, ...] = ({"width": 1440, "height": 900}, {"width": 375, "height": 800})


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    parser.add_argument("--only", default="", help="the beginning of the names of pages")
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, serving(Path(data)) as served:
        asyncio.run(_take(served, asked.folder, asked.only, dark=asked.dark))


async def _take(served: Served, folder: Path, only: str, *, dark: bool) -> None:
    scheme = "dark" if dark else "light"
    async with opened_browser() as browser:
        async with fresh_page(browser, color_scheme=scheme) as page:
            await _all(page, served, folder, [row for row in pages(signed_in=False) if name_of(row).startswith(only)])
        async with fresh_page(browser, color_scheme=scheme) as page:
            await sign_in(page, served, OWNER)
            await _all(page, served, folder, [row for row in pages(signed_in=True) if name_of(row).startswith(only)])


async def _all(page: Page, served: Served, folder: Path, rows: list[Row]) -> None:
    for row in rows:
        for size in SIZES:
            await page.set_viewport_size(size)
            await page.goto(served.server.url + path_of(row, served.seeded))
            await page.screenshot(path=folder / f"{name_of(row)}-{size['width']}.png", full_page=True)


if __name__ == "__main__":
    main()
