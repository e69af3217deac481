"""``assay events``: the audit record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated, Any

import typer

from assay.cli import output
from assay.cli.options import AnyProjectId, Database, Json
from assay.cli.running import perform
from assay.model import NumberedEvent
from assay.stories import audit, projects
from assay.stories.context import Context

SHOWN = 100
POLL_SECONDS = 1.0

Pause = Callable[[], Awaitable[None]]
Show = Callable[[list[NumberedEvent]], None]


def events(  # noqa: PLR0913 - one parameter per option
    *,
    project_id: AnyProjectId = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what happens from now on, until Ctrl-C.")
    ] = False,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="NUMBER", min=0, help="Only events with a greater number, from the oldest on."),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="A JSON object per line; with --after 0 the whole record.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, help="So many at most, before following.")
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the audit events, oldest first: who did what to what, and when.

    Without --after the newest 100 (or --limit). With --after all that came later (or --limit). To go on another time,
    give the last number that you have seen.
    """
    if as_json and (follow or json_lines):
        raise typer.BadParameter("--json prints one object; use --json-lines with --follow")
    held: list[NumberedEvent] = []
    show = held.extend if as_json else _json_lines if json_lines else _plain
    # Ctrl-C is how following ends, and a reader that has seen enough closes the pipe.
    ended_by = [KeyboardInterrupt] if follow else []
    with contextlib.suppress(*ended_by), _closed_pipe():
        perform(database, lambda ctx: _events(ctx, project_id, after, limit, show, _pause if follow else None))
    if as_json:
        output.show({"events": [_document(each) for each in held]}, [], as_json=True)


async def _events(
    ctx: Context, project_id: str | None, after: int | None, limit: int | None, show: Show, pause: Pause | None
) -> None:
    if project_id is not None:
        await projects.require_environment(ctx, project_id)
    number = after if after is not None else await _newest_number(ctx, project_id)
    async for page in _there(ctx, project_id, after, limit):
        show(page)
        number = page[-1].number
    if pause is not None:
        async for page in audit.follow(ctx, project_id, number, pause):
            show(page)


async def _newest_number(ctx: Context, project_id: str | None) -> int:
    newest = await ctx.store.newest_events(project_id, 1)
    return newest[0].number if newest else 0


async def _there(
    ctx: Context, project_id: str | None, after: int | None, limit: int | None
) -> AsyncIterator[list[NumberedEvent]]:
    """What there is by now, in batches: of any number of events only some are held at a time."""
    if after is None:
        newest = await ctx.store.newest_events(project_id, SHOWN if limit is None else limit)
        if newest:
            yield newest[::-1]
        return
    number, left = after, limit
    while left is None or left > 0:
        wanted = audit.MAX_LIMIT if left is None else min(left, audit.MAX_LIMIT)
        page = await ctx.store.events_after(project_id, number, wanted)
        if page:
            yield page
            number = page[-1].number
        if len(page) < wanted:
            return
        left = None if left is None else left - len(page)


async def _pause() -> None:
    await asyncio.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _closed_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # What is still buffered has no reader either; without this Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json_lines(page: list[NumberedEvent]) -> None:
    sys.stdout.write("".join(json.dumps(_document(each), ensure_ascii=False) + "\n" for each in page))
    sys.stdout.flush()


def _plain(page: list[NumberedEvent]) -> None:
    output.write(*map(_line, page))
    sys.stdout.flush()


def _line(numbered: NumberedEvent) -> str:
    event = numbered.event
    where = f" in {event.environment_id}" if event.environment_id else ""
    more = "".join(f" {name}={_value(value)}" for name, value in event.details.items())
    return (
        f"{numbered.number} {output.time(event.created_at)} {event.action} {event.target} by {event.actor}{where}{more}"
    )


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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
