"""AWS Application Load Balancer: x-amzn-oidc-data with its padded base64url, as AWS documents header and payload."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBcDeFgHi"
OURS = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"
STRANGERS = "arn:aws:elasticloadbalancing:eu-west-1:210987654321:loadbalancer/app/shop/8819c0c594c6cd05"

DIALECT = Dialect(
    preset="aws_alb",
    settings={"issuer": ISSUER, "client_id": "1example23456789", "region": "eu-west-1", "signer": OURS},
    claims={
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "email_verified": "true",
        "username": "ada",
        "exp": NOW + 120,
        "iss": ISSUER,
    },
    header={"typ": "JWT", "iss": ISSUER, "client": "1example23456789", "signer": OURS, "exp": NOW + 120},
    alg="ES256",
    kid="12345678-1234-4234-8234-123456789012",
    family="P-256",
    padded=True,
    expected={
        "external_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "email": "ada@example.com",
        "email_verified": "verified",
        "name": "Ada Lovelace",
    },
    also={"without its padding": Good(padded=False, why="Padding is tolerated, not demanded.")},
    wrong={
        "another load balancer's": Wrong(
            header={"signer": STRANGERS},
            code="invalid_trusted_auth_token",
            step="signature",
            why="Anybody can have a load balancer, and all of a region sign with keys from the same host.",
        ),
        "no signer": Wrong(
            header={"signer": ABSENT},
            code="invalid_trusted_auth_token",
            step="signature",
            why="Without a signer nothing says whose load balancer it was.",
        ),
        "another client's": Wrong(
            header={"client": "stranger"},
            code="jwt_invalid_audience",
            step="audience",
            why="The load balancer also serves a listener with another client at the identity provider.",
        ),
        "a kid that is a path": Wrong(
            header={"kid": "../12345678-1234-4234-8234-123456789012"},
            code="invalid_trusted_auth_token",
            step="signature",
            why="The kid becomes part of a URL, so it must look like the ids that AWS gives.",
        ),
        "the identity provider's own ID token": Wrong(
            claims={"aud": "1example23456789"},
            header={"client": ABSENT, "signer": ABSENT},
            padded=False,
            code="jwt_invalid_audience",
            step="audience",
            why="The identity provider signs tokens under the same issuer; they have no client in the header.",
        ),
        "an address that is not verified": Wrong(
            claims={"email_verified": "false"},
            code="trusted_auth_token_email_not_verified",
            step="person",
            why="The identity provider says that the address may be anybody's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
