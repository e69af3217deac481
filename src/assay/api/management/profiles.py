"""Trusted auth token profiles and their PEM files in the management API (contract, management 1.3 to 1.5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire.answers import Answer, done, time
from assay.model import KeyType, PemFile
from assay.model.base import IssuerCheck, Replay
from assay.stories import key_sources, managed_profiles, pem_files
from assay.stories.environments import EnvironmentRef
from assay.stories.pem_files import PemFileReport
from assay.stories.profiles import ProfileReport

_PROFILES = f"{ENVIRONMENT}/trusted_token_profiles"
_PROFILE = f"{_PROFILES}/{{profile_id}}"
_KEYS = f"{_PROFILE}/keys"
_KEY = f"{_KEYS}/{{pem_file_id}}"


class PemFileRecord(msgspec.Struct, frozen=True):
    """A public key, byte for byte as it was given."""

    pem_file_id: str
    public_key: str


class ProfileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A profile, and what is wrong with it (contract, management 1.4; decisions D8).

    ``attribute_mapping`` is null when nothing is mapped: the Terraform provider takes that, and nothing else, for what
    it left out. ``key_sources`` are those that count, also when they were made from ``jwks_url`` or ``pem_files``;
    of a shared secret nothing is shown.
    """

    profile_id: str
    name: str
    audience: str
    issuer: str
    pem_files: tuple[PemFileRecord, ...]
    can_jit_provision: bool
    jwks_url: str | None
    attribute_mapping: dict[str, Any] | None
    public_key_type: KeyType
    algorithms: tuple[str, ...]
    leeway_seconds: int
    key_sources: tuple[dict[str, Any], ...]
    keys_stale_limit: int
    max_age_seconds: int | None
    max_lifetime_seconds: int
    require_exp: bool
    additional_audiences: tuple[str, ...]
    single_audience: bool
    audience_claim: str
    issuer_check: IssuerCheck
    typ: tuple[str, ...]
    conditions: tuple[str, ...]
    replay: Replay
    trust_email: bool
    organizations: tuple[str, ...]
    session_ends_with_token: bool
    rotate_session_token: bool
    enabled: bool
    kept_claims: tuple[str, ...]
    problems: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


_RENDERED = frozenset({"pem_files", "attribute_mapping", "key_sources", "problems", "created_at", "updated_at"})
_SHOWN_AS_STORED = tuple(name for name in ProfileRecord.__struct_fields__ if name not in _RENDERED)


class ProfileAnswer(Answer, kw_only=True):
    """One profile."""

    profile: ProfileRecord


class ProfilesAnswer(Answer, kw_only=True):
    """All profiles of an environment, oldest first."""

    profiles: tuple[ProfileRecord, ...]


class PemFileAnswer(Answer, kw_only=True):
    """One PEM file, and what is wrong with its profile as a whole."""

    pem_file: PemFileRecord
    problems: tuple[str, ...]


class PemFileDeletedAnswer(Answer, kw_only=True):
    """The PEM file is gone; ``problems`` says so when no key is left."""

    problems: tuple[str, ...]


def _record(report: ProfileReport) -> ProfileRecord:
    profile = report.profile
    return ProfileRecord(
        pem_files=tuple(map(_pem_record, profile.pem_files)),
        attribute_mapping=profile.attribute_mapping or None,
        key_sources=tuple(key_sources.shown(profile)),
        problems=tuple(report.problems),
        created_at=time(profile.created_at),
        updated_at=time(profile.updated_at),
        **{name: getattr(profile, name) for name in _SHOWN_AS_STORED},
    )


def _pem_record(pem_file: PemFile) -> PemFileRecord:
    return PemFileRecord(pem_file.pem_file_id, pem_file.public_key)


def profile(report: ProfileReport, request_id: str) -> ProfileAnswer:
    """Answer to whatever makes, shows or changes a profile."""
    return ProfileAnswer(request_id=request_id, profile=_record(report))


def profiles(reports: list[ProfileReport], request_id: str) -> ProfilesAnswer:
    """Answer to a listing."""
    return ProfilesAnswer(request_id=request_id, profiles=tuple(map(_record, reports)))


def pem_file(report: PemFileReport, request_id: str) -> PemFileAnswer:
    """Answer to whatever makes or shows a PEM file."""
    return PemFileAnswer(request_id=request_id, pem_file=_pem_record(report.pem_file), problems=tuple(report.problems))


def pem_file_deleted(report: PemFileReport, request_id: str) -> PemFileDeletedAnswer:
    """Answer to the deletion of a PEM file."""
    return PemFileDeletedAnswer(request_id=request_id, problems=tuple(report.problems))


ROUTES: tuple[Route, ...] = (
    managed("POST", _PROFILES, managed_profiles.ManagedProfileCreate, managed_profiles.create_profile, profile),
    managed("GET", _PROFILES, EnvironmentRef, managed_profiles.list_profiles, profiles),
    managed("GET", _PROFILE, managed_profiles.ProfileRef, managed_profiles.get_profile, profile),
    managed("PATCH", _PROFILE, managed_profiles.ManagedProfileUpdate, managed_profiles.update_profile, profile),
    managed("DELETE", _PROFILE, managed_profiles.ProfileRef, managed_profiles.delete_profile, done),
    managed("POST", _KEYS, pem_files.PemFileCreate, pem_files.create_pem_file, pem_file),
    managed("GET", _KEY, pem_files.PemFileRef, pem_files.get_pem_file, pem_file),
    managed("DELETE", _KEY, pem_files.PemFileRef, pem_files.delete_pem_file, pem_file_deleted),
)
