"""Kubernetes: projected service account tokens, with keys that are fetched and with keys given by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay.rules import presets
from tests.certificates import certificate
from tests.dialects.dialect import ABSENT, JWKS, NOW, Dialect, Good, Wrong
from tests.dialects.harness import checks_of, staged
from tests.issuer import make_key

AUDIENCE = "https://api.example.com"
ISSUER = "https://cluster.example.com"
OFFLINE_ISSUER = "https://kubernetes.default.svc.cluster.local"
UID = "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"
DETAILS: dict[str, Any] = {
    "namespace": "production",
    "node": {"name": "worker-1", "uid": "517eb86e-b863-451b-bf70-86cb61439a3a"},
    "pod": {"name": "site-69cbfb9798-jv9gn", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
    "serviceaccount": {"name": "site", "uid": UID},
    "warnafter": NOW + 3000,
}

DIALECT = Dialect(
    preset="kubernetes",
    settings={
        "issuer": ISSUER,
        "jwks_url": f"{ISSUER}/openid/v1/jwks",
        "audience": AUDIENCE,
        "namespace": "production",
    },
    claims={
        "aud": [AUDIENCE],
        "exp": NOW + 3600,
        "iat": NOW,
        "iss": ISSUER,
        "jti": "aed34954-b33a-4142-b1ec-389d6bbb4936",
        "kubernetes.io": DETAILS,
        "nbf": NOW,
        "sub": "system:serviceaccount:production:site",
    },
    header={},
    kid="JHXehTTTZlsspKHT-GaJxK7Kd1NQgZJu3fyK6K_QDYU",
    jwk={"alg": "RS256"},
    expected={
        "external_id": UID,
        "name": "system:serviceaccount:production:site",
        "trusted_metadata": {"namespace": "production", "service_account": "site"},
    },
    also={
        "of an older cluster": Good(
            claims={
                "jti": ABSENT,
                "kubernetes.io": {name: DETAILS[name] for name in ("namespace", "pod", "serviceaccount")},
            },
            why="Token ids and nodes are newer than the rest.",
        ),
    },
    wrong={
        "another namespace": Wrong(
            claims={
                "kubernetes.io": DETAILS | {"namespace": "stranger"},
                "sub": "system:serviceaccount:stranger:site",
            },
            step="conditions",
            why="Any pod of the cluster can ask for a token for your audience.",
        ),
        "another cluster": Wrong(
            claims={"iss": "https://other.example.com"},
            code="jwt_invalid_issuer",
            step="issuer",
            why="Each cluster is an issuer of its own, with namespaces of the same names.",
        ),
        "a token for the API server": Wrong(
            claims={"aud": ["https://kubernetes.default.svc.cluster.local"]},
            code="jwt_invalid_audience",
            step="audience",
            why="It is the usual token of a pod, for whatever may be done in the cluster.",
        ),
        "a token out of a Secret": Wrong(
            claims={
                **dict.fromkeys(("aud", "exp", "iat", "jti", "nbf", "kubernetes.io"), ABSENT),
                "iss": "kubernetes/serviceaccount",
                "kubernetes.io/serviceaccount/namespace": "production",
                "kubernetes.io/serviceaccount/service-account.name": "site",
                "kubernetes.io/serviceaccount/service-account.uid": UID,
            },
            code="jwt_invalid_issuer",
            step="issuer",
            why="It never ends and is for everybody.",
        ),
        "a life of a year": Wrong(
            claims={"exp": NOW + 365 * 86_400},
            step="times",
            why="The API server may give its own tokens such a life; whoever finds one has it for a year.",
        ),
        "a claim with the path as its name": Wrong(
            claims={"kubernetes.io": ABSENT, "kubernetes.io.namespace": "production"},
            step="conditions",
            why="The dot in kubernetes.io is a part of the name.",
        ),
    },
)

OFFLINE = msgspec.structs.replace(
    DIALECT,
    preset="kubernetes_offline",
    settings={"issuer": OFFLINE_ISSUER, "jwks": JWKS, "audience": AUDIENCE, "namespace": "production"},
    claims=DIALECT.claims | {"iss": OFFLINE_ISSUER},
    wrong={
        "another namespace": DIALECT.wrong["another namespace"],
        "another cluster": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="Clusters that nobody gave a name of its own have the same issuer; their keys differ.",
        ),
        "a key that was not given": Wrong(
            header={"kid": "a-key-of-tomorrow"},
            code="invalid_trusted_auth_token",
            step="signature",
            why="When the cluster gets another key, the keys must be given again.",
        ),
        "a token for the API server": Wrong(
            claims={"aud": [OFFLINE_ISSUER]},
            code="jwt_invalid_audience",
            step="audience",
            why="It is the usual token of a pod, for whatever may be done in the cluster.",
        ),
    },
)

DIALECTS = (DIALECT, OFFLINE)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)


async def test_the_same_token_logs_in_again_because_the_kubelet_hands_it_out_again(tmp_path: Path) -> None:
    async with staged(tmp_path, DIALECT, "consumer") as scene:
        first, second = await scene.attest(), await scene.attest()

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["user_id"] == second.json()["user_id"]


def _sources(name: str, **settings: str) -> list[dict[str, Any]]:
    preset = presets.find(name)
    assert preset is not None
    given = {"issuer": ISSUER, "audience": AUDIENCE, "namespace": "production"} | settings
    filled: list[dict[str, Any]] = presets.fill(preset, given, "b2b")["key_sources"]
    return filled


def test_a_private_authority_is_named_only_if_it_is_given() -> None:
    url, authority = f"{ISSUER}/openid/v1/jwks", certificate(make_key("P-256"))

    assert _sources("kubernetes", jwks_url=url) == [{"kind": "jwks", "url": url}]
    assert _sources("kubernetes", jwks_url=url, ca_pem=authority) == [{"kind": "jwks", "url": url, "ca_pem": authority}]


@pytest.mark.parametrize("text", ["{keys}", '{"keys": [], "keys": []}', '{"keys": [1,]}'])
def test_keys_given_by_hand_must_be_json(text: str) -> None:
    with pytest.raises(presets.BadSettings, match="the setting jwks is not JSON"):
        _sources("kubernetes_offline", jwks=text)
