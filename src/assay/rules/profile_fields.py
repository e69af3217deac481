"""What a profile may say in the fields of decisions D8: what is refused, and what can never work.

A field that could be read in two ways, or would be kept and have no effect, is refused when it is saved. What only
keeps tokens out is a problem, which the operator may save all the same (decisions D7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assay import errors
from assay.model import Profile, Vertical
from assay.rules import checks, conditions, pointers
from assay.rules.expressions import MAX_CHARACTERS
from assay.rules.jws import shown

LONGEST_LEEWAY_SECONDS = 300
LONGEST_STALE_LIMIT_SECONDS = 7 * 24 * 3600
LONGEST_SECONDS = 100 * 366 * 86_400
"""A limit on age or lifetime that is longer than this is no limit."""
MOST_AUDIENCES = 50
MOST_TYPES = 20
MOST_ORGANIZATIONS = 100
MOST_KEPT_CLAIMS = 50

_MAX_TEXT = 2_048
_MAX_NAME = 255
_RANGES = (
    ("leeway_seconds", 0, LONGEST_LEEWAY_SECONDS),
    ("keys_stale_limit", 0, LONGEST_STALE_LIMIT_SECONDS),
    ("max_age_seconds", 1, LONGEST_SECONDS),
    ("max_lifetime_seconds", 1, LONGEST_SECONDS),
)
_LISTS = (
    ("additional_audiences", MOST_AUDIENCES, _MAX_TEXT),
    ("typ", MOST_TYPES, _MAX_NAME),
    ("conditions", conditions.MOST_CONDITIONS, MAX_CHARACTERS),
    ("organizations", MOST_ORGANIZATIONS, _MAX_NAME),
    ("kept_claims", MOST_KEPT_CLAIMS, _MAX_NAME),
)
# A media type with or without its first half, or a short name for one (RFC 7515 §4.1.9, RFC 6838 §4.2).
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}(?:/[A-Za-z0-9!#$&^_.+-]{1,127})?", re.ASCII)


def check(profile: Profile, vertical: Vertical) -> None:
    """Refuse what must not be stored, whatever the operator allows. Raises errors.TrustedTokenProfileInvalidRequest."""
    for field, least, most in _RANGES:
        value = getattr(profile, field)
        if value is not None and not least <= value <= most:
            raise _invalid(f"{field} must be from {least} to {most}")
    for field, most, longest in _LISTS:
        _check_list(field, getattr(profile, field), most, longest)
    if not profile.require_exp and profile.max_age_seconds is None:
        raise _invalid("require_exp false needs max_age_seconds, or a token would be good for ever")
    _check_types(profile.typ)
    _check_audience_claim(profile.audience_claim)
    if profile.organizations and vertical == "consumer":
        raise _invalid("organizations has no meaning in a consumer project, whose users are in no organization")


def _check_list(field: str, values: tuple[str, ...], most: int, longest: int) -> None:
    if len(values) > most:
        raise _invalid(f"{field} has at most {most} values")
    if any(not 1 <= len(value) <= longest for value in values):
        raise _invalid(f"each value of {field} has 1 to {longest} characters")


def _check_types(names: tuple[str, ...]) -> None:
    if not names:
        raise _invalid(f"typ is empty; to accept tokens without a typ, say {checks.ABSENT}")
    for name in names:
        if not _TYPE.fullmatch(name):
            raise _invalid(f"typ has {shown(name)}, which is neither {checks.ABSENT} nor a media type")


def _check_audience_claim(where: str) -> None:
    expected = f"a claim name, a JSON pointer, {checks.HEADER}NAME or {checks.NO_AUDIENCE}"
    if not 1 <= len(where) <= _MAX_NAME:
        raise _invalid(f"audience_claim is {expected}, of at most {_MAX_NAME} characters")
    if where == checks.HEADER:
        raise _invalid(f"audience_claim is {expected}; the name after {checks.HEADER} is missing")
    if where.startswith("/"):
        try:
            pointers.parse(where)
        except pointers.BadPointer as fault:
            raise _invalid(f"audience_claim is {expected}, and {fault}") from None


def problems(profile: Profile) -> list[str]:
    """What contradicts itself, can never work, or is too broad, a sentence each (decisions D7)."""
    return [*_audience_problems(profile), *_issuer_problems(profile), *conditions.problems(profile)]


def _audience_problems(profile: Profile) -> Iterator[str]:
    additional = profile.additional_audiences
    if profile.audience_claim == checks.NO_AUDIENCE:
        if profile.single_audience:
            yield "single_audience has no meaning with audience_claim none, which looks at no audience."
        if additional:
            yield "additional_audiences have no meaning with audience_claim none, which looks at no audience."
    if profile.audience in additional:
        yield "additional_audiences has the audience itself, which is accepted without that."
    if len(set(additional)) < len(additional):
        yield "additional_audiences has the same audience twice."
    if "*" in {profile.audience, *additional}:
        yield "An audience is compared whole, so * accepts no token but one for the audience *."


def _issuer_problems(profile: Profile) -> Iterator[str]:
    if profile.issuer_check != "exact":
        return
    if checks.placeholder(profile.issuer) is not None:
        yield "The issuer holds a {claim}, which is only filled in with issuer_check template."
    if "*" in profile.issuer:
        yield "The issuer is compared character by character, so * in it stands for nothing but itself."


def _invalid(message: str) -> errors.TrustedTokenProfileInvalidRequest:
    return errors.TrustedTokenProfileInvalidRequest(message)
