"""Shopify: the session token of an app in the admin of a shop, signed with the secret of the app."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, SECRET, Dialect, Wrong
from tests.dialects.harness import checks_of

API_KEY = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
SHOP = "https://acme.myshopify.com"
TOKEN_ID = "f8912129-1af6-4cad-9ca3-76b0f7621087"

CLAIMS = {
    "iss": f"{SHOP}/admin",
    "dest": SHOP,
    "aud": API_KEY,
    "sub": "42",
    "exp": NOW + 60,
    "nbf": NOW,
    "iat": NOW,
    "jti": TOKEN_ID,
    "sid": "aaea182f2732d44c23057c0fea584021a4485b2bd25d3eb7fd349313ad24c685",
}
EXPECTED = {
    "external_id": f"{SHOP}#42",
    "token_id": TOKEN_ID,
    "organization": SHOP,
    "organization_name": "acme.myshopify.com",
}
WRONG = {
    "another app": Wrong(
        claims={"aud": "ffffffffffffffffffffffffffffffff"},
        code="jwt_invalid_audience",
        step="audience",
        why="A token says for which app it was made.",
    ),
    "an issuer of another shop": Wrong(
        claims={"iss": "https://stranger.myshopify.com/admin"},
        step="conditions",
        why="The issuer is the admin of the shop in dest.",
    ),
    "a checkout": Wrong(
        claims={
            "iss": ABSENT,
            "dest": "acme.myshopify.com",
            "sub": "gid://shopify/Customer/42",
            "exp": NOW + 300,
        },
        step="conditions",
        why="Extensions of the checkout get tokens of the same app about buyers; they have no iss.",
    ),
    "no staff account": Wrong(
        claims={"sub": ABSENT}, step="mapping", why="A token without sub names the shop and no person."
    ),
    "a minute too late": Wrong(
        claims={"exp": NOW - 60, "nbf": NOW - 120, "iat": NOW - 120},
        step="times",
        why="A token lives for a minute; thirty seconds are allowed for clocks.",
    ),
    "a secret of somebody else": Wrong(
        signed_by="stranger",
        code="invalid_trusted_auth_token",
        step="signature",
        why="It was not made with the secret of your app.",
    ),
}

DIALECTS = (
    Dialect(
        preset="shopify",
        settings={"api_key": API_KEY, "secret": SECRET},
        claims=CLAIMS,
        alg="HS256",
        header={"typ": "JWT", "kid": ABSENT},
        expected=EXPECTED,
        wrong=WRONG,
    ),
    Dialect(
        preset="shopify",
        settings={"api_key": API_KEY, "secret": SECRET, "shop": "acme"},
        claims=CLAIMS,
        alg="HS256",
        header={"typ": "JWT", "kid": ABSENT},
        expected=EXPECTED,
        wrong={
            "another shop": Wrong(
                claims={"iss": "https://stranger.myshopify.com/admin", "dest": "https://stranger.myshopify.com"},
                step="conditions",
                why="The profile is for the staff of one shop.",
            ),
        },
    ),
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
