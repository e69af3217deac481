"""Projects, their environments, and what opens, names and configures those."""

from __future__ import annotations

from typing import Any

from assay.model.base import JwtTemplateType, KeyState, Kind, Record, RedirectUse, SessionJwtAlgorithm, Vertical


class Project(Record, frozen=True, kw_only=True):
    """What an operator creates: one product, of one vertical, with a LIVE and a TEST environment."""

    project_id: str
    slug: str
    name: str
    vertical: Vertical
    created_at: int


class EnvironmentSettings(Record, frozen=True, kw_only=True):
    """Settings of an environment. All but ``session_jwt_algorithm`` are kept for callers, and change nothing."""

    session_jwt_algorithm: SessionJwtAlgorithm = "RS256"
    cross_org_passwords_enabled: bool = False
    user_impersonation_enabled: bool = False
    zero_downtime_session_migration_url: str = ""
    use_custom_domain_in_magic_link_emails: bool = False
    user_lock_self_serve_enabled: bool = False
    user_lock_threshold: int = 10
    user_lock_ttl: int = 3_600
    idp_authorization_url: str = ""
    idp_dynamic_client_registration_enabled: bool = False
    idp_dynamic_client_registration_access_token_template_content: str = ""


class Environment(Record, frozen=True, kw_only=True):
    """The tenant. The server API calls its id a "project id" (decisions D23).

    ``revision`` grows with each change of what configures the environment: its name, its settings, its RBAC policy,
    its JWT templates and its redirect URLs. An environment at revision 1 has the defaults of all of them.
    """

    environment_id: str
    project_id: str
    slug: str
    kind: Kind
    name: str
    vertical: Vertical
    created_at: int
    settings: EnvironmentSettings = EnvironmentSettings()
    revision: int = 1


class EnvironmentCounts(Record, frozen=True, kw_only=True):
    """How many records an environment holds; deleted members are not counted."""

    users: int
    organizations: int
    members: int


class Secret(Record, frozen=True, kw_only=True):
    """A caller's secret: shown once, kept as SHA-256 of 256 random bits (decisions D27).

    ``used_at`` is when it was last seen to open its environment, to within a few minutes.
    """

    secret_id: str
    environment_id: str
    secret_hash: bytes
    last_four: str
    created_at: int
    used_at: int | None = None
    revoked_at: int | None = None


class WorkspaceKey(Record, frozen=True, kw_only=True):
    """Opens the management API, for all projects. Kept as :class:`Secret` is (decisions D27)."""

    workspace_key_id: str
    name: str
    secret_hash: bytes
    last_four: str
    created_at: int
    used_at: int | None = None
    revoked_at: int | None = None


class PublicToken(Record, frozen=True, kw_only=True):
    """Names an environment in public places; opens nothing by itself."""

    public_token: str
    environment_id: str
    created_at: int


class JwtTemplate(Record, frozen=True, kw_only=True):
    """What the session JWTs of an environment carry beside their own claims; the text as the operator wrote it."""

    template_type: JwtTemplateType
    template_content: str
    custom_audience: str


class RedirectUrlType(Record, frozen=True, kw_only=True):
    """One use of a redirect URL, and whether it is the one taken when a call names none."""

    type: RedirectUse
    is_default: bool


class RedirectUrl(Record, frozen=True, kw_only=True):
    """Where browsers may be sent; kept for the operator's tools, Assay itself sends nobody anywhere."""

    url: str
    valid_types: tuple[RedirectUrlType, ...]


class SigningKey(Record, frozen=True, kw_only=True):
    """One of our own keys. The private half is sealed under the root key (decisions D25, D26)."""

    environment_id: str
    kid: str
    state: KeyState
    algorithm: SessionJwtAlgorithm
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
