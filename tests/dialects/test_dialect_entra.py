"""Microsoft Entra ID, one tenant: a v2.0 ID token, as Microsoft documents its claims."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
STRANGER = "11111111-2222-4333-8444-555555555555"
CLIENT = "6731de76-14a6-49ae-97bc-6eba6914391e"
PERSON = "690222be-ff1a-4d56-abd1-7e4f7d38e474"

DIALECT = Dialect(
    preset="entra",
    settings={"tenant_id": TENANT, "client_id": CLIENT},
    claims={
        "aud": CLIENT,
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3900,
        "aio": "AXQAi/8IAAAA",
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "nonce": "123523",
        "oid": PERSON,
        "preferred_username": "ada@example.com",
        "rh": "0.ARgA",
        "roles": ["editor"],
        "sid": "001fb2a1-0000-4000-8000-2c8d1c4ef3e6",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": TENANT,
        "uti": "fqiBqXLPj0eQa82S-IYFAA",
        "ver": "2.0",
    },
    kid="d-Zi0Gbus4sEaOqXgU8pMvYc3KI",
    jwk={
        "x5t": "d-Zi0Gbus4sEaOqXgU8pMvYc3KI",
        "issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    },
    expected={
        "external_id": PERSON,
        "email": "ada@example.com",
        "email_verified": "silent",
        "name": "Ada Lovelace",
        "token_id": "fqiBqXLPj0eQa82S-IYFAA",
        "organization": TENANT,
        "role_ids": ("editor",),
    },
    also={
        "an address of the tenant's own domain": Good(
            claims={"xms_edov": "1"},
            expected={"email_verified": "verified"},
            why="xms_edov comes as text or as a boolean.",
        ),
        "without a token id": Good(
            claims={"uti": ABSENT}, expected={"token_id": f"HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ:{NOW}"}
        ),
        "without address and roles": Good(
            claims={"email": ABSENT, "roles": ABSENT},
            expected={"email": None, "role_ids": None},
            why="Both come only to apps that ask for them.",
        ),
    },
    wrong={
        "another tenant's": Wrong(
            claims={"tid": STRANGER, "iss": f"https://login.microsoftonline.com/{STRANGER}/v2.0"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each tenant is an issuer of its own, and anybody can have one.",
        ),
        "of version 1.0": Wrong(
            claims={"ver": "1.0", "iss": f"https://sts.windows.net/{TENANT}/"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Tokens of version 1.0 come from another issuer, with a slash at its end.",
        ),
        "an access token for your own API": Wrong(
            claims={"azp": "0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e", "azpacr": "1", "scp": "access_as_user"},
            step="conditions",
            why="Any app in the tenant that may call yours gets tokens with your audience.",
        ),
        "an access token for Microsoft Graph": Wrong(
            claims={"aud": "00000003-0000-0000-c000-000000000000", "scp": "User.Read"},
            code="jwt_invalid_audience",
            step="audience",
            why="Only Microsoft can check the tokens that are for Microsoft.",
        ),
        "an address of somebody else's domain": Wrong(
            claims={"xms_edov": False},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="The tenant does not own the domain of the address, so it may be anybody's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
