"""The audit events, readable: page by page for callers and operators, and from a number on for whoever follows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from assay import errors
from assay.model import Environment, NumberedEvent
from assay.store import EventSearch
from assay.stories import cursors, environments
from assay.stories.context import Call, Context, Operator

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class EventsRequest(msgspec.Struct, kw_only=True):
    """A page of at most ``limit`` events (1 to 1000, else 100), from where ``cursor`` says, else from the first on."""

    cursor: str | None = None
    limit: int | None = None


class ManagedEventsRequest(EventsRequest, kw_only=True):
    """The same for an environment that operators name by its slugs."""

    project_slug: str
    environment_slug: str


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events, oldest first. ``next_cursor`` is None when these are the last ones there are by now.

    ``end_cursor`` always brings what comes after this page, also what happens later; None while there is no event.
    """

    events: list[NumberedEvent]
    next_cursor: str | None
    end_cursor: str | None


async def events(ctx: Context, call: Call, request: EventsRequest) -> EventPage:
    """A page of the events of the caller's environment. Raises InvalidCursor, BadRequest."""
    return await _page(ctx, call.environment, request)


async def managed_events(ctx: Context, by: Operator, request: ManagedEventsRequest) -> EventPage:  # noqa: ARG001 - as all stories of operators
    """A page of the events of an environment. Raises ProjectNotFound, EnvironmentNotFound, and as :func:`events`."""
    environment = await environments.resolve(ctx, request.project_slug, request.environment_slug)
    return await _page(ctx, environment, request)


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: all that is given must be so. ``action`` is what the action begins with."""

    action: str | None = None
    target: str | None = None
    actor: str | None = None


class NewestEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first. ``next_before`` brings older ones; None when there are none."""

    events: list[NumberedEvent]
    next_before: int | None


async def search(
    ctx: Context, environment_id: str | None, wanted: EventFilter, *, before: int | None = None, limit: int
) -> NewestEvents:
    """A page of at most ``limit`` events of one environment (None: of everything), for operators.

    ``before`` is the number of an event, which is not included.
    """
    filters = msgspec.structs.asdict(wanted)
    found = await ctx.store.search_events(environment_id, EventSearch(**filters, before=before, limit=limit + 1))
    page = found[:limit]
    return NewestEvents(events=page, next_before=page[-1].number if len(found) > limit else None)


async def follow(
    ctx: Context, environment_id: str | None, number: int, pause: Callable[[], Awaitable[None]]
) -> AsyncIterator[list[NumberedEvent]]:
    """What happens after the event ``number``, in batches, for ever; ``pause`` waits when there is nothing new."""
    while True:
        found = await ctx.store.events_after(environment_id, number, MAX_LIMIT)
        if found:
            yield found
            number = found[-1].number
        if len(found) < MAX_LIMIT:
            await pause()


async def _page(ctx: Context, environment: Environment, request: EventsRequest) -> EventPage:
    limit = DEFAULT_LIMIT if request.limit is None else request.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise errors.BadRequest(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    # Bound to the environment: the cursor of another tenant opens nothing here (decisions D30).
    binding = cursors.binding(environment.environment_id, "events")
    after = 0 if request.cursor is None else int(cursors.read(ctx.cursor_key, binding, request.cursor))
    found = await ctx.store.events_after(environment.environment_id, after, limit + 1)
    page = found[:limit]
    end = cursors.make(ctx.cursor_key, binding, str(page[-1].number)) if page else request.cursor
    return EventPage(events=page, next_cursor=end if len(found) > limit else None, end_cursor=end)
