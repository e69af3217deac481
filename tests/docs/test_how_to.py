"""The how-tos do what they say, against a real server and real issuers."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests import postgres
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
    with serving([make_key("RSA")]) as issuer, assay.serving() as server:
        world = World(tmp_path, assay, server.url, issuer)
        project = world.project("b2b")
        world.profile(project[0], "login", email="email")
        body: dict[str, Any] = {"profile_id": "login", "token": issuer.mint({"aud": "somebody-else"})}
        refused = world.post("/v1/b2b/sessions/attest", project, body)
        server.line_with(refused["request_id"])  # the answer may be here before its line is read
        (tmp_path / "assay.log").write_text("".join(server.log))
        given = {"REQUEST_ID": refused["request_id"], "PROJECT_ID": project[0], "SECRET": project[1]}
        world.run("see-why-refused.md", given | {"TOKEN": body["token"]}, {URL: world.url})


def test_the_page_about_configuration_as_code_runs(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    World(tmp_path, assay, "", Issuer()).run("configuration-as-code.md", {}, {})
    [project] = assay.run("project", "list")["projects"]
    project_id = {each["environment_slug"]: each["project_id"] for each in project["environments"]}["staging"]
    found = {each["profile_id"]: each for each in assay.run("profile", "list", "--project-id", project_id)["profiles"]}
    assert found.keys() == {"auth0", "legacy", "shop", "production"}
    assert (found["auth0"]["leeway_seconds"], found["auth0"]["can_jit_provision"]) == (60, False)
    assert not any(each["problems"] for each in found.values())


def test_the_page_about_taking_over_people_runs(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    project_id = assay.create_project("Acme", "b2b")["project_id"]
    World(tmp_path, assay, "", Issuer()).run("import-people.md", {"PROJECT_ID": project_id}, {})


@pytest.fixture
def ada(world: World) -> tuple[str, str]:
    """A project in which Ada, with the external id user-1, of the organization acme, is logged in."""
    project = world.project("b2b")
    world.profile(project[0], "login", email="email", external_member_id="user")
    world.post("/v1/b2b/organizations", project, {"organization_name": "Acme", "organization_slug": "acme"})
    body: dict[str, Any] = {"profile_id": "login", "token": world.issuer.mint({"user": "user-1"})}
    world.post("/v1/b2b/sessions/attest", project, body | {"organization_id": "acme"})
    return project


def test_the_page_about_erasing_a_person_runs(world: World, ada: tuple[str, str]) -> None:
    world.run("erase-a-person.md", {"PROJECT_ID": ada[0]}, {})


def test_the_page_about_ending_sessions_runs(world: World, ada: tuple[str, str]) -> None:
    bob: dict[str, Any] = {"profile_id": "login", "token": world.issuer.mint({"user": "user-2", "email": "bob@a.test"})}
    world.post("/v1/b2b/sessions/attest", ada, bob | {"organization_id": "acme"})
    world.run("end-sessions.md", {"PROJECT_ID": ada[0]}, {})


def test_the_page_about_following_events_runs(world: World, ada: tuple[str, str]) -> None:
    world.run("follow-events.md", {"PROJECT_ID": ada[0], "SECRET": ada[1]}, {URL: world.url})


def test_the_page_about_https_runs(tmp_path: Path) -> None:
    World(tmp_path, Assay(tmp_path), "", Issuer()).run("serve-tls.md", {}, {"8443": str(_free_port())})


def test_the_page_about_monitoring_runs(tmp_path: Path) -> None:
    ports = {"8080": str(_free_port()), "127.0.0.1:9464": f"127.0.0.1:{_free_port()}"}
    World(tmp_path, Assay(tmp_path), "", Issuer()).run("monitor.md", {}, ports)


def test_the_page_about_the_dashboard_runs(tmp_path: Path) -> None:
    World(tmp_path, Assay(tmp_path), "", Issuer()).run("use-the-dashboard.md", {}, {"8080": str(_free_port())})
    assert (tmp_path / "assay.db.first-operator").stat().st_mode & 0o777 == 0o600


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("page", ["roles-and-permissions.md", "shape-session-jwt.md"])
def test_the_pages_about_what_an_environment_sets_run(world: World, page: str) -> None:
    made = world.assay.create_project("Acme", "b2b")
    key = world.assay.run("workspace-key", "create")
    world.profile(made["project_id"], "idp", email="email", external_member_id="sub", role_ids="roles")
    given = {
        "PROJECT_SLUG": made["project_slug"],
        "PROJECT_ID": made["project_id"],
        "SECRET": made["secret"],
        "WORKSPACE_KEY_ID": key["workspace_key_id"],
        "WORKSPACE_KEY_SECRET": key["workspace_key_secret"],
        "TOKEN": world.issuer.mint({"email": "ada@example.com", "roles": ["editor", "captain"]}),
    }
    world.run(page, given, {URL: world.url})


def test_the_page_about_changing_a_secret_runs(world: World) -> None:
    project_id, secret = world.project("b2b")
    world.run("rotate-secrets.md", {"PROJECT_ID": project_id, "SECRET": secret}, {URL: world.url})


def test_the_page_about_changing_signing_keys_runs(world: World) -> None:
    project = world.project("b2b")
    world.profile(project[0], "login", email="email", organization_id="org")
    body: dict[str, Any] = {"profile_id": "login", "token": world.issuer.mint({"org": "engines"})}
    session = world.post("/v1/b2b/sessions/attest", project, body)
    given = {"PROJECT_ID": project[0], "SECRET": project[1], "SESSION_TOKEN": session["session_token"]}
    world.run("rotate-signing-keys.md", given, {URL: world.url})


@pytest.fixture
def stopped(tmp_path: Path) -> World:
    """An installation with signing keys whose server has stopped."""
    assay = Assay(tmp_path)
    project_id = assay.create_project("Acme", "b2b")["project_id"]
    with assay.serving() as server:
        requests.get(f"{server.url}/v1/b2b/sessions/jwks/{project_id}", timeout=30).raise_for_status()
    return World(tmp_path, assay, "", Issuer())


def test_the_page_about_the_root_key_runs(stopped: World) -> None:
    before = (stopped.folder / "assay.db.root-key").read_text()
    stopped.run("change-the-root-key.md", {}, {})
    assert not (stopped.folder / "assay.db.root-key").exists()
    assert (stopped.folder / "new-root-key").read_text() != before
    key = (stopped.folder / "new-root-key").read_text().strip()
    with stopped.assay.serving(environ={"ASSAY_ROOT_KEY": key}):
        pass


def test_the_page_about_backups_runs(stopped: World) -> None:
    stopped.run("back-up-and-restore.md", {}, {})
    assert stopped.assay.run("events", "--limit", "1")["events"][0]["action"] == "store.restored"


@pytest.fixture
def database() -> str:
    """An empty database of PostgreSQL."""
    return postgres.server().database()


def test_the_page_about_moving_to_postgresql_runs(stopped: World, database: str) -> None:
    port = _free_port()
    started = f"assay serve --port {port} --metrics none 2> assay.log &\nserver=$!"
    answers = f"until curl --silent --fail --output /dev/null http://127.0.0.1:{port}/readyz; do sleep 0.1; done"
    replaced = {
        # The page speaks of a service; here the same is a job of the shell.
        "```console\nsystemctl status assay": f"```sh\n{started}\n{answers}",
        "```console\nsystemctl stop assay": "```sh\nkill -INT $server\nwait $server",
        "postgresql://assay@db.example.com/assay": database,
    }
    stopped.run("move-to-postgresql.md", {}, replaced)
    root_key = (stopped.folder / "new-root-key").read_text().strip()
    for name in (database, f"sqlite:///{stopped.folder / 'back.db'}"):
        found = Assay(
            stopped.folder, {"ASSAY_DATABASE": name} | ({"ASSAY_ROOT_KEY": root_key} if name == database else {})
        )
        assert [each["name"] for each in found.run("project", "list")["projects"]] == ["Acme"]


def test_the_page_about_production_on_postgresql_runs(tmp_path: Path, database: str) -> None:
    replaced = {
        f"postgresql://{user}@db.example.com/assay": database.replace("postgres@", f"{user}@")
        for user in ("postgres", "assay_owner", "assay_server")
    }
    environ = {"PATH": f"{postgres.server().programs}:{os.environ['PATH']}"}
    World(tmp_path, Assay(tmp_path), "", Issuer()).run("production-on-postgresql.md", environ, replaced)
    assert (tmp_path / "assay.dump").stat().st_size > 0


def test_the_page_about_services_runs_and_names_what_there_is(tmp_path: Path) -> None:
    ports = {"--port 8080 --metrics 127.0.0.1:9464": f"--port {_free_port()} --metrics 127.0.0.1:{_free_port()}"}
    World(tmp_path, Assay(tmp_path), "", Issuer()).run("install-as-a-service.md", {}, ports)
    assert (tmp_path / "assay.env").stat().st_mode & 0o777 == 0o600
    page = (FOLDER / "install-as-a-service.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:packaging|requirements)/[\w.-]+", page))
    assert named >= {"packaging/assay.service", "packaging/Containerfile", "requirements/run.txt"}
    assert [name for name in named if not (pages.ROOT / name).exists()] == []
    unit = (pages.ROOT / "packaging" / "assay.service").read_text(encoding="utf-8")
    for name in ("/etc/assay/assay.env", "/opt/assay/bin/assay", "sqlite:////var/lib/assay/assay.db", "SERVE_OPTIONS"):
        assert name in page
        assert name in unit
