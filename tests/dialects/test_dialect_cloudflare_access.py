"""Cloudflare Access: the application token, as Cloudflare documents it for people and for service tokens."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

AUDIENCE = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
KID = "9338abe1baf2fe492f646a736f25afbf7b025e35c627be4f60c414d4c73069b8"
PREVIOUS = "6c3bffef71bb0a90c9cbef3b7c0d4a1c7b4b8b76b80292a623afd9dac45d1c65"

DIALECT = Dialect(
    preset="cloudflare_access",
    settings={"team": "acme", "audience": AUDIENCE},
    claims={
        "aud": [AUDIENCE],
        "email": "ada@example.com",
        "exp": NOW + 86_400,
        "iat": NOW,
        "nbf": NOW,
        "iss": "https://acme.cloudflareaccess.com",
        "type": "app",
        "identity_nonce": "6ei69kawdKzMIAPF",
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
        "country": "US",
    },
    kid=KID,
    jwk={"alg": "RS256"},
    document={
        "public_cert": {"kid": KID, "cert": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"},
        "public_certs": [
            {"kid": KID, "cert": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"},
            {"kid": PREVIOUS, "cert": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"},
        ],
    },
    expected={
        "external_id": "7335d417-61da-459d-899c-0a01c76a2f94",
        "email": "ada@example.com",
        "email_verified": "silent",
    },
    also={
        "for several applications": Good(
            claims={"aud": ["0" * 64, AUDIENCE]}, why="aud is a list, in which yours is enough."
        ),
        "with claims of the identity provider": Good(claims={"custom": {"groups": ["Finance-Team"]}}),
    },
    wrong={
        "another application's": Wrong(
            claims={"aud": ["0" * 64]},
            code="jwt_invalid_audience",
            step="audience",
            why="Another application of your team, with another policy, let this person in.",
        ),
        "another team's": Wrong(
            claims={"iss": "https://stranger.cloudflareaccess.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Anybody can have a team, and each is an issuer of its own.",
        ),
        "a global session's": Wrong(
            claims={"type": "org"},
            step="conditions",
            why="The token of the global session says that somebody logged in, not that they may use this application.",
        ),
        "a service token's": Wrong(
            claims={
                "sub": "",
                "common_name": "e367826f93b8d71185e03fe518aff3b4.access",
                **dict.fromkeys(("email", "nbf", "identity_nonce", "country"), ABSENT),
            },
            step="conditions",
            why="A service token names no person: its subject is empty.",
        ),
        "the previous key, withdrawn": Wrong(
            header={"kid": PREVIOUS},
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The PEM members of the document are not read; only the key set counts.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
