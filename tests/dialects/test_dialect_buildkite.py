"""Buildkite: the OpenID Connect token of a job that asked for the ids of organization and pipeline."""

from __future__ import annotations

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

AUDIENCE = "https://api.example.com"
ORGANIZATION = "f892efa9-103e-4d28-97a1-3b8616a0994d"
PIPELINE = "0184990a-4782-42b5-afc1-16715b10b1a0"
COMMIT = "9f3182061f1e2cca4702c368cbc039b7dc9d4485"

DIALECT = Dialect(
    preset="buildkite",
    settings={"audience": AUDIENCE, "organization_id": ORGANIZATION},
    claims={
        "iss": "https://agent.buildkite.com",
        "sub": f"organization:acme-inc:pipeline:super-duper-app:ref:refs/heads/main:commit:{COMMIT}:step:build",
        "aud": AUDIENCE,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
        "organization_slug": "acme-inc",
        "pipeline_slug": "super-duper-app",
        "build_number": 1,
        "build_branch": "main",
        "build_commit": COMMIT,
        "step_key": "build",
        "job_id": "0184990a-477b-4fa8-9968-496074483cee",
        "agent_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
        "build_source": "ui",
        "runner_environment": "buildkite-hosted",
        "organization_id": ORGANIZATION,
        "pipeline_id": PIPELINE,
    },
    kid="0ab6ee0ba2cf8a0f",
    jwk={"alg": "RS256"},
    expected={
        "external_id": PIPELINE,
        "organization": ORGANIZATION,
        "organization_name": "acme-inc",
        "name": "super-duper-app",
        "trusted_metadata": {"pipeline": "super-duper-app"},
    },
    also={
        "of a step without a key": Good(
            claims={"step_key": None, "build_tag": "v1.0.0"}, why="The claim is null then."
        ),
        "with another subject": Good(
            claims={"sub": PIPELINE}, why="A job can choose one of the ids (--subject-claim)."
        ),
    },
    wrong={
        "another organization": Wrong(
            claims={"organization_id": "0184990a-477b-4fa8-9968-496074483000"},
            step="conditions",
            why="All organizations share the issuer, and every job can ask for your audience.",
        ),
        "an organization of the same name": Wrong(
            claims={"organization_id": "0184990a-477b-4fa8-9968-496074483001", "organization_slug": "acme-inc"},
            step="conditions",
            why="A name that was given up can be taken by somebody else; the id stays.",
        ),
        "a job that did not ask for the ids": Wrong(
            claims={"organization_id": ABSENT, "pipeline_id": ABSENT},
            step="conditions",
            why="Without --claim organization_id,pipeline_id the token does not say for certain whose it is.",
        ),
        "a job that did not ask for the pipeline": Wrong(
            claims={"pipeline_id": ABSENT},
            step="mapping",
            why="Without --claim pipeline_id the token does not say which pipeline it is.",
        ),
        "the default audience": Wrong(
            claims={"aud": "https://buildkite.com/acme-inc"},
            code="jwt_invalid_audience",
            step="audience",
            why="A job that asks for no audience gets its organization's address, which is meant for nobody.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
