"""Profiles as the command line shows them: one JSON object, or lines for people."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from assay.cli import key_sources, output
from assay.keys.effective import sources_of
from assay.model import Profile
from assay.stories.notices import ProfileNotices
from assay.stories.profiles import ProfileCreate, ProfileReport

_USUAL = {
    field.name: field.default
    for field in msgspec.structs.fields(ProfileCreate)
    if field.name not in {"name", "issuer", "audience", "profile_id", "public_key_type", "jwks_url", "pem_files"}
    and field.name not in {"attribute_mapping", "key_sources", "can_jit_provision", "algorithms"}
}
_ALWAYS_SHOWN = {"leeway_seconds", "keys_stale_limit"}


def document(report: ProfileReport) -> dict[str, Any]:
    """A profile and its problems, as ``--json`` prints them."""
    return {"profile": profile_document(report.profile), "problems": report.problems}


def profile_document(profile: Profile) -> dict[str, Any]:
    """The profile under the names of contract §3.1 and decisions D8."""
    return {
        "profile_id": profile.profile_id,
        "project_id": profile.environment_id,
        "name": profile.name,
        "issuer": profile.issuer,
        "audience": profile.audience,
        "public_key_type": profile.public_key_type,
        "jwks_url": profile.jwks_url,
        "pem_files": [{"pem_file_id": each.pem_file_id, "public_key": each.public_key} for each in profile.pem_files],
        "attribute_mapping": profile.attribute_mapping,
        "can_jit_provision": profile.can_jit_provision,
        "algorithms": list(profile.algorithms),
        "key_sources": key_sources.documents(sources_of(profile)),
        **{name: _plain(getattr(profile, name)) for name in _USUAL},
        "created_at": output.time(profile.created_at),
        "updated_at": output.time(profile.updated_at),
    }


def lines(report: ProfileReport) -> list[str]:
    """What people want to know of a profile: of the fields that are seldom said, those that are."""
    profile = report.profile
    values = {
        "profile_id": profile.profile_id,
        "name": profile.name,
        "issuer": profile.issuer,
        "audience": profile.audience,
        **key_sources.lines(sources_of(profile)),
        "mapping": ", ".join(f"{name} = {_claim(value)}" for name, value in profile.attribute_mapping.items())
        or "none",
        "makes people": "yes" if profile.can_jit_provision else "no",
        "algorithms": " ".join(profile.algorithms),
        "leeway": f"{profile.leeway_seconds} seconds",
        "stale limit": f"{profile.keys_stale_limit} seconds",
        **_unusual(profile),
    }
    problems = ["", "Problems:", *(f"  {problem}" for problem in report.problems)] if report.problems else []
    return [*output.fields(values), *problems]


def _unusual(profile: Profile) -> dict[str, str]:
    values = {name: getattr(profile, name) for name in _USUAL if name not in _ALWAYS_SHOWN}
    return {name: _words(name, value) for name, value in values.items() if value != _USUAL[name]}


def _words(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(value)
    return f"{value} seconds" if name.endswith("_seconds") else str(value)


def _claim(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


_NOTICES = {
    "claim_started": "tokens have the claim {} since then",
    "claim_stopped": "a token lacked the claim {}, which all had before",
    "new_algorithm": "a token was signed with the algorithm {} for the first time",
    "new_kid": "a token was signed with the key {} for the first time",
}


def notice_documents(found: ProfileNotices) -> list[dict[str, Any]]:
    """The drift notices as ``--json`` prints them, newest first."""
    return [
        {"kind": each.kind, "value": each.value, "noticed_at": output.time(each.noticed_at)} for each in found.notices
    ]


def notice_lines(found: ProfileNotices) -> list[str]:
    """What was new about the issuer's tokens, newest first; nothing where nothing was."""
    if not found.notices:
        return []
    told = [f"  {output.time(each.noticed_at)}  {_NOTICES[each.kind].format(each.value)}" for each in found.notices]
    return ["", "What was new about its tokens:", *told]
