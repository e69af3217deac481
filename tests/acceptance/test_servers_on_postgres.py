"""Several real servers over one PostgreSQL database, and that database away for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from assay.keys.sealing import RootKey
from tests import postgres
from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import Assay

PASSWORD = "hidden-in-the-address"
ROOT_KEY = RootKey.generate().text()
PATIENCE = 20.0


class Installation(NamedTuple):
    """One Assay with a consumer project that trusts an issuer."""

    assay: Assay
    auth: tuple[str, str]
    issuer: Issuer

    def client(self, url: str) -> httpx.Client:
        return httpx.Client(base_url=url, auth=self.auth, trust_env=False)

    def attest(self, client: httpx.Client) -> httpx.Response:
        token = self.issuer.mint({"email": "ada@example.com", "email_verified": True})
        body = {"profile_id": "idp", "token": token, "session_duration_minutes": 60}
        return client.post("/v1/sessions/attest", json=body)


@pytest.fixture
def address() -> Iterator[str]:
    """The test server asks nobody for a password, so that any will do."""
    url = postgres.migrated()
    yield url.replace("postgres@", f"postgres:{PASSWORD}@")
    postgres.drop(url)


@pytest.fixture
def installed(address: str, tmp_path: Path) -> Installation:
    assay = Assay(tmp_path, {"ASSAY_DATABASE": address, "ASSAY_ROOT_KEY": ROOT_KEY})
    issuer = Issuer(keys=[make_key("RSA")])
    project = assay.create_project("Acme", "consumer")
    (tmp_path / "key.pem").write_text(issuer.keys[0].pem())
    assay.create_profile(
        project["project_id"],
        *("--pem", str(tmp_path / "key.pem"), "--jit"),
        issuer=issuer.url,
        audience=AUDIENCE,
        mapping={"email": "email", "token_id": "jti"},
        profile_id="idp",
    )
    return Installation(assay, (project["project_id"], project["secret"]), issuer)


def authenticate(client: httpx.Client, session_token: str) -> httpx.Response:
    return client.post("/v1/sessions/authenticate", json={"session_token": session_token})


def test_what_one_server_does_every_other_one_heeds_at_once(installed: Installation) -> None:
    assay = installed.assay
    with assay.serving() as one, assay.serving() as other:
        with installed.client(one.url) as here, installed.client(other.url) as there:
            tokens: list[str] = [installed.attest(client).json()["session_token"] for client in (here, there)]
            for client in (here, there):
                assert [authenticate(client, token).status_code for token in tokens] == [200, 200]
            for client, token in ((there, tokens[0]), (here, tokens[1])):
                assert client.post("/v1/sessions/revoke", json={"session_token": token}).status_code == 200
            for client in (here, there):
                assert [authenticate(client, token).status_code for token in tokens] == [404, 404]
            assay.run("profile", "update", "idp", "--disable", "--project-id", installed.auth[0])
            assert {installed.attest(client).status_code for client in (here, there)} == {404}
        assert PASSWORD not in "".join(one.log + other.log)


def test_a_database_that_is_away_is_503_until_it_is_back(installed: Installation) -> None:
    with installed.assay.serving() as server, installed.client(server.url) as client:
        session_token = installed.attest(client).json()["session_token"]
        assert authenticate(client, session_token).status_code == 200
        postgres.server().stop()
        try:
            answers = [authenticate(client, session_token), installed.attest(client)]
        finally:
            postgres.server().start()
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert _served_again(client, session_token) == 200
        assert installed.attest(client).status_code == 200
    assert PASSWORD not in "".join(server.log)


def _served_again(client: httpx.Client, session_token: str) -> int:
    deadline = time.monotonic() + PATIENCE
    while (status := authenticate(client, session_token).status_code) == 503 and time.monotonic() < deadline:
        pass
    return status


def test_a_server_does_not_start_before_the_database_is_migrated(tmp_path: Path) -> None:
    url = postgres.server().database()
    assay = Assay(tmp_path, {"ASSAY_DATABASE": url, "ASSAY_ROOT_KEY": ROOT_KEY})
    refused = assay.command("serve", "--port", "0", "--metrics", "none")
    assert refused.returncode == 1
    assert "run: assay migrate" in refused.stderr
    done: dict[str, Any] = assay.run("migrate")
    assert done["applied"]
    with assay.serving() as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
    checks = json.loads(assay.command("doctor", "--json").stdout)["checks"]
    assert all(check["ok"] for check in checks)
