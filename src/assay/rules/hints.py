"""Near misses: what an operator most likely meant, when a token almost fits its profile.

A hint is for the operator who looks at a refusal. It never changes a verdict: what almost fits is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from assay import errors
from assay.model import Profile
from assay.rules import checks
from assay.rules.facts import Sight
from assay.rules.jws import shown

MOST_HINTS = 10
MOST_CLOCK_SECONDS = 24 * 3600
MOST_NAMED = 10
_MILLISECONDS_FROM, _MILLISECONDS_TO = 100_000_000_000, 100_000_000_000_000
_ACCESS, _IDENTITY = "an access token", "an id token"


class Known(msgspec.Struct, frozen=True):
    """A profile of the environment, and the names of its keys, as far as they are known without fetching."""

    profile: Profile
    kids: tuple[str, ...] = ()


def of(step: str, sight: Sight, profiles: Sequence[Known] = ()) -> list[str]:
    """What may be wrong, a sentence each, when this step refused. ``profiles`` are those of the environment."""
    found = (*_of_step(step, sight), *_of_profiles(step, sight, profiles))
    return list(islice(dict.fromkeys(found), MOST_HINTS))


def _of_step(step: str, sight: Sight) -> Iterable[str]:
    look = _LOOK.get(step)
    return look(sight) if look else ()


# ---------------------------------------------------------------- names


def _issuer(sight: Sight) -> Iterable[str]:
    came, profile = sight.claims.get("iss"), sight.profile
    if not isinstance(came, str):
        return
    try:
        expected = checks.issuer_of(profile, sight.claims)
    except errors.JwtInvalidIssuer:
        return
    yield from _differs("iss", came, expected, "issuer")


def _audience(sight: Sight) -> Iterable[str]:
    profile = sight.profile
    accepted = (profile.audience, *profile.additional_audiences)
    names = _names(checks.audience_in(sight.claims, sight.header, profile.audience_claim))
    for name in names:
        for audience in accepted:
            yield from _differs(profile.audience_claim, name, audience, "audience")
    if profile.single_audience and len(names) > 1 and set(accepted) & set(names):
        yield "The token is for other audiences too, and the profile has single_audience set."
    for other in ("aud", "azp", "client_id"):
        if other != profile.audience_claim and set(accepted) & set(_names(sight.claims.get(other))):
            yield f"The profile's audience stands in {other}: perhaps audience_claim should be {other}."
    yield from _kind_of_token(sight)


def _names(found: object) -> list[str]:
    return [name for name in (found if isinstance(found, list) else [found]) if isinstance(name, str)]


def _differs(what: str, came: str, expected: str, field: str) -> Iterable[str]:
    """In what small ways two names differ; a difference of any other kind is no near miss."""
    if came == expected or _bare(came) != _bare(expected):
        return
    ways = [way for way, without in _WAYS if without(came) != came or without(expected) != expected]
    differing = [way for way in ways if _bare(came, but=way) != _bare(expected, but=way)]
    yield (
        f"{what} and the profile's {field} differ only {' and '.join(differing)}:"
        f" {shown(came)} came, {shown(expected)} is expected."
    )


def _without_scheme(name: str) -> str:
    scheme, mark, rest = name.partition("://")
    return rest if mark and scheme in {"http", "https"} else name


_WAYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("by spaces at an end", str.strip),
    ("in upper and lower case", str.lower),
    ("by a slash at the end", lambda name: name.rstrip("/")),
    ("in http and https", _without_scheme),
)


def _bare(name: str, but: str = "") -> str:
    """The name without what is easily got wrong, or with one of these."""
    for way, without in _WAYS:
        if way != but:
            name = without(name)
    return name


# ---------------------------------------------------------------- kinds of token


def _kind_of_token(sight: Sight) -> Iterable[str]:
    came = _ACCESS if _is_access_token(sight) else _IDENTITY if _is_id_token(sight.claims) else None
    if came:
        other = _IDENTITY if came == _ACCESS else _ACCESS
        yield f"This looks like {came}; perhaps the profile is meant for {other} of the same issuer."


def _is_access_token(sight: Sight) -> bool:
    typ = str(sight.header.get("typ", "")).lower()
    named = sight.claims.get("token_use") == "access" or typ in {"at+jwt", "application/at+jwt"}
    return named or ("scope" in sight.claims and "nonce" not in sight.claims) or "scp" in sight.claims


def _is_id_token(claims: dict[str, Any]) -> bool:
    return claims.get("token_use") == "id" or "nonce" in claims or "at_hash" in claims


def _type(sight: Sight) -> Iterable[str]:
    if "typ" in sight.header:
        yield f"If tokens of this kind may log in, list {shown(sight.header['typ'])} in the profile's typ."
    else:
        yield f"If tokens without typ may log in, list {checks.ABSENT} in the profile's typ."
    yield from _kind_of_token(sight)


# ---------------------------------------------------------------- times


def _times(sight: Sight) -> Iterable[str]:
    for name, late in (("exp", -1), ("nbf", 1), ("iat", 1)):
        value = sight.claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if _MILLISECONDS_FROM <= abs(value) < _MILLISECONDS_TO:
            yield f"{name} looks like milliseconds; tokens tell time in seconds."
        elif abs(value) < _MILLISECONDS_FROM:
            yield from _clock(name, (value - sight.now) * late - sight.profile.leeway_seconds, late)


def _clock(name: str, off: float, late: int) -> Iterable[str]:
    if 0 <= off <= MOST_CLOCK_SECONDS:
        direction = "behind" if late > 0 else "ahead of"
        yield f"{name} misses by {off:.0f} s beyond the leeway; this clock may be {direction} the issuer's."


# ---------------------------------------------------------------- the text, the algorithm, mapped claims


def _algorithm(sight: Sight) -> Iterable[str]:
    algorithm = str(sight.header.get("alg"))
    if algorithm in {"HS256", "HS384", "HS512"}:
        yield "The token is signed with a shared secret: the profile needs a key source of the kind hmac for it."
    elif algorithm.lower() == "none":
        yield "The token is not signed at all, as tokens of emulators are; none is ever taken."
    else:
        yield f"If the issuer signs with {shown(algorithm)}, list it in the profile's algorithms."


def _shape(_sight: Sight) -> Iterable[str]:
    yield "A token is sent as it is: without Bearer, quotes, spaces or line ends around it."


def _mapping(sight: Sight) -> Iterable[str]:
    named = {value for value in sight.profile.attribute_mapping.values() if isinstance(value, str)}
    for name in sorted(named - sight.claims.keys()):
        alike = [claim for claim in sight.claims if claim.lower() == name.lower()]
        if alike:
            yield f"The profile maps the claim {shown(name)}, and the token has {shown(alike[0])}."
    yield from _kind_of_token(sight)


_LOOK: dict[str, Callable[[Sight], Iterable[str]]] = {
    "shape": _shape,
    "algorithm": _algorithm,
    "type": _type,
    "issuer": _issuer,
    "audience": _audience,
    "times": _times,
    "mapping": _mapping,
}


# ---------------------------------------------------------------- other profiles


def _of_profiles(step: str, sight: Sight, profiles: Sequence[Known]) -> Iterable[str]:
    own = next((each for each in profiles if each.profile.profile_id == sight.profile.profile_id), None)
    others = [each for each in profiles if each is not own]
    if step in {"keys", "signature"}:
        yield from _keys(sight, own, others)
    elif step == "issuer":
        yield from _fit(
            [each for each in others if each.profile.issuer == sight.claims.get("iss")],
            "trusts this issuer",
        )
    elif step == "audience":
        yield from _fit([each for each in others if _is_meant(each.profile, sight)], "is for this audience")


def _keys(sight: Sight, own: Known | None, others: list[Known]) -> Iterable[str]:
    kid = sight.header.get("kid")
    if kid is not None and (own is None or kid not in own.kids):
        if own is not None and own.kids:
            yield f"The profile's keys are called {', '.join(map(shown, own.kids[:MOST_NAMED]))}."
        yield from _fit([each for each in others if kid in each.kids], f"knows the key {shown(kid)}")


def _is_meant(profile: Profile, sight: Sight) -> bool:
    names = _names(checks.audience_in(sight.claims, sight.header, profile.audience_claim))
    return profile.issuer == sight.claims.get("iss") and not {
        profile.audience,
        *profile.additional_audiences,
    }.isdisjoint(names)


def _fit(profiles: list[Known], what: str) -> Iterable[str]:
    named = [each.profile.profile_id for each in profiles[:MOST_NAMED]]
    if named:
        yield f"Another profile {what}: {', '.join(named)}."
