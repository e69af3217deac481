"""Claims as rules get them: out of a token that was signed and verified."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.keys import admission
from assay.model import Profile
from assay.rules import tokens
from assay.rules.tokens import Claims
from tests.issuer import sign

NOW = 1_800_000_000.0
SECRET = b"s" * 32
ISSUER = "https://issuer.example/a"

PROFILE = Profile(
    environment_id="project-test-1",
    profile_id="ours",
    name="Ours",
    issuer=ISSUER,
    audience="assay",
    public_key_type="UNSPECIFIED",
    algorithms=("HS256",),
    attribute_mapping={"email": "email"},
    created_at=0,
    updated_at=0,
)


def profile(**members: Any) -> Profile:
    """The profile with other members."""
    return msgspec.structs.replace(PROFILE, **members)


def claims(values: dict[str, Any], header: dict[str, Any] | None = None) -> Claims:
    """These claims, and what every token needs, under a good signature."""
    base = {"iss": ISSUER, "aud": "assay", "exp": NOW + 60}
    token = sign({"alg": "HS256"} | (header or {}), base | values, "HS256", SECRET)
    return tokens.verify(tokens.read(token, PROFILE, NOW), [admission.shared_secret(SECRET)])
