"""What is checked of a token before its signature: algorithm, type, issuer, audience, times (decisions D8).

Each check costs nothing, so a token that cannot pass never causes a key to be fetched. Each takes the profile's word
and refuses with a detail that says what was expected and what came; the sender learns only the public sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from assay import errors
from assay.model import Profile
from assay.rules import pointers
from assay.rules.jws import shown

MAX_TIME = 2**53
ABSENT = "absent"
NO_AUDIENCE = "none"
HEADER = "header:"

_STRINGS_ALONE = frozenset({str})
# What may stand in the place of a placeholder: the ids that issuers put there, and nothing that could end a part of
# a URL or begin another.
_TENANT = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

HeaderCheck = Callable[[dict[str, Any], Profile], None]
ClaimsCheck = Callable[[dict[str, Any], dict[str, Any], Profile, float], None]


# ---------------------------------------------------------------- the header


def check_algorithm(header: dict[str, Any], profile: Profile) -> None:
    """Take only what the profile lists: the token never chooses (RFC 8725 §3.1)."""
    if header["alg"] not in profile.algorithms:
        raise errors.InvalidTrustedAuthToken(detail=f"the profile does not allow the algorithm {shown(header['alg'])}")


def check_type(header: dict[str, Any], profile: Profile) -> None:
    """Take only kinds of token that the profile lists, whatever their case and with or without ``application/``.

    Logout tokens or DPoP proofs can be had from the same issuer under the same keys by people who may not log in
    (RFC 8725 §3.11, security R14, A25).
    """
    if "typ" not in header:
        if ABSENT not in profile.typ:
            raise errors.InvalidTrustedAuthToken(detail=f"the header has no typ, and must have {_one_of(profile.typ)}")
        return
    kind: str = header["typ"]
    if kind in profile.typ and kind != ABSENT:  # spelled as the profile does, as nearly always
        return
    if _plain_type(kind) not in _plain_types(profile.typ):
        raise errors.InvalidTrustedAuthToken(
            detail=f"the header's typ is {shown(kind)}, another kind of token than {_one_of(profile.typ)}"
        )


@lru_cache(1_024)
def _plain_types(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_plain_type(name) for name in names if name != ABSENT)


def _plain_type(name: str) -> str:
    return name.lower().removeprefix("application/")


def _one_of(names: tuple[str, ...]) -> str:
    return " or ".join(shown(name) if name != ABSENT else "none" for name in names)


# ---------------------------------------------------------------- the issuer


def check_issuer(claims: dict[str, Any], _header: dict[str, Any], profile: Profile, _now: float) -> None:
    """Compare ``iss`` character by character: prefixes, slashes and case all make another issuer (A47, A48)."""
    if profile.issuer_check == "none":
        # Saved only together with a condition; without one anybody's token under these keys would do.
        if not profile.conditions:
            raise errors.JwtInvalidIssuer(detail="the profile checks no issuer and has no condition instead")
        return
    expected = profile.issuer if profile.issuer_check == "exact" else _filled(profile.issuer, claims)
    found = claims.get("iss")
    if not isinstance(found, str) or found != expected:
        came = f"it is {shown(found)}" if "iss" in claims else "there is none"
        raise errors.JwtInvalidIssuer(detail=f"iss must be {shown(expected)}, but {came}")


def issuer_of(profile: Profile, claims: dict[str, Any]) -> str:
    """Who vouches for the external ids of this token (decisions D4): the issuer as the profile has proved it.

    A profile that checks no issuer vouches under its own ``issuer``. Were it the token's word, whoever holds those
    keys could name another issuer, and log in as the people whom that one named.
    """
    return _filled(profile.issuer, claims) if profile.issuer_check == "template" else profile.issuer


def placeholder(issuer: str) -> str | None:
    """The claim that the one placeholder of an issuer template names; None when there is not exactly one."""
    names = _PLACEHOLDER.findall(issuer)
    rest = _PLACEHOLDER.sub("", issuer)
    return names[0] if len(names) == 1 and names[0] and not set("{}") & set(rest) else None


def key_is_of_issuer(key_issuer: str | None, profile: Profile, claims: dict[str, Any]) -> bool:
    """Whether a key that says whose it is may sign for this issuer (Entra's key sets do, with a placeholder)."""
    if key_issuer is None or profile.issuer_check != "template":
        return True
    return _PLACEHOLDER.sub(lambda _: _tenant(profile.issuer, claims), key_issuer) == claims.get("iss")


def _filled(template: str, claims: dict[str, Any]) -> str:
    tenant = _tenant(template, claims)
    return _PLACEHOLDER.sub(lambda _: tenant, template)


def _tenant(template: str, claims: dict[str, Any]) -> str:
    name = placeholder(template)
    if name is None:
        raise errors.JwtInvalidIssuer(detail="the profile's issuer does not have exactly one {claim}")
    value = claims.get(name)
    if not isinstance(value, str) or not _TENANT.fullmatch(value):
        raise errors.JwtInvalidIssuer(detail=f"the issuer is found by the claim {name}, which is {shown(value)}")
    return value


# ---------------------------------------------------------------- the audience


def check_audience(claims: dict[str, Any], header: dict[str, Any], profile: Profile, _now: float) -> None:
    """Look for one of the profile's audiences, whole, in a string or a list of nothing but strings (R10, A50, A51)."""
    if profile.audience_claim == NO_AUDIENCE:
        if not profile.conditions:
            raise errors.JwtInvalidAudience(detail="the profile checks no audience and has no condition instead")
        return
    where = profile.audience_claim
    found = claims.get("aud", msgspec.UNSET) if where == "aud" else audience_in(claims, header, where)
    if found == profile.audience:  # a single one, as most issuers write it: the rest is about lists
        return
    names: list[Any] = found if isinstance(found, list) else [found]
    whole = set(map(type, names)) <= _STRINGS_ALONE
    if not whole or not (profile.audience in names or any(name in names for name in profile.additional_audiences)):
        raise errors.JwtInvalidAudience(detail=_audience_fault(profile, found))
    if profile.single_audience and len(names) != 1:
        raise errors.JwtInvalidAudience(detail=f"the token must be for one audience alone, but it is {shown(found)}")


def audience_in(claims: dict[str, Any], header: dict[str, Any], where: str) -> Any:  # noqa: ANN401 - a JSON value
    """What stands where the profile looks for the audience; UNSET when nothing does."""
    if where.startswith(HEADER):
        return header.get(where.removeprefix(HEADER), msgspec.UNSET)
    if where.startswith("/"):
        return pointers.find(claims, pointers.parse(where))
    return claims.get(where, msgspec.UNSET)


def _audience_fault(profile: Profile, found: object) -> str:
    accepted = " or ".join(shown(name) for name in (profile.audience, *profile.additional_audiences))
    came = "there is none" if found is msgspec.UNSET else f"it is {shown(found)}"
    return f"{profile.audience_claim} must contain {accepted}, but {came}"


# ---------------------------------------------------------------- times


def check_times(claims: dict[str, Any], _header: dict[str, Any], profile: Profile, now: float) -> None:
    """Check ``exp``, ``nbf`` and ``iat`` as decisions D8 says; all are seconds since the epoch (RFC 7519 §4.1.4-6)."""
    leeway = profile.leeway_seconds
    expires = _expiry(claims, profile, now)
    for name in ("nbf", "iat"):
        start = _time(claims, name) if name in claims else None
        if start is not None and start > now + leeway:
            raise errors.JwtInvalidClaims(detail=f"the token is not yet valid: {name} is {start}, now is {now:.0f}")
    begins = claims.get("iat")
    # A token that lives for ever is a password: whoever finds it once has it for good (security R25, A58).
    if expires is not None and expires - (now if begins is None else begins) > profile.max_lifetime_seconds:
        raise errors.JwtInvalidClaims(detail=f"the token lives longer than {profile.max_lifetime_seconds} seconds")
    if profile.max_age_seconds is not None:
        _check_age(begins, profile.max_age_seconds, leeway, now)


def ends_at(claims: dict[str, Any], profile: Profile) -> int:
    """The second at which a token that passed these checks ends by its own word or its age; leeway comes on top."""
    ends = [claims["exp"]] if "exp" in claims else []
    if profile.max_age_seconds is not None and "iat" in claims:
        ends.append(claims["iat"] + profile.max_age_seconds)
    return int(min(ends))


def _expiry(claims: dict[str, Any], profile: Profile, now: float) -> float | None:
    expires = _time(claims, "exp") if "exp" in claims else None
    if expires is None:
        # Without an end of its own, only its age bounds a token (decisions D8).
        if profile.require_exp or profile.max_age_seconds is None:
            raise errors.JwtInvalidClaims(detail="exp is missing")
    elif now >= expires + profile.leeway_seconds:
        raise errors.JwtInvalidClaims(detail=f"the token has expired: exp is {expires}, now is {now:.0f}")
    return expires


def _check_age(begins: float | None, most: int, leeway: int, now: float) -> None:
    if begins is None:
        raise errors.JwtInvalidClaims(detail="iat is missing, and the profile limits the token's age")
    if now - begins > most + leeway:
        raise errors.JwtInvalidClaims(detail=f"the token is too old: iat is {begins}, now is {now:.0f}, at most {most}")


def _time(claims: dict[str, Any], name: str) -> float:
    value: float = claims[name]
    # bool is an int to Python; to an issuer it is a mistake.
    if type(value) is not int and type(value) is not float:
        raise errors.JwtInvalidClaims(detail=f"{name} must be a number, but it is {shown(value)}")
    # Beyond this, seconds are no longer whole numbers to every reader (RFC 7493 §2.2), and sums could overflow.
    if not -MAX_TIME <= value <= MAX_TIME:
        raise errors.JwtInvalidClaims(detail=f"{name} is out of range")
    return value


# ---------------------------------------------------------------- identifiers


def check_identifiers(claims: dict[str, Any], _header: dict[str, Any], _profile: Profile, _now: float) -> None:
    """Refuse identifiers of other types: two readers would write 1, 1.0 and "1" differently (security R24, A57)."""
    for name in ("sub", "jti"):
        if name in claims and not isinstance(claims[name], str):
            raise errors.JwtInvalidClaims(detail=f"{name} must be a string, but it is {shown(claims[name])}")


OF_HEADER: tuple[tuple[str, HeaderCheck], ...] = (("algorithm", check_algorithm), ("type", check_type))
OF_CLAIMS: tuple[tuple[str, ClaimsCheck], ...] = (
    ("issuer", check_issuer),
    ("audience", check_audience),
    ("times", check_times),
    ("identifiers", check_identifiers),
)
"""The checks by name, in the order in which they are made."""
