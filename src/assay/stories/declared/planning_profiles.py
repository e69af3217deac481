"""Steps for the profiles of an environment: which are made, in which fields others differ, which go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from assay.key_sources import HmacSource, JwksSource, KeySource, PemSource, ProjectSource
from assay.keys.effective import sources_of
from assay.model import KeyType, Profile
from assay.rules import session_jwt
from assay.stories.declared import showing
from assay.stories.declared.current import Current, CurrentEnvironment
from assay.stories.declared.profiles import follows_from
from assay.stories.declared.steps import Change, ChangeProfile, DeleteProfile, FieldChange, MakeProfile, Step
from assay.stories.declared.tables import place_of
from assay.stories.declared.wanted import (
    PLAIN_FIELDS,
    ProjectReference,
    SharedSecret,
    WantedEnvironment,
    WantedProfile,
    WantedSource,
)

SOURCES = "key_sources"

_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(WantedProfile)} | {"attribute_mapping": {}}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What only the world knows. ``same_secret`` tells whether a profile's shared secret is this one."""

    public_url: str
    same_secret: Callable[[Profile, bytes], bool]


def resolved(wanted: WantedProfile, environment_id: Callable[[str, str], str | None], public_url: str) -> WantedProfile:
    """With ids in the place of slugs, and the issuer and audience that follow from them, as far as they are known."""
    sources = tuple(_by_id(each, environment_id) for each in wanted.sources)
    first = sources[0] if follows_from(sources) else None
    if not isinstance(first, ProjectSource):
        return msgspec.structs.replace(wanted, sources=sources)
    return msgspec.structs.replace(
        wanted,
        sources=sources,
        issuer=wanted.issuer or session_jwt.issuer_of(first.project_id, public_url),
        audience=wanted.audience or first.project_id,
    )


def key_type(sources: Sequence[WantedSource | KeySource]) -> KeyType:
    """What ``public_key_type`` follows from the sources (decisions D8)."""
    first = sources[0] if len(sources) == 1 else None
    if isinstance(first, JwksSource):
        return "JWK"
    return "PEM" if isinstance(first, PemSource) else "UNSPECIFIED"


class Profiles:
    """Plans profiles; what cannot be done and what is worth knowing gathers in ``refusals`` and ``notes``."""

    def __init__(self, current: Current, known: Known, *, prune: bool) -> None:
        self.refusals: list[str] = []
        self.notes: list[str] = []
        self._current = current
        self._known = known
        self._prune = prune

    def steps(self, project_slug: str, wanted: WantedEnvironment, found: CurrentEnvironment | None) -> Iterator[Step]:
        """The steps for one environment, those that delete last."""
        names = {"project_slug": project_slug, "environment_slug": wanted.slug}
        before = {each.profile_id: each for each in (found.profiles if found else ())}
        for each in wanted.profiles:
            yield from self._step(names, each, before.pop(each.profile_id, None))
        for profile in before.values() if self._prune else ():
            place = (project_slug, wanted.slug, profile.profile_id)
            fields = (FieldChange("name", profile.name, None), FieldChange("issuer", profile.issuer, None))
            notes = ("Its tokens start no sessions any more; sessions that they started live on.",)
            change = Change(action="delete", kind="profile", place=place, fields=fields, notes=notes)
            yield DeleteProfile(changes=(change,), **names, before=profile)

    def _step(self, names: dict[str, str], wanted: WantedProfile, before: Profile | None) -> Iterator[Step]:
        full = resolved(wanted, self._current.environment_id, self._known.public_url)
        place = (*names.values(), wanted.profile_id)
        differing = tuple(_FIELDS_ALL) if before is None else tuple(self._differing(full, before))
        self._look_at(
            place_of(
                "projects",
                names["project_slug"],
                "environments",
                names["environment_slug"],
                "profiles",
                wanted.profile_id,
            ),
            full,
            secret_needed=SOURCES in differing,
        )
        if before is None:
            change = Change(action="create", kind="profile", place=place, fields=tuple(_made(full)))
            yield MakeProfile(changes=(change,), **names, wanted=wanted)
        elif differing:
            fields = tuple(_changed(name, before, full) for name in differing)
            change = Change(action="change", kind="profile", place=place, fields=fields)
            yield ChangeProfile(changes=(change,), **names, before=before, wanted=wanted, fields=differing)

    def _look_at(self, place: str, wanted: WantedProfile, *, secret_needed: bool) -> None:
        derived = key_type(wanted.sources)
        if wanted.public_key_type not in {None, derived}:
            self.refusals.append(f"{place}: with these keys its public_key_type is {derived}.")
        for each in wanted.sources:
            if isinstance(each, SharedSecret) and each.secret is None:
                if secret_needed:
                    self.refusals.append(f"{place}: its secret is not there; {each.origin} is missing or empty.")
                else:
                    self.notes.append(f"{place}: {each.origin} is missing or empty, so the stored secret stays.")

    def _differing(self, wanted: WantedProfile, before: Profile) -> Iterator[str]:
        for name in PLAIN_FIELDS:
            if _encoded(getattr(wanted, name)) != _encoded(getattr(before, name)):
                yield name
        found = sources_of(before)
        if len(found) != len(wanted.sources) or not all(
            self._is(old, new, before) for old, new in zip(found, wanted.sources, strict=True)
        ):
            yield SOURCES

    def _is(self, old: KeySource, new: WantedSource, profile: Profile) -> bool:
        if isinstance(old, HmacSource) and isinstance(new, SharedSecret):
            return new.secret is None or self._known.same_secret(profile, new.secret)
        return not isinstance(new, SharedSecret) and _encoded(old) == _encoded(new)


_FIELDS_ALL = (*PLAIN_FIELDS, SOURCES)


def _by_id(source: WantedSource, environment_id: Callable[[str, str], str | None]) -> WantedSource:
    if not isinstance(source, ProjectReference):
        return source
    found = environment_id(source.project_slug, source.environment_slug)
    return source if found is None else ProjectSource(project_id=found)


def _made(wanted: WantedProfile) -> Iterator[FieldChange]:
    for name in PLAIN_FIELDS:
        value = getattr(wanted, name)
        if _encoded(value) != _encoded(_DEFAULTS.get(name)):
            yield FieldChange(name, None, showing.short(value))
    yield FieldChange(SOURCES, None, showing.sources(wanted.sources))


def _changed(name: str, before: Profile, wanted: WantedProfile) -> FieldChange:
    if name == SOURCES:
        return FieldChange(name, showing.sources(sources_of(before)), showing.sources(wanted.sources))
    return FieldChange(name, showing.short(getattr(before, name)), showing.short(getattr(wanted, name)))


def _encoded(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """As JSON, in which true, 1 and 1.0 are three things."""
    return msgspec.json.encode(None if value is msgspec.NODEFAULT else value, order="sorted")
