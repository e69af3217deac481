"""Atlassian Connect: the context token that the page of an app asks for."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, SECRET, Dialect, Wrong
from tests.dialects.harness import checks_of

CLIENT_KEY = "b11e65a5-91a8-3b8c-9d0f-2f0f4f6d1c3e"
ACCOUNT = "5d4f3c2b1a09876543210fed"

DIALECT = Dialect(
    preset="atlassian_connect",
    settings={"client_key": CLIENT_KEY, "secret": SECRET},
    claims={
        "sub": ACCOUNT,
        "qsh": "context-qsh",
        "iss": CLIENT_KEY,
        "context": {},
        "exp": NOW + 900,
        "iat": NOW,
    },
    alg="HS256",
    header={"typ": "JWT", "kid": ABSENT},
    expected={"external_id": ACCOUNT, "organization": CLIENT_KEY},
    wrong={
        "another installation": Wrong(
            claims={"iss": "0c4bd0f2-7b1f-3f6e-8f4e-0a1b2c3d4e5f"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="A client key names one site that has installed your app.",
        ),
        "the token of a request": Wrong(
            claims={"qsh": "8063ff4ca1e41df7bc90c8ab6d0f6207d491cf6dad7c66ea797b4614b71922e9"},
            step="conditions",
            why="It is bound to the URL of that request, and shows up in logs.",
        ),
        "nobody logged in": Wrong(
            claims={"sub": ABSENT}, step="conditions", why="Anonymous people get a token as well, without sub."
        ),
        "the call that says the app was installed": Wrong(
            alg="RS256",
            header={"kid": "0e50fccb-239d-4991-a5db-dc850ba3f236"},
            claims={"aud": "https://app.example.com", "sub": ABSENT},
            code="invalid_trusted_auth_token",
            step="algorithm",
            why="Those calls are signed by Atlassian's own key, for no person.",
        ),
        "a secret of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="It was not made with the secret of this installation.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
