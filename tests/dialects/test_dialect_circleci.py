"""CircleCI: the OpenID Connect token of a job, in its two forms."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ORGANIZATION = "b9df7e0e-5b1c-4f0f-a1a8-2f6c5c4fbb0e"
STRANGER = "11111111-2222-3333-4444-555555555555"
PROJECT = "4b3d3e7d-6b7e-4a2f-8f30-0b8d6c2a9e11"
USER = "c1a0e6ac-3a5f-4df0-9d35-7f6b0e4b2d22"
SUBJECT = f"org/{ORGANIZATION}/project/{PROJECT}/user/{USER}"

DIALECT = Dialect(
    preset="circleci",
    settings={"organization_id": ORGANIZATION, "owner": "github.com/acme"},
    claims={
        "iss": f"https://oidc.circleci.com/org/{ORGANIZATION}",
        "sub": f"{SUBJECT}/vcs-origin/github.com/acme/site/vcs-ref/refs/heads/main",
        "aud": ORGANIZATION,
        "iat": NOW,
        "exp": NOW + 3600,
        "oidc.circleci.com/project-id": PROJECT,
        "oidc.circleci.com/vcs-origin": "github.com/acme/site",
        "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/context-ids": ["a74579f1-2e7d-451e-b009-5c082ad2729e"],
        "oidc.circleci.com/ssh-rerun": False,
    },
    kid="c6bd5e2c-7b5d-4a67-93d2-5e7a1d1ae0b3",
    jwk={"alg": "RS256"},
    expected={
        "external_id": PROJECT,
        "organization": ORGANIZATION,
        "name": "github.com/acme/site",
        "trusted_metadata": {"repository": "github.com/acme/site"},
    },
    also={
        "in the first form": Good(claims={"sub": SUBJECT}, why="The token of CIRCLE_OIDC_TOKEN has a shorter subject.")
    },
    wrong={
        "another organization": Wrong(
            claims={"iss": f"https://oidc.circleci.com/org/{STRANGER}", "aud": STRANGER},
            code="jwt_invalid_issuer",
            step="issuer",
            why="The organization is a part of the issuer.",
        ),
        "another organization for your audience": Wrong(
            claims={"iss": f"https://oidc.circleci.com/org/{STRANGER}"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="A job can ask for any audience, so the audience does not show whose job it is.",
        ),
        "a fork": Wrong(
            claims={"oidc.circleci.com/vcs-origin": "github.com/stranger/site"},
            step="conditions",
            why="A pull request from a fork runs a stranger's code in your project, where secrets are passed to forks.",
        ),
        "an owner whose name begins like yours": Wrong(
            claims={"oidc.circleci.com/vcs-origin": "github.com/acme-stranger/site"},
            step="conditions",
            why="The name of the owner is compared whole.",
        ),
        "a custom webhook": Wrong(
            claims={
                "sub": SUBJECT,
                "oidc.circleci.com/vcs-origin": ABSENT,
                "oidc.circleci.com/vcs-ref": ABSENT,
            },
            step="conditions",
            why="Whoever knows the address of the webhook starts the pipeline, and nothing says of which repository.",
        ),
        "a token for another service": Wrong(
            claims={"aud": "sts.amazonaws.com"},
            code="jwt_invalid_audience",
            step="audience",
            why="The job asked for a token for somebody else.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
