"""LinkedIn: the ID token of Sign In with LinkedIn, whose email_verified is a text."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://www.linkedin.com/oauth"
CLAIMS = {
    "iss": ISSUER,
    "aud": "86abcdefghijkl",
    "iat": NOW,
    "exp": NOW + 3_600,
    "sub": "782bbtaQ",
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "picture": "https://media.licdn-ei.com/dms/image/C5F03AQHqK8v7tB1HCQ/profile-displayphoto-shrink_100_100/0/",
    "email": "ada@example.com",
    "email_verified": "true",
    "locale": "en_US",
}
EXPECTED = {
    "external_id": "782bbtaQ",
    "email": "ada@example.com",
    "email_verified": "verified",
    "name": "Ada Lovelace",
}

DIALECTS = (
    Dialect(
        preset="linkedin",
        settings={"client_id": "86abcdefghijkl"},
        claims=CLAIMS,
        kid="d929668a-bab1-4c69-9598-4373149723ff",
        jwk={"alg": "RS256"},
        expected=EXPECTED,
        also={
            "a boolean": Good(claims={"email_verified": True}, why="So it is in OpenID Connect."),
            "without the scope email": Good(
                claims={"email": ABSENT, "email_verified": ABSENT},
                expected={"email": None, "email_verified": "unverified"},
                why="sub names the person.",
            ),
        },
        wrong={
            "an address that is not verified": Wrong(
                claims={"email_verified": "false"},
                code="trusted_auth_token_email_not_verified",
                step="person",
                why="The text false is no proof.",
            ),
            "an address of which nothing is said": Wrong(
                claims={"email_verified": ABSENT},
                code="trusted_auth_token_email_not_verified",
                step="person",
                why="People write what they like into their account.",
            ),
            "another app": Wrong(
                claims={"aud": "86lkjihgfedcba"},
                code="jwt_invalid_audience",
                step="audience",
                why="All apps get tokens under the same keys; only the audience is yours.",
            ),
            "the older issuer": Wrong(
                claims={"iss": "https://www.linkedin.com"},
                code="jwt_invalid_issuer",
                step="issuer",
                why="An issuer is compared character by character; set issuer_path if your tokens have this one.",
            ),
            "a key of somebody else": Wrong(
                signed_by="stranger",
                code="invalid_trusted_auth_token",
                step="signature",
                why="The signature is not LinkedIn's.",
            ),
        },
    ),
    Dialect(
        preset="linkedin",
        settings={"client_id": "86abcdefghijkl", "issuer_path": ""},
        claims=CLAIMS | {"iss": "https://www.linkedin.com"},
        expected=EXPECTED,
        wrong={
            "the newer issuer": Wrong(
                claims={"iss": ISSUER},
                code="jwt_invalid_issuer",
                step="issuer",
                why="The profile is for the older one.",
            ),
        },
    ),
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
