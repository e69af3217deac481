"""The reference says what there is: generated pages are as the code would write them, and no rule is cited in vain."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import typer.main

from assay import cli, config, errors
from assay.api import management, reference, server
from assay.api.wire.answers import refusal
from docs import generate
from tests.docs import pages

SOURCE = pages.ROOT / "src" / "assay"
RULES = generate.FOLDER / "rules.md"

_RULE = re.compile(r"\b(?:D\d{1,2}|[RA]\d{2,3})\b(?:[-–]A(\d{2,3}))?")


def written(page: str) -> str:
    return (generate.FOLDER / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", generate.PAGES)
def test_a_generated_page_is_as_the_code_would_write_it(page: str) -> None:
    assert written(page) == generate.PAGES[page](), "run: python docs/generate.py"


def test_every_setting_is_told_with_its_default() -> None:
    rows = [line for line in written("settings.md").splitlines() if line.startswith("| `ASSAY_")]
    assert len(rows) == len(config.SETTINGS)
    for row, setting in zip(rows, config.SETTINGS, strict=True):
        assert setting.variable in row
        assert setting.default in row
        assert setting.meaning in row


def test_every_error_has_a_section_that_says_what_to_do() -> None:
    page = written("errors.md")
    for error in errors.all_errors():
        assert f"\n## {error.code}\n" in page
        assert (error.__doc__ or "").strip(), error.code


@pytest.mark.parametrize("public_url", ["", "https://auth.example.com"], ids=["relative", "public URL"])
def test_the_url_in_an_error_leads_to_its_section(public_url: str) -> None:
    documents = reference.documents(public_url)
    for error in errors.all_errors():
        page, _, anchor = refusal(error(), "request-id-test-1", public_url).error_url.partition("#")
        assert page.startswith(f"{public_url}/")
        text = documents[page.removeprefix(public_url)].body.decode()
        section = text.partition(f'<section class="error" id="{anchor}"')[2].partition("</section>")[0]
        assert html.unescape(re.sub(r"<[^>]*>", "", section.partition(">")[2])).split()[:1] == [error.code]


def test_every_route_has_a_section() -> None:
    page = written("routes.md")
    for row in (*server.ROUTES, *management.ROUTES):
        assert f"\n## {row.method} {row.path}\n" in page
        assert all(f"`{path}`" in page for path in row.also)
    assert all(f"`{path}`" in page for path in (*server.JWKS_PATHS, "/healthz", "/readyz"))


def test_every_command_and_each_of_its_options_is_told() -> None:
    page = written("cli.md")
    commands = dict(generate.commands("assay", typer.main.get_command(cli.app)))
    assert {"assay serve", "assay profile create", "assay doctor"} <= set(commands)
    for name, command in commands.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for option in [word for parameter in command.params for word in parameter.opts if word.startswith("--")]:
            assert option == "--help" or option in section, f"{name} {option}"


def test_every_rule_that_the_code_cites_is_explained() -> None:
    page = RULES.read_text(encoding="utf-8")
    explained = {found[1] for found in re.finditer(r"^### (D\d+)$", page, re.MULTILINE)}
    for row in re.finditer(r"^\| ([RA][^|]*) \|", page, re.MULTILINE):
        explained |= _numbers(row[1])
    cited = set().union(*(_numbers(_text(path)) for path in SOURCE.rglob("*.*") if path.suffix in {".py", ".sql"}))
    assert cited <= explained, sorted(cited - explained)


def _text(path: Path) -> str:
    return re.sub(r"# noqa.*", "", path.read_text(encoding="utf-8"))


def _numbers(text: str) -> set[str]:
    """Every rule in a text; ``A34-A36`` are three."""
    found: set[str] = set()
    for match in _RULE.finditer(text):
        first = match[0].partition("-")[0].partition("–")[0]
        last = int(match[1]) if match[1] else int(first[1:])
        found |= {first, *(f"A{number:02}" for number in range(int(first[1:]), last + 1) if match[1])}
    return found
