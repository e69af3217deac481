"""The writes of a store, as values: what is to change, and what must still hold for it.

A docstring says which Conflict a write can raise, and when it is Stale (see :mod:`assay.store`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from assay.model import (
    Attempt,
    Environment,
    Event,
    Factor,
    KeptKeys,
    Member,
    Observations,
    Organization,
    Profile,
    Project,
    PublicToken,
    ReplayMark,
    Secret,
    Session,
    SigningKey,
    SubjectKind,
    User,
)


class Write(msgspec.Struct, frozen=True):
    """Base of all writes. ``events`` are written with the change, or not at all (decisions D13)."""

    events: tuple[Event, ...] = ()


class CreateProject(Write, frozen=True, kw_only=True):
    """A project, its environments, and the credentials shown to its operator. Conflict: ``project_slug``."""

    project: Project
    environments: tuple[Environment, ...] = ()
    secrets: tuple[Secret, ...] = ()
    public_tokens: tuple[PublicToken, ...] = ()


class CreateSecret(Write, frozen=True, kw_only=True):
    """One more live secret of an environment."""

    secret: Secret


class RevokeSecret(Write, frozen=True, kw_only=True):
    """From the commit on, the secret opens nothing. Stale when it is unknown or was revoked before."""

    environment_id: str
    secret_id: str
    revoked_at: int


class CreateSigningKeys(Write, frozen=True, kw_only=True):
    """The first keys of an environment. Conflict ``signing_key`` when another worker made them first."""

    keys: tuple[SigningKey, ...]


class RotateSigningKeys(Write, frozen=True, kw_only=True):
    """``next`` becomes active, the active one retired, ``new_next`` is published.

    Stale when ``promoted_kid`` is not the environment's next key (another rotation won).
    """

    environment_id: str
    promoted_kid: str
    new_next: SigningKey
    rotated_at: int


class RewrapSigningKeys(Write, frozen=True, kw_only=True):
    """Every sealed private key under a new root key, and the new check value. Stale when a key is missing."""

    sealed: dict[str, bytes]
    root_key_check: bytes


class SetRootKeyCheck(Write, frozen=True, kw_only=True):
    """What a later start compares its root key with; only the first one is kept."""

    root_key_check: bytes


class CreateProfile(Write, frozen=True, kw_only=True):
    """Conflict: ``profile_id`` within the environment."""

    profile: Profile


class ReplaceProfile(Write, frozen=True, kw_only=True):
    """``profile`` carries the revision it was read with; it is stored as the next. Stale when it has moved on."""

    profile: Profile


class DeleteProfile(Write, frozen=True, kw_only=True):
    """The profile and its PEM files. Stale when there is none. Sessions made by it live on."""

    environment_id: str
    profile_id: str


class LeaseKeys(Write, frozen=True, kw_only=True):
    """One worker fetches this source for all until ``until``; makes the row. Stale while another holds the lease."""

    environment_id: str
    profile_id: str
    source: str
    now: int
    until: int


class KeepKeys(Write, frozen=True, kw_only=True):
    """What the fetch brought, good or bad; ends the lease. Stale when the profile is gone.

    Without a document the one that is kept stays, with its times. Documents of other sources of the profile that were
    last fetched before ``forgotten_before`` are forgotten.
    """

    kept: KeptKeys
    forgotten_before: int = 0


class CreateOrganization(Write, frozen=True, kw_only=True):
    """Conflict: ``organization_slug``, ``organization_external_id`` within the environment."""

    organization: Organization


class ReplaceOrganization(Write, frozen=True, kw_only=True):
    """As :class:`ReplaceProfile`, for an organization."""

    organization: Organization


class DeleteOrganization(Write, frozen=True, kw_only=True):
    """The organization, its members and their sessions. Stale when there is none."""

    environment_id: str
    organization_id: str


class CreateMember(Write, frozen=True, kw_only=True):
    """Conflict: ``member_email`` (retired addresses included), ``member_external_id`` within the organization.

    Stale when the organization is gone.
    """

    member: Member


class ReplaceMember(Write, frozen=True, kw_only=True):
    """``member`` carries the revision it was read with. With ``revoke_sessions_at`` its sessions end too.

    A member whose status becomes ``deleted`` frees its address and external id; one that stops being
    ``deleted`` claims them again (Conflict as for :class:`CreateMember`).
    """

    member: Member
    revoke_sessions_at: int | None = None


class CreateUser(Write, frozen=True, kw_only=True):
    """Conflict: ``user_email``, ``user_phone_number``, ``user_external_id`` within the environment."""

    user: User


class ReplaceUser(Write, frozen=True, kw_only=True):
    """``user`` carries the revision it was read with."""

    user: User


class DeleteUser(Write, frozen=True, kw_only=True):
    """The user and its sessions. Stale when there is none."""

    environment_id: str
    user_id: str


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """What must still hold at the commit of a session write (decisions D29); None is not asked.

    ``secret_id`` is live; the profile has this revision, and so has each of ``profile_revisions`` (profile id →
    revision); the session ``session_number`` is live at ``now``.
    """

    environment_id: str
    secret_id: str
    profile_id: str | None = None
    profile_revision: int | None = None
    profile_revisions: dict[str, int] | None = None
    session_number: int | None = None
    now: int


class StartSession(Write, frozen=True, kw_only=True):
    """A new session, the mark of the token it came of, and the record of the attempt.

    Conflict ``session_number`` asks for another number, ``replay_mark`` says that the token was used before. Stale
    when the guard fails, or the subject is no longer an active member of the organization (or an existing user).
    """

    session: Session
    guard: Guard
    replay: ReplayMark | None = None
    attempt: Attempt | None = None


class UpdateSession(Write, frozen=True, kw_only=True):
    """Change a live session; None leaves a field as it is. ``last_accessed_at`` never moves backwards.

    With ``revision`` the session must still have it, and gets the next. With ``token_hash`` the session has another
    token from then on. Conflict ``replay_mark`` as for :class:`StartSession`. Stale when the session is not live at
    ``guard.now``, has moved on, its subject is not active, or the guard fails.
    """

    number: int
    revision: int | None = None
    last_accessed_at: int
    expires_at: int | None = None
    factors: tuple[Factor, ...] | None = None
    custom_claims: dict[str, Any] | None = None
    token_hash: bytes | None = None
    guard: Guard
    replay: ReplayMark | None = None
    attempt: Attempt | None = None


class NoteAccesses(Write, frozen=True, kw_only=True):
    """When sessions were last used: session number → seconds. No time moves backwards; what is gone is left out."""

    accesses: dict[int, int]


class RevokeSession(Write, frozen=True, kw_only=True):
    """End one session of the environment; its events are written only if it was live until now."""

    environment_id: str
    number: int
    revoked_at: int


class RevokeSessionsOf(Write, frozen=True, kw_only=True):
    """End every live session of one member or user."""

    environment_id: str
    subject_kind: SubjectKind
    subject_id: str
    revoked_at: int


class RecordAttempt(Write, frozen=True, kw_only=True):
    """What became of an attest that changed no session.

    Conflict ``replay_mark`` as for :class:`StartSession`. Stale when a guard is given and fails; it names the
    attempt's own environment and profile.
    """

    attempt: Attempt
    guard: Guard | None = None
    replay: ReplayMark | None = None


class Observe(Write, frozen=True, kw_only=True):
    """What the tokens of a profile look like. ``observations`` carry the revision they were read with, the first 0.

    Stored as the next revision. Stale when they have moved on, or the profile is gone.
    """

    observations: Observations


class Forget(Write, frozen=True, kw_only=True):
    """Attempts made before ``attempts_before``, and marks that expired before ``now``: at most ``limit`` of each."""

    attempts_before: int
    now: int
    limit: int


class ForgetSessions(Write, frozen=True, kw_only=True):
    """At most ``limit`` of the sessions that ended before ``ended_before`` and whose numbers are ``after`` to ``upto``.

    ``after`` is not included. A session ends when it expires or is revoked, whichever comes first.
    """

    after: int
    upto: int
    ended_before: int
    limit: int
