"""What each step of a judgement expected and what came, in words: for explanations, never for decisions.

What came is the sender's word until the signature is verified. No value is longer than a line, and nothing of the
signature is ever part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from assay.model import Profile
from assay.rules import checks
from assay.rules.jws import shown, without_tokens

Pair = tuple[str, str]
"""(expected, came); either may be empty."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to be told about: the profile, what could be read of the token, and the second it is judged in."""

    profile: Profile
    header: dict[str, Any]
    claims: dict[str, Any]
    now: float


def of(step: str, sight: Sight) -> Pair:
    """What the step expected and what came; empty for a step that has nothing to show."""
    tell = _TELL.get(step)
    return tell(sight) if tell else ("", "")


def shareable(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """A value out of a token as others may see it: tokens inside it are left out."""
    if isinstance(value, str):
        return without_tokens(value)
    if isinstance(value, list):
        return [shareable(item) for item in value]
    if isinstance(value, dict):
        return {without_tokens(name): shareable(item) for name, item in value.items()}
    return value


def _shape(_sight: Sight) -> Pair:
    return "three base64url segments, and a header that is a JSON object with alg", ""


def _algorithm(sight: Sight) -> Pair:
    return f"one of {', '.join(sight.profile.algorithms)}", _came(sight.header, "alg")


def _type(sight: Sight) -> Pair:
    return f"one of {', '.join(sight.profile.typ)}", _came(sight.header, "typ")


def _payload(_sight: Sight) -> Pair:
    return "a JSON object", ""


def _issuer(sight: Sight) -> Pair:
    profile = sight.profile
    expected = {
        "exact": shown(profile.issuer),
        "template": f"{shown(profile.issuer)}, filled with the claim of that name",
        "none": "anything: the conditions decide",
    }[profile.issuer_check]
    return expected, _came(sight.claims, "iss")


def _audience(sight: Sight) -> Pair:
    profile = sight.profile
    if profile.audience_claim == checks.NO_AUDIENCE:
        return "anything: the conditions decide", _came(sight.claims, "aud")
    accepted = " or ".join(shown(name) for name in (profile.audience, *profile.additional_audiences))
    alone = " and nothing else" if profile.single_audience else ""
    found = checks.audience_in(sight.claims, sight.header, profile.audience_claim)
    return f"{accepted}{alone} in {profile.audience_claim}", _shown_or_none(found)


def _times(sight: Sight) -> Pair:
    profile = sight.profile
    parts = [f"{profile.leeway_seconds} s of leeway", f"a life of at most {profile.max_lifetime_seconds} s"]
    if profile.require_exp:
        parts.insert(0, "exp")
    if profile.max_age_seconds is not None:
        parts.append(f"iat at most {profile.max_age_seconds} s ago")
    times = [f"{name} {shown(sight.claims[name])}" for name in ("iat", "nbf", "exp") if name in sight.claims]
    return ", ".join(parts), f"{', '.join(times) or 'none'}; now is {sight.now:.0f}"


def _identifiers(sight: Sight) -> Pair:
    named = [f"{name} {shown(sight.claims[name])}" for name in ("sub", "jti") if name in sight.claims]
    return "sub and jti are strings where they are there", ", ".join(named)


def _keys(sight: Sight) -> Pair:
    return "a key of the profile for the token's kid and algorithm", f"kid {_came(sight.header, 'kid')}"


def _signature(_sight: Sight) -> Pair:
    return "made by one of the profile's keys", ""


def _own_token(_sight: Sight) -> Pair:
    return "no session JWT of this server, unless the profile trusts its environment", ""


def _conditions(sight: Sight) -> Pair:
    return "; ".join(shown(text) for text in sight.profile.conditions) or "none", ""


def _mapping(sight: Sight) -> Pair:
    mapping = sight.profile.attribute_mapping
    return ", ".join(f"{attribute} from {shown(where)}" for attribute, where in mapping.items()), ""


def _replay(sight: Sight) -> Pair:
    return {"off": "tokens may be used again"}.get(sight.profile.replay, "a token that was not used before"), ""


def _came(values: dict[str, Any], name: str) -> str:
    return _shown_or_none(values.get(name, msgspec.UNSET))


def _shown_or_none(value: object) -> str:
    return "none" if value is msgspec.UNSET else shown(value)


_TELL: dict[str, Callable[[Sight], Pair]] = {
    "shape": _shape,
    "algorithm": _algorithm,
    "type": _type,
    "payload": _payload,
    "issuer": _issuer,
    "audience": _audience,
    "times": _times,
    "identifiers": _identifiers,
    "keys": _keys,
    "signature": _signature,
    "own token": _own_token,
    "conditions": _conditions,
    "mapping": _mapping,
    "replay": _replay,
}
