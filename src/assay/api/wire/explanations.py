"""Explanations of attests over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from assay.api.wire.answers import Answer, time
from assay.stories import explain
from assay.stories.explain import Explanation


class Step(msgspec.Struct, kw_only=True):
    """One step of the judgement, in the order in which they are made."""

    step: str
    outcome: explain.Outcome
    expected: str
    came: str
    reason: str


class MappedAttributes(msgspec.Struct, kw_only=True):
    """What the profile's mapping makes of the claims. ``issuer`` is who vouches for the external id."""

    issuer: str
    token_id: str
    email: str | None
    email_verified: Literal["verified", "silent", "unverified"]
    external_id: str | None
    organization_id: str | None
    organization_name: str | None
    role_ids: tuple[str, ...] | None
    name: str | None
    trusted_metadata: dict[str, Any]


class ExplainedOrganization(msgspec.Struct, kw_only=True):
    """The organization, and why it is that one; without an id it would be made."""

    organization_id: str | None
    name: str
    reason: str


class ExplainedMember(msgspec.Struct, kw_only=True):
    """The member, and why it is that one; without an id it would be made."""

    member_id: str | None
    name: str
    reason: str


class ExplainedUser(msgspec.Struct, kw_only=True):
    """The user, and why it is that one; without an id it would be made."""

    user_id: str | None
    name: str
    reason: str


class SessionToCome(msgspec.Struct, kw_only=True):
    """What the attest would do about a session. ``session_id`` is that of the one passed in, or of the repeated one."""

    action: explain.Action
    session_id: str | None
    expires_at: datetime | None
    roles: tuple[str, ...]
    custom_claims: dict[str, Any]


class Explained(Answer, kw_only=True):
    """What attest would answer, and why. The status is 200 whatever the ``verdict``.

    ``reason``, ``remedy`` and ``hints`` are for the operator, not for the person who wants to log in.
    ``unverified_header`` and ``unverified_claims`` are anybody's word, unless ``signature_verified``. The token itself
    is not repeated.
    """

    verdict: Literal["granted", "refused"]
    profile_id: str
    error_type: str | None
    error_message: str | None
    reason: str | None
    remedy: str | None
    hints: tuple[str, ...]
    steps: tuple[Step, ...]
    signature_verified: bool
    unverified_header: dict[str, Any]
    unverified_claims: dict[str, Any]
    attributes: MappedAttributes | None
    organization: ExplainedOrganization | None
    member: ExplainedMember | None
    user: ExplainedUser | None
    session: SessionToCome | None


def explained(found: Explanation, request_id: str) -> Explained:
    """Render an explanation."""
    refusal = found.refusal
    return Explained(
        request_id=request_id,
        verdict="refused" if refusal else "granted",
        profile_id=found.profile_id,
        error_type=refusal.code if refusal else None,
        error_message=refusal.message if refusal else None,
        reason=(refusal.detail or refusal.message) if refusal else None,
        remedy=found.remedy or None,
        hints=found.hints,
        steps=tuple(Step(**msgspec.structs.asdict(each)) for each in found.steps),
        signature_verified=found.verified,
        unverified_header=found.unverified_header,
        unverified_claims=found.unverified_claims,
        attributes=_attributes(found),
        organization=_organization(found),
        member=_member(found),
        user=_user(found),
        session=_session(found.session) if found.session else None,
    )


def _attributes(found: Explanation) -> MappedAttributes | None:
    identity = found.identity
    if identity is None:
        return None
    return MappedAttributes(
        issuer=identity.issuer,
        token_id=identity.token_id,
        email=identity.email,
        email_verified=identity.email_verified,
        external_id=identity.external_id,
        organization_id=identity.organization,
        organization_name=identity.organization_name,
        role_ids=identity.role_ids,
        name=identity.name,
        trusted_metadata=identity.trusted_metadata,
    )


def _organization(found: Explanation) -> ExplainedOrganization | None:
    whom = found.organization
    return ExplainedOrganization(organization_id=whom.id, name=whom.name, reason=whom.reason) if whom else None


def _member(found: Explanation) -> ExplainedMember | None:
    whom = found.person if found.vertical == "b2b" else None
    return ExplainedMember(member_id=whom.id, name=whom.name, reason=whom.reason) if whom else None


def _user(found: Explanation) -> ExplainedUser | None:
    whom = found.person if found.vertical == "consumer" else None
    return ExplainedUser(user_id=whom.id, name=whom.name, reason=whom.reason) if whom else None


def _session(coming: explain.SessionToCome) -> SessionToCome:
    return SessionToCome(
        action=coming.action,
        session_id=coming.session_id,
        expires_at=None if coming.expires_at is None else time(coming.expires_at),
        roles=coming.roles,
        custom_claims=coming.custom_claims,
    )
