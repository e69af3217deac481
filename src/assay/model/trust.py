"""Whom an environment believes, and the keys that prove it."""

from __future__ import annotations

from typing import Any

from assay.key_sources import KeySource
from assay.model.base import IssuerCheck, KeyType, Record, Replay

DEFAULT_TYPES = ("absent", "JWT", "at+jwt", "id_token+jwt")
"""What a token may call itself in its header unless the profile says otherwise; ``absent`` stands for nothing."""


class PemFile(Record, frozen=True, kw_only=True):
    """A public key as the operator pasted it, byte for byte (decisions D7)."""

    pem_file_id: str
    public_key: str


class Profile(Record, frozen=True, kw_only=True):
    """A trusted auth token profile: whom to believe, by which keys, and what the claims mean.

    ``attribute_mapping`` is attribute → where its value comes from (decisions D9). All fields after
    ``can_jit_provision`` are additions to the contract (decisions D8); times are in seconds. ``key_sources`` is empty
    when the keys are those of ``jwks_url`` or ``pem_files``; ``keys_stale_limit`` is how long the last good keys may
    serve while the issuer is away. ``organizations`` (ids or external ids) is empty when any will do. ``kept_claims``
    are the top-level claims that attempt records may hold.
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
    max_age_seconds: int | None = None
    max_lifetime_seconds: int = 366 * 86_400
    require_exp: bool = True
    additional_audiences: tuple[str, ...] = ()
    single_audience: bool = False
    audience_claim: str = "aud"
    issuer_check: IssuerCheck = "exact"
    typ: tuple[str, ...] = DEFAULT_TYPES
    conditions: tuple[str, ...] = ()
    replay: Replay = "off"
    trust_email: bool = True
    organizations: tuple[str, ...] = ()
    session_ends_with_token: bool = False
    rotate_session_token: bool = False
    enabled: bool = True
    kept_claims: tuple[str, ...] = ()
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
