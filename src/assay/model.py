"""The nouns of Assay: frozen records that every floor shares.

Times are whole seconds since the epoch, UTC. Records compare by value and are never changed in place;
a new version is made with ``msgspec.structs.replace``. ``revision`` starts at 1 and grows by one with each
stored change, so that a writer can say which version it decided upon (decisions D29).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay.key_sources import KeySource

Vertical = Literal["b2b", "consumer"]
Kind = Literal["test", "live"]
SubjectKind = Literal["member", "user"]
MemberStatus = Literal["pending", "invited", "active", "deleted"]
UserStatus = Literal["pending", "active"]
KeyType = Literal["JWK", "PEM", "UNSPECIFIED"]
KeyState = Literal["next", "active", "retired"]
Outcome = Literal["granted", "refused"]


class Record(msgspec.Struct, frozen=True):
    """Base of all stored nouns."""


# ---------------------------------------------------------------- tenancy


class Project(Record, frozen=True, kw_only=True):
    """What an operator creates: one product, of one vertical, with a LIVE and a TEST environment."""

    project_id: str
    slug: str
    name: str
    vertical: Vertical
    created_at: int


class Environment(Record, frozen=True, kw_only=True):
    """The tenant. The server API calls its id a "project id" (decisions D23)."""

    environment_id: str
    project_id: str
    slug: str
    kind: Kind
    name: str
    vertical: Vertical
    created_at: int


class Secret(Record, frozen=True, kw_only=True):
    """A caller's secret: shown once, kept as SHA-256 of 256 random bits (decisions D27)."""

    secret_id: str
    environment_id: str
    secret_hash: bytes
    last_four: str
    created_at: int
    revoked_at: int | None = None


class PublicToken(Record, frozen=True, kw_only=True):
    """Names an environment in public places; opens nothing by itself."""

    public_token: str
    environment_id: str
    created_at: int


class SigningKey(Record, frozen=True, kw_only=True):
    """One of our own keys. The private half is sealed under the root key (decisions D25, D26)."""

    environment_id: str
    kid: str
    state: KeyState
    algorithm: Literal["RS256"]
    public_jwk: dict[str, Any]
    sealed_private_key: bytes
    created_at: int
    activated_at: int | None = None
    retired_at: int | None = None


class Caller(Record, frozen=True, kw_only=True):
    """A backend whose Basic credentials were right, as read together with its environment."""

    environment: Environment
    secret: Secret
    signing_kid: str | None


# ---------------------------------------------------------------- trust


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


# ---------------------------------------------------------------- people


class OrganizationSettings(Record, frozen=True, kw_only=True):
    """Settings that Assay keeps for its callers. Only ``mfa_policy`` changes what attest does (decisions D15)."""

    organization_logo_url: str = ""
    sso_default_connection_id: str | None = None
    sso_jit_provisioning: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    sso_jit_provisioning_allowed_connections: tuple[str, ...] = ()
    email_allowed_domains: tuple[str, ...] = ()
    email_jit_provisioning: Literal["RESTRICTED", "NOT_ALLOWED"] = "NOT_ALLOWED"
    email_invites: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    auth_methods: Literal["ALL_ALLOWED", "RESTRICTED"] = "ALL_ALLOWED"
    allowed_auth_methods: tuple[str, ...] = ()
    mfa_policy: Literal["OPTIONAL", "REQUIRED_FOR_ALL"] = "OPTIONAL"
    mfa_methods: Literal["ALL_ALLOWED", "RESTRICTED"] = "ALL_ALLOWED"
    allowed_mfa_methods: tuple[str, ...] = ()
    rbac_email_implicit_role_assignments: tuple[dict[str, str], ...] = ()
    oauth_tenant_jit_provisioning: Literal["RESTRICTED", "NOT_ALLOWED"] = "NOT_ALLOWED"
    allowed_oauth_tenants: dict[str, Any] = {}
    claimed_email_domains: tuple[str, ...] = ()
    first_party_connected_apps_allowed_type: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    allowed_first_party_connected_apps: tuple[str, ...] = ()
    third_party_connected_apps_allowed_type: Literal["ALL_ALLOWED", "RESTRICTED", "NOT_ALLOWED"] = "ALL_ALLOWED"
    allowed_third_party_connected_apps: tuple[str, ...] = ()


