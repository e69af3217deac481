"""The writes of operators, as values: projects and environments, their credentials, and what ends many things at once.

A docstring says which Conflict a write can raise, and when it is Stale (see :mod:`assay.store`).
"""

from __future__ import annotations

from assay.model import (
    Environment,
    JwtTemplate,
    PublicToken,
    RedirectUrl,
    Secret,
    SigningKey,
    SubjectKind,
    WorkspaceKey,
)
from assay.rules.permissions import Policy
from assay.store.writes import Write


class RenameProject(Write, frozen=True, kw_only=True):
    """A project's new name; its slug stays. Stale when there is none."""

    project_id: str
    name: str


class DeleteProject(Write, frozen=True, kw_only=True):
    """The project and everything of all its environments but the audit events. Stale when there is none."""

    project_id: str


class CreateEnvironment(Write, frozen=True, kw_only=True):
    """One more environment and its credentials.

    Conflict: ``environment_slug`` within the project, ``live_environment`` when the project has one. Stale when the
    project is gone.
    """

    environment: Environment
    secrets: tuple[Secret, ...] = ()
    public_tokens: tuple[PublicToken, ...] = ()


class ConfigureEnvironment(Write, frozen=True, kw_only=True):
    """``environment`` carries the revision it was read with, and a name and settings; None leaves the rest as it is.

    A policy, templates and redirect URLs that are given replace all there were. ``signing_keys``, an active one and a
    next one, take the place of those there are, which are retired. Stored as the next revision. Stale when the
    environment has moved on or is gone.
    """

    environment: Environment
    policy: Policy | None = None
    jwt_templates: tuple[JwtTemplate, ...] | None = None
    redirect_urls: tuple[RedirectUrl, ...] | None = None
    signing_keys: tuple[SigningKey, SigningKey] | None = None


class DeleteEnvironment(Write, frozen=True, kw_only=True):
    """The environment and everything in it but its audit events. Stale when there is none."""

    environment_id: str


class TouchSecret(Write, frozen=True, kw_only=True):
    """The secret was used at ``used_at``; never moves backwards, changes nothing when the secret is gone."""

    environment_id: str
    secret_id: str
    used_at: int


class CreateWorkspaceKey(Write, frozen=True, kw_only=True):
    """One more key to the management API."""

    key: WorkspaceKey


class RevokeWorkspaceKey(Write, frozen=True, kw_only=True):
    """From the commit on, the key opens nothing. Stale when it is unknown or was revoked before."""

    workspace_key_id: str
    revoked_at: int


class TouchWorkspaceKey(Write, frozen=True, kw_only=True):
    """As :class:`TouchSecret`, for a workspace key."""

    workspace_key_id: str
    used_at: int


class CreatePublicToken(Write, frozen=True, kw_only=True):
    """One more public token of an environment. Stale when the environment is gone."""

    public_token: PublicToken


class DeletePublicToken(Write, frozen=True, kw_only=True):
    """The token names the environment no longer. Stale when it is unknown there, or the last one."""

    environment_id: str
    public_token: str


class RevokeSessionsWhere(Write, frozen=True, kw_only=True):
    """End every live session of the environment, or only those of one organization, or that rest on one profile.

    With both given, both must hold.
    """

    environment_id: str
    organization_id: str | None = None
    profile_id: str | None = None
    revoked_at: int


class ErasePerson(Write, frozen=True, kw_only=True):
    """Everything that tells of one person: the record, its sessions, its attempts, and the events about or by it.

    Attempts and events of the environment that hold one of ``traces`` (addresses and external ids, as they stand in
    text) anywhere go too. ``events`` of this write stay: the tombstone. Stale when there is no such person.
    """

    environment_id: str
    subject_kind: SubjectKind
    subject_id: str
    traces: tuple[str, ...] = ()


class RecordEvents(Write, frozen=True, kw_only=True):
    """Only its events: of something that was no single write, such as a whole import."""
