"""What holds for every page of the table, in a real browser: axe, weight, width, and no request outside."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Page, ViewportSize

from assay.dashboard.table import Row
from tests.dashboard.browser import MOST_BYTES, Traffic, check_axe, check_fits
from tests.dashboard.running import Served
from tests.dashboard.samples import name_of, pages, path_of

INSIDE = pages(signed_in=True)
OUTSIDE = pages(signed_in=False)
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 375, "height": 800}
# Each width and each scheme once: axe takes longer than all else here.
_LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize], ...] = (("light", WIDE), ("dark", NARROW))


@pytest.mark.parametrize("row", INSIDE, ids=name_of)
async def test_a_page_can_be_read_by_everybody(row: Row, dashboard: Page, server: Served) -> None:
    await _look(dashboard, server, row)


@pytest.mark.parametrize("row", OUTSIDE, ids=name_of)
async def test_a_page_before_signing_in_can_be_read_by_everybody(row: Row, stranger: Page, server: Served) -> None:
    await _look(stranger, server, row)


@pytest.mark.parametrize("row", INSIDE, ids=name_of)
async def test_a_page_weighs_little_and_asks_nobody_else(row: Row, dashboard: Page, server: Served) -> None:
    await dashboard.context.clear_cookies(name="assay_notice")
    traffic = Traffic(dashboard)
    await dashboard.goto(server.server.url + path_of(row, server.seeded), wait_until="networkidle")
    assert traffic.outside(server.server.url) == []
    assert traffic.faults == []
    assert 0 < traffic.weight() < MOST_BYTES


async def _look(page: Page, server: Served, row: Row) -> None:
    answer = await page.goto(server.server.url + path_of(row, server.seeded))
    assert answer is not None
    assert answer.status == 200
    for scheme, size in _LOOKS:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.set_viewport_size(size)
        await check_axe(page)
        await check_fits(page)
