"""Who session JWTs say they are from (decisions D31), and which keys sign them (decisions D25)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jwt
import pytest
import requests
from stytch import B2BClient

from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import Assay, Server
from tests.sdk.clients import Credentials, person


class Moved(NamedTuple):
    """A server that got its public URL after it had made a session."""

    assay: Assay
    server: Server
    project: Credentials
    before: Any


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """The same installation twice on the same port: without a public URL, then with the base URL clients use."""
    folder = tmp_path_factory.mktemp("public-url")
    issuer = Issuer(keys=[make_key("RSA", "key-1")])
    assay = Assay(folder)
    made = assay.create_project("Moved", "b2b")
    project = Credentials(made["project_id"], made["secret"])
    pem = folder / "issuer.pem"
    pem.write_text(issuer.keys[0].pem())
    assay.create_profile(
        project.project_id,
        *("--pem", str(pem), "--jit"),
        issuer=issuer.url,
        audience=AUDIENCE,
        profile_id="open",
        mapping={"email": "email", "organization_id": "org_id"},
    )
    with assay.serving() as server, requests.Session() as session:
        client = _client(server, project, session)
        before = client.sessions.attest(profile_id="open", token=issuer.mint(person(org_id="acme")))
    with assay.serving(port=server.port, environ={"ASSAY_PUBLIC_URL": server.url + "/"}) as again:
        assert again.url == server.url
        yield Moved(assay, again, project, before)


@pytest.fixture
def client(moved: Moved) -> Iterator[B2BClient]:
    with requests.Session() as session:
        yield _client(moved.server, moved.project, session)


def _client(server: Server, project: Credentials, session: requests.Session) -> B2BClient:
    return B2BClient(*project, environment=f"{server.url}/", sync_session=session)


def _issuer_of(session_jwt: str) -> str:
    issuer: str = jwt.decode(session_jwt, options={"verify_signature": False})["iss"]
    return issuer


def test_without_a_public_url_the_issuer_is_made_of_the_project_id(moved: Moved, client: B2BClient) -> None:
    assert _issuer_of(moved.before.session_jwt) == f"stytch.com/{moved.project.project_id}"
    assert client.sessions.authenticate_jwt_local(moved.before.session_jwt) is not None


def test_the_public_url_is_the_issuer_and_the_client_accepts_it_locally(moved: Moved, client: B2BClient) -> None:
    found = client.sessions.authenticate(session_token=moved.before.session_token)
    assert _issuer_of(found.session_jwt) == moved.server.url
    local = client.sessions.authenticate_jwt_local(found.session_jwt)
    assert local is not None
    assert local.member_session_id == moved.before.member_session.member_session_id


def test_jwts_of_both_issuers_authenticate(moved: Moved, client: B2BClient) -> None:
    older = client.sessions.authenticate(session_jwt=moved.before.session_jwt)
    newer = client.sessions.authenticate(session_jwt=older.session_jwt)
    assert _issuer_of(older.session_jwt) == _issuer_of(newer.session_jwt) == moved.server.url
    assert newer.session_token == moved.before.session_token


def test_after_a_rotation_clients_verify_with_the_keys_they_already_have(moved: Moved, client: B2BClient) -> None:
    """The next key was published before it signed, so nobody has to fetch keys at the moment of the change."""
    first = client.sessions.authenticate(session_token=moved.before.session_token)
    assert client.sessions.authenticate_jwt_local(first.session_jwt) is not None
    moved.assay.run("keys", "rotate", "--project-id", moved.project.project_id)
    second = client.sessions.authenticate(session_token=moved.before.session_token)
    kids = [jwt.get_unverified_header(each.session_jwt)["kid"] for each in (first, second)]
    assert kids[0] != kids[1]
    fetched = client.jwks_client.get_jwk_set(refresh=False)
    assert set(kids) <= {key.key_id for key in fetched.keys}
    assert client.sessions.authenticate_jwt_local(second.session_jwt) is not None
    assert client.sessions.authenticate(session_jwt=first.session_jwt).status_code == 200
    published = client.sessions.get_jwks(project_id=moved.project.project_id)
    assert set(kids) < {key.kid for key in published.keys}
