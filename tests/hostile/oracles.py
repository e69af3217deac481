"""What two independent libraries say of a token under the same key and the same expectations as ours."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import joserfc.errors
import joserfc.jwk
import joserfc.jws
import joserfc.jwt
import jwt
import jwt.api_jwt

from assay import errors
from assay.model import Profile
from assay.rules import tokens
from tests.hostile.mutations import ISSUER, LEEWAY, NOW, Plan
from tests.issuer import AUDIENCE

ORACLES = ("PyJWT", "joserfc")


class Verdict(NamedTuple):
    """Whether a judge believes a token; ``why`` not, for people, and ``claims`` as it reads them."""

    granted: bool
    why: str = ""
    claims: dict[str, Any] | None = None


def ours(plan: Plan, token: str) -> Verdict:
    """Assay's verdict. Anything but one of its own refusals is a bug, and comes through."""
    profile = Profile(
        environment_id="project-test-1",
        profile_id="fuzz",
        name="Fuzz",
        issuer=ISSUER,
        audience=AUDIENCE,
        public_key_type="JWK",
        algorithms=plan.allowed,
        leeway_seconds=LEEWAY,
        created_at=0,
        updated_at=0,
    )
    try:
        claims = tokens.verify(tokens.read(token, profile, NOW), [plan.key.verification_key()])
    except (
        errors.InvalidTrustedAuthToken,
        errors.JwtInvalidIssuer,
        errors.JwtInvalidAudience,
        errors.JwtInvalidClaims,
    ) as refusal:
        return Verdict(False, str(refusal.detail))
    return Verdict(True, claims=claims.values)


def verdict(oracle: str, plan: Plan, token: str) -> Verdict:
    """An oracle's verdict. An exception that is not its own is a refusal too, told as such."""
    judge = _pyjwt if oracle == "PyJWT" else _joserfc
    try:
        with _quiet():
            return Verdict(True, claims=judge(plan, token))
    except (jwt.PyJWTError, joserfc.errors.JoseError) as refusal:
        return Verdict(False, f"{type(refusal).__name__}: {refusal}")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as fault:
        return Verdict(False, f"raised {type(fault).__name__}: {fault}")


class _Now(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> _Now:
        return cls.fromtimestamp(NOW, tz)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), mock.patch.object(jwt.api_jwt, "datetime", _Now):
        warnings.simplefilter("ignore")  # of algorithm names that they find dated, such as EdDSA
        yield


def _pyjwt(plan: Plan, token: str) -> dict[str, Any]:
    public_key: Any = plan.key.private_key.public_key()
    return jwt.decode(
        token,
        public_key,
        algorithms=list(plan.allowed),
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=LEEWAY,
        options={"require": ["exp", "iss", "aud"]},
    )


_KEYS: dict[str, Any] = {}


def _joserfc(plan: Plan, token: str) -> dict[str, Any]:
    registry = joserfc.jws.JWSRegistry(algorithms=list(plan.allowed), strict_check_header=False)
    # Its limits are smaller than ours; they are not what is compared here.
    registry.max_header_length = registry.max_payload_length = registry.max_signature_length = 20_000
    if plan.family not in _KEYS:
        _KEYS[plan.family] = joserfc.jwk.import_key({**plan.key.jwk(), "kid": "fuzz"})
    made = joserfc.jwt.decode(token, _KEYS[plan.family], algorithms=list(plan.allowed), registry=registry)
    wanted = joserfc.jwt.JWTClaimsRegistry(
        now=NOW,
        leeway=LEEWAY,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    wanted.validate(made.claims)
    return made.claims


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two judges read the same claims."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
