"""Auth0: the ID token of an application."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://acme.eu.auth0.com/"
CLIENT_ID = "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja"

DIALECT = Dialect(
    preset="auth0",
    settings={
        "domain": "acme.eu.auth0.com",
        "client_id": CLIENT_ID,
        "roles_claim": "https://app.example.com/roles",
    },
    claims={
        "https://app.example.com/roles": ["editor"],
        "nickname": "ada",
        "name": "Ada Lovelace",
        "picture": "https://s.gravatar.com/avatar/0",
        "updated_at": "2026-05-28T12:00:00.000Z",
        "email": "ada@example.com",
        "email_verified": True,
        "org_id": "org_9ybsU1dN2dKfDkBi",
        "org_name": "acme",
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "sub": "auth0|6553da60a54af58e29493993",
        "sid": "jYvVuLsB2Xn6UVQ4J9XaTn3lHc0mmGAY",
        "nonce": "TWFkZSBmb3Igb25lIHVzZQ",
        "iat": NOW,
        "exp": NOW + 36_000,
    },
    kid="QjY1RDc4QkY0RTNERTk2NkJFQzU2",
    jwk={"alg": "RS256"},
    expected={
        "external_id": "auth0|6553da60a54af58e29493993",
        "email": "ada@example.com",
        "email_verified": "verified",
        "name": "Ada Lovelace",
        "organization": "org_9ybsU1dN2dKfDkBi",
        "organization_name": "acme",
        "role_ids": ("editor",),
    },
    also={
        "without the claim of an Action": Good(
            claims={"https://app.example.com/roles": ABSENT}, expected={"role_ids": None}, why="Roles stay as they are."
        ),
        "without organizations": Good(
            claims={"org_id": ABSENT, "org_name": ABSENT},
            verticals=("consumer",),
            expected={"organization": None, "organization_name": None},
            why="In a B2B project the request then names the organization.",
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
        "another application": Wrong(
            claims={"aud": "awZfdIir8YFdGZWkvCejDoUb7SjTDicx"},
            code="jwt_invalid_audience",
            step="audience",
            why="The ID token tells another application who its user is.",
        ),
        "an access token": Wrong(
            claims={"aud": ["https://api.example.com", f"{ISSUER}userinfo"], "azp": CLIENT_ID, "scope": "openid"},
            code="jwt_invalid_audience",
            step="audience",
            why="An access token is for an API; the preset auth0_access takes those.",
        ),
        "a logout token": Wrong(
            claims={"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "nonce": ABSENT},
            header={"typ": "logout+jwt"},
            code="invalid_trusted_auth_token",
            step="type",
            why="It tells the application that somebody has left.",
        ),
        "an unverified address": Wrong(
            claims={"email_verified": False},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="Anybody can sign up with anybody's address; it makes and finds nobody until it is verified.",
        ),
        "an address that says nothing": Wrong(
            claims={"email_verified": ABSENT},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="People choose their address, so silence is no proof.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
