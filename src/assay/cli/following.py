"""Numbered records shown oldest first, and followed: what ``assay events`` and ``assay attempts`` have in common."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated, Any, Protocol, TypeVar

import typer

from assay.cli import output

SHOWN = 100
MOST_AT_ONCE = 1000
POLL_SECONDS = 1.0

Follow = Annotated[bool, typer.Option("--follow", help="Go on with what happens from now on, until Ctrl-C.")]
After = Annotated[
    int | None,
    typer.Option("--after", metavar="NUMBER", min=0, help="Only those with a greater number, from the oldest on."),
]
JsonLines = Annotated[bool, typer.Option("--json-lines", help="A JSON object per line; with --after 0 all there are.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="So many at most, before following.")]


class Numbered(Protocol):
    """A record with its place among all."""

    @property
    def number(self) -> int:
        """The place."""


N = TypeVar("N", bound=Numbered)

Pause = Callable[[], Awaitable[None]]
Show = Callable[[list[N]], None]


class Source(Protocol[N]):
    """Where records come from."""

    async def newest(self, limit: int) -> list[N]:
        """The newest, newest first."""

    async def after(self, number: int, limit: int) -> list[N]:
        """Those with a greater number, oldest first."""

    def follow(self, number: int, pause: Pause) -> AsyncIterator[list[N]]:
        """What happens after this number, for ever."""


def check(*, follow: bool, json_lines: bool, as_json: bool) -> None:
    """Raises BadParameter for forms that do not go together."""
    if as_json and (follow or json_lines):
        raise typer.BadParameter("--json prints one object; use --json-lines with --follow")


@contextlib.contextmanager
def ended_quietly(*, follow: bool) -> Iterator[None]:
    """Ctrl-C is how following ends, and a reader that has seen enough closes the pipe."""
    with contextlib.suppress(*([KeyboardInterrupt] if follow else [])):
        try:
            yield
        except BrokenPipeError:
            # What is still buffered has no reader either; without this Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def run(source: Source[N], after: int | None, limit: int | None, show: Show[N], pause: Pause | None) -> None:
    """Show what there is by now, and with ``pause`` all that comes later."""
    number = after if after is not None else await _newest_number(source)
    async for page in _there(source, after, limit):
        show(page)
        number = page[-1].number
    if pause is not None:
        async for page in source.follow(number, pause):
            show(page)


async def _newest_number(source: Source[N]) -> int:
    newest = await source.newest(1)
    return newest[0].number if newest else 0


async def _there(source: Source[N], after: int | None, limit: int | None) -> AsyncIterator[list[N]]:
    """What there is by now, in batches: of any number of records only some are held at a time."""
    if after is None:
        newest = await source.newest(SHOWN if limit is None else limit)
        if newest:
            yield newest[::-1]
        return
    number, left = after, limit
    while left is None or left > 0:
        wanted = MOST_AT_ONCE if left is None else min(left, MOST_AT_ONCE)
        page = await source.after(number, wanted)
        if page:
            yield page
            number = page[-1].number
        if len(page) < wanted:
            return
        left = None if left is None else left - len(page)


async def pause() -> None:
    """Wait a little before looking again."""
    await asyncio.sleep(POLL_SECONDS)


def json_lines(documents: Iterator[dict[str, Any]]) -> None:
    """Print a JSON object per line, at once."""
    sys.stdout.write("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in documents))
    sys.stdout.flush()


def plain(lines: Iterator[str]) -> None:
    """Print lines for people, at once."""
    output.write(*lines)
    sys.stdout.flush()


def text(value: object) -> str:
    """A value in a line for people."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
