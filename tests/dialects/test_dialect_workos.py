"""WorkOS AuthKit: the access token of a session, of newer and of older environments."""

from __future__ import annotations

import msgspec

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

CLIENT_ID = "client_01HBEQKA6K4QJAS93VPE39W1JT"
ISSUER = f"https://api.workos.com/user_management/{CLIENT_ID}"

DIALECT = Dialect(
    preset="workos",
    settings={"client_id": CLIENT_ID, "issuer": ISSUER},
    claims={
        "iss": ISSUER,
        "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT",
        "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S",
        "role": "member",
        "roles": ["member"],
        "permissions": ["posts:read", "posts:write"],
        "entitlements": ["audit-logs"],
        "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R",
        "jti": "01HQSXZXPPFPKMDD32RKTFY6PV",
        "exp": NOW + 300,
        "iat": NOW,
    },
    header={},
    kid="sso_oidc_key_pair_01KAVKB3MQ8CPP9883DA010F6Y",
    jwk={"alg": "RS256"},
    expected={"external_id": "user_01HBEQKA6K4QJAS93VPE39W1JT", "organization": "org_01HRDMC6CM357W30QMHMQ96Q0S"},
    also={
        "without an organization": Good(
            claims={"org_id": ABSENT, "role": ABSENT, "roles": ABSENT},
            verticals=("consumer",),
            expected={"organization": None},
            why="In a B2B project the request then names the organization.",
        ),
    },
    wrong={
        "another environment": Wrong(
            claims={"iss": "https://api.workos.com/user_management/client_01KAVKB3S313R5M49EMHDR3HYN"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The issuer ends in the client id of somebody else.",
        ),
        "a key of another client id": Wrong(
            header={"kid": "sso_oidc_key_pair_01HBEQKA6K4QJAS93VPE39W1JT"},
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="Each client id has keys of its own, at an address of its own.",
        ),
        "an issuer with a slash": Wrong(
            claims={"iss": f"{ISSUER}/"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The issuer has no slash at its end.",
        ),
        "a token of no session": Wrong(
            claims={"sid": ABSENT, "sub": CLIENT_ID},
            step="conditions",
            why="Applications get tokens for themselves; they are nobody who could log in.",
        ),
        "an impersonated session": Wrong(
            claims={"act": {"sub": "admin@foocorp.com"}},
            step="conditions",
            why="Somebody of your team acts as the user, which the session would not show.",
        ),
    },
)

OLDER = msgspec.structs.replace(
    DIALECT,
    settings={"client_id": CLIENT_ID, "issuer": "https://api.workos.com"},
    claims=DIALECT.claims | {"iss": "https://api.workos.com"},
    wrong={
        "another client id": DIALECT.wrong["a key of another client id"],
        "a newer environment": Wrong(
            claims={"iss": ISSUER},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The issuer of an environment does not change by itself.",
        ),
    },
    not_guessed="The issuer does not hold the client id.",
)

DIALECTS = (DIALECT, OLDER)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
