"""No link leads nowhere, and no page is lost; what the README says about the SDKs is so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import stytch

from assay.api import server
from tests.docs import pages

DOCS = pages.ROOT / "docs"
START = DOCS / "README.md"
README = pages.ROOT / "README.md"
PAGES = sorted([*pages.ROOT.glob("*.md"), *DOCS.rglob("*.md")])
NODE = pages.ROOT / "tests" / "sdk" / "node"

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_OWN_ROW = re.compile(r"^\| `([A-Z]+ /[^`]*)` \|", re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z_.]+)` \| `([a-zA-Z.]+)` \| (.*?) \|$", re.MULTILINE)


class SdkCall(NamedTuple):
    """One row of the README's tables."""

    client: str
    python: str
    node: str
    wire: str


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Every relative link of a page: the file and the anchor that it names."""
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """Where a link into a page can lead: its headings, as they are turned into anchors."""
    headings = _HEADING.findall(_CODE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(target), f"{target} has no heading #{anchor}"


def test_every_page_can_be_reached_from_the_documentation_s_start() -> None:
    found, waiting = {START}, [START]
    while waiting:
        new = {target for target, _ in links(waiting.pop()) if target.suffix == ".md"} - found
        found |= new
        waiting += new
    assert set(DOCS.rglob("*.md")) - found == set()


def sdk_calls() -> list[SdkCall]:
    parts = re.split(r"^### Calls that work: `(\w+)`$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    named = zip(parts[::2], parts[1::2], strict=True)
    return [SdkCall(client, *row) for client, part in named for row in _ROW.findall(part)]


# The client itself makes its credentials in a way that its HTTP library calls out of date.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
def test_the_calls_of_the_readme_are_in_the_python_sdk() -> None:
    with requests.Session() as session:
        clients: dict[str, Any] = {
            name: getattr(stytch, name)("project-test-1", "secret", "http://127.0.0.1:1/", sync_session=session)
            for name in ("B2BClient", "Client")
        }
        for call in sdk_calls():
            assert callable(attrgetter(call.python)(clients[call.client])), call.python
            if not call.python.endswith("_local"):
                assert callable(attrgetter(f"{call.python}_async")(clients[call.client])), call.python


def test_the_calls_of_the_readme_are_in_the_node_sdk() -> None:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "stytch").exists():
        pytest.fail("the npm client is not installed; make test installs it")
    script = """
        const stytch = require("stytch");
        console.warn = () => {};
        const given = { project_id: "project-test-1", secret: "secret", env: "http://127.0.0.1:1" };
        const at = (client, path) => path.split(".").reduce((part, name) => part?.[name], new stytch[client](given));
        const missing = JSON.parse(process.argv[1]).filter(([client, path]) => typeof at(client, path) !== "function");
        console.log(JSON.stringify(missing));
    """
    calls = json.dumps([(call.client, call.node) for call in sdk_calls()])
    done = subprocess.run([node, "-e", script, calls], cwd=NODE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_the_readme_names_every_route_and_no_other() -> None:
    named = {call.wire.strip("`") for call in sdk_calls() if not call.wire.startswith("local")}
    named |= set(_OWN_ROW.findall(README.read_text(encoding="utf-8")))
    routes = {f"{row.method} {row.path}" for row in server.ROUTES} | {f"GET {path}" for path in server.JWKS_PATHS}
    assert named == routes
