"""GitLab: the ID token of a CI/CD job, of GitLab.com and of an instance of one's own."""

from __future__ import annotations

import msgspec

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

AUDIENCE = "https://api.example.com"

DIALECT = Dialect(
    preset="gitlab",
    settings={"audience": AUDIENCE, "namespace_id": "72"},
    claims={
        "namespace_id": "72",
        "namespace_path": "my-group",
        "project_id": "20",
        "project_path": "my-group/my-project",
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_access_level": "developer",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "false",
        "deployment_tier": "production",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "project_visibility": "private",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        "iss": "https://gitlab.com",
        "iat": NOW,
        "nbf": NOW - 5,
        "exp": NOW + 3600,
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
        "aud": AUDIENCE,
    },
    kid="4i3sFE7sxqNPOT7FdvcGA1ZVGGI_r-tsDXnEuYT4ZqE",
    jwk={"alg": "RS256"},
    expected={
        "external_id": "20",
        "organization": "72",
        "organization_name": "my-group",
        "name": "my-group/my-project",
        "trusted_metadata": {"project": "my-group/my-project"},
    },
    also={
        "without an environment": Good(
            claims={"environment": ABSENT, "environment_protected": ABSENT, "deployment_tier": ABSENT},
            why="Only jobs that deploy somewhere have these claims.",
        ),
    },
    wrong={
        "another group": Wrong(
            claims={"namespace_id": "73", "namespace_path": "stranger", "project_path": "stranger/my-project"},
            step="conditions",
            why="Anybody's job can ask for your audience; only the group's id tells yours from theirs.",
        ),
        "a branch that is not protected": Wrong(
            claims={"ref_protected": "false", "ref": "feature-branch-1", "ref_path": "refs/heads/feature-branch-1"},
            step="conditions",
            why='Anybody who can push a branch can run a job. The claim is the text "false", which is not a boolean.',
        ),
        "the login of a person": Wrong(
            claims={
                **dict.fromkeys(("namespace_id", "namespace_path", "project_id", "project_path"), ABSENT),
                **dict.fromkeys(("ref", "ref_type", "ref_path", "ref_protected", "pipeline_source"), ABSENT),
                "sub": "1",
                "auth_time": NOW,
                "nickname": "sample-user",
                "email_verified": True,
            },
            step="conditions",
            why="People who log in with GitLab get tokens of the same issuer under the same keys.",
        ),
        "another audience": Wrong(
            claims={"aud": "https://vault.example.com"},
            code="jwt_invalid_audience",
            step="audience",
            why="The job asked for a token for somebody else.",
        ),
        "another instance": Wrong(
            claims={"iss": "https://gitlab.example.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each instance is an issuer of its own, with ids of its own.",
        ),
    },
)

OWN_INSTANCE = msgspec.structs.replace(
    DIALECT,
    settings=DIALECT.settings | {"host": "gitlab.example.com"},
    claims=DIALECT.claims | {"iss": "https://gitlab.example.com"},
    also={},
    wrong={
        "GitLab.com": Wrong(
            claims={"iss": "https://gitlab.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each instance is an issuer of its own, with ids of its own.",
        ),
        "another group": DIALECT.wrong["another group"],
    },
)

DIALECTS = (DIALECT, OWN_INSTANCE)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)
