"""What a configuration file says there shall be. An entry that it names is described whole."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.key_sources import JwksSource, PemSource
from assay.model import EnvironmentSettings, JwtTemplate, KeyType, Kind, RedirectUrl, Vertical
from assay.model.base import IssuerCheck, Replay
from assay.model.trust import DEFAULT_TYPES
from assay.rules.algorithms import DEFAULT_ALGORITHMS
from assay.rules.permissions import Resource, Role, Scope
from assay.stories.key_sources import GivenSource


class ProjectReference(msgspec.Struct, frozen=True):
    """A ``project`` source, by the slugs of its environment: ids cannot be chosen, so a file cannot know them."""

    project_slug: str
    environment_slug: str


class SharedSecret(msgspec.Struct, frozen=True):
    """An ``hmac`` source: ``origin`` says where the secret comes from; ``secret`` is None when it is not there."""

    origin: str
    secret: bytes | None

    def __repr__(self) -> str:
        """Never the secret: representations end up in logs."""
        return f"SharedSecret({self.origin})"


WantedSource = GivenSource | ProjectReference | SharedSecret


class WantedProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile; ``issuer`` and ``audience`` are None where they follow from a ``project`` source."""

    profile_id: str
    name: str
    issuer: str | None
    audience: str | None
    sources: tuple[WantedSource, ...]
    attribute_mapping: dict[str, Any] = {}
    can_jit_provision: bool = False
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    leeway_seconds: int = 30
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
    public_key_type: KeyType | None = None

    def only_jwks_url(self) -> str | None:
        """The URL, if that is all there is to say of the keys."""
        first = self.sources[0] if len(self.sources) == 1 else None
        return first.url if isinstance(first, JwksSource) and first.ca_pem is None else None

    def only_pem_texts(self) -> tuple[str, ...] | None:
        """The PEM texts, if they are all there is to say of the keys."""
        first = self.sources[0] if len(self.sources) == 1 else None
        return first.public_keys if isinstance(first, PemSource) else None


PLAIN_FIELDS = tuple(
    name for name in WantedProfile.__struct_fields__ if name not in {"profile_id", "sources", "public_key_type"}
)
"""The fields that stand in a profile as the file says them."""


class WantedEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment; ``settings`` is None when the file leaves them alone."""

    slug: str
    kind: Kind
    name: str
    settings: EnvironmentSettings | None = None
    profiles: tuple[WantedProfile, ...] = ()
    roles: tuple[Role, ...] = ()
    resources: tuple[Resource, ...] = ()
    scopes: tuple[Scope, ...] = ()
    redirect_urls: tuple[RedirectUrl, ...] = ()
    jwt_templates: tuple[JwtTemplate, ...] = ()


class WantedProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project with those of its environments that the file names."""

    slug: str
    name: str
    vertical: Vertical
    environments: tuple[WantedEnvironment, ...] = ()


class Wanted(msgspec.Struct, frozen=True):
    """All that the file says."""

    projects: tuple[WantedProject, ...] = ()
