"""Supabase Auth: the access token of a project with asymmetric keys, as Supabase documents its claims."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
PERSON = "123e4567-e89b-42d3-a456-426614174000"

DIALECT = Dialect(
    preset="supabase",
    settings={"project_ref": "abcdefghijklmnopqrst"},
    claims={
        "iss": ISSUER,
        "sub": PERSON,
        "aud": "authenticated",
        "exp": NOW + 3600,
        "iat": NOW,
        "email": "ada@example.com",
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {"email": "ada@example.com", "email_verified": True, "role": "admin", "sub": PERSON},
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": NOW}],
        "session_id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "is_anonymous": False,
    },
    alg="ES256",
    kid="f1ac5b6e-2d0c-4b0e-9c1c-2a9d4a1e7f11",
    family="P-256",
    jwk={"alg": "ES256", "key_ops": ["verify"], "ext": True},
    expected={"external_id": PERSON},
    also={
        "with a token id": Good(claims={"jti": "0d0cb0f8-5d2a-4b0b-9c1c-2a9d4a1e7f11"}),
        "with a list of one audience": Good(claims={"aud": ["authenticated"]}, why="aud may be a list."),
    },
    wrong={
        "an anonymous user's": Wrong(
            claims={"is_anonymous": True, "email": "", "app_metadata": {}, "user_metadata": {}, "amr": []},
            step="conditions",
            why="Whoever opens the app can be an anonymous user; the role does not tell.",
        ),
        "another project's": Wrong(
            claims={"iss": "https://strangerstrangerstra.supabase.co/auth/v1"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Every project has the audience authenticated; only the issuer names yours.",
        ),
        "an issuer with a slash": Wrong(
            claims={"iss": f"{ISSUER}/"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The issuer has no slash at its end, and is compared character by character.",
        ),
        "the anonymous key": Wrong(
            claims={
                "iss": "supabase",
                "ref": "abcdefghijklmnopqrst",
                "role": "anon",
                "exp": NOW + 315_360_000,
                **dict.fromkeys(("sub", "aud", "email", "session_id", "is_anonymous"), ABSENT),
            },
            alg="HS256",
            code="invalid_trusted_auth_token",
            step="algorithm",
            why="The keys of a project's API are tokens too; they are signed with its legacy secret.",
        ),
        "a service role's": Wrong(
            claims={"role": "service_role"},
            step="conditions",
            why="The service role is a backend's, not a person's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
