"""How values stand in a plan: short, and without anything that must not be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from assay.key_sources import HmacSource, InlineJwksSource, KeySource, PemSource
from assay.model import RedirectUrl
from assay.rules.permissions import Permission
from assay.stories import key_sources
from assay.stories.declared.steps import Change
from assay.stories.declared.wanted import ProjectReference, SharedSecret, WantedSource
from assay.stories.key_sources import HmacGiven

LONGEST = 120


def short(value: Any) -> Any:  # noqa: ANN401 - any value of a record
    """The value; of a long text, or one of several lines, a digest that tells it from another."""
    if isinstance(value, tuple):
        return [short(each) for each in value]
    if isinstance(value, str) and (len(value) > LONGEST or "\n" in value):
        return f"{len(value)} characters, {digest(value)}"
    return value


def digest(text: str | bytes) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a text."""
    raw = text if isinstance(text, bytes) else text.encode()
    return f"sha256:{hashlib.sha256(raw).hexdigest()[:12]}"


def sources(found: Iterable[WantedSource | KeySource]) -> list[str]:
    """Key sources, a line each."""
    return [_source(each) for each in found]


def permissions(found: Sequence[Permission]) -> dict[str, list[str]]:
    """Resource → actions, as a file says it."""
    merged: dict[str, list[str]] = {}
    for each in found:
        actions = merged.setdefault(each.resource_id, [])
        actions += [action for action in each.actions if action not in actions]
    return {resource_id: ["*"] if "*" in actions else actions for resource_id, actions in merged.items()}


def uses(url: RedirectUrl) -> list[str]:
    """What a redirect URL is valid for."""
    return sorted(f"{each.type} (default)" if each.is_default else each.type for each in url.valid_types)


def entry(change: Change) -> str:
    """What a change is about: its kind, and its place as slugs and its own name."""
    return f"{change.kind} {'/'.join(change.place)}"


def _source(found: WantedSource | KeySource) -> str:
    if isinstance(found, SharedSecret):
        return f"hmac, its secret from {found.origin}"
    if isinstance(found, HmacSource | HmacGiven):
        return "hmac"
    if isinstance(found, ProjectReference):
        return f"project {found.project_slug} {found.environment_slug}"
    if isinstance(found, PemSource):
        return " ".join(["pem", *map(digest, found.public_keys)])
    if isinstance(found, InlineJwksSource):
        return f"inline_jwks {digest(str(found.jwks))}"
    members = key_sources.view(found)
    kind = members.pop("kind")
    if "ca_pem" in members:
        members["ca_pem"] = digest(members["ca_pem"])
    return " ".join([kind, *(f"{name}={value}" for name, value in members.items())])
