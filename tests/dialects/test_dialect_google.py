"""Google: the ID token of somebody who signs in, as Google documents its payload."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

CLIENT = "1234987819200-abc.apps.googleusercontent.com"

CLAIMS = {
    "iss": "https://accounts.google.com",
    "azp": CLIENT,
    "aud": CLIENT,
    "sub": "10769150350006150715113082367",
    "hd": "example.com",
    "email": "ada@example.com",
    "email_verified": True,
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "nonce": "0394852-3190485-2490358",
    "name": "Ada Lovelace",
    "picture": "https://lh3.googleusercontent.com/a/ada",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "iat": NOW,
    "exp": NOW + 3600,
}

EXPECTED = {
    "external_id": "10769150350006150715113082367",
    "email": "ada@example.com",
    "email_verified": "verified",
    "name": "Ada Lovelace",
    "organization": "example.com",
}

A_SERVICE_ACCOUNT = Wrong(
    claims={
        "azp": "110000000000000000001",
        "sub": "110000000000000000001",
        "email": "robot@stranger.iam.gserviceaccount.com",
        "hd": ABSENT,
    },
    step="conditions",
    why="A service account of anybody's can have a token for your audience; azp names who got it.",
)

ONE_DOMAIN = Dialect(
    preset="google",
    settings={"client_id": CLIENT, "domain": "example.com"},
    claims=CLAIMS,
    kid="f05415b13acb9590f70df862765c655f5a7a019e",
    jwk={"alg": "RS256"},
    expected=EXPECTED,
    wrong={
        "another domain's": Wrong(
            claims={"hd": "stranger.example", "email": "ada@stranger.example"},
            step="conditions",
            why="Everybody with a Google account can sign in to your app; hd says for whom they work.",
        ),
        "an address of the domain, without hd": Wrong(
            claims={"hd": ABSENT},
            step="conditions",
            why="An account outside Workspace can have an address of your domain; only hd proves the domain.",
        ),
        "a service account's": A_SERVICE_ACCOUNT,
        "another app's": Wrong(
            claims={"aud": "stranger.apps.googleusercontent.com", "azp": "stranger.apps.googleusercontent.com"},
            code="jwt_invalid_audience",
            step="audience",
            why="The person signed in somewhere else, and that site holds the token.",
        ),
        "IAP's": Wrong(
            claims={"iss": "https://cloud.google.com/iap"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The proxy of Google Cloud is another issuer with other keys.",
        ),
        "padded": Wrong(
            padded=True,
            code="invalid_trusted_auth_token",
            step="shape",
            why="Padding is tolerated from load balancers of AWS alone.",
        ),
        "an address that is not verified": Wrong(
            claims={"email_verified": False},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="Nobody has proved that the address is theirs.",
        ),
    },
)

ANYBODY = Dialect(
    preset="google",
    settings={"client_id": CLIENT},
    claims=CLAIMS,
    kid="f05415b13acb9590f70df862765c655f5a7a019e",
    jwk={"alg": "RS256"},
    expected=EXPECTED,
    also={
        "of another domain": Good(claims={"hd": "other.example"}, expected={"organization": "other.example"}),
        "of no domain": Good(
            claims={"hd": ABSENT, "email": "ada@gmail.com"},
            expected={"email": "ada@gmail.com"},
            verticals=("consumer",),
            why="Accounts outside Workspace have no hd.",
        ),
    },
    wrong={"a service account's": A_SERVICE_ACCOUNT},
)

DIALECTS = (ONE_DOMAIN, ANYBODY)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
