"""Judge a trusted auth token against a profile and its keys.

``read`` makes every check that costs nothing, so that a token that cannot pass never causes a key to be fetched.
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
from assay.rules import algorithms, jws
from assay.rules.algorithms import AnyKey
from assay.rules.jws import Jws, shown

MAX_LIFETIME_SECONDS = 366 * 24 * 60 * 60
MAX_KEYS_TRIED = 5
MAX_TIME = 2**53

# What a token may call itself (decisions D8). Tokens of other kinds, such as logout tokens or DPoP proofs, can be
# had from the same issuer under the same keys by people who may not log in (RFC 8725 §3.11, security R14, A25).
_TYPES = frozenset({"jwt", "at+jwt", "id_token+jwt"})

_STRINGS_ALONE = frozenset({str})
_KEY_MEMBERS = ("jwk", "jku", "x5u", "x5c")
_SIGNATURE_VERIFIED: Final = object()


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """A token that looks right but may be anybody's work. Nothing in it may decide anything but which key to try."""

    algorithm: str
    kid: str | None
    header: dict[str, Any]
    unverified_claims: dict[str, Any]
    jws: Jws

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


def read(token: str, profile: Profile, now: float) -> Unverified:
    """Take a token apart and refuse what needs no key to refuse; ``now`` in seconds since the epoch.

    Raises errors.InvalidTrustedAuthToken (shape, algorithm, type), JwtInvalidIssuer, JwtInvalidAudience, or
    JwtInvalidClaims (times, and ``sub`` or ``jti`` that is not a string). Each has a detail for the attempt record.
    """
    parsed = jws.parse(token, padded=any(isinstance(source, AlbSource) for source in profile.key_sources))
    header = parsed.header
    algorithm: str = header["alg"]
    if algorithm not in profile.algorithms:
        raise errors.InvalidTrustedAuthToken(detail=f"the profile does not allow the algorithm {shown(algorithm)}")
    _check_type(header)
    claims = jws.read_object(parsed.payload, "payload")
    _check_issuer(claims, profile.issuer)
    _check_audience(claims, profile.audience)
    _check_times(claims, profile.leeway_seconds, now)
    _check_strings(claims)
    return Unverified(algorithm=algorithm, kid=header.get("kid"), header=header, unverified_claims=claims, jws=parsed)


def verify(unverified: Unverified, keys: Sequence[AnyKey]) -> Claims:
    """Turn an unverified token into Claims if one of ``keys`` signed it; at most five are tried.

    Raises errors.InvalidTrustedAuthToken.
    """
    algorithm, token = unverified.algorithm, unverified.jws
    fitting = [key for key in keys if algorithm in key.algorithms][:MAX_KEYS_TRIED]
    if not fitting:
        fault = f"the profile has no key for kid {shown(unverified.kid)} and algorithm {algorithm}"
        raise errors.InvalidTrustedAuthToken(detail=fault)
    for key in fitting:
        if algorithms.verify(algorithm, key, token.signature, token.signed):
            return Claims(unverified, _SIGNATURE_VERIFIED)
    raise errors.InvalidTrustedAuthToken(detail=f"the signature is wrong (keys tried: {len(fitting)})")


def ignored_key_headers(header: dict[str, Any]) -> tuple[str, ...]:
    """Name the members that offer a key of their own: never used, but worth a note in the attempt (security A16)."""
    return tuple(member for member in _KEY_MEMBERS if member in header)


def _check_type(header: dict[str, Any]) -> None:
    if "typ" not in header:
        return
    kind: str = header["typ"]
    if kind.lower().removeprefix("application/") not in _TYPES:
        raise errors.InvalidTrustedAuthToken(detail=f"the header's typ is {shown(kind)}, another kind of token")


def _check_issuer(claims: dict[str, Any], issuer: str) -> None:
    """Compare ``iss`` character by character: prefixes, slashes and case all make another issuer (A47, A48)."""
    found = claims.get("iss")
    if not isinstance(found, str) or found != issuer:
        came = f"it is {shown(found)}" if "iss" in claims else "there is none"
        raise errors.JwtInvalidIssuer(detail=f"iss must be {shown(issuer)}, but {came}")


def _check_audience(claims: dict[str, Any], audience: str) -> None:
    """Look for the whole audience in ``aud``, a string or a list of nothing but strings (security R10, A50, A51)."""
    found = claims.get("aud")
    names: list[Any] = found if isinstance(found, list) else [found]
    if audience not in names or not set(map(type, names)) <= _STRINGS_ALONE:
        came = f"it is {shown(found)}" if "aud" in claims else "there is none"
        raise errors.JwtInvalidAudience(detail=f"aud must contain {shown(audience)}, but {came}")


def _check_times(claims: dict[str, Any], leeway: int, now: float) -> None:
    """Check ``exp``, ``nbf`` and ``iat`` as decisions D8 says; all are seconds since the epoch (RFC 7519 §4.1.4-6)."""
    expires = _time(claims, "exp")
    if expires is None:
        raise errors.JwtInvalidClaims(detail="exp is missing")
    if now >= expires + leeway:
        raise errors.JwtInvalidClaims(detail=f"the token has expired: exp is {expires}, now is {now:.0f}")
    for name in ("nbf", "iat"):
        start = _time(claims, name)
        if start is not None and start > now + leeway:
            raise errors.JwtInvalidClaims(detail=f"the token is not yet valid: {name} is {start}, now is {now:.0f}")
    # A token that lives for ever is a password: whoever finds it once has it for good (security R25, A58).
    begins = claims.get("iat", now)
    if expires - begins > MAX_LIFETIME_SECONDS:
        raise errors.JwtInvalidClaims(detail=f"the token lives longer than {MAX_LIFETIME_SECONDS} seconds")


def _time(claims: dict[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    # bool is an int to Python; to an issuer it is a mistake.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.JwtInvalidClaims(detail=f"{name} must be a number, but it is {shown(value)}")
    # Beyond this, seconds are no longer whole numbers to every reader (RFC 7493 §2.2), and sums could overflow.
    if abs(value) > MAX_TIME:
        raise errors.JwtInvalidClaims(detail=f"{name} is out of range")
    return value


def _check_strings(claims: dict[str, Any]) -> None:
    """Refuse identifiers of other types: two readers would write 1, 1.0 and "1" differently (security R24, A57)."""
    for name in ("sub", "jti"):
        if name in claims and not isinstance(claims[name], str):
            raise errors.JwtInvalidClaims(detail=f"{name} must be a string, but it is {shown(claims[name])}")
