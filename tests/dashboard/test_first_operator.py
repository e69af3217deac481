"""The first operator: a link that only who started the server sees, and from there to the first page."""

from __future__ import annotations

import os
import pty
import re
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.dashboard.browser import check_axe
from tests.dashboard.browsing import PASSWORD
from tests.process import COMMAND, Assay

_LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/dashboard/welcome\?token=([\w-]{43})")


def left_file(folder: Path) -> Path:
    return folder / "assay.db.first-operator"


def test_without_a_terminal_the_link_lies_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    with assay.serving() as server:
        server.line_with("first_operator")
        found = _LINK.fullmatch(left_file(tmp_path).read_text(encoding="utf-8").strip())
        assert found
        assert stat.S_IMODE(left_file(tmp_path).stat().st_mode) == 0o600
    assert found[1] not in "".join(server.log)


def test_each_start_writes_another_link_until_there_is_an_operator(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    links = []
    for _ in range(2):
        with assay.serving() as server:
            server.line_with("first_operator")
            links.append(left_file(tmp_path).read_text(encoding="utf-8"))
    assert links[0] != links[1]
    assay.run("operator", "invite", "ada@example.com", "--role", "owner")
    with assay.serving() as server:
        server.line_with("listening")
    assert not left_file(tmp_path).exists()
    assert "first_operator" not in "".join(server.log)


def test_the_link_is_not_written_through_what_somebody_left_there(tmp_path: Path) -> None:
    target = tmp_path / "somebody-elses"
    target.write_text("untouched", encoding="utf-8")
    left_file(tmp_path).symlink_to(target)
    with Assay(tmp_path).serving() as server:
        server.line_with("first_operator")
    assert target.read_text(encoding="utf-8") == "untouched"
    assert not left_file(tmp_path).is_symlink()


def test_on_a_terminal_the_link_is_shown_and_left_nowhere(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    ours, its = pty.openpty()
    log = tmp_path / "log"
    with log.open("wb") as errors:
        arguments = [COMMAND, "serve", "--port", "0", "--metrics", "none"]
        process = subprocess.Popen(arguments, env=assay.environ, stdin=its, stdout=its, stderr=errors)
    os.close(its)
    try:
        found = _LINK.search(_read_until(ours, "welcome?token=", "\n"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        os.close(ours)
    assert found
    assert not left_file(tmp_path).exists()
    assert found[1] not in log.read_text(encoding="utf-8")


def _read_until(descriptor: int, wanted: str, end: str) -> str:
    text = ""
    while wanted not in text or end not in text.partition(wanted)[2]:
        text += os.read(descriptor, 4096).decode()
    return text


@pytest.mark.parametrize("keyboard_only", [False, True], ids=["mouse", "keyboard"])
async def test_the_first_operator_comes_in_and_has_the_operators_page(
    stranger: Page, tmp_path: Path, keyboard_only: bool
) -> None:
    with Assay(tmp_path).serving() as server:
        server.line_with("first_operator")
        link = left_file(tmp_path).read_text(encoding="utf-8").strip()
        await stranger.goto(link)
        await check_axe(stranger)
        await _welcome(stranger, keyboard_only=keyboard_only)
        await stranger.wait_for_url("**/dashboard/projects")
        await stranger.goto(f"{server.url}/dashboard/operators")
        assert await stranger.get_by_role("row", name="ada@example.com").get_by_text("owner").is_visible()
        again = await stranger.goto(link)
        assert again is not None
        assert again.status == 404


async def _welcome(page: Page, *, keyboard_only: bool) -> None:
    if keyboard_only:
        for text in ("ada@example.com", PASSWORD, PASSWORD):
            await _tab_to_next_field(page)
            await page.keyboard.type(text)
        await page.keyboard.press("Enter")
        return
    await page.get_by_label("E-mail address").fill("ada@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("The same again").fill(PASSWORD)
    await page.get_by_role("button", name="Set the password").click()


async def _tab_to_next_field(page: Page) -> None:
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.tagName === 'INPUT'"):
            return
    raise AssertionError("no field can be reached by the Tab key")
