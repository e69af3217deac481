"""A biometric or device vendor: a token of its own key, for a moment and for once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.dialect import ABSENT, NOW, PEM, Dialect, Good, Wrong
from tests.dialects.harness import check_accepted, check_refused, checks_of, staged

CLAIMS = {
    "iss": "https://id.vendor.example",
    "aud": "acme-production",
    "sub": "enrolment-01HF7Y8QJ4N3W",
    "jti": "scan-01HF7YB2C9V5K",
    "iat": NOW,
    "exp": NOW + 120,
    "amr": ["face", "hwk"],
    "acr": "urn:vendor:liveness:high",
    "device_id": "door-7",
}
USED = Wrong(code="invalid_trusted_auth_token", step="replay", why="Each token is taken once.")
BY_TOKEN_ID = Dialect(
    preset="device_vendor",
    settings={"issuer": "https://id.vendor.example", "audience": "acme-production", "public_key": PEM},
    claims=CLAIMS,
    alg="ES256",
    family="P-256",
    kid="vendor-2026",
    expected={"external_id": "enrolment-01HF7Y8QJ4N3W", "token_id": "scan-01HF7YB2C9V5K", "email": None},
    also={
        "no key id": Good(header={"kid": ABSENT}, why="With one key there is nothing to choose."),
    },
    wrong={
        "another customer of the vendor": Wrong(
            claims={"aud": "stranger-production"},
            code="jwt_invalid_audience",
            step="audience",
            why="The vendor signs for all its customers with the same key.",
        ),
        "a scan of ten minutes ago": Wrong(
            claims={"iat": NOW - 600, "exp": NOW + 120},
            step="times",
            why="It must say that somebody is there now.",
        ),
        "a token for a day": Wrong(
            claims={"exp": NOW + 86_400}, step="times", why="A token that lives longer than a scan is worth is refused."
        ),
        "no time of the scan": Wrong(
            claims={"iat": ABSENT}, step="times", why="Without iat nobody knows how old the scan is."
        ),
        "the public key as a secret": Wrong(
            alg="HS256",
            code="invalid_trusted_auth_token",
            step="algorithm",
            why="Whoever has the public key could else make tokens with it.",
        ),
        "a device of somebody else": Wrong(
            signed_by="stranger",
            code="invalid_trusted_auth_token",
            step="signature",
            why="The signature is not the vendor's.",
        ),
    },
    not_guessed="nothing in a token of such a vendor is the same for all of them",
)
BY_FINGERPRINT = Dialect(
    preset="device_vendor",
    settings={
        "issuer": "sensor-service",
        "audience": "acme-production",
        "public_key": PEM,
        "algorithm": "EdDSA",
        "subject_claim": "/subject/id",
        "replay": "fingerprint",
    },
    claims={
        "iss": "sensor-service",
        "aud": "acme-production",
        "jti": "1",
        "subject": {"id": "enrolment-7"},
        "iat": NOW,
        "exp": NOW + 60,
    },
    alg="EdDSA",
    family="Ed25519",
    expected={"external_id": "enrolment-7", "token_id": "1", "email": None},
    wrong={
        "nobody": Wrong(claims={"subject": {}}, step="mapping", why="Nothing else in the token names a person."),
    },
    not_guessed="nothing in a token of such a vendor is the same for all of them",
)
DIALECTS = (BY_TOKEN_ID, BY_FINGERPRINT)

test_the_token_is_accepted, test_a_wrong_token_is_refused = checks_of(*DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS, ids=["by token id", "by fingerprint"])
async def test_a_token_is_taken_once(dialect: Dialect, tmp_path: Path) -> None:
    async with staged(tmp_path, dialect, "consumer") as scene:
        await check_accepted(scene)
        scene.world.clock.turn(11)
        await check_refused(scene, USED)


async def test_another_token_with_the_same_token_id_is_taken_where_the_fingerprint_counts(tmp_path: Path) -> None:
    another = Good(claims={"iat": NOW - 1})
    async with staged(tmp_path, BY_FINGERPRINT, "consumer") as scene:
        await check_accepted(scene)
        await check_accepted(scene, another)


async def test_another_token_with_the_same_token_id_is_refused_where_that_counts(tmp_path: Path) -> None:
    another = Wrong(claims={"iat": NOW - 1}, code=USED.code, step=USED.step)
    async with staged(tmp_path, BY_TOKEN_ID, "consumer") as scene:
        await check_accepted(scene)
        await check_refused(scene, another)
