"""The key sources that count for a profile, whichever fields it was written with."""

from __future__ import annotations

from assay.key_sources import JwksSource, KeySource, PemSource
from assay.model import Profile


def sources_of(profile: Profile) -> tuple[KeySource, ...]:
    """``key_sources``, else the one made from ``jwks_url``, else the one made from ``pem_files`` (decisions D8)."""
    if profile.key_sources:
        return profile.key_sources
    if profile.jwks_url:
        return (JwksSource(url=profile.jwks_url),)
    return (PemSource(public_keys=tuple(each.public_key for each in profile.pem_files)),)
