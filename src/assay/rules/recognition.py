"""Which preset a token could belong to, found out from the token alone (decisions D10).

Nothing here believes a token: what is recognised is only how it looks, as a proposal to the operator, whose profile
then judges every token by its signature. A preset fits when the profile that it makes would accept what can be seen
of the token, its times and its signature apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from assay import errors
from assay.model import Profile, Vertical
from assay.rules import checks, presets
from assay.rules.expressions import ExpressionFault, compile_expression
from assay.rules.presets import BadSettings, Preset

MAX_SHOWN = 2_048
_PART = re.compile(r"\$\{([a-z_]+)\}|\{([^{}]*)\}")
_TENANT = r"[A-Za-z0-9._~-]{1,128}"
# As conditions of presets are written: claims.tid == "${tenant_id}", header.signer == "${signer}".
_COMPARED = re.compile(
    r"""\b(claims|header)(?:\.(\w+)|\[\s*(?:"([^"]+)"|'([^']+)')\s*\])\s*==\s*["']\$\{([a-z_]+)\}["']"""
)
# An issuer's name tells whose token it is if it has this much of its own besides what the customer chooses.
_TELLING = re.compile(r"[a-z]{4}")


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What can be read of a token that nobody has verified. ``padded``: its segments end in ``=``."""

    header: dict[str, Any]
    claims: dict[str, Any]
    padded: bool = False


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """A preset that fits, and the settings that the token shows. ``missing`` are those that it does not show."""

    preset: Preset
    settings: dict[str, str]
    missing: tuple[str, ...]
    rank: tuple[bool, int, int, int]


def recognise(sighting: Sighting, vertical: Vertical) -> list[Recognised]:
    """Every preset that fits, the likeliest first."""
    fitting = [_fit(preset, sighting, vertical) for preset in presets.all_presets() if vertical in preset.verticals]
    return sorted((each for each in fitting if each is not None), key=lambda each: each.rank, reverse=True)


def filled(preset: Preset, found: dict[str, str], vertical: Vertical) -> dict[str, Any]:
    """The members of a profile by a preset, with its examples for settings that are not found. Raises BadSettings.

    An example shows people what a value looks like and need not be one, so it is not checked.
    """
    shown = {
        name: setting
        if name in found or setting.default is not None
        else msgspec.structs.replace(setting, default=setting.example, json=False)
        for name, setting in preset.settings.items()
    }
    return presets.fill(msgspec.structs.replace(preset, settings=shown), found, vertical)


