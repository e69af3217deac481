"""Vercel OIDC: the token of a deployment in the team issuer mode, as Vercel documents its anatomy."""

from __future__ import annotations

from tests.dialects.dialect import NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of

DIALECT = Dialect(
    preset="vercel_oidc",
    settings={
        "team": "acme",
        "team_id": "team_7Gw5ZMzpQA8h90F832KGp7nw",
        "audience": "https://vercel.com/acme",
        "environment": "production",
    },
    claims={
        "iss": "https://oidc.vercel.com/acme",
        "sub": "owner:acme:project:acme_website:environment:production",
        "scope": "owner:acme:project:acme_website:environment:production",
        "aud": "https://vercel.com/acme",
        "owner": "acme",
        "owner_id": "team_7Gw5ZMzpQA8h90F832KGp7nw",
        "project": "acme_website",
        "project_id": "prj_7Gw5ZMBpQA8h9GF832KGp7nw",
        "environment": "production",
        "plan": "pro",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3600,
    },
    jwk={"alg": "RS256"},
    expected={
        "external_id": "prj_7Gw5ZMBpQA8h9GF832KGp7nw",
        "name": "acme_website",
        "organization": "team_7Gw5ZMzpQA8h90F832KGp7nw",
        "organization_name": "acme",
        "trusted_metadata": {"environment": "production"},
    },
    also={
        "exchanged, with who asked for it": Good(
            claims={"act": {"aud": "https://vercel.com/acme", "iat": NOW - 60}, "jti": "0f6c2c9e-deploy-1"},
            why="A deployment that asks for another audience gets its token exchanged; act says what it was.",
        ),
    },
    wrong={
        "another team under its old name": Wrong(
            claims={"owner_id": "team_strangerstrangerstranger"},
            step="conditions",
            why="The slug of a team can be given up and taken by somebody else; the id stays.",
        ),
        "another team's": Wrong(
            claims={"iss": "https://oidc.vercel.com/stranger", "owner_id": "team_strangerstrangerstranger"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each team has its own issuer.",
        ),
        "the global issuer's": Wrong(
            claims={"iss": "https://oidc.vercel.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="A project in the global issuer mode has tokens of the issuer of all teams.",
        ),
        "a developer's": Wrong(
            claims={"environment": "development", "sub": "owner:acme:project:acme_website:environment:development"},
            step="conditions",
            why="Tokens of development lie on developers' machines.",
        ),
        "for another audience": Wrong(
            claims={"aud": "sts.amazonaws.com"},
            code="jwt_invalid_audience",
            step="audience",
            why="The token was asked for by a deployment to be shown to somebody else.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)
