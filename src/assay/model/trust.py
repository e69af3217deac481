"""Whom an environment believes, and the keys that prove it."""

from __future__ import annotations

from typing import Any

from assay.key_sources import KeySource
from assay.model.base import KeyType, Record


class PemFile(Record, frozen=True, kw_only=True):
    """A public key as the operator pasted it, byte for byte (decisions D7)."""

    pem_file_id: str
    public_key: str


class Profile(Record, frozen=True, kw_only=True):
    """A trusted auth token profile: whom to believe, by which keys, and what the claims mean.

    ``attribute_mapping`` is attribute → claim name (decisions D9). ``leeway_seconds``, ``algorithms``,
    ``key_sources`` and ``keys_stale_limit`` (seconds that the last good keys may serve while the issuer is away)
    are extra fields that this version enforces (decisions D8). ``key_sources`` is empty when the keys are those
    of ``jwks_url`` or ``pem_files``.
    """

    environment_id: str
    profile_id: str
    name: str
    issuer: str
    audience: str
    public_key_type: KeyType
    jwks_url: str | None = None
    pem_files: tuple[PemFile, ...] = ()
    attribute_mapping: dict[str, Any] = {}
    can_jit_provision: bool = False
    algorithms: tuple[str, ...] = ()
    leeway_seconds: int = 30
    key_sources: tuple[KeySource, ...] = ()
    keys_stale_limit: int = 86_400
    created_at: int
    updated_at: int
    revision: int = 1


class KeptKeys(Record, frozen=True, kw_only=True):
    """What is remembered of one fetched key source, for all workers and over restarts.

    ``source`` is a digest of what is fetched. ``document`` is the last good answer, fetched at ``good_at``; it is
    fresh until ``fresh_until``. ``failures`` counts failed fetches in a row, the last of which gave ``fault``.
    ``lease_until`` is until when one worker fetches for all.
    """

    environment_id: str
    profile_id: str
    source: str
    document: bytes | None = None
    good_at: int | None = None
    fresh_until: int | None = None
    tried_at: int | None = None
    failures: int = 0
    fault: str | None = None
    lease_until: int = 0
