"""Auth0: access tokens for an API, in the profile of Auth0 and in that of RFC 9068."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://acme.eu.auth0.com/"
API = "https://api.example.com"
CLIENT_ID = "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja"

DIALECT = Dialect(
    preset="auth0_access",
    settings={"domain": "acme.eu.auth0.com", "audience": API},
    claims={
        "iss": ISSUER,
        "sub": "auth0|6553da60a54af58e29493993",
        "aud": [API, f"{ISSUER}userinfo"],
        "azp": CLIENT_ID,
        "exp": NOW + 86_400,
        "iat": NOW,
        "scope": "openid profile read:patients",
        "org_id": "org_9ybsU1dN2dKfDkBi",
        "permissions": ["read:patients"],
    },
    kid="QjY1RDc4QkY0RTNERTk2NkJFQzU2",
    jwk={"alg": "RS256"},
    expected={"external_id": "auth0|6553da60a54af58e29493993", "organization": "org_9ybsU1dN2dKfDkBi"},
    also={
        "for the API alone": Good(
            claims={"aud": API, "scope": "read:patients"}, why="Without the scope openid the audience is a text."
        ),
        "in the profile of RFC 9068": Good(
            claims={"azp": ABSENT, "client_id": CLIENT_ID, "jti": "73WakrfVbNJBaAmhQtEeDv"},
            header={"typ": "at+jwt"},
            why="The profile of an API is chosen in its settings.",
        ),
    },
    wrong={
        "another tenant": Wrong(
            claims={"iss": "https://stranger.eu.auth0.com/"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each tenant is an issuer of its own.",
        ),
        "an issuer without the slash": Wrong(
            claims={"iss": "https://acme.eu.auth0.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The issuer has a slash at its end; without it it is another name.",
        ),
        "another API": Wrong(
            claims={"aud": ["https://other.example.com", f"{ISSUER}userinfo"]},
            code="jwt_invalid_audience",
            step="audience",
            why="Whoever runs the other API could else use what it is given here.",
        ),
        "an ID token": Wrong(
            claims={"aud": CLIENT_ID, "azp": ABSENT, "scope": ABSENT, "nonce": "n-0S6_WzA2Mj"},
            code="jwt_invalid_audience",
            step="audience",
            why="An ID token is for the application; the preset auth0 takes those.",
        ),
        "an application's own token": Wrong(
            claims={"sub": f"{CLIENT_ID}@clients", "gty": "client-credentials", "aud": API, "scope": "read:patients"},
            step="conditions",
            why="An application that acts for itself is nobody who could log in.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
