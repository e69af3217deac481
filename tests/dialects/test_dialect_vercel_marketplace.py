"""Vercel Marketplace: the ID token of somebody who opens an integration, as Vercel documents it for its partners."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

DIALECT = Dialect(
    preset="vercel_marketplace",
    settings={"client_id": "oac_9f4YG9JFjgKkRlxoaaGG0y05"},
    claims={
        "iss": "https://marketplace.vercel.com",
        "aud": "oac_9f4YG9JFjgKkRlxoaaGG0y05",
        "sub": "account:6ab5c0d9e1f24783:user:0f1e2d3c4b5a6978",
        "type": "id_token",
        "account_id": "6ab5c0d9e1f24783",
        "installation_id": "icfg_9bceb8ccT32d3U417ezb5c8p",
        "user_id": "0f1e2d3c4b5a6978",
        "global_user_id": "a1b2c3d4e5f60718",
        "user_role": "ADMIN",
        "user_name": "Ada Lovelace",
        "user_email": "ada@example.com",
        "user_avatar_url": "https://vercel.com/api/www/avatar/ada",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
    },
    jwk={"alg": "RS256"},
    expected={
        "external_id": "a1b2c3d4e5f60718",
        "email": "ada@example.com",
        "email_verified": "silent",
        "name": "Ada Lovelace",
        "organization": "icfg_9bceb8ccT32d3U417ezb5c8p",
        "trusted_metadata": {"user_role": "ADMIN"},
    },
    also={
        "without its type": Good(claims={"type": ABSENT}, why="Vercel does not always say which kind of token it is."),
        "without an address": Good(
            claims={"user_email": ABSENT},
            expected={"email": None},
            why="An integration may not have been given addresses; the person is known by the external id.",
        ),
    },
    wrong={
        "another integration's": Wrong(
            claims={"aud": "oac_0000000000000000000000"},
            code="jwt_invalid_audience",
            step="audience",
            why="Another company's integration gets tokens from the same issuer.",
        ),
        "a system token": Wrong(
            claims={
                "sub": "account:6ab5c0d9e1f24783",
                **dict.fromkeys(("user_id", "global_user_id", "user_role", "user_name", "user_email"), ABSENT),
                "user_avatar_url": ABSENT,
            },
            step="conditions",
            why="Vercel signs tokens for the installation itself, which name no person.",
        ),
        "an access token": Wrong(
            claims={"type": "access_token"},
            step="conditions",
            why="An access token is for calls of Vercel to your integration, not for logging in.",
        ),
        "a deployment's": Wrong(
            claims={"iss": "https://oidc.vercel.com/acme"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Tokens of deployments come from another issuer at Vercel.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
