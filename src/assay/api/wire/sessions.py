"""Sessions on the wire, and the answers of the calls about them (contract §2, §4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from assay import model
from assay.api.wire import organizations, users
from assay.api.wire.answers import Answer, time
from assay.stories.granted import Granted, SessionDetails


class TrustedAuthTokenFactor(msgspec.Struct):
    """What a factor by trusted auth token says of it."""

    token_id: str


class AuthenticationFactor(msgspec.Struct, kw_only=True):
    """One trusted auth token that a session rests on; the other kinds of factor do not exist here."""

    type: Literal["trusted_auth_token"] = "trusted_auth_token"
    delivery_method: Literal["trusted_token_exchange"] = "trusted_token_exchange"
    last_authenticated_at: datetime
    created_at: datetime
    updated_at: datetime
    trusted_auth_token_factor: TrustedAuthTokenFactor


class MemberSession(msgspec.Struct, kw_only=True):
    """A session of a member."""

    member_session_id: str
    member_id: str
    organization_id: str
    organization_slug: str
    started_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    authentication_factors: tuple[AuthenticationFactor, ...]
    roles: tuple[str, ...]
    custom_claims: dict[str, Any]


class Attributes(msgspec.Struct):
    """Where a session was started from. Assay does not keep it, and clients want the two strings."""

    ip_address: str = ""
    user_agent: str = ""


class Session(msgspec.Struct, kw_only=True):
    """A session of a user."""

    session_id: str
    user_id: str
    started_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    attributes: Attributes
    authentication_factors: tuple[AuthenticationFactor, ...]
    roles: tuple[str, ...]
    custom_claims: dict[str, Any]


class Verdict(msgspec.Struct):
    """The answer to an authorization check that was passed; one that is not passed is a refusal."""

    authorized: bool
    granting_roles: tuple[str, ...]


class MemberAttested(Answer, kw_only=True):
    """A member's session, new or with one more factor."""

    member_id: str
    member_session: MemberSession
    session_token: str
    session_jwt: str
    member: organizations.Member
    organization: organizations.Organization
    member_device: None = None


class MemberAuthenticated(Answer, kw_only=True):
    """A member's live session."""

    member_session: MemberSession
    session_token: str
    session_jwt: str
    member: organizations.Member
    organization: organizations.Organization
    verdict: Verdict | None = None


class MemberExchanged(Answer, kw_only=True):
    """A member's new session in another organization."""

    member_id: str
    member_session: MemberSession
    session_token: str
    session_jwt: str
    member: organizations.Member
    organization: organizations.Organization
    member_authenticated: bool = True
    intermediate_session_token: str = ""
    intermediate_session_token_expires_at: None = None
    mfa_required: None = None
    primary_required: None = None
    member_device: None = None


class MemberSessions(Answer, kw_only=True):
    """The live sessions of one member."""

    member_sessions: tuple[MemberSession, ...]


class UserAttested(Answer, kw_only=True):
    """A user's session, new or with one more factor; without a duration, proof of who it is and no session."""

    user_id: str
    session: Session | None
    session_token: str
    session_jwt: str
    user: users.User
    user_device: None = None


class UserAuthenticated(Answer, kw_only=True):
    """A user's live session."""

    session: Session
    session_token: str
    session_jwt: str
    user: users.User
    verdict: Verdict | None = None


class UserSessions(Answer, kw_only=True):
    """The live sessions of one user."""

    sessions: tuple[Session, ...]


class Revoked(Answer, kw_only=True):
    """The session opens nothing any more; JWTs already handed out verify locally for up to five minutes."""


def member_attested(granted: Granted, request_id: str) -> MemberAttested:
    """Answer to an attest of a B2B project."""
    member = _member(granted)
    return MemberAttested(
        request_id=request_id,
        member_id=member.member_id,
        member_session=member_session(_details(granted)),
        session_token=granted.session_token,
        session_jwt=granted.session_jwt,
        member=organizations.member_once(member),
        organization=organizations.organization_once(_organization(granted)),
    )


def member_authenticated(granted: Granted, request_id: str) -> MemberAuthenticated:
    """Answer to an authenticate of a B2B project."""
    return MemberAuthenticated(
        request_id=request_id,
        member_session=member_session(_details(granted)),
        session_token=granted.session_token,
        session_jwt=granted.session_jwt,
        member=organizations.member_once(_member(granted)),
        organization=organizations.organization_once(_organization(granted)),
        verdict=_verdict(granted),
    )


