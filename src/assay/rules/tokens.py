"""Judge a trusted auth token against a profile and its keys.

``read`` makes every check that costs nothing (:mod:`assay.rules.checks`), so that a token that cannot pass never
causes a key to be fetched.
``verify`` checks the signature. Only what comes out of ``verify`` may be believed: until then everything is called
unverified, in its type and in its names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from assay import errors
from assay.key_sources import AlbSource
from assay.model import Profile
from assay.rules import algorithms, checks, jws
from assay.rules.algorithms import AnyKey
from assay.rules.jws import Jws, shown

MAX_KEYS_TRIED = 5

_KEY_MEMBERS = ("jwk", "jku", "x5u", "x5c")
_ANY_KEY_MEMBER = frozenset(_KEY_MEMBERS)
_SIGNATURE_VERIFIED: Final = object()


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """A token that looks right to its profile but may be anybody's work.

    Nothing in it may decide anything but which key to try.
    """

    algorithm: str
    kid: str | None
    header: dict[str, Any]
    unverified_claims: dict[str, Any]
    jws: Jws
    profile: Profile

    def __repr__(self) -> str:
        """Show nothing, because whatever shows this would show a token."""
        return "<Unverified>"


class Claims:
    """What a trusted issuer said: claims out of bytes whose signature was verified.

    Functions that act on a token take Claims, so that an unverified one cannot reach them by mistake. Therefore only
    :func:`verify` makes Claims: the constructor refuses whoever does not hold this module's private mark. This guards
    against slips, not against malice; Python cannot keep code of the same process out.

    ``values`` are the claims, ``header`` the header.
    """

    __slots__ = ("_signed", "header", "values")

    def __init__(self, unverified: Unverified, mark: object) -> None:
        if mark is not _SIGNATURE_VERIFIED:
            raise TypeError("only assay.rules.tokens.verify makes Claims")
        self.values: Final = unverified.unverified_claims
        self.header: Final = unverified.header
        self._signed: Final = unverified.jws.signed

    @property
    def token_hash(self) -> str:
        """SHA-256 of the signing input in hexadecimal, which names the token whatever its signature is spelled like."""
        return hashlib.sha256(self._signed).hexdigest()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the claims in hexadecimal, whatever their order, the header, and the signature are (A59, A63)."""
        return hashlib.sha256(msgspec.json.encode(self.values, order="deterministic")).hexdigest()


class Seen(msgspec.Struct, kw_only=True):
    """How far a judgement has come, and what of the token could be read: for records and explanations, never for trust.

    ``step`` is what is being checked; after a refusal it is what failed. Nothing here is verified.
    """

    step: str = ""
    unverified_header: dict[str, Any] = {}
    unverified_claims: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Show nothing, because what it holds came from whoever sent the token."""
        return f"<Seen at {self.step}>"


def read(token: str, profile: Profile, now: float, seen: Seen | None = None) -> Unverified:
    """Take a token apart and refuse what needs no key to refuse; ``now`` in seconds since the epoch.

    Raises errors.InvalidTrustedAuthToken (shape, algorithm, type), JwtInvalidIssuer, JwtInvalidAudience, or
    JwtInvalidClaims (times, and ``sub`` or ``jti`` that is not a string). Each has a detail for the attempt record.
    """
    seen = Seen() if seen is None else seen
    seen.step = "shape"
    parsed = jws.parse(token, padded=bool(profile.key_sources) and _is_padded(profile))
    header = seen.unverified_header = parsed.header
    for seen.step, check in checks.OF_HEADER:
        check(header, profile)
    seen.step = "payload"
    claims = seen.unverified_claims = jws.read_object(parsed.payload, "payload")
    for seen.step, check_of_claims in checks.OF_CLAIMS:
        check_of_claims(claims, header, profile, now)
    return Unverified(
        algorithm=header["alg"],
        kid=header.get("kid"),
        header=header,
        unverified_claims=claims,
        jws=parsed,
        profile=profile,
    )


def _is_padded(profile: Profile) -> bool:
    """Whether tokens of this profile come with padding, as those of AWS load balancers do (security A28)."""
    return any(isinstance(source, AlbSource) for source in profile.key_sources)


def verify(unverified: Unverified, keys: Sequence[AnyKey]) -> Claims:
    """Turn an unverified token into Claims if one of ``keys`` signed it; at most five are tried.

    Raises errors.InvalidTrustedAuthToken.
    """
    algorithm, token = unverified.algorithm, unverified.jws
    tried = 0
    for key in keys:
        if tried == MAX_KEYS_TRIED:
            break
        if _fits(key, unverified):
            if algorithms.verify(algorithm, key, token.signature, token.signed):
                return Claims(unverified, _SIGNATURE_VERIFIED)
            tried += 1
    if not tried:
        fault = f"the profile has no key for kid {shown(unverified.kid)} and algorithm {algorithm}"
        raise errors.InvalidTrustedAuthToken(detail=fault)
    raise errors.InvalidTrustedAuthToken(detail=f"the signature is wrong (keys tried: {tried})")


def _fits(key: AnyKey, unverified: Unverified) -> bool:
    if unverified.algorithm not in key.algorithms:
        return False
    if key.issuer is None:
        return True
    return checks.key_is_of_issuer(key.issuer, unverified.profile, unverified.unverified_claims)


def ignored_key_headers(header: dict[str, Any]) -> tuple[str, ...]:
    """Name the members that offer a key of their own: never used, but worth a note in the attempt (security A16)."""
    if _ANY_KEY_MEMBER.isdisjoint(header):
        return ()
    return tuple(member for member in _KEY_MEMBERS if member in header)