def known_sources(found: Recognised, members: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The key sources, out of the ``members`` that :func:`filled` made, that hold none of its examples."""
    pairs = zip(found.preset.profile["key_sources"], members["key_sources"], strict=True)
    return tuple(source for template, source in pairs if not _settings_in(str(template)) & set(found.missing))


def _settings_in(template: str) -> set[str]:
    return {place[1] for place in _PART.finditer(template) if place[1]}


def profile_for_checks(members: dict[str, Any]) -> Profile:
    """As much of a profile as checks of a token's header and claims look at; it has no keys."""
    looked_at = {name: value for name, value in members.items() if name not in {"key_sources", "pem_files"}}
    blank = {"environment_id": "", "profile_id": "", "name": "", "audience": "", "public_key_type": "UNSPECIFIED"}
    return msgspec.convert(blank | {"created_at": 0, "updated_at": 0} | looked_at, Profile)


def _fit(preset: Preset, sighting: Sighting, vertical: Vertical) -> Recognised | None:
    if not _tells(preset) or not _has_hallmark(preset, sighting) or not _has_fitting_padding(preset, sighting):
        return None
    found = _settings(preset, sighting)
    if found is None:
        return None
    try:
        profile = profile_for_checks(filled(preset, found, vertical))
    except BadSettings:
        return None
    if not _accepts(profile, sighting):
        return None
    missing = tuple(name for name, setting in preset.settings.items() if name not in found and setting.default is None)
    return Recognised(preset=preset, settings=found, missing=missing, rank=_rank(preset, profile))


def _tells(preset: Preset) -> bool:
    return bool(preset.hallmark) or _TELLING.search(_own_part(preset)) is not None


def _own_part(preset: Preset) -> str:
    """What is left of the issuer's name without what a customer chooses."""
    return _PART.sub("", preset.profile["issuer"]).removeprefix("https://")


def _has_hallmark(preset: Preset, sighting: Sighting) -> bool:
    return not preset.hallmark or _value(preset.hallmark, sighting) is True


def _has_fitting_padding(preset: Preset, sighting: Sighting) -> bool:
    return not sighting.padded or any(each["kind"] == "alb" for each in preset.profile.get("key_sources", ()))


def _rank(preset: Preset, profile: Profile) -> tuple[bool, int, int, int]:
    exactness = {"exact": 2, "template": 1, "none": 0}[profile.issuer_check]
    return bool(preset.hallmark), exactness, len(_own_part(preset)), len(profile.conditions)


def _value(expression: str, sighting: Sighting) -> object:
    try:
        found: object = compile_expression(expression).value(sighting.claims, sighting.header)
    except ExpressionFault:
        return msgspec.UNSET
    return found


# ---------------------------------------------------------------- settings


def _settings(preset: Preset, sighting: Sighting) -> dict[str, str] | None:
    """The settings that the token shows; None when it shows two values for one, or the wrong issuer for all."""
    from_issuer = _from_issuer(preset, sighting)
    if from_issuer is None:
        return None
    found = dict(from_issuer)
    for name, value in [*_from_conditions(preset, sighting), *_by_expression(preset, sighting)]:
        if found.setdefault(name, value) != value:
            return None
    for name, value in _from_audience(preset, sighting, found):
        found.setdefault(name, value)
    return found


def _from_issuer(preset: Preset, sighting: Sighting) -> dict[str, str] | None:
    issuer = sighting.claims.get("iss", "")
    if preset.profile.get("issuer_check") == "none":
        return {}
    if not isinstance(issuer, str) or len(issuer) > MAX_SHOWN:
        return None
    return _matched(preset.profile["issuer"], issuer, preset)


def _from_audience(preset: Preset, sighting: Sighting, found: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What the audience shows, by the first of the token's that has the form of one of the preset's."""
    where = preset.profile.get("audience_claim", "aud")
    if where == checks.NO_AUDIENCE:
        return
    audience = checks.audience_in(sighting.claims, sighting.header, where)
    names = [name for name in (audience if isinstance(audience, list) else [audience]) if isinstance(name, str)]
    for template in (preset.profile["audience"], *preset.profile.get("additional_audiences", ())):
        fitting = (_matched(template, name, preset) for name in names if len(name) <= MAX_SHOWN)
        first = next((each for each in fitting if each is not None and _agree(each, found)), {})
        yield from first.items()


def _agree(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(other.get(name, value) == value for name, value in one.items())


def _from_conditions(preset: Preset, sighting: Sighting) -> Iterator[tuple[str, str]]:
    for condition in preset.profile.get("conditions", ()):
        for where, *names, setting in _COMPARED.findall(condition):
            members = sighting.claims if where == "claims" else sighting.header
            value = members.get("".join(names))
            if isinstance(value, str) and _looks_right(preset, setting, value):
                yield setting, value


def _by_expression(preset: Preset, sighting: Sighting) -> Iterator[tuple[str, str]]:
    for name, setting in preset.settings.items():
        value = _value(setting.found, sighting) if setting.found else None
        if isinstance(value, str) and _looks_right(preset, name, value):
            yield name, value


def _looks_right(preset: Preset, name: str, value: str) -> bool:
    return len(value) <= MAX_SHOWN and re.fullmatch(preset.settings[name].pattern, value) is not None


def _matched(template: str, text: str, preset: Preset) -> dict[str, str] | None:
    """The settings that make ``template`` into ``text``; None when none do."""
    expression, known, end = "", set[str](), 0
    for place in _PART.finditer(template):
        expression += re.escape(template[end : place.start()])
        name = place[1]
        if name is None:
            expression += _TENANT
        elif name in known:
            expression += f"(?P={name})"
        else:
            known.add(name)
            expression += f"(?P<{name}>(?:{preset.settings[name].pattern}))"
        end = place.end()
    found = re.fullmatch(expression + re.escape(template[end:]), text)
    return None if found is None else {name: found[name] for name in known}


# ---------------------------------------------------------------- would it be accepted


def _accepts(profile: Profile, sighting: Sighting) -> bool:
    """Whether nothing that can be seen keeps the profile from accepting the token, its age apart."""
    try:
        for _, check in checks.OF_HEADER:
            check(sighting.header, profile)
        checks.check_issuer(sighting.claims, sighting.header, profile, 0)
        checks.check_audience(sighting.claims, sighting.header, profile, 0)
    except errors.Error:
        return False
    return all(_value(condition, sighting) is True for condition in profile.conditions)
