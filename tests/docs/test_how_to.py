"""The how-tos do what they say, against a real server and real issuers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.docs import pages
from tests.issuer import AUDIENCE, Issuer, make_key, serving
from tests.process import Assay

FOLDER = pages.ROOT / "docs" / "how-to"
URL = "http://127.0.0.1:8080"


class World(NamedTuple):
    """A server over ``assay.db`` in a folder, and an issuer."""

    folder: Path
    assay: Assay
    url: str
    issuer: Issuer

    def run(self, page: str, environ: dict[str, str], replaced: dict[str, str]) -> None:
        pages.run(FOLDER / page, self.folder, self.assay.environ | environ, replaced)

    def project(self, vertical: str) -> tuple[str, str]:
        made = self.assay.create_project(vertical, vertical)
        return made["project_id"], made["secret"]

    def profile(self, project_id: str, profile_id: str, **mapping: str) -> None:
        keys = ("--jwks-url", self.issuer.jwks_url, "--jit")
        whom = {"issuer": self.issuer.url, "audience": AUDIENCE}
        self.assay.create_profile(project_id, *keys, profile_id=profile_id, mapping=mapping, **whom)

    def post(self, path: str, credentials: tuple[str, str], body: dict[str, Any]) -> dict[str, str]:
        answer: dict[str, str] = requests.post(self.url + path, json=body, auth=credentials, timeout=30).json()
        return answer


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    assay = Assay(tmp_path)
    with serving([make_key("RSA")]) as issuer, assay.serving() as server:
        yield World(tmp_path, assay, server.url, issuer)


def test_the_vercel_page_runs_with_a_token_of_that_shape(world: World) -> None:
    project_id, secret = world.project("b2b")
    person = {"email": "", "user_email": "ada@example.com", "global_user_id": "user_1", "installation_id": "icfg_1"}
    token = world.issuer.mint({**person, "aud": "oac_1", "account_id": "team_1", "user_role": "ADMIN"})
    given = {"PROJECT_ID": project_id, "SECRET": secret, "CLIENT_ID": "oac_1", "VERCEL_TOKEN": token}
    jwks = "https://marketplace.vercel.com/.well-known/jwks"
    # In this order: the address of the keys begins with the issuer.
    replaced = {jwks: world.issuer.jwks_url, "https://marketplace.vercel.com": world.issuer.url, URL: world.url}
    world.run("vercel-marketplace.md", given, replaced)


def test_the_page_about_a_legacy_login_runs(world: World) -> None:
    project_id, secret = world.project("b2b")
    world.run("migrate-legacy-login.md", {"PROJECT_ID": project_id, "SECRET": secret}, {URL: world.url})


def test_the_page_from_consumer_to_b2b_and_back_runs(world: World) -> None:
    shop, team = world.project("consumer"), world.project("b2b")
    world.profile(shop[0], "login", email="email", external_user_id="sub")
    body = {"profile_id": "login", "token": world.issuer.mint({"email_verified": True}), "session_duration_minutes": 60}
    session = world.post("/v1/sessions/attest", shop, body)
    given = {"SHOP_ID": shop[0], "SHOP_SECRET": shop[1], "TEAM_ID": team[0], "TEAM_SECRET": team[1]}
    world.run("consumer-to-b2b-and-back.md", given | {"SHOP_SESSION_TOKEN": session["session_token"]}, {URL: world.url})


def test_the_page_about_key_sources_runs(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    project_id = assay.create_project("Acme", "b2b")["project_id"]
    World(tmp_path, assay, "", Issuer()).run("key-sources.md", {"PROJECT_ID": project_id}, {})
    found = {each["profile_id"]: each for each in assay.run("profile", "list", "--project-id", project_id)["profiles"]}
    assert {name: each["key_sources"][0]["kind"] for name, each in found.items()} == {
        "auth0": "discovery",
        "firebase": "x509_map",
        "shop_alb": "alb",
        "factory": "jwks",
        "shop": "hmac",
    }
    assert not any(each["problems"] for each in found.values())


def test_the_page_about_a_second_factor_runs(world: World) -> None:
    project = world.project("b2b")
    for profile_id in ("login", "step_up"):
        world.profile(project[0], profile_id, email="email", organization_id="org")
    body: dict[str, Any] = {"profile_id": "login", "token": world.issuer.mint({"org": "engines"})}
    session = world.post("/v1/b2b/sessions/attest", project, body)
    given = {"PROJECT_ID": project[0], "SECRET": project[1], "SESSION_TOKEN": session["session_token"]}
    step_up = world.issuer.mint({"org": "engines"})
    world.run("add-a-factor.md", given | {"STEP_UP_TOKEN": step_up}, {URL: world.url})


def test_the_page_about_refusals_finds_the_reason(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    with serving([make_key("RSA")]) as issuer:
        with assay.serving() as server:
            world = World(tmp_path, assay, server.url, issuer)
            project = world.project("b2b")
            world.profile(project[0], "login", email="email")
            body: dict[str, Any] = {"profile_id": "login", "token": issuer.mint({"aud": "somebody-else"})}
            refused = world.post("/v1/b2b/sessions/attest", project, body)
        (tmp_path / "assay.log").write_text("".join(server.log))
        world.run("see-why-refused.md", {"REQUEST_ID": refused["request_id"]}, {})
