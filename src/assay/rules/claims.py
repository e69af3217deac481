"""Custom claims of sessions and metadata of people: what may stand in them, and how changes merge in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay import errors, jsontext

MAX_BYTES = 4096
MAX_METADATA_KEYS = 20
RESERVED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
OWN_NAMESPACE = "https://stytch.com/"


def check_custom_claims(change: Mapping[str, Any]) -> None:
    """Refuse names that belong to the session JWT itself. Raises ReservedClaims, StytchClaims (decisions D11)."""
    if not RESERVED.isdisjoint(change):
        raise errors.ReservedClaims
    if any(name.startswith(OWN_NAMESPACE) for name in change):
        raise errors.StytchClaims


def merge_custom_claims(current: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``change`` merged into ``current``, objects within objects too; null deletes (contract §3.6).

    Raises CustomClaimsTooLarge when the result is longer than 4096 bytes of JSON.
    """
    if not change:  # nothing can have grown, and measuring is most of the work
        return dict(current)
    merged = merged_claims(current, change)
    if jsontext.size(merged) > MAX_BYTES:
        raise errors.CustomClaimsTooLarge
    return merged


def merge_metadata(current: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``change`` merged into ``current`` at the top level only; null deletes (contract §6.7).

    Raises MetadataTooManyKeys, MetadataTooLarge.
    """
    merged = {name: value for name, value in {**current, **change}.items() if value is not None}
    if len(merged) > MAX_METADATA_KEYS:
        raise errors.MetadataTooManyKeys
    if jsontext.size(merged) > MAX_BYTES:
        raise errors.MetadataTooLarge
    return merged


def merged_claims(current: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``change`` over ``current``, objects within objects too; null deletes. Whatever its size."""
    merged = dict(current)
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merged_claims(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged
