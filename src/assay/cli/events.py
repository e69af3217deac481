"""``assay events``: the audit record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from assay.cli import following, output
from assay.cli.following import After, Follow, JsonLines, Limit, Pause
from assay.cli.options import AnyProjectId, Database, Json
from assay.cli.running import perform
from assay.model import NumberedEvent
from assay.stories import audit, projects
from assay.stories.context import Context


class Events(msgspec.Struct, frozen=True):
    """The events of one environment (None: of all), as they are followed."""

    ctx: Context
    project_id: str | None

    async def newest(self, limit: int) -> list[NumberedEvent]:
        """The newest, newest first."""
        return await self.ctx.store.newest_events(self.project_id, limit)

    async def after(self, number: int, limit: int) -> list[NumberedEvent]:
        """Those with a greater number, oldest first."""
        return await self.ctx.store.events_after(self.project_id, number, limit)

    def follow(self, number: int, pause: Pause) -> AsyncIterator[list[NumberedEvent]]:
        """What happens after this number, for ever."""
        return audit.follow(self.ctx, self.project_id, number, pause)


def events(  # noqa: PLR0913 - one parameter per option
    *,
    project_id: AnyProjectId = None,
    follow: Follow = False,
    after: After = None,
    json_lines: JsonLines = False,
    limit: Limit = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the audit events, oldest first: who did what to what, and when.

    Without --after the newest 100 (or --limit). With --after all that came later (or --limit). To go on another time,
    give the last number that you have seen.
    """
    following.check(follow=follow, json_lines=json_lines, as_json=as_json)
    held: list[NumberedEvent] = []
    show = held.extend if as_json else _json_lines if json_lines else _plain

    async def look(ctx: Context) -> None:
        if project_id is not None:
            await projects.require_environment(ctx, project_id)
        await following.run(Events(ctx, project_id), after, limit, show, following.pause if follow else None)

    with following.ended_quietly(follow=follow):
        perform(database, look)
    if as_json:
        output.show({"events": [_document(each) for each in held]}, [], as_json=True)


def _json_lines(page: list[NumberedEvent]) -> None:
    following.json_lines(map(_document, page))


def _plain(page: list[NumberedEvent]) -> None:
    following.plain(map(_line, page))


def _line(numbered: NumberedEvent) -> str:
    event = numbered.event
    where = f" in {event.environment_id}" if event.environment_id else ""
    more = "".join(f" {name}={following.text(value)}" for name, value in event.details.items())
    return (
        f"{numbered.number} {output.time(event.created_at)} {event.action} {event.target} by {event.actor}{where}{more}"
    )


def _document(numbered: NumberedEvent) -> dict[str, Any]:
    event = numbered.event
    return {
        "number": numbered.number,
        "created_at": output.time(event.created_at),
        "project_id": event.environment_id,
        "action": event.action,
        "target": event.target,
        "actor": event.actor,
        "request_id": event.request_id,
        "details": event.details,
    }
