"""AWS: the token of STS GetWebIdentityToken, signed with either of its algorithms."""

from __future__ import annotations

import msgspec

from tests.dialects.dialect import NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws"
AUDIENCE = "https://api.example.com"
NAMESPACE = "https://sts.amazonaws.com/"
DETAILS = {
    "aws_account": "123456789012",
    "source_region": "us-east-1",
    "org_id": "o-abc1234567",
    "ou_path": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
    "principal_tags": {"environment": "production", "team": "data-engineering"},
    "lambda_source_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:process-data",
    "request_tags": {"job-id": "job-2024-001"},
}

DIALECT = Dialect(
    preset="aws_sts",
    settings={"issuer": ISSUER, "audience": AUDIENCE, "account_id": "123456789012"},
    claims={
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "arn:aws:iam::123456789012:role/DataProcessingRole",
        "iat": NOW,
        "exp": NOW + 300,
        "jti": "xyz123-def456-ghi789-jkl012",
        NAMESPACE: DETAILS,
    },
    kid="RSA_0",
    jwk={"alg": "RS256"},
    expected={
        "external_id": "arn:aws:iam::123456789012:role/DataProcessingRole",
        "organization": "123456789012",
        "name": "arn:aws:iam::123456789012:role/DataProcessingRole",
    },
    also={"with a list of one audience": Good(claims={"aud": [AUDIENCE]}, why="Nobody else could use it here.")},
    wrong={
        "another account": Wrong(
            claims={
                "iss": "https://mno345-pqr678-stu901-vwx234.tokens.sts.global.api.aws",
                "sub": "arn:aws:iam::999999999999:role/DataProcessingRole",
                NAMESPACE: DETAILS | {"aws_account": "999999999999"},
            },
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each account has an issuer of its own.",
        ),
        "the issuer of another account by mistake": Wrong(
            claims={NAMESPACE: DETAILS | {"aws_account": "999999999999"}},
            step="conditions",
            why="The issuer's name does not show the account, so the account is looked at, too.",
        ),
        "a token for two services": Wrong(
            claims={"aud": [AUDIENCE, "https://other.example.net"]},
            code="jwt_invalid_audience",
            step="audience",
            why="The other service could use it here.",
        ),
        "a token for another service": Wrong(
            claims={"aud": "https://other.example.net"},
            code="jwt_invalid_audience",
            step="audience",
            why="The workload asked for a token for somebody else.",
        ),
        "a life of a day": Wrong(
            claims={"exp": NOW + 86_400},
            step="times",
            why="STS gives tokens for an hour at most.",
        ),
    },
)

ELLIPTIC = msgspec.structs.replace(
    DIALECT,
    alg="ES384",
    family="P-384",
    kid="EC384_0",
    jwk={"alg": "ES384"},
    also={},
    wrong={
        "a key of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The signature is not that of STS.",
        )
    },
)

DIALECTS = (DIALECT, ELLIPTIC)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
