"""Settings of presets that would make one tenant's profile into everybody's, or end the text that they stand in."""

from __future__ import annotations

import pytest

from assay.rules import presets
from assay.rules.presets import BadSettings

CLIENT = "6731de76-14a6-49ae-97bc-6eba6914391e"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"

REFUSED = {
    "personal accounts as one's own tenant": (
        "entra",
        {"tenant_id": "9188040d-6c67-4c5b-b112-36a304b66dad", "client_id": CLIENT},
    ),
    "every tenant as one": ("entra", {"tenant_id": "common", "client_id": CLIENT}),
    "every tenant as several": ("entra_multitenant", {"tenant_ids": "organizations", "client_id": CLIENT}),
    "an empty tenant among others": ("entra_multitenant", {"tenant_ids": f"{TENANT},", "client_id": CLIENT}),
    "the end of the list": (
        "entra_multitenant",
        {"tenant_ids": f'{TENANT}".split(",") || true || "', "client_id": CLIENT},
    ),
    "a domain that ends its text": ("google", {"client_id": "a.apps.example", "domain": '" == "" || "'}),
    "no domain": ("google", {"client_id": "a.apps.example", "domain": ""}),
    "a project that is a path": ("firebase", {"project_id": "acme-app/../stranger"}),
    "a team that is a host": ("cloudflare_access", {"team": "acme.example/", "audience": "0" * 64}),
    "a pool of another host": (
        "cognito_id",
        {"region": "eu-west-1.example.net/", "pool_id": "eu-west-1_aBc", "client_id": "abc"},
    ),
    "any load balancer": (
        "aws_alb",
        {"issuer": "https://idp.example", "client_id": "abc", "region": "eu-west-1", "signer": "*"},
    ),
    "an audience that is another project's service": ("google_iap", {"audience": "/projects/*/apps/acme"}),
}


@pytest.mark.parametrize(("preset", "settings"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_would_let_in_others_is_refused(preset: str, settings: dict[str, str]) -> None:
    found = presets.find(preset)
    assert found is not None
    with pytest.raises(BadSettings):
        presets.fill(found, settings, "b2b")