def member_exchanged(granted: Granted, request_id: str) -> MemberExchanged:
    """Answer to an exchange; it always logs in, so nothing is asked for (decisions D22)."""
    member = _member(granted)
    return MemberExchanged(
        request_id=request_id,
        member_id=member.member_id,
        member_session=member_session(_details(granted)),
        session_token=granted.session_token,
        session_jwt=granted.session_jwt,
        member=organizations.member_once(member),
        organization=organizations.organization_once(_organization(granted)),
    )


def member_sessions(found: list[SessionDetails], request_id: str) -> MemberSessions:
    """Answer to a listing of a member's sessions."""
    return MemberSessions(request_id=request_id, member_sessions=tuple(map(member_session, found)))


def user_attested(granted: Granted, request_id: str) -> UserAttested:
    """Answer to an attest of a consumer project."""
    user = _user(granted)
    return UserAttested(
        request_id=request_id,
        user_id=user.user_id,
        session=None if granted.details is None else user_session(granted.details),
        session_token=granted.session_token,
        session_jwt=granted.session_jwt,
        user=users.user_once(user),
    )


def user_authenticated(granted: Granted, request_id: str) -> UserAuthenticated:
    """Answer to an authenticate of a consumer project."""
    return UserAuthenticated(
        request_id=request_id,
        session=user_session(_details(granted)),
        session_token=granted.session_token,
        session_jwt=granted.session_jwt,
        user=users.user_once(_user(granted)),
        verdict=_verdict(granted),
    )


def user_sessions(found: list[SessionDetails], request_id: str) -> UserSessions:
    """Answer to a listing of a user's sessions."""
    return UserSessions(request_id=request_id, sessions=tuple(map(user_session, found)))


def revoked(_nothing: None, request_id: str) -> Revoked:
    """Answer to a revoke."""
    return Revoked(request_id=request_id)


def member_session(details: SessionDetails) -> MemberSession:
    """A member's session object."""
    session = details.session
    return MemberSession(
        member_session_id=details.session_id,
        member_id=session.subject_id,
        organization_id=session.organization_id or "",
        organization_slug=details.organization_slug or "",
        started_at=time(session.started_at),
        last_accessed_at=time(details.last_accessed_at),
        expires_at=time(session.expires_at),
        authentication_factors=tuple([_factor(factor) for factor in session.factors]),
        roles=details.roles,
        custom_claims=session.custom_claims,
    )


def user_session(details: SessionDetails) -> Session:
    """A user's session object."""
    session = details.session
    return Session(
        session_id=details.session_id,
        user_id=session.subject_id,
        attributes=Attributes(),
        started_at=time(session.started_at),
        last_accessed_at=time(details.last_accessed_at),
        expires_at=time(session.expires_at),
        authentication_factors=tuple([_factor(factor) for factor in session.factors]),
        roles=details.roles,
        custom_claims=session.custom_claims,
    )


def _factor(factor: model.Factor) -> AuthenticationFactor:
    return AuthenticationFactor(
        last_authenticated_at=time(factor.last_authenticated_at),
        created_at=time(factor.created_at),
        updated_at=time(factor.updated_at),
        trusted_auth_token_factor=TrustedAuthTokenFactor(factor.token_id),
    )


def _organization(granted: Granted) -> model.Organization:
    if granted.organization is None:
        raise TypeError("a member's login has an organization")
    return granted.organization


def _member(granted: Granted) -> model.Member:
    if not isinstance(granted.person, model.Member):
        raise TypeError("a B2B login is a member's")
    return granted.person


def _user(granted: Granted) -> model.User:
    if not isinstance(granted.person, model.User):
        raise TypeError("a consumer login is a user's")
    return granted.person


def _details(granted: Granted) -> SessionDetails:
    if granted.details is None:
        raise TypeError("only a consumer attest may come without a session")
    return granted.details


def _verdict(granted: Granted) -> Verdict | None:
    if granted.granting_roles is None:
        return None
    return Verdict(authorized=True, granting_roles=granted.granting_roles)
