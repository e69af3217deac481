"""The attempts, readable: found by what is known of them, page by page, and followed as they happen."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from assay import errors
from assay.model import Environment, NumberedAttempt, Outcome
from assay.store import AttemptSearch
from assay.stories import cursors, environments, search_values
from assay.stories.context import Call, Context, Operator

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class AttemptsRequest(msgspec.Struct, kw_only=True):
    """Which attempts; what is given must all be so. ``since`` and ``until`` (not included) are RFC 3339.

    A page has at most ``limit`` attempts (1 to 1000, else 100).
    """

    request_id: str | None = None
    profile_id: str | None = None
    outcome: Outcome | None = None
    error_type: str | None = None
    issuer: str | None = None
    subject: str | None = None
    token_id: str | None = None
    kid: str | None = None
    since: str | None = None
    until: str | None = None
    cursor: str | None = None
    limit: int | None = None


class MemberAttemptsRequest(AttemptsRequest, kw_only=True):
    """The same, and for whom."""

    organization_id: str | None = None
    member_id: str | None = None


class UserAttemptsRequest(AttemptsRequest, kw_only=True):
    """The same, and for whom."""

    user_id: str | None = None


class ManagedAttemptsRequest(AttemptsRequest, kw_only=True):
    """The same for an environment of either kind, which operators name by its slugs."""

    project_slug: str
    environment_slug: str
    organization_id: str | None = None
    member_id: str | None = None
    user_id: str | None = None


class AttemptPage(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts, newest first. ``next_cursor`` brings older ones; None when there are none."""

    attempts: list[NumberedAttempt]
    next_cursor: str | None


async def member_attempts(ctx: Context, call: Call, request: MemberAttemptsRequest) -> AttemptPage:
    """A page of the records of attests, granted and refused, newest first: who was let in or kept out, and why.

    Ids are compared as they are recorded: our own ids, no external ones. Raises InvalidCursor, BadRequest.
    """
    return await _page(
        ctx, call.environment, request, organization_id=request.organization_id, subject_id=request.member_id
    )


async def user_attempts(ctx: Context, call: Call, request: UserAttemptsRequest) -> AttemptPage:
    """A page of the records of attests, granted and refused, newest first: who was let in or kept out, and why.

    Ids are compared as they are recorded: our own ids, no external ones. Raises InvalidCursor, BadRequest.
    """
    return await _page(ctx, call.environment, request, subject_id=request.user_id)


async def managed_attempts(ctx: Context, _by: Operator, request: ManagedAttemptsRequest) -> AttemptPage:
    """A page of the records of attests of an environment, newest first.

    Raises ProjectNotFound, EnvironmentNotFound, InvalidCursor, BadRequest.
    """
    environment = await environments.resolve(ctx, request.project_slug, request.environment_slug)
    if request.member_id and request.user_id:
        raise errors.BadRequest("An attempt is of a member or of a user: give member_id or user_id.")
    subject_id = request.member_id or request.user_id
    return await _page(ctx, environment, request, organization_id=request.organization_id, subject_id=subject_id)


async def follow(
    ctx: Context, environment_id: str | None, search: AttemptSearch, number: int, pause: Callable[[], Awaitable[None]]
) -> AsyncIterator[list[NumberedAttempt]]:
    """What matches after the attempt ``number``, in batches, for ever; ``pause`` waits when there is nothing new."""
    while True:
        following = msgspec.structs.replace(search, after=number, limit=MAX_LIMIT)
        found = await ctx.store.search_attempts(environment_id, following)
        if found:
            yield found
            number = found[-1].number
        if len(found) < MAX_LIMIT:
            await pause()


def moment(name: str, text: str | None) -> int | None:
    """The first whole second that is not before this time (RFC 3339). Raises BadRequest, which names the field."""
    if text is None:
        return None
    try:
        return math.ceil(search_values.moment(text))
    except (search_values.Unfit, msgspec.ValidationError):
        raise errors.BadRequest(f"{name}: expected {search_values.TIME}.") from None


async def _page(ctx: Context, environment: Environment, request: AttemptsRequest, **whom: str | None) -> AttemptPage:
    limit = DEFAULT_LIMIT if request.limit is None else request.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise errors.BadRequest(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    filters: dict[str, Any] = {
        "request_id": request.request_id,
        "profile_id": request.profile_id,
        "outcome": request.outcome,
        "code": request.error_type,
        "issuer": request.issuer,
        "subject": request.subject,
        "token_id": request.token_id,
        "kid": request.kid,
        "since": moment("since", request.since),
        "until": moment("until", request.until),
    } | whom
    # Bound to the environment and the search: the cursor of another tenant or query opens nothing here (D30).
    binding = cursors.binding(environment.environment_id, "attempts", filters)
    before = None if request.cursor is None else int(cursors.read(ctx.cursor_key, binding, request.cursor))
    search = AttemptSearch(**filters, before=before, limit=limit + 1)
    found = await ctx.store.search_attempts(environment.environment_id, search)
    page = found[:limit]
    following = cursors.make(ctx.cursor_key, binding, str(page[-1].number)) if len(found) > limit else None
    return AttemptPage(attempts=page, next_cursor=following)
