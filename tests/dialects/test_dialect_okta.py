"""Okta: the access token of a custom authorization server."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://acme.okta.com/oauth2/default"

DIALECT = Dialect(
    preset="okta",
    settings={"domain": "acme.okta.com"},
    claims={
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": ISSUER,
        "aud": "api://default",
        "iat": NOW,
        "exp": NOW + 3600,
        "cid": "0oa9o8wzkhckw9TLa0h7",
        "uid": "00uixa271s6x7qt8I0h7",
        "scp": ["openid", "profile"],
        "auth_time": NOW - 60,
        "sub": "ada@example.com",
    },
    header={},
    kid="Ajrw1c4nqKZJ5yXhFbN9Pn3kz2Gm8QwRtL0vUeDsIbY",
    jwk={"alg": "RS256"},
    expected={"external_id": "00uixa271s6x7qt8I0h7", "name": "ada@example.com"},
    also={"with groups": Good(claims={"groups": ["Everyone", "Admins"]}, why="A groups claim can be configured.")},
    wrong={
        "another organization": Wrong(
            claims={"iss": "https://stranger.okta.com/oauth2/default"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each organization is an issuer of its own, whatever its server is called.",
        ),
        "another authorization server": Wrong(
            claims={"iss": "https://acme.okta.com/oauth2/aus9o8wzkhckw9TLa0h7"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The servers of one organization have policies and keys of their own.",
        ),
        "a token of the org server": Wrong(
            claims={"iss": "https://acme.okta.com", "aud": "https://acme.okta.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Its access tokens are for Okta itself.",
        ),
        "the type of the org server": Wrong(
            header={"typ": "application/okta-internal-at+jwt"},
            code="invalid_trusted_auth_token",
            step="type",
            why="Only the org server writes a type into the header.",
        ),
        "an ID token": Wrong(
            claims={"jti": "ID.radCQMOQUmyvcTBmmIL0J6BaS60apUEiC7", "aud": "0oa9o8wzkhckw9TLa0h7", "scp": ABSENT},
            code="jwt_invalid_audience",
            step="audience",
            why="It tells the application who its user is.",
        ),
        "a service application": Wrong(
            claims={"uid": ABSENT, "sub": "0oa9o8wzkhckw9TLa0h7", "scp": ["openid"]},
            step="conditions",
            why="An application that acts for itself is nobody who could log in.",
        ),
        "other scopes": Wrong(
            claims={"scp": ["orders.read", "openid.not"]},
            step="conditions",
            why="The token was asked for another purpose.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
