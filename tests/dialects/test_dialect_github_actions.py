"""GitHub Actions: the token of a job, as GitHub documents it for its workflows."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

ISSUER = "https://token.actions.githubusercontent.com"

DIALECT = Dialect(
    preset="github_actions",
    settings={"audience": "https://api.example.com", "owner_id": "1234567"},
    claims={
        "jti": "0d0cb0f8-5d2a-4b0b-9c1c-2a9d4a1e7f11",
        "sub": "repo:octo-org@1234567/octo-repo@7654321:environment:prod",
        "environment": "prod",
        "aud": "https://api.example.com",
        "ref": "refs/heads/main",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "actor_id": "12",
        "repository_visibility": "private",
        "repository_id": "7654321",
        "repository_owner_id": "1234567",
        "run_id": "9876543210",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "actor": "octocat",
        "workflow": "example-workflow",
        "head_ref": "",
        "base_ref": "",
        "event_name": "workflow_dispatch",
        "ref_protected": "true",
        "ref_type": "branch",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
        "iss": ISSUER,
        "nbf": NOW - 600,
        "exp": NOW + 300,
        "iat": NOW,
    },
    jwk={"alg": "RS256"},
    expected={
        "external_id": "7654321",
        "organization": "1234567",
        "organization_name": "octo-org",
        "name": "octo-org/octo-repo",
        "trusted_metadata": {"repository": "octo-org/octo-repo"},
    },
    also={
        "without a token id": Good(claims={"jti": ABSENT}, why="The hash of the token stands for it."),
        "with the older subject": Good(
            claims={"sub": "repo:octo-org/octo-repo:ref:refs/heads/main"}, why="Older repositories have no ids in it."
        ),
        "with a subject of one's own": Good(
            claims={"sub": "repository_owner:octo-org:workflow:example-workflow"},
            why="An owner can compose it of other claims.",
        ),
        "without an environment": Good(claims={"environment": ABSENT}),
    },
    wrong={
        "another owner's repository": Wrong(
            claims={"repository_owner_id": "1", "repository_owner": "stranger", "repository": "stranger/octo-repo"},
            step="conditions",
            why="Anybody's workflow can ask for your audience; only the owner's id tells yours from theirs.",
        ),
        "an owner of the same name": Wrong(
            claims={"repository_owner_id": "7654321"},
            step="conditions",
            why="A name that was given up can be taken by somebody else; the id stays.",
        ),
        "the default audience": Wrong(
            claims={"aud": "https://github.com/octo-org"},
            code="jwt_invalid_audience",
            step="audience",
            why="A job that asks for no audience gets its owner's URL, which is meant for nobody.",
        ),
        "an Enterprise Server": Wrong(
            claims={"iss": "https://github.example.com/_services/token"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="GitHub Enterprise Server is another issuer with other keys.",
        ),
        "a key of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The signature is not GitHub's.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
