"""Whom an operator means: people and organizations by what they are called."""

from __future__ import annotations

import msgspec

from assay import errors, ids
from assay.model import Environment, Member, Organization, User
from assay.stories import members
from assay.stories.context import Context


class PersonRef(msgspec.Struct, frozen=True, kw_only=True):
    """A member (of an organization, where its external id alone would not do), or a user."""

    member: str | None = None
    organization: str | None = None
    user: str | None = None


async def organization(ctx: Context, environment_id: str, reference: str) -> Organization:
    """The organization with this id, external id or slug. Raises OrganizationNotFound."""
    found = await ctx.store.organization(environment_id, reference, by_slug=True)
    if found is None:
        raise errors.OrganizationNotFound
    return found


async def person(ctx: Context, environment: Environment, reference: PersonRef) -> Member | User:
    """The person with this id or external id; a deleted member only by member id.

    Raises WrongVertical, OrganizationNotFound, MemberNotFound, UserNotFound, and BadRequest for an external id that
    members of several organizations have.
    """
    wanted = "members" if reference.member is not None else "users"
    if (environment.vertical == "b2b") != (wanted == "members"):
        raise errors.WrongVertical(f"This is a {environment.vertical} project: it has no {wanted}.")
    if reference.member is None:
        return await _user(ctx, environment, reference.user or "")
    if reference.organization is None:
        return await members.find_anywhere(ctx, environment.environment_id, reference.member)
    return await _member(ctx, environment, reference.organization, reference.member)


def id_of(person: Member | User) -> str:
    """Our own id of the person."""
    return person.member_id if isinstance(person, Member) else person.user_id


async def _user(ctx: Context, environment: Environment, reference: str) -> User:
    found = await ctx.store.user(environment.environment_id, reference)
    if found is None:
        raise errors.UserNotFound
    return found


async def _member(ctx: Context, environment: Environment, within: str, reference: str) -> Member:
    place = await organization(ctx, environment.environment_id, within)
    found = await ctx.store.member(environment.environment_id, place.organization_id, reference)
    if found is None:
        hint = "" if ids.is_own_form(reference) else " A deleted member is found by its member id alone."
        raise errors.MemberNotFound(errors.MemberNotFound.default_message + hint)
    return found
