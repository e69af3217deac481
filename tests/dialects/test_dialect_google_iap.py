"""Google Identity-Aware Proxy: x-goog-iap-jwt-assertion, as Google documents its signed headers."""

from __future__ import annotations

from tests.dialects.dialect import NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

AUDIENCE = "/projects/123456789/global/backendServices/987654321"

DIALECT = Dialect(
    preset="google_iap",
    settings={"audience": AUDIENCE},
    claims={
        "iss": "https://cloud.google.com/iap",
        "aud": AUDIENCE,
        "azp": AUDIENCE,
        "sub": "accounts.google.com:118133858486581853996",
        "email": "ada@example.com",
        "hd": "example.com",
        "google": {"access_levels": []},
        "iat": NOW - 30,
        "exp": NOW + 570,
    },
    alg="ES256",
    kid="f9R3yg",
    family="P-256",
    expected={
        "external_id": "accounts.google.com:118133858486581853996",
        "email": "ada@example.com",
        "email_verified": "silent",
        "organization": "example.com",
    },
    also={
        "with all the skew that Google allows": Good(
            claims={"iat": NOW - 30, "exp": NOW + 630}, why="Ten minutes, and thirty seconds at each end."
        )
    },
    wrong={
        "another project's": Wrong(
            claims={"aud": "/projects/1/global/backendServices/987654321"},
            code="jwt_invalid_audience",
            step="audience",
            why="All customers share one issuer and its keys; the audience names the application.",
        ),
        "App Engine's in the same project": Wrong(
            claims={"aud": "/projects/123456789/apps/acme-app"},
            code="jwt_invalid_audience",
            step="audience",
            why="Another application of the project, with another policy, let this person in.",
        ),
        "an ID token of Google": Wrong(
            claims={"iss": "https://accounts.google.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The proxy has an issuer of its own; an ID token is what a client shows to the proxy.",
        ),
        "a long life": Wrong(
            claims={"exp": NOW + 3600},
            step="times",
            why="The proxy's tokens live for ten minutes; one that lives longer is not the proxy's.",
        ),
        "an external identity's": Wrong(
            claims={
                "sub": "securetoken.google.com/acme-app:5dPYcBlCLhbH",
                "gcip": {"auth_time": NOW - 60, "email": "ada@example.com", "sub": "5dPYcBlCLhbH"},
            },
            step="conditions",
            why="External identities are accounts of another sort, which anybody may have made.",
        ),
        "another algorithm": Wrong(
            header={"alg": "RS256"},
            code="invalid_trusted_auth_token",
            step="algorithm",
            why="The proxy signs with ES256 alone.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
