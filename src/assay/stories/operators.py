"""Operators: who may use the dashboard, and as what. They are users of Assay's own environment.

An operator is invited by address, follows a one-time link and sets a password there (:mod:`assay.stories.signing_in`).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Literal, get_args

import msgspec

from assay import errors, ids, store
from assay.model import OperatorLink, User
from assay.rules import names
from assay.stories import internal
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator

Role = Literal["viewer", "editor", "owner"]

LINK_SECONDS = 24 * 3600
MOST_OPERATORS = 1000

_ROLES: tuple[Role, ...] = get_args(Role)
_LINK_BYTES = 32


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """An operator with a live session. ``ends_at`` is when that ends at the latest (seconds)."""

    operator_id: str
    email: str
    role: Role
    session_id: str
    ends_at: int


class OperatorListing(msgspec.Struct, frozen=True, kw_only=True):
    """An operator as lists show one. ``role`` is None for one who was made by a token and has none of their own.

    ``has_joined`` tells whether the link was followed.
    """

    operator_id: str
    email: str
    role: Role | None
    has_joined: bool
    created_at: int


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link, the only time its token is shown; ``operator`` is None for the first operator of all."""

    token: str
    expires_at: int
    operator: OperatorListing | None = None


def reaches(role: Role, wanted: Role) -> bool:
    """Whether a role is at least the wanted one: owner, editor, viewer."""
    return _ROLES.index(role) >= _ROLES.index(wanted)


def greatest(role_ids: tuple[str, ...]) -> Role | None:
    """The greatest role of an operator among these; None when there is none."""
    return next((role for role in reversed(_ROLES) if role in role_ids), None)


async def list_all(ctx: Context) -> list[OperatorListing]:
    """All operators, oldest first."""
    environment = await internal.find(ctx)
    if environment is None:
        return []
    search = store.Search(environment_id=environment.environment_id, limit=MOST_OPERATORS)
    found, _ = await ctx.store.search_users(search)
    return [_listing(user) for user in found]


async def invite(ctx: Context, email: str, role: Role, *, by: Operator) -> Invitation:
    """A link by which this person becomes an operator, or, being one, sets a new password.

    An earlier link stops working. Raises InvalidEmail, LastOwner, as :func:`change_role`.
    """
    address = names.email(email)
    environment = await internal.ensured(ctx)

    async def once() -> Invitation:
        _, known = await ctx.store.user_candidates(environment.environment_id, None, address)
        if known is not None and greatest(known.roles) != role:
            await change_role(ctx, known.user_id, role, by=by)
        now = int(ctx.clock())
        user = known or new_user(environment.environment_id, address, role, now)
        link, token = _new_link(user.user_id, now)
        event = by.event(environment.environment_id, "operator.invited", user.user_id, now, role=role)
        write = store.CreateOperatorLink(link=link, new=None if known else user, events=(event,))
        await ctx.store.write(write)
        return Invitation(token=token, expires_at=link.expires_at, operator=_listing(user, role))

    return await until_current(once)


async def first_link(ctx: Context, *, by: Operator) -> Invitation | None:
    """A link for the first owner; None when there are operators already. An earlier one stops working."""
    if await list_all(ctx):
        return None
    environment = await internal.ensured(ctx)
    now = int(ctx.clock())
    link, token = _new_link(None, now)
    event = by.event(environment.environment_id, "operator.first_link_made", environment.environment_id, now)
    await ctx.store.write(store.CreateOperatorLink(link=link, events=(event,)))
    return Invitation(token=token, expires_at=link.expires_at)


async def change_role(ctx: Context, operator_id: str, role: Role, *, by: Operator) -> OperatorListing:
    """Give an operator another role; their sessions end. Raises OperatorNotFound, LastOwner."""

    async def once() -> OperatorListing:
        before = await require(ctx, operator_id)
        if before.roles == (role,):
            return _listing(before)
        is_owner = greatest(before.roles) == "owner"
        await _check_not_last(ctx, before)
        now = int(ctx.clock())
        after = msgspec.structs.replace(before, roles=(role,), updated_at=now)
        event = by.event(
            before.environment_id, "operator.role_changed", operator_id, now, role=role, before=list(before.roles)
        )
        needs_another = is_owner and before.status == "active"
        await ctx.store.write(
            store.ReplaceOperator(user=after, now=now, needs_another_owner=needs_another, events=(event,))
        )
        return _listing(after)

    return await until_current(once)


async def remove(ctx: Context, operator_id: str, *, by: Operator) -> None:
    """Let somebody in no longer; sessions and links end. Raises OperatorNotFound, LastOwner."""

    async def once() -> None:
        user = await require(ctx, operator_id)
        await _check_not_last(ctx, user)
        needs_another = greatest(user.roles) == "owner" and user.status == "active"
        event = by.event(user.environment_id, "operator.removed", operator_id, int(ctx.clock()), email=user.email)
        await ctx.store.write(
            store.DeleteOperator(
                environment_id=user.environment_id,
                user_id=operator_id,
                needs_another_owner=needs_another,
                events=(event,),
            )
        )

    await until_current(once)


async def named(ctx: Context, email: str) -> OperatorListing:
    """The operator with this address. Raises InvalidEmail, OperatorNotFound."""
    environment = await internal.find(ctx)
    address = names.email(email)
    if environment is not None:
        _, user = await ctx.store.user_candidates(environment.environment_id, None, address)
        if user is not None:
            return _listing(user)
    raise errors.OperatorNotFound


async def require(ctx: Context, operator_id: str) -> User:
    """The user record of an operator. Raises OperatorNotFound."""
    environment = await internal.find(ctx)
    user = await ctx.store.user(environment.environment_id, operator_id) if environment else None
    if user is None or user.user_id != operator_id:
        raise errors.OperatorNotFound
    return user


def new_user(environment_id: str, email: str, role: Role, now: int) -> User:
    """The record of an operator who has not come yet."""
    return User(
        environment_id=environment_id,
        user_id=ids.new("user", "live"),
        email=email,
        email_id=ids.new("email", "live"),
        status="pending",
        roles=(role,),
        created_at=now,
        updated_at=now,
    )


def link_hash(token: str) -> bytes:
    """What is kept of the token of a link: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _new_link(user_id: str | None, now: int) -> tuple[OperatorLink, str]:
    token = base64.urlsafe_b64encode(secrets.token_bytes(_LINK_BYTES)).decode().rstrip("=")
    link = OperatorLink(token_hash=link_hash(token), user_id=user_id, created_at=now, expires_at=now + LINK_SECONDS)
    return link, token


async def _check_not_last(ctx: Context, user: User) -> None:
    """Say so early and in words; the write decides it again, for two owners may remove each other at once."""
    if greatest(user.roles) != "owner" or user.status != "active":
        return
    others = [each for each in await list_all(ctx) if each.operator_id != user.user_id]
    if not any(each.role == "owner" and each.has_joined for each in others):
        raise errors.LastOwner


def _listing(user: User, role: Role | None = None) -> OperatorListing:
    return OperatorListing(
        operator_id=user.user_id,
        email=user.email or "",
        role=role or greatest(user.roles),
        has_joined=user.status == "active",
        created_at=user.created_at,
    )
