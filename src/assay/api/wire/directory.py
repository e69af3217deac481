"""Answers of the calls about organizations, members and users (contract §6.4)."""

from __future__ import annotations

import msgspec

from assay import model
from assay.api.wire import organizations, users
from assay.api.wire.answers import Answer
from assay.stories.members import MemberPage, MemberView
from assay.stories.organizations import OrganizationPage
from assay.stories.users import UserPage


class ResultsMetadata(msgspec.Struct):
    """How many records match in all, and what brings the next page."""

    total: int
    next_cursor: str | None


class OrganizationAnswer(Answer, kw_only=True):
    """One organization."""

    organization: organizations.Organization


class OrganizationDeleted(Answer, kw_only=True):
    """The id of the organization that is gone."""

    organization_id: str


class OrganizationMetrics(Answer, kw_only=True):
    """How many members there are, deleted ones not counted."""

    member_count: int


class OrganizationsFound(Answer, kw_only=True):
    """A page of organizations."""

    organizations: tuple[organizations.Organization, ...]
    results_metadata: ResultsMetadata


class MemberAnswer(Answer, kw_only=True):
    """One member and the organization it is in."""

    member_id: str
    member: organizations.Member
    organization: organizations.Organization


class MemberDeleted(Answer, kw_only=True):
    """The id of the member that is gone."""

    member_id: str


class MembersFound(Answer, kw_only=True):
    """A page of members, and by their ids the organizations they are in."""

    members: tuple[organizations.Member, ...]
    organizations: dict[str, organizations.Organization]
    results_metadata: ResultsMetadata


class UserCreated(Answer, kw_only=True):
    """A new user."""

    user_id: str
    email_id: str
    phone_id: str
    status: str
    user: users.User


class UserShown(users.User, kw_only=True):
    """One user, its members beside those of every answer."""

    status_code: int = 200
    request_id: str


class UserUpdated(Answer, kw_only=True):
    """A changed user."""

    user_id: str
    emails: tuple[users.Email, ...]
    phone_numbers: tuple[users.PhoneNumber, ...]
    crypto_wallets: tuple[dict[str, str], ...] = ()
    user: users.User


class UserAnswer(Answer, kw_only=True):
    """One user."""

    user_id: str
    user: users.User


class UserDeleted(Answer, kw_only=True):
    """The id of the user that is gone."""

    user_id: str


class UsersFound(Answer, kw_only=True):
    """A page of users."""

    results: tuple[users.User, ...]
    results_metadata: ResultsMetadata


def organization(record: model.Organization, request_id: str) -> OrganizationAnswer:
    """Answer with one organization."""
    return OrganizationAnswer(request_id=request_id, organization=organizations.organization(record))


def organization_deleted(organization_id: str, request_id: str) -> OrganizationDeleted:
    """Answer to the end of an organization."""
    return OrganizationDeleted(request_id=request_id, organization_id=organization_id)


def organization_metrics(member_count: int, request_id: str) -> OrganizationMetrics:
    """Answer to a count of members."""
    return OrganizationMetrics(request_id=request_id, member_count=member_count)


def organizations_found(page: OrganizationPage, request_id: str) -> OrganizationsFound:
    """Answer to a search for organizations."""
    return OrganizationsFound(
        request_id=request_id,
        organizations=tuple(map(organizations.organization, page.organizations)),
        results_metadata=ResultsMetadata(page.total, page.next_cursor),
    )


def member(view: MemberView, request_id: str) -> MemberAnswer:
    """Answer with one member."""
    return MemberAnswer(
        request_id=request_id,
        member_id=view.member.member_id,
        member=organizations.member(view.member),
        organization=organizations.organization(view.organization),
    )


def member_deleted(member_id: str, request_id: str) -> MemberDeleted:
    """Answer to the end of a member."""
    return MemberDeleted(request_id=request_id, member_id=member_id)


def members_found(page: MemberPage, request_id: str) -> MembersFound:
    """Answer to a search for members."""
    return MembersFound(
        request_id=request_id,
        members=tuple(map(organizations.member, page.members)),
        organizations={key: organizations.organization(record) for key, record in page.organizations.items()},
        results_metadata=ResultsMetadata(page.total, page.next_cursor),
    )


def user_created(record: model.User, request_id: str) -> UserCreated:
    """Answer to a new user; ids of what it has not are empty."""
    return UserCreated(
        request_id=request_id,
        user_id=record.user_id,
        email_id=record.email_id or "",
        phone_id=record.phone_id or "",
        status=record.status,
        user=users.user(record),
    )


def user_shown(record: model.User, request_id: str) -> UserShown:
    """Answer with one user, flattened (contract §6.4)."""
    return UserShown(request_id=request_id, **users.fields(record))


def user_updated(record: model.User, request_id: str) -> UserUpdated:
    """Answer to a change of a user."""
    user = users.user(record)
    return UserUpdated(
        request_id=request_id,
        user_id=user.user_id,
        emails=user.emails,
        phone_numbers=user.phone_numbers,
        user=user,
    )


def user_answer(record: model.User, request_id: str) -> UserAnswer:
    """Answer with one user."""
    return UserAnswer(request_id=request_id, user_id=record.user_id, user=users.user(record))


def user_deleted(user_id: str, request_id: str) -> UserDeleted:
    """Answer to the end of a user."""
    return UserDeleted(request_id=request_id, user_id=user_id)


def users_found(page: UserPage, request_id: str) -> UsersFound:
    """Answer to a search for users."""
    return UsersFound(
        request_id=request_id,
        results=tuple(map(users.user, page.users)),
        results_metadata=ResultsMetadata(page.total, page.next_cursor),
    )
