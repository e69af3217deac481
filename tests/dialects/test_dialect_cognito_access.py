"""Amazon Cognito: the access token of a user pool, as AWS documents its claims. It has no aud."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBcDeFgHi"
PERSON = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

DIALECT = Dialect(
    preset="cognito_access",
    settings={"region": "eu-west-1", "pool_id": "eu-west-1_aBcDeFgHi", "client_id": "1example23456789"},
    claims={
        "sub": PERSON,
        "device_key": "eu-west-1_device",
        "cognito:groups": ["editor"],
        "iss": ISSUER,
        "version": 2,
        "client_id": "1example23456789",
        "origin_jti": "b9d50e62-6f1b-4d0e-a4a8-1c4ef3e6e3f0",
        "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
        "token_use": "access",
        "scope": "openid profile email",
        "auth_time": NOW,
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "username": "ada",
    },
    header={},
    kid="5678example=",
    jwk={"alg": "RS256"},
    expected={"external_id": PERSON, "role_ids": ("editor",)},
    also={
        "in no group": Good(
            claims={"cognito:groups": ABSENT},
            expected={"role_ids": None},
            why="Somebody in no group has no such claim.",
        )
    },
    wrong={
        "an ID token": Wrong(
            claims={"token_use": "id", "aud": "1example23456789", "client_id": ABSENT, "username": ABSENT},
            code="jwt_invalid_audience",
            step="audience",
            why="An ID token has aud and no client_id; it is meant for the app, not for an API.",
        ),
        "an ID token with a client": Wrong(
            claims={"token_use": "id"},
            step="conditions",
            why="Whatever else it holds, token_use is what tells an access token from an ID token.",
        ),
        "a machine's": Wrong(
            claims={"sub": "1example23456789", "username": ABSENT, "cognito:groups": ABSENT, "scope": "orders/read"},
            step="conditions",
            why="With client credentials an app gets a token for itself, which names no person.",
        ),
        "another client's": Wrong(
            claims={"client_id": "stranger"},
            code="jwt_invalid_audience",
            step="audience",
            why="Another app of the same pool got the token.",
        ),
        "another pool's": Wrong(
            claims={"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_stranger0"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each user pool is an issuer of its own.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
