"""A profile proposed from a token alone, for the operator who has one and wants to trust its issuer.

The token is not verified, and so nothing in the proposal is proved: it is what would accept tokens that look like
this one. The operator reads it, knows whose token it was, and saves it or does not.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assay import errors
from assay.model import Vertical
from assay.rules import checks, claim_guesses, jws, profile_fields, recognition
from assay.rules.algorithms import DEFAULT_ALGORITHMS, HMAC_ALGORITHMS, OPT_IN_ALGORITHMS
from assay.rules.jws import shown
from assay.rules.recognition import Recognised, Sighting
from assay.rules.tokens import ignored_key_headers

LONG_SECONDS = 86_400
HOUR = 3_600
SHORT_AGE_SECONDS = 300

AUDIENCE = "AUDIENCE"
ISSUER = "ISSUER"
"""Stand in a proposal for what the token does not say."""

# Kinds of token that say something else than who their bearer is (RFC 8417, RFC 9449, OpenID Back-Channel Logout).
_NOBODYS_LOGIN = frozenset({"logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt"})
_KNOWN_ALGORITHMS = DEFAULT_ALGORITHMS + OPT_IN_ALGORITHMS


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal. Without a ``preset`` the ``members`` of a profile are what the token itself suggests.

    ``missing`` are settings of the preset, or members, that the token does not tell; in ``members`` examples or words
    in capitals stand for them. ``also_fitting`` are other presets, likelier first. ``members`` have no keys unless
    they come from a preset: ``keys`` says where those would be. ``sources`` are the key sources of a preset in which
    no example stands.
    """

    preset: str | None
    settings: dict[str, str]
    missing: tuple[str, ...]
    members: dict[str, Any]
    keys: str
    sources: tuple[dict[str, Any], ...] = ()
    also_fitting: tuple[str, ...]
    warnings: tuple[str, ...]


def look_at(token: str) -> Sighting:
    """Take a token apart without judging it. Raises errors.InvalidTrustedAuthToken for what is no token at all."""
    try:
        parsed, padded = jws.parse(token), False
    except errors.InvalidTrustedAuthToken:
        if "=" not in token:
            raise
        parsed, padded = jws.parse(token, padded=True), True
    return Sighting(header=parsed.header, claims=jws.read_object(parsed.payload, "payload"), padded=padded)


def guess(sighting: Sighting, vertical: Vertical, now: float) -> Guess:
    """The likeliest profile for tokens like this one; ``now`` in seconds since the epoch."""
    found = recognition.recognise(sighting, vertical)
    if not found:
        return _from_claims(sighting, vertical, now)
    return _from_preset(found, sighting, vertical, now)


def _from_preset(found: list[Recognised], sighting: Sighting, vertical: Vertical, now: float) -> Guess:
    best, *others = found
    members = recognition.filled(best.preset, best.settings, vertical)
    return Guess(
        preset=best.preset.name,
        settings=best.settings,
        missing=best.missing,
        members=members,
        keys=members["key_sources"][0]["kind"],
        sources=recognition.known_sources(best, members),
        also_fitting=tuple(each.preset.name for each in others),
        warnings=tuple(_warnings(sighting, members, now)),
    )


def _from_claims(sighting: Sighting, vertical: Vertical, now: float) -> Guess:
    keys = _keys(sighting)
    members = {
        "name": _name(sighting),
        **_issuer(sighting),
        **_audience(sighting),
        **_algorithms(sighting),
        **_type(sighting),
        **_times(sighting),
        "attribute_mapping": claim_guesses.mapping(sighting.claims, vertical),
    }
    missing = tuple(name for name, word in (("issuer", ISSUER), ("audience", AUDIENCE)) if members[name] == word)
    return Guess(
        preset=None,
        settings={},
        missing=missing if keys == "discovery" else (*missing, "keys"),
        members=members,
        keys=keys,
        also_fitting=(),
        warnings=tuple(_warnings(sighting, members, now) + _problems(members)),
    )


# ---------------------------------------------------------------- members


def _name(sighting: Sighting) -> str:
    issuer = sighting.claims.get("iss")
    name = issuer.removeprefix("https://").partition("/")[0] if isinstance(issuer, str) else ""
    return name[:128] if name.isprintable() and name else "Issuer"


def _issuer(sighting: Sighting) -> dict[str, Any]:
    issuer = sighting.claims.get("iss")
    if isinstance(issuer, str) and issuer:
        return {"issuer": issuer}
    return {"issuer": ISSUER, "issuer_check": "none"}


def _audience(sighting: Sighting) -> dict[str, Any]:
    """The first audience there is, wherever issuers put it."""
    for where in ("aud", "azp", "client_id", "header:client"):
        found = checks.audience_in(sighting.claims, sighting.header, where)
        names = found if isinstance(found, list) else [found]
        if names and isinstance(names[0], str) and names[0]:
            return {"audience": names[0]} | ({} if where == "aud" else {"audience_claim": where})
    return {"audience": AUDIENCE, "audience_claim": checks.NO_AUDIENCE}


