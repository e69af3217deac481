"""Zendesk Messaging: the token that a backend makes for the widget, by a secret shared with Zendesk."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, SECRET, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

KEY_ID = "app_62b5e0ffca5a3800f0225c53"

DIALECT = Dialect(
    preset="zendesk_messaging",
    settings={"subdomain": "acme", "key_id": KEY_ID, "secret": SECRET},
    claims={
        "external_id": "12345678",
        "scope": "user",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "email_verified": True,
        "exp": NOW + 300,
    },
    alg="HS256",
    kid=KEY_ID,
    expected={
        "external_id": "12345678",
        "email": "ada@example.com",
        "email_verified": "verified",
        "name": "Ada Lovelace",
    },
    also={
        "an address that is not verified": Good(
            claims={"email_verified": False},
            expected={"email": None, "email_verified": "unverified"},
            why="The address is left out, and external_id names the person.",
        ),
        "an external id alone": Good(
            claims={"name": ABSENT, "email": ABSENT, "email_verified": ABSENT},
            expected={"name": None, "email": None, "email_verified": "unverified"},
            why="The address and the name may be missing.",
        ),
    },
    wrong={
        "no key id": Wrong(
            header={"kid": ABSENT}, step="conditions", why="The key id in the header is required, as Zendesk does."
        ),
        "another signing key": Wrong(
            header={"kid": "app_000000000000000000000000"},
            step="conditions",
            why="Without iss and aud the key id is what says whose token it is.",
        ),
        "a token for the API": Wrong(
            claims={"scope": "app", "external_id": ABSENT},
            step="conditions",
            why="Tokens of the scope app stand for your backend and for no person.",
        ),
        "single sign-on": Wrong(
            claims={"scope": ABSENT, "jti": "5f0c9a7e", "iat": NOW},
            step="conditions",
            why="A token for logging in to Zendesk itself has no scope.",
        ),
        "no expiry": Wrong(
            claims={"exp": ABSENT}, step="times", why="It would be good for ever for whoever finds it once."
        ),
        "a secret of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="It was not made with your secret.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
