"""Stytch: the session JWT of a B2B project and of a consumer project."""

from __future__ import annotations

from typing import Any

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

SESSION = "https://stytch.com/session"
ORGANIZATION = "https://stytch.com/organization"
PROJECT = "project-live-25f5b1de-1f0a-4c1e-9c4e-7d8b3b6f1a20"
OTHER = "project-live-00000000-0000-4000-8000-000000000000"
TEST_PROJECT = "project-test-dd1b6b31-94b9-4d11-8e6c-08d1c4d3f9a7"
MEMBER = "member-live-fde03dd1-fff7-4b3c-9b31-ead3fbc224de"
USER = "user-test-16d9ba61-97a1-4ba4-9720-b03761dc50c6"
COMPANY = "organization-live-07971b06-ac8b-4cdb-9c15-63b17e653931"

BY_LINK: dict[str, Any] = {
    "delivery_method": "email",
    "email_factor": {
        "email_address": "ada@example.com",
        "email_id": "email-live-cca9d7d0-11b6-4167-9385-d7e0c9a77418",
    },
    "last_authenticated_at": "2026-11-01T12:00:00Z",
    "type": "magic_link",
}
BY_PASSWORD: dict[str, Any] = {
    "delivery_method": "knowledge",
    "last_authenticated_at": "2026-11-01T12:00:00Z",
    "type": "password",
}


def session(session_id: str, *factors: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": session_id,
        "started_at": "2026-11-01T12:00:00Z",
        "last_accessed_at": "2026-11-01T12:01:00Z",
        "expires_at": "2026-11-01T13:00:00Z",
        "attributes": {"ip_address": "", "user_agent": ""},
        "authentication_factors": list(factors),
        "roles": ["stytch_member"],
    }


def claims(project: str, person: str, said: dict[str, Any]) -> dict[str, Any]:
    times = {"exp": NOW + 300, "iat": NOW, "nbf": NOW}
    return {"aud": [project], "iss": f"stytch.com/{project}", "sub": person, **times, SESSION: said}


MEMBER_SESSION = "member-session-live-6c1fb5a7-1c8d-4f5f-b6a6-2c4d0f6a7e11"
USER_SESSION = "session-test-fe6c042b-6286-479f-8a4f-b046a6c46509"
NO_ADDRESS = Good(
    claims={SESSION: session(MEMBER_SESSION, BY_PASSWORD)},
    expected={"email": None, "email_verified": "unverified"},
    why="Only a factor that was sent to an address proves it; the external id names the person.",
)
JWK = {"alg": "RS256", "key_ops": ["verify"], "x5tS256": "l5e9x3K5vWJmGlmAYxk0T3mmPuVYQZ0FGWdLHGRZ9nY"}
DOCUMENT = {"request_id": "request-id-live-b05c992f-ebdc-489d-a754-c7e70ba13141", "status_code": 200}

DIALECTS = (
    Dialect(
        preset="stytch_session",
        settings={"project_id": PROJECT},
        claims=claims(PROJECT, MEMBER, session(MEMBER_SESSION, BY_PASSWORD, BY_LINK))
        | {ORGANIZATION: {"organization_id": COMPANY, "slug": "engines"}, "plan": "gold"},
        kid="jwk-live-2b1c7f8a-5d0e-4a8e-9f1d-3b6c9a4e7d52",
        jwk=JWK,
        document=DOCUMENT,
        expected={
            "external_id": f"stytch|{MEMBER}",
            "email": "ada@example.com",
            "email_verified": "verified",
            "organization": f"stytch|{COMPANY}",
            "organization_name": "engines",
            "token_id": MEMBER_SESSION,
        },
        also={"a password alone": NO_ADDRESS},
        wrong={
            "a machine": Wrong(
                claims={
                    SESSION: ABSENT,
                    ORGANIZATION: ABSENT,
                    "sub": "m2m-client-live-d731954d-dab3-4a2b-bdee-07f3ad1be885",
                    "scope": "read:users",
                    "exp": NOW + 300,
                },
                step="conditions",
                why="Tokens of machines have the same issuer, audience and keys, and no session.",
            ),
            "another project": Wrong(
                claims={"iss": f"stytch.com/{OTHER}", "aud": [OTHER]},
                code="jwt_invalid_issuer",
                step="issuer",
                why="Each project is an issuer of its own.",
            ),
            "an issuer with a scheme": Wrong(
                claims={"iss": f"https://stytch.com/{PROJECT}"},
                code="jwt_invalid_issuer",
                step="issuer",
                why="The name of the issuer has no https://.",
            ),
            "a connected app": Wrong(
                claims={"aud": ["connected-app-live-6b0c5f0f-0ad6-4b5d-9d3a-1f4d9c4f1c3d"]},
                code="jwt_invalid_audience",
                step="audience",
                why="Access tokens of apps that people have connected are for those apps.",
            ),
            "a token for an hour": Wrong(
                claims={"exp": NOW + 3_600}, step="times", why="A session JWT lives for five minutes."
            ),
            "a key of somebody else": Wrong(
                signed_by="stranger",
                code="invalid_trusted_auth_token",
                step="signature",
                why="The signature is not the project's.",
            ),
        },
    ),
    Dialect(
        preset="stytch_session",
        settings={"project_id": TEST_PROJECT, "host": "test.stytch.com", "keys_path": "v1/sessions"},
        claims=claims(TEST_PROJECT, USER, session(USER_SESSION, BY_LINK))
        | {ORGANIZATION: {"organization_id": COMPANY, "slug": "engines"}},
        kid="jwk-test-9a7e2d41-0c3b-4f5a-8d6e-1b2c3d4e5f60",
        jwk=JWK,
        document=DOCUMENT,
        expected={
            "external_id": f"stytch|{USER}",
            "email": "ada@example.com",
            "email_verified": "verified",
            "organization": f"stytch|{COMPANY}",
            "organization_name": "engines",
            "token_id": USER_SESSION,
        },
        also={
            "no organization": Good(
                claims={ORGANIZATION: ABSENT},
                verticals=("consumer",),
                why="Sessions of consumer projects name no organization.",
            ),
        },
        wrong={
            "no organization, in a B2B project": Wrong(
                claims={ORGANIZATION: ABSENT},
                verticals=("b2b",),
                code="token_missing_organization_id_claim",
                step="organization",
                why="Then the request has to say which organization it is for.",
            ),
            "a live project": Wrong(
                claims={"iss": f"stytch.com/{PROJECT}"},
                code="jwt_invalid_issuer",
                step="issuer",
                why="Test and live projects are issuers of their own.",
            ),
        },
    ),
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
