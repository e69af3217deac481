"""Zendesk apps: the token that comes with the request for the first page of an app."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, PEM, Dialect, Wrong
from tests.dialects.harness import checks_of

API = "https://acme.zendesk.com/api/v2"
USER = f"{API}/users/1155789.json"

DIALECT = Dialect(
    preset="zendesk_app",
    settings={"subdomain": "acme", "installation_id": "1234567", "public_key": PEM},
    claims={
        "exp": NOW + 300,
        "nbf": NOW - 60,
        "iss": "acme.zendesk.com",
        "aud": f"{API}/apps/installations/1234567.json",
        "iat": NOW,
        "sub": USER,
        "cnf": {"jku": f"{API}/apps/82642/public_key.pem"},
        "qsh": "6f3b94ce8f6d1c6ab1f4e13cc4ddd0e4d0d0ab6cb0ee34e1c4f5a8a3a3d06f3b",
        "context": {"product": "support", "location": "ticket_sidebar"},
    },
    expected={"external_id": USER, "organization": "acme.zendesk.com"},
    wrong={
        "another installation of the app": Wrong(
            claims={"aud": f"{API}/apps/installations/7654321.json"},
            code="jwt_invalid_audience",
            step="audience",
            why="The key is the app's, for all who have installed it; only the URL of the installation is yours.",
        ),
        "another account": Wrong(
            claims={"iss": "stranger.zendesk.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Anybody with a Zendesk account can install your app.",
        ),
        "an agent of another account": Wrong(
            claims={"sub": "https://stranger.zendesk.com/api/v2/users/1155789.json"},
            step="conditions",
            why="Numbers of users mean something within their account alone.",
        ),
        "a URL as issuer": Wrong(
            claims={"iss": "https://acme.zendesk.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Zendesk writes a bare host name.",
        ),
        "no agent": Wrong(claims={"sub": ABSENT}, step="conditions", why="Nothing else in the token names a person."),
        "a key that the token itself names": Wrong(
            claims={"cnf": {"jku": "https://stranger.example/public_key.pem"}},
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="Only the key that you were given counts; no URL in a token is ever followed.",
        ),
        "a shared secret instead of the key": Wrong(
            alg="HS256",
            code="invalid_trusted_auth_token",
            step="algorithm",
            why="Apps are signed for with RS256; a token of Zendesk Messaging or single sign-on is another thing.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
