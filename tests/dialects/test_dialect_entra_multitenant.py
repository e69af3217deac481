"""Microsoft Entra ID, several tenants: v2.0 ID tokens under the keys of all tenants, each key with its issuer."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
SECOND = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
STRANGER = "11111111-2222-4333-8444-555555555555"
CLIENT = "6731de76-14a6-49ae-97bc-6eba6914391e"
PERSON = "690222be-ff1a-4d56-abd1-7e4f7d38e474"
ONE_TENANT_LOOKS_THE_SAME = "A token of a multi-tenant app looks like one of an app for one tenant."
KEY_OF_PERSONAL_ACCOUNTS = "iE89_EVhreMiV2-8rKE2zWBUm3M"


def issuer(tenant: str) -> str:
    return f"https://login.microsoftonline.com/{tenant}/v2.0"


CLAIMS = {
    "aud": CLIENT,
    "iss": issuer(TENANT),
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 3900,
    "aio": "AXQAi/8IAAAA",
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "oid": PERSON,
    "preferred_username": "ada@example.com",
    "rh": "0.ARgA",
    "roles": ["editor"],
    "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
    "xms_edov": True,
}

EXPECTED = {
    "external_id": PERSON,
    "email": "ada@example.com",
    "email_verified": "verified",
    "name": "Ada Lovelace",
    "token_id": "fqiBqXLPj0eQa82S-IYFAA",
    "organization": TENANT,
    "role_ids": ("editor",),
}

OF_WORK = Dialect(
    preset="entra_multitenant",
    settings={"tenant_ids": f"{TENANT},{SECOND}", "client_id": CLIENT},
    claims=CLAIMS,
    kid="d-Zi0Gbus4sEaOqXgU8pMvYc3KI",
    jwk={
        "x5t": "d-Zi0Gbus4sEaOqXgU8pMvYc3KI",
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
    },
    expected=EXPECTED,
    also={
        "of the second tenant": Good(
            claims={"tid": SECOND, "iss": issuer(SECOND)}, expected={"organization": SECOND, "external_id": PERSON}
        ),
        "verified, as text": Good(claims={"xms_edov": "1"}, why="xms_edov comes as text or as a boolean."),
        "without address": Good(
            claims={"email": ABSENT, "xms_edov": ABSENT},
            expected={"email": None, "email_verified": "unverified"},
            why="Without an address there is nothing to verify; the person is known by the external id.",
        ),
    },
    wrong={
        "a stranger's tenant": Wrong(
            claims={"tid": STRANGER, "iss": issuer(STRANGER)},
            step="conditions",
            why="Anybody can have a tenant, under the same keys; only those listed may log in.",
        ),
        "an issuer that is not the tenant's": Wrong(
            claims={"iss": issuer(STRANGER)},
            code="jwt_invalid_issuer",
            step="issuer",
            why="tid and iss must name the same tenant, or a claim alone would choose it.",
        ),
        "the literal issuer of the metadata": Wrong(
            claims={"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The metadata of common has a placeholder in its issuer; no token has.",
        ),
        "a tenant that is a path": Wrong(
            claims={"tid": f"{TENANT}/v2.0/..", "iss": issuer(f"{TENANT}/v2.0/..")},
            code="jwt_invalid_issuer",
            step="issuer",
            why="What fills the issuer is an id and nothing that could end a part of a URL.",
        ),
        "an address that nobody verified": Wrong(
            claims={"xms_edov": ABSENT},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="Whoever administers a tenant can write your address into an account there.",
        ),
        "an access token for your own API": Wrong(
            claims={"azp": "0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e", "azpacr": "1", "scp": "access_as_user"},
            step="conditions",
            why="Any app that may call yours gets tokens with your audience.",
        ),
    },
    not_guessed=ONE_TENANT_LOOKS_THE_SAME,
)

OF_PERSONAL_ACCOUNTS = Dialect(
    preset="entra_multitenant",
    settings={"tenant_ids": f"{PERSONAL},{TENANT}", "client_id": CLIENT},
    claims=CLAIMS | {"tid": PERSONAL, "iss": issuer(PERSONAL), "roles": ABSENT},
    kid=KEY_OF_PERSONAL_ACCOUNTS,
    jwk={"x5t": KEY_OF_PERSONAL_ACCOUNTS, "issuer": issuer(PERSONAL)},
    expected=EXPECTED | {"organization": PERSONAL, "role_ids": None},
    wrong={
        "a work account under the key of personal ones": Wrong(
            claims={"tid": TENANT, "iss": issuer(TENANT)},
            code="invalid_trusted_auth_token",
            step="signature",
            why="The key of one issuer in a shared document must not sign for another.",
        ),
    },
    not_guessed="A token shows its own tenant, and the profile names another as well.",
)

DIALECTS = (OF_WORK, OF_PERSONAL_ACCOUNTS)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
