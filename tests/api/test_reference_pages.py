"""The reference that a server shows of itself: whole, safe, cached, and without anything of another server."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from assay import errors
from assay.api import openapi, reference
from assay.api.reference import pages
from tests.world import World, open_world

DOCUMENTS = reference.documents("")
HTML = {path: document.body.decode() for path, document in DOCUMENTS.items() if b"html" in document.content_type}
CALLS = [call for path in openapi.document("")["paths"].values() for call in path.values()]
VOID = {"meta", "link", "wbr", "br", "hr", "img"}


class Page(HTMLParser):
    """What a page holds; ``faults`` are tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.faults += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        if tag == "a":
            self.links.append(found["href"])
        else:
            self.loaded += [found[name] for name in ("href", "src") if name in found]
        self.faults += [name for name in found if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(tag)


PAGES = {path: Page(text) for path, text in HTML.items()}


def targets(path: str) -> Iterator[tuple[str, str]]:
    """Where the links of a page lead: a path and an anchor."""
    for link in PAGES[path].links:
        place, _, anchor = link.partition("#")
        yield posixpath.normpath(posixpath.join(posixpath.dirname(path), place)) if place else path, anchor


# ---------------------------------------------------------------- what they show


def test_every_call_has_a_section_with_an_example() -> None:
    ids = {name for page in PAGES.values() for name in page.ids}
    assert {call["operationId"] for call in CALLS} <= ids
    assert sum(text.count("curl ") for text in HTML.values()) == len(CALLS)


def test_the_index_leads_to_every_call() -> None:
    assert {call["operationId"] for call in CALLS} <= {anchor for _, anchor in targets(pages.HOME)}


def test_every_code_has_a_section_that_says_what_to_do() -> None:
    text = HTML["/docs/errors"]
    for error in errors.all_errors():
        section = text.partition(f'<section class="error" id="{error.code}"')[2].partition("</section>")[0]
        assert section.count("<p>") + section.count('<p class="says">') >= 2, error.code


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_somewhere(path: str) -> None:
    for place, anchor in targets(path):
        assert place in DOCUMENTS, (path, place)
        assert not anchor or anchor in PAGES[place].ids, (path, place, anchor)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_well_formed_and_loads_nothing_but_the_style_sheet(path: str) -> None:
    page = PAGES[path]
    assert page.faults == []
    assert len(set(page.ids)) == len(page.ids)
    assert not page.tags & {"script", "iframe", "img", "object", "form", "style"}
    style, icon = page.loaded
    assert posixpath.normpath(posixpath.join(posixpath.dirname(path), style)) == "/docs/style.css"
    assert icon.startswith("data:image/svg+xml,")


def test_the_style_sheet_loads_nothing() -> None:
    style = DOCUMENTS["/docs/style.css"].body
    assert b"url(" not in style
    assert b"@import" not in style
    assert b"prefers-color-scheme: dark" in style


def test_text_is_escaped() -> None:
    described = openapi.document.__wrapped__("")
    described["paths"]["/healthz"]["get"]["summary"] = "<script>`<b>`&"
    text = pages.all_pages(described)["/docs/keys-and-probes"][1]
    assert "&lt;script&gt;<code>&lt;b&gt;</code>&amp;" in text
    assert "<script>" not in text


def test_examples_call_the_public_url() -> None:
    page = reference.documents("https://auth.example.com")["/docs/keys-and-probes"].body.decode()
    assert "curl https://auth.example.com/healthz" in page
    assert "curl http://127.0.0.1:8080/healthz" in HTML["/docs/keys-and-probes"]


# ---------------------------------------------------------------- how they are served


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_is_served_to_everybody_and_looked_at_again(world: World, path: str) -> None:
    async with world.client() as client:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.content == DOCUMENTS[path].body
        assert answer.headers["content-type"].encode() == DOCUMENTS[path].content_type
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = await client.get(path, headers={"if-none-match": f'"other", {answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]


async def test_another_etag_gets_the_document(world: World) -> None:
    async with world.client() as client:
        assert (await client.get("/openapi.json", headers={"if-none-match": '"other"'})).status_code == 200


def test_documents_that_differ_have_other_etags() -> None:
    etags = {document.etag for document in DOCUMENTS.values()}
    assert len(etags) == len(DOCUMENTS)
    assert reference.documents("https://auth.example.com")["/openapi.json"].etag not in etags


async def test_head_gets_the_headers_alone(world: World) -> None:
    async with world.client() as client:
        answer = await client.head("/openapi.json")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(DOCUMENTS["/openapi.json"].body)


async def test_a_slash_too_many_is_led_back(world: World) -> None:
    async with world.client() as client:
        answer = await client.get("/docs/", follow_redirects=True)
    assert answer.url.path == "/docs"
    assert answer.status_code == 200


async def test_what_is_no_page_and_what_is_no_get_are_refused_in_json(world: World) -> None:
    async with world.client() as client:
        missing, posted = await client.get("/docs/nothing"), await client.post("/docs")
    assert (missing.status_code, missing.json()["error_type"]) == (404, "route_not_found")
    assert (posted.status_code, posted.json()["error_type"], posted.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET",
    )


@pytest.mark.parametrize("public_url", ["", "https://auth.example.com"], ids=["without a public URL", "with one"])
async def test_the_url_of_a_refusal_leads_to_the_reference(tmp_path: Path, public_url: str) -> None:
    async with open_world(tmp_path, {"ASSAY_PUBLIC_URL": public_url}) as world, world.client() as client:
        answer = await client.get("/v1/debug/whoami")
        assert answer.json()["error_url"] == f"{public_url}/docs/errors#unauthorized_credentials"
        page = await client.get(httpx.URL(answer.json()["error_url"]).path)
    assert 'id="unauthorized_credentials"' in page.text
