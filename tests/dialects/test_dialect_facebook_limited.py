"""Facebook Limited Login: the OpenID Connect token of an iOS app."""

from __future__ import annotations

from tests.dialects.dialect import NOW, Dialect, Wrong
from tests.dialects.harness import checks_of

DIALECT = Dialect(
    preset="facebook_limited",
    settings={"app_id": "1234567890123456"},
    claims={
        "iss": "https://www.facebook.com",
        "aud": "1234567890123456",
        "sub": "10223456789012345",
        "iat": NOW,
        "exp": NOW + 3_600,
        "jti": "eJw1.5c6d7e8f9a0b",
        "nonce": "9f86d081884c7d65",
        "email": "ada@example.com",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "name": "Ada Lovelace",
        "picture": "https://platform-lookaside.fbsbx.com/platform/profilepic/?asid=10223456789012345",
    },
    kid="2a2b7b5f0e6c4d83a1d9c1f0b4a59e77f3c8d210",
    jwk={"alg": "RS256"},
    expected={
        "external_id": "10223456789012345",
        "token_id": "eJw1.5c6d7e8f9a0b",
        "email": None,
        "name": "Ada Lovelace",
    },
    wrong={
        "another app": Wrong(
            claims={"aud": "6543210987654321"},
            code="jwt_invalid_audience",
            step="audience",
            why="All apps get tokens under the same keys, and sub is a person for one app alone.",
        ),
        "the issuer without www": Wrong(
            claims={"iss": "https://facebook.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="An issuer is compared character by character.",
        ),
        "a signed request of classic login": Wrong(
            alg="HS256",
            code="invalid_trusted_auth_token",
            step="algorithm",
            why="Other things of Facebook are signed with the secret of the app; Limited Login is not.",
        ),
        "a key of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The signature is not Facebook's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