def _algorithms(sighting: Sighting) -> dict[str, Any]:
    algorithm = sighting.header["alg"]
    return {"algorithms": [algorithm]} if algorithm in _KNOWN_ALGORITHMS else {}


def _type(sighting: Sighting) -> dict[str, Any]:
    """The header's ``typ`` where a profile must name it to accept it."""
    try:
        checks.check_type(sighting.header, recognition.profile_for_checks({"issuer": ISSUER}))
    except errors.InvalidTrustedAuthToken:
        return {"typ": [sighting.header["typ"]]}
    return {}


def _times(sighting: Sighting) -> dict[str, Any]:
    """A bound on how long such tokens live, to the next hour; on their age where they have no end."""
    expires, begins = (_number(sighting.claims.get(name)) for name in ("exp", "iat"))
    if expires is None:
        return {"require_exp": False, "max_age_seconds": SHORT_AGE_SECONDS}
    if begins is None or not 0 < expires - begins <= checks.MAX_TIME:
        return {}
    return {"max_lifetime_seconds": int(-(-(expires - begins) // HOUR) * HOUR)}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > checks.MAX_TIME:
        return None
    return value


def _keys(sighting: Sighting) -> str:
    if sighting.header["alg"] in HMAC_ALGORITHMS:
        return "hmac"
    issuer = sighting.claims.get("iss")
    return "discovery" if isinstance(issuer, str) and issuer.startswith("https://") else "pem"


# ---------------------------------------------------------------- warnings


def _warnings(sighting: Sighting, members: dict[str, Any], now: float) -> list[str]:
    return [
        *_header_warnings(sighting),
        *_audience_warnings(sighting, members),
        *_time_warnings(sighting, now),
        *_mapping_warnings(sighting, members),
    ]


def _header_warnings(sighting: Sighting) -> list[str]:
    header, found = sighting.header, []
    algorithm = header["alg"]
    if algorithm in HMAC_ALGORITHMS:
        found.append(f"{algorithm} has no public key: the profile needs the secret that the issuer signs with.")
    elif algorithm not in _KNOWN_ALGORITHMS:
        found.append(f"No profile can accept the algorithm {shown(algorithm)}.")
    if str(header.get("typ", "")).lower().removeprefix("application/") in _NOBODYS_LOGIN:
        found.append(f"A token of the type {shown(header['typ'])} is not made to log anybody in.")
    offered = ignored_key_headers(header)
    if offered:
        found.append(f"The header offers a key of its own ({', '.join(offered)}), which is never used.")
    return found


def _audience_warnings(sighting: Sighting, members: dict[str, Any]) -> list[str]:
    found = []
    where = members.get("audience_claim", "aud")
    if "aud" not in sighting.claims:
        instead = "nothing" if where == checks.NO_AUDIENCE else where
        found.append(f"The token has no aud: it does not say whom it is for. The profile looks at {instead} instead.")
    audience = sighting.claims.get("aud")
    if isinstance(audience, list) and len(audience) > 1:
        found.append(f"The token is for {len(audience)} audiences: {shown(audience)}. Name the one that is yours.")
    return found


def _time_warnings(sighting: Sighting, now: float) -> list[str]:
    claims, found = sighting.claims, []
    expires, begins = _number(claims.get("exp")), _number(claims.get("iat"))
    if expires is None:
        found.append("The token has no exp: only its age can bound it.")
    elif expires <= now:
        found.append(f"The token has expired {_duration(now - expires)} ago, so it cannot be tried any more.")
    if expires is not None and expires - (now if begins is None else begins) > LONG_SECONDS:
        life = _duration(expires - (now if begins is None else begins))
        found.append(f"The token lives for {life}: whoever finds it can log in that long. Consider --replay token_id.")
    begins_late = max((_number(claims.get(name)) or 0 for name in ("nbf", "iat")), default=0)
    if begins_late > now:
        found.append(f"The token is not valid for another {_duration(begins_late - now)}.")
    return found


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (HOUR, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _mapping_warnings(sighting: Sighting, members: dict[str, Any]) -> list[str]:
    mapping = members["attribute_mapping"]
    found = []
    if "email" in mapping and "email_verified" not in {*mapping, *sighting.claims} and members.get("trust_email", True):
        found.append(
            "The token does not say whether its address is verified. If people choose their address at the issuer"
            " without proof, add --no-trust-email."
        )
    if not mapping.keys() & {"email", "external_member_id", "external_user_id"}:
        found.append("Nothing in the token looks like a person's address or id; map one.")
    return found


def _problems(members: dict[str, Any]) -> list[str]:
    return profile_fields.problems(recognition.profile_for_checks(members))
