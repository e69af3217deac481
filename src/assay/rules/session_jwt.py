"""The claims of our own session JWT (contract §5), written and read."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, get_args

import msgspec

from assay import errors
from assay.model import Environment, SessionJwtAlgorithm, SessionView
from assay.rules import jws
from assay.rules.algorithms import VerificationKey, verify
from assay.rules.claims import merged_claims
from assay.rules.permissions import Policy, session_roles
from assay.rules.session_ids import session_id

LIFETIME_SECONDS = 300
ALGORITHMS: tuple[SessionJwtAlgorithm, ...] = get_args(SessionJwtAlgorithm)
"""What session JWTs may be signed with, as the environment says; RS256 unless it says otherwise."""

SESSION_CLAIM = "https://stytch.com/session"
ORGANIZATION_CLAIM = "https://stytch.com/organization"
_json = msgspec.json.Encoder()


@lru_cache(maxsize=1_024)
def time(seconds: int) -> datetime:
    """What becomes RFC 3339 in UTC to the second, as every time on the wire, when it is encoded."""
    return datetime.fromtimestamp(seconds, UTC)


def issuer_of(environment_id: str, public_url: str) -> str:
    """Who our session JWTs say they are from (decisions D31)."""
    return public_url or f"stytch.com/{environment_id}"


class Shape(msgspec.Struct, frozen=True):
    """What the environment decides about a session JWT: the roles that count, claims to add, another audience."""

    roles: tuple[str, ...]
    claims: dict[str, Any] = {}
    custom_audience: str = ""


def claims(
    view: SessionView, environment: Environment, shape: Shape, *, public_url: str, sealed_token: str, now: int
) -> dict[str, Any]:
    """The claims of a JWT made at ``now``, ready to be encoded; never stamped ahead: official clients allow no leeway.

    ``sealed_token`` lets whoever authenticates with the JWT have the session token back; clients ignore it. Claims of
    the template and custom claims stand beside ours; their names were checked when they were set (decisions D11). The
    session's own win over those of the template. The environment's id stays in the audience, where clients look.
    """
    session, organization = view.session, view.organization
    environment_id = environment.environment_id
    more = shape.custom_audience
    own: dict[str, Any] = {
        "iss": issuer_of(environment_id, public_url),
        "aud": [environment_id, more] if more and more != environment_id else [environment_id],
        "sub": session.subject_id,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_SECONDS,
        SESSION_CLAIM: {
            "id": session_id(session),
            "started_at": time(session.started_at),
            "last_accessed_at": time(session.last_accessed_at),
            "expires_at": time(session.expires_at),
            "attributes": {"ip_address": "", "user_agent": ""},
            "authentication_factors": [factor(f.token_id, f.last_authenticated_at) for f in session.factors],
            "roles": shape.roles,
            "sealed_token": sealed_token,
        },
    }
    if organization is not None:
        own[ORGANIZATION_CLAIM] = {"organization_id": organization.organization_id, "slug": organization.slug}
    if not shape.claims and not session.custom_claims:
        return own
    return {**merged_claims(shape.claims, session.custom_claims), **own}


def contents(view: SessionView, environment: Environment, shape: Shape, public_url: str, kid: str, token: str) -> bytes:
    """A digest that two session JWTs share only if the same key signed the same claims in them.

    Left out are the moment at which one is made and the last access. ``token`` is the session's, which the JWT
    carries sealed. It is a digest of JSON, because 1, 1.0 and true are equal to Python and not to whoever reads them.
    """
    session, organization = view.session, view.organization
    told = (
        (kid, public_url, environment.environment_id, shape),
        (token, session.number, session.id_tail, session.kind, session.subject_kind, session.subject_id),
        (session.started_at, session.expires_at, session.factors, session.custom_claims),
        (organization.organization_id, organization.slug) if organization else None,
    )
    return hashlib.sha256(_json.encode(told)).digest()


def factor(token_id: str, last_authenticated_at: int) -> dict[str, Any]:
    """A trusted token factor as clients know it (contract §2.2)."""
    return {
        "type": "trusted_auth_token",
        "delivery_method": "trusted_token_exchange",
        "last_authenticated_at": time(last_authenticated_at),
        "trusted_auth_token_factor": {"token_id": token_id},
    }


def roles(view: SessionView, environment: Environment, policy: Policy) -> tuple[str, ...]:
    """The roles that count in this session now (decisions D5)."""
    person = view.member or view.user
    if person is None:
        return ()
    return session_roles(environment.vertical, person, view.session.factors, policy)


class SessionClaim(msgspec.Struct, frozen=True):
    """What a session JWT says of its session; the rest is read from the store."""

    id: str
    sealed_token: str


class OwnClaims(msgspec.Struct, frozen=True):
    """The claims by which a session JWT is recognised as ours."""

    iss: str
    aud: list[str]
    exp: int
    session: SessionClaim = msgspec.field(name=SESSION_CLAIM)


def kid_of(token: str) -> str:
    """The key id in the header of a session JWT. Raises UnableToParseSessionJwt."""
    header = _parse(token).header
    kid = header.get("kid")
    if header.get("alg") not in ALGORITHMS or not isinstance(kid, str):
        raise errors.UnableToParseSessionJwt
    return kid


def read(token: str, key: VerificationKey | None, environment_id: str, public_url: str, now: float) -> SessionClaim:
    """The session that a session JWT of this environment speaks of. Raises UnableToParseSessionJwt.

    An expired JWT still names its session (contract §4), which the store then judges. One that names an older
    issuer of ours is taken only until it expires (decisions D31). ``key`` is the published key of its kid, if any.
    It is verified with the one algorithm that the key was made for, which the header does not choose (RFC 8725 §3.1).
    """
    parsed = _parse(token)
    algorithm = "" if key is None else next(iter(key.algorithms))
    if key is None or parsed.header.get("alg") != algorithm:
        raise errors.UnableToParseSessionJwt
    if not verify(algorithm, key, parsed.signature, parsed.signed):
        raise errors.UnableToParseSessionJwt
    try:
        own = msgspec.json.decode(parsed.payload, type=OwnClaims)
    except msgspec.MsgspecError:
        raise errors.UnableToParseSessionJwt from None
    current_issuer = own.iss == issuer_of(environment_id, public_url)
    if environment_id not in own.aud or not (current_issuer or now < own.exp):
        raise errors.UnableToParseSessionJwt
    return own.session


def _parse(token: str) -> jws.Jws:
    try:
        return jws.parse(token)
    except errors.InvalidTrustedAuthToken:
        raise errors.UnableToParseSessionJwt from None
