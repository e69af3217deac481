"""Apple: the identity token of Sign in with Apple, whose booleans may be texts."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://appleid.apple.com"
SUBJECT = "001473.fe6f8a3c4d1e4a0fb0d9a6d7f6a5b4c3.1442"

DIALECT = Dialect(
    preset="apple",
    settings={"client_id": "com.example.shop"},
    claims={
        "iss": ISSUER,
        "aud": "com.example.shop",
        "exp": NOW + 86_400,
        "iat": NOW,
        "sub": SUBJECT,
        "nonce": "4f1a0b6c",
        "c_hash": "fXkrNCrQHMnMZEp3w5m0Kw",
        "email": "k2vd8pq7xn@privaterelay.appleid.com",
        "email_verified": "true",
        "is_private_email": "true",
        "auth_time": NOW,
        "nonce_supported": True,
        "real_user_status": 2,
    },
    header={},
    kid="fh6Bs8C",
    jwk={"alg": "RS256"},
    expected={
        "external_id": SUBJECT,
        "email": "k2vd8pq7xn@privaterelay.appleid.com",
        "email_verified": "verified",
    },
    also={
        "booleans": Good(
            claims={"email": "ada@example.com", "email_verified": True, "is_private_email": False},
            expected={"email": "ada@example.com"},
            why="Apple sends booleans as booleans or as texts.",
        ),
        "no address": Good(
            claims={"email": ABSENT, "email_verified": ABSENT, "is_private_email": ABSENT},
            expected={"email": None, "email_verified": "unverified"},
            why="An app that does not ask for the address gets none; sub names the person.",
        ),
    },
    wrong={
        "an address that is not verified": Wrong(
            claims={"email_verified": "false"},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="The text false is no proof, so a stranger with such an address is not taken in.",
        ),
        "a notification": Wrong(
            claims={
                "sub": ABSENT,
                "email": ABSENT,
                "email_verified": ABSENT,
                "jti": "3d8f1f0e2b7a4c55",
                "events": '{"type": "email-disabled", "sub": "001473.fe6f8a3c", "event_time": 1700000000000}',
            },
            step="conditions",
            why="Apple signs notifications to your server with the same keys and for the same audience.",
        ),
        "another app": Wrong(
            claims={"aud": "com.example.stranger"},
            code="jwt_invalid_audience",
            step="audience",
            why="All developers get tokens under the same keys; only the audience is yours.",
        ),
        "a newer name of the issuer": Wrong(
            claims={"iss": "https://account.apple.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Apple has a second host name; a token that names it as issuer is another issuer's here.",
        ),
        "a key of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The signature is not Apple's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
