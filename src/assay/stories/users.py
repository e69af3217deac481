"""Users of a consumer project: create, get, update, delete, search, drop the external id (contract §6.4).

Wherever a request has a ``user_id`` it may be our own id or the external id. None of these stories takes a member
session: consumer projects have none (decisions D19).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from assay import errors, ids, store
from assay.model import User, UserName
from assay.rules import claims, names
from assay.rules.permissions import Policy
from assay.stories import authority, roles, searches
from assay.stories.changes import changed_fields, until_current
from assay.stories.context import Call, Context

WITH_ACTOR: frozenset[str] = frozenset()


class NameFields(msgspec.Struct, kw_only=True):
    """The parts of a name; None leaves a part as it is."""

    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None


class UserRef(msgspec.Struct, kw_only=True):
    """A user by id or external id."""

    user_id: str


class UserCreate(msgspec.Struct, kw_only=True):
    """What a new user is made of: at least an address or a phone number."""

    email: str | None = None
    phone_number: str | None = None
    name: NameFields | None = None
    create_user_as_pending: bool | None = None
    trusted_metadata: dict[str, Any] | None = None
    untrusted_metadata: dict[str, Any] | None = None
    external_id: str | None = None
    roles: list[str] | None = None


class UserUpdate(msgspec.Struct, kw_only=True):
    """What to change; None leaves a field as it is. Metadata merges, ``roles`` replaces the explicit roles."""

    user_id: str
    name: NameFields | None = None
    trusted_metadata: dict[str, Any] | None = None
    untrusted_metadata: dict[str, Any] | None = None
    external_id: str | None = None
    roles: list[str] | None = None


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search; ``total`` counts all pages."""

    users: list[User]
    next_cursor: str | None
    total: int


async def create(ctx: Context, call: Call, request: UserCreate) -> User:
    """A new user; active unless created as pending.

    Raises InvalidCreateUserRequest, InvalidEmail, InvalidPhoneNumber, InvalidExternalId, DuplicateEmail,
    DuplicatePhoneNumber, DuplicateUserExternalId, as :func:`roles.assignable` and :func:`claims.merge_metadata`.
    """
    user = _new(ctx, call, request, await authority.policy_of(ctx, call.environment))

    async def change() -> User:
        event = call.event(user.created_at, "user.created", user.user_id)
        await ctx.store.write(store.CreateUser(user=user, events=(event,)))
        return user

    return await until_current(change)


async def get(ctx: Context, call: Call, request: UserRef) -> User:
    """One user. Raises UserNotFound."""
    user = await ctx.store.user(call.environment.environment_id, request.user_id)
    if user is None:
        raise errors.UserNotFound
    return user


async def update(ctx: Context, call: Call, request: UserUpdate) -> User:
    """Change what the request gives of a user.

    Raises UserNotFound, InvalidExternalId, DuplicateUserExternalId, as :func:`roles.assignable` and
    :func:`claims.merge_metadata`.
    """

    async def change() -> User:
        before = await get(ctx, call, UserRef(user_id=request.user_id))
        policy = await authority.policy_of(ctx, call.environment)
        return await _replace(ctx, call, before, _changes(before, request, policy))

    return await until_current(change)


async def delete(ctx: Context, call: Call, request: UserRef) -> str:
    """Delete the user and end its sessions; gives back its own id. Raises UserNotFound."""

    async def change() -> str:
        user = await get(ctx, call, request)
        event = call.event(int(ctx.clock()), "user.deleted", user.user_id)
        await ctx.store.write(
            store.DeleteUser(environment_id=user.environment_id, user_id=user.user_id, events=(event,))
        )
        return user.user_id

    return await until_current(change)


async def drop_external_id(ctx: Context, call: Call, request: UserRef) -> User:
    """Forget the user's external id and who attached it. Raises UserNotFound."""

    async def change() -> User:
        before = await get(ctx, call, request)
        return await _replace(ctx, call, before, {"external_id": None, "external_id_issuer": None})

    return await until_current(change)


async def search(ctx: Context, call: Call, request: searches.SearchRequest) -> UserPage:
    """A page of the users that match.

    Raises UserSearchFilterNotRecognized, UserSearchMixedIds, InvalidSearch, InvalidCursor.
    """
    wanted = searches.prepare(ctx, call, "users", request)
    found, total = await ctx.store.search_users(wanted.search)
    page = found[: wanted.limit]
    last = page[-1].user_id if len(found) > wanted.limit else None
    return UserPage(users=page, next_cursor=wanted.next_cursor(ctx, last), total=total)


def _new(ctx: Context, call: Call, request: UserCreate, policy: Policy) -> User:
    if request.email is None and request.phone_number is None:
        raise errors.InvalidCreateUserRequest
    kind = call.environment.kind
    now = int(ctx.clock())
    return User(
        environment_id=call.environment.environment_id,
        user_id=ids.new("user", kind),
        email=None if request.email is None else names.email(request.email),
        email_id=None if request.email is None else ids.new("email", kind),
        phone_number=None if request.phone_number is None else names.phone_number(request.phone_number),
        phone_id=None if request.phone_number is None else ids.new("phone-number", kind),
        name=_name(UserName(), request.name or NameFields()),
        status="pending" if request.create_user_as_pending else "active",
        external_id=None if request.external_id is None else names.external_id(request.external_id),
        roles=roles.assignable("consumer", policy, request.roles or ()),
        trusted_metadata=claims.merge_metadata({}, request.trusted_metadata or {}),
        untrusted_metadata=claims.merge_metadata({}, request.untrusted_metadata or {}),
        created_at=now,
        updated_at=now,
    )


def _changes(user: User, request: UserUpdate, policy: Policy) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: claims.merge_metadata(getattr(user, name), getattr(request, name))
        for name in ("trusted_metadata", "untrusted_metadata")
        if getattr(request, name) is not None
    }
    if request.name is not None:
        changes["name"] = _name(user.name, request.name)
    if request.roles is not None:
        changes["roles"] = roles.assignable("consumer", policy, request.roles)
    if request.external_id is not None:
        # Set by a caller, so it matches the tokens of any profile from now on (decisions D4).
        changes |= {"external_id": names.external_id(request.external_id), "external_id_issuer": None}
    return changes


def _name(current: UserName, parts: NameFields) -> UserName:
    given = {
        field: names.label(f"name.{field}", text)
        for field in current.__struct_fields__
        if (text := getattr(parts, field)) is not None
    }
    return msgspec.structs.replace(current, **given)


async def _replace(ctx: Context, call: Call, before: User, changes: Mapping[str, Any]) -> User:
    after = msgspec.structs.replace(before, **changes)
    if after == before:
        return before
    now = int(ctx.clock())
    after = msgspec.structs.replace(after, updated_at=now)
    event = call.event(now, "user.updated", before.user_id, fields=changed_fields(before, after))
    await ctx.store.write(store.ReplaceUser(user=after, events=(event,)))
    return msgspec.structs.replace(after, revision=before.revision + 1)
