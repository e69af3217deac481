"""Firebase Authentication: the ID token of a project with tenants, as Firebase documents what is to be checked."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

PERSON = "5dPYcBlCLhbHh8bNJvK2pQm1xyz1"
FIREBASE = {
    "identities": {"email": ["ada@example.com"]},
    "sign_in_provider": "password",
    "tenant": "acme-tenant-1",
}

DIALECT = Dialect(
    preset="firebase",
    settings={"project_id": "acme-app"},
    claims={
        "iss": "https://securetoken.google.com/acme-app",
        "aud": "acme-app",
        "auth_time": NOW - 600,
        "user_id": PERSON,
        "sub": PERSON,
        "iat": NOW,
        "exp": NOW + 3600,
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "email_verified": True,
        "firebase": FIREBASE,
    },
    kid="1e8c6d2a54b3f9c0d7e1a2b3c4d5e6f708192a3b",
    expected={
        "external_id": PERSON,
        "email": "ada@example.com",
        "email_verified": "verified",
        "name": "Ada Lovelace",
        "organization": "acme-tenant-1",
    },
    also={
        "by phone": Good(
            claims={
                "email": ABSENT,
                "email_verified": ABSENT,
                "name": ABSENT,
                "phone_number": "+15555550100",
                "firebase": FIREBASE | {"sign_in_provider": "phone", "identities": {"phone": ["+15555550100"]}},
            },
            expected={"email": None, "email_verified": "unverified", "name": None},
        ),
        "of a project without tenants": Good(
            claims={"firebase": {"identities": {"email": ["ada@example.com"]}, "sign_in_provider": "password"}},
            verticals=("consumer",),
            why="A project without Identity Platform has no tenants.",
        ),
        "with a second factor": Good(
            claims={"firebase": FIREBASE | {"sign_in_second_factor": "totp", "second_factor_identifier": "1"}}
        ),
    },
    wrong={
        "another project's": Wrong(
            claims={"iss": "https://securetoken.google.com/stranger-app", "aud": "stranger-app"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Anybody can have a project, and all of them share the same keys.",
        ),
        "another project's audience": Wrong(
            claims={"aud": "stranger-app"},
            code="jwt_invalid_audience",
            step="audience",
            why="Issuer and audience must both be yours.",
        ),
        "a session cookie": Wrong(
            claims={"iss": "https://session.firebase.google.com/acme-app"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="A session cookie is another kind of token, from another issuer with other keys.",
        ),
        "no time of login": Wrong(
            claims={"auth_time": ABSENT},
            step="conditions",
            why="Every ID token says when the person logged in.",
        ),
        "an anonymous account": Wrong(
            claims={
                "firebase": {"identities": {}, "sign_in_provider": "anonymous", "tenant": "acme-tenant-1"},
                "provider_id": "anonymous",
                **dict.fromkeys(("email", "email_verified", "name"), ABSENT),
            },
            step="conditions",
            why="Whoever opens the app can have an anonymous account.",
        ),
        "the emulator's": Wrong(
            alg="none",
            code="invalid_trusted_auth_token",
            step="shape",
            why="The emulator signs nothing, so its tokens are anybody's work.",
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
