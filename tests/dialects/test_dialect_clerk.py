"""Clerk: the session token, version 2, as Clerk documents it."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://clerk.example.com"

DIALECT = Dialect(
    preset="clerk",
    settings={"frontend_api": "clerk.example.com", "origin": "https://app.example.com"},
    claims={
        "azp": "https://app.example.com",
        "exp": NOW + 60,
        "fea": "o:dashboard,o:impersonation",
        "fva": [7, -1],
        "iat": NOW,
        "iss": ISSUER,
        "jti": "6f5a0b7c2d1e4f3a9b8c",
        "nbf": NOW - 10,
        "o": {
            "id": "org_2aBcDeFgHiJkLmNoPqRsTuVwXyZ",
            "slg": "acme",
            "rol": "admin",
            "per": "read,manage",
            "fpm": "3,2",
        },
        "pla": "u:free,o:pro",
        "sid": "sess_2bCdEfGhIjKlMnOpQrStUvWxYzA",
        "sts": "active",
        "sub": "user_2cDeFgHiJkLmNoPqRsTuVwXyZaB",
        "v": 2,
    },
    header={"cat": "cl_B7d4PD111AAA", "typ": "JWT"},
    kid="ins_2dEfGhIjKlMnOpQrStUvWxYzAbC",
    jwk={"alg": "RS256"},
    expected={
        "external_id": "user_2cDeFgHiJkLmNoPqRsTuVwXyZaB",
        "organization": "org_2aBcDeFgHiJkLmNoPqRsTuVwXyZ",
        "organization_name": "acme",
    },
    also={
        "without token id": Good(claims={"jti": ABSENT}, why="The hash of the token stands for it."),
        "from before sessions had tasks": Good(
            claims={"sts": ABSENT}, why="A session that says nothing of tasks has none."
        ),
        "without an active organization": Good(
            claims={"o": ABSENT},
            verticals=("consumer",),
            expected={"organization": None, "organization_name": None},
            why="In a B2B project the request then names the organization.",
        ),
    },
    wrong={
        "another instance": Wrong(
            claims={"iss": "https://happy-fox-12.clerk.accounts.dev"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each instance, development or production, is an issuer of its own.",
        ),
        "another origin": Wrong(
            claims={"azp": "https://other.example.net"},
            code="jwt_invalid_audience",
            step="audience",
            why="The token was asked for by a page of another site.",
        ),
        "no origin": Wrong(
            claims={"azp": ABSENT},
            code="jwt_invalid_audience",
            step="audience",
            why="Nothing in the token says which application it was asked for by.",
        ),
        "a session with tasks to be done": Wrong(
            claims={"sts": "pending"},
            step="conditions",
            why="Somebody who has yet to choose an organization or set up a second factor is not logged in.",
        ),
        "a token of a JWT template": Wrong(
            claims={"sid": ABSENT, "sts": ABSENT, "o": ABSENT, "fva": ABSENT, "v": ABSENT},
            header={"cat": "cl_B7d4PD222AAA"},
            step="conditions",
            why="Templates make tokens for other services, under the same key.",
        ),
        "an OAuth access token": Wrong(
            claims={"azp": ABSENT, "sid": ABSENT, "client_id": "xvGKPIHEJXDbCJGN"},
            header={"typ": "at+jwt"},
            code="invalid_trusted_auth_token",
            step="type",
            why="It was given to another application, for a part of what its user may do.",
        ),
        "an impersonated session": Wrong(
            claims={"act": {"iss": "https://dashboard.clerk.com", "sid": "sess_456", "sub": "user_456"}},
            step="conditions",
            why="Somebody of your team acts as the user, which the session would not show.",
        ),
        "two minutes later": Wrong(
            claims={"iat": NOW - 120, "nbf": NOW - 130, "exp": NOW - 60},
            step="times",
            why="Tokens are good for about a minute.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
