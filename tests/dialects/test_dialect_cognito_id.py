"""Amazon Cognito: the ID token of a user pool, as AWS documents its claims."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBcDeFgHi"
PERSON = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

DIALECT = Dialect(
    preset="cognito_id",
    settings={"region": "eu-west-1", "pool_id": "eu-west-1_aBcDeFgHi", "client_id": "1example23456789"},
    claims={
        "sub": PERSON,
        "cognito:groups": ["editor", "viewer"],
        "cognito:username": "ada",
        "cognito:preferred_role": "arn:aws:iam::111122223333:role/editor",
        "cognito:roles": ["arn:aws:iam::111122223333:role/editor"],
        "email": "ada@example.com",
        "email_verified": True,
        "name": "Ada Lovelace",
        "custom:profile": '{"tenant": "acme"}',
        "at_hash": "3W9lFyNNLQdFqgVBkWQpqg",
        "iss": ISSUER,
        "aud": "1example23456789",
        "origin_jti": "b9d50e62-6f1b-4d0e-a4a8-1c4ef3e6e3f0",
        "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
        "token_use": "id",
        "auth_time": NOW,
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    },
    header={},
    kid="1234example=",
    jwk={"alg": "RS256"},
    expected={
        "external_id": PERSON,
        "email": "ada@example.com",
        "email_verified": "verified",
        "name": "Ada Lovelace",
        "role_ids": ("editor", "viewer"),
    },
    also={
        "in no group": Good(
            claims={"cognito:groups": ABSENT},
            expected={"role_ids": None},
            why="Somebody in no group has no such claim.",
        )
    },
    wrong={
        "an access token": Wrong(
            claims={
                "token_use": "access",
                "client_id": "1example23456789",
                "username": "ada",
                **dict.fromkeys(("aud", "email", "email_verified", "name", "at_hash", "cognito:username"), ABSENT),
            },
            code="jwt_invalid_audience",
            step="audience",
            why="An access token has no aud; it is meant for an API.",
        ),
        "an access token with an audience": Wrong(
            claims={"token_use": "access"},
            step="conditions",
            why="Access tokens can be given an aud, so token_use is what tells them apart.",
        ),
        "another pool's": Wrong(
            claims={"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_stranger0"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each user pool is an issuer of its own.",
        ),
        "another client's": Wrong(
            claims={"aud": "stranger"},
            code="jwt_invalid_audience",
            step="audience",
            why="Another app of the same pool got the token.",
        ),
        "an address that is not verified": Wrong(
            claims={"email_verified": False},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="People sign up with any address; until they prove it, it may be anybody's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
