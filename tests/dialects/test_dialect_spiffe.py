"""SPIFFE: a JWT-SVID, judged by the trust bundle of its trust domain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.dialect import ABSENT, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of, staged
from tests.dialects.minting import key_of

AUDIENCE = "https://api.example.com"
BUNDLE_URL = "https://spire.example.com/bundle"

DIALECT = Dialect(
    preset="spiffe",
    settings={
        "trust_domain": "prod.example.com",
        "path": "ns/site/",
        "bundle_url": BUNDLE_URL,
        "audience": AUDIENCE,
    },
    claims={
        "aud": [AUDIENCE],
        "exp": NOW + 300,
        "iat": NOW,
        "sub": "spiffe://prod.example.com/ns/site/sa/frontend",
    },
    header={"typ": "JWT"},
    alg="ES256",
    family="P-256",
    kid="C6vs25welZOx6WksNYfbMfiw9l96pMnD",
    jwk={"use": "jwt-svid"},
    document={"spiffe_sequence": 12, "spiffe_refresh_hint": 300},
    expected={
        "external_id": "spiffe://prod.example.com/ns/site/sa/frontend",
        "name": "spiffe://prod.example.com/ns/site/sa/frontend",
    },
    also={
        "with an issuer": Good(
            claims={"iss": "https://oidc.prod.example.com"}, why="Some servers add one; it is not looked at."
        ),
        "without kid and type": Good(header={"kid": ABSENT, "typ": ABSENT}, why="Neither is required."),
        "of the type JOSE": Good(
            header={"typ": "JOSE"},
            claims={"aud": AUDIENCE, "iat": ABSENT},
            why="JOSE is the other type that the standard allows.",
        ),
    },
    wrong={
        "another trust domain": Wrong(
            claims={"sub": "spiffe://stage.example.com/ns/site/sa/frontend"},
            step="conditions",
            why="Each trust domain answers for its own workloads alone, whatever its keys sign.",
        ),
        "a trust domain whose name begins like yours": Wrong(
            claims={"sub": "spiffe://prod.example.com.stranger.example/ns/site/sa/frontend"},
            step="conditions",
            why="The name is compared up to the slash.",
        ),
        "a workload outside the path": Wrong(
            claims={"sub": "spiffe://prod.example.com/ns/sitemap/sa/frontend"},
            step="conditions",
            why="Any workload of the trust domain can ask for a token for your audience.",
        ),
        "no SPIFFE ID": Wrong(
            claims={"sub": "frontend"},
            step="conditions",
            why="A token whose subject is no SPIFFE ID is no JWT-SVID.",
        ),
        "no end": Wrong(claims={"exp": ABSENT}, step="times", why="A JWT-SVID must have an end."),
        "no audience": Wrong(
            claims={"aud": ABSENT},
            code="jwt_invalid_audience",
            step="audience",
            why="A JWT-SVID must say whom it is for.",
        ),
        "a token for two services": Wrong(
            claims={"aud": [AUDIENCE, "https://other.example.com"]},
            code="jwt_invalid_audience",
            step="audience",
            why="The other service could use it here.",
        ),
        "an access token": Wrong(
            header={"typ": "at+jwt"},
            code="invalid_trusted_auth_token",
            step="type",
            why="A JWT-SVID is of the type JWT or JOSE, or of none.",
        ),
    },
)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(DIALECT)


def _bundle(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"spiffe_sequence": 13, "keys": keys}).encode()


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(_bundle(), id="a bundle without keys, which takes all of them back"),
        pytest.param(_bundle(key_of(DIALECT).jwk() | {"use": "x509-svid"}), id="a key for X.509 alone"),
    ],
)
async def test_a_bundle_without_keys_for_jwt_svids_refuses_every_token(tmp_path: Path, bundle: bytes) -> None:
    async with staged(tmp_path, DIALECT, "b2b") as scene:
        scene.web.documents[BUNDLE_URL] = bundle
        answer = await scene.attest()

    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_trusted_auth_token")


async def test_a_plain_key_set_is_no_bundle(tmp_path: Path) -> None:
    async with staged(tmp_path, DIALECT, "b2b") as scene:
        scene.web.documents[BUNDLE_URL] = _bundle(key_of(DIALECT).jwk())
        answer = await scene.attest()

    assert (answer.status_code, answer.json()["error_type"]) == (503, "trusted_token_keys_unavailable")