class Organization(Record, frozen=True, kw_only=True):
    """A customer of a B2B product; its members are people of that customer."""

    environment_id: str
    organization_id: str
    name: str
    slug: str
    external_id: str | None = None
    settings: OrganizationSettings = OrganizationSettings()
    trusted_metadata: dict[str, Any] = {}
    created_at: int
    updated_at: int
    revision: int = 1


class RetiredEmail(Record, frozen=True, kw_only=True):
    """An address a member has left; nobody else of the organization may take it."""

    email_id: str
    email_address: str


class Member(Record, frozen=True, kw_only=True):
    """A person (or workload) inside one organization.

    ``external_id_issuer`` is the issuer whose token attached the external id, or None when an API set it
    (decisions D4). ``roles`` are the explicit ones; ``token_roles`` are profile id → role ids (decisions D5).
    ``email`` is lower-cased, or None for those who have no address (decisions D20).
    """

    environment_id: str
    organization_id: str
    member_id: str
    email: str | None
    email_verified: bool = False
    name: str = ""
    status: MemberStatus = "active"
    external_id: str | None = None
    external_id_issuer: str | None = None
    roles: tuple[str, ...] = ()
    token_roles: dict[str, tuple[str, ...]] = {}
    is_breakglass: bool = False
    mfa_enrolled: bool = False
    mfa_phone_number: str = ""
    default_mfa_method: str = ""
    retired_emails: tuple[RetiredEmail, ...] = ()
    trusted_metadata: dict[str, Any] = {}
    untrusted_metadata: dict[str, Any] = {}
    created_at: int
    updated_at: int
    revision: int = 1


class UserName(Record, frozen=True, kw_only=True):
    """A consumer's name in its parts; empty where unknown."""

    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""


class User(Record, frozen=True, kw_only=True):
    """A person of a consumer product. Fields mean what they mean on :class:`Member`."""

    environment_id: str
    user_id: str
    email: str | None
    email_id: str | None = None
    email_verified: bool = False
    phone_number: str | None = None
    phone_id: str | None = None
    name: UserName = UserName()
    status: UserStatus = "active"
    external_id: str | None = None
    external_id_issuer: str | None = None
    roles: tuple[str, ...] = ()
    token_roles: dict[str, tuple[str, ...]] = {}
    trusted_metadata: dict[str, Any] = {}
    untrusted_metadata: dict[str, Any] = {}
    created_at: int
    updated_at: int
    revision: int = 1


# ---------------------------------------------------------------- sessions


class Factor(Record, frozen=True, kw_only=True):
    """One trusted auth token that this session rests on, by (profile, token id) (decisions D6)."""

    profile_id: str
    token_id: str
    created_at: int
    last_authenticated_at: int
    updated_at: int


class Session(Record, frozen=True, kw_only=True):
    """A live (or ended) session. ``number`` and ``id_tail`` make its id and its token (decisions D14)."""

    number: int
    id_tail: int
    environment_id: str
    kind: Kind
    token_hash: bytes
    subject_kind: SubjectKind
    subject_id: str
    organization_id: str | None
    factors: tuple[Factor, ...]
    custom_claims: dict[str, Any] = {}
    started_at: int
    last_accessed_at: int
    expires_at: int
    revoked_at: int | None = None
    revision: int = 1


class SessionView(Record, frozen=True, kw_only=True):
    """A session with the records it speaks of, read in one snapshot (decisions D29)."""

    session: Session
    member: Member | None = None
    user: User | None = None
    organization: Organization | None = None


# ---------------------------------------------------------------- records of what happened


class Attempt(Record, frozen=True, kw_only=True):
    """What became of one attest. ``code`` is public, ``reason`` is for the operator (decisions D13).

    Neither the token nor its signature is ever part of it.
    """

    environment_id: str
    request_id: str
    profile_id: str
    outcome: Outcome
    code: str
    reason: str
    details: dict[str, Any] = {}
    subject_id: str | None = None
    organization_id: str | None = None
    session_id: str | None = None
    created_at: int


class Event(Record, frozen=True, kw_only=True):
    """One line of the audit record, written in the same transaction as the change it tells of."""

    environment_id: str | None
    action: str
    target: str
    actor: str
    request_id: str = ""
    details: dict[str, Any] = {}
    created_at: int
