"""Attempts for people who look at them: page by page in both directions, one by one, and as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from assay.model import Attempt, NumberedAttempt, Outcome
from assay.rules import reasons
from assay.store import AttemptSearch
from assay.stories.context import Context

PAGE = 25
"""So many attempts are one page."""
_AT_ONCE = 1000


class AttemptFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts; what is given must all be so. Times are seconds since the epoch, ``until`` not included."""

    profile_id: str | None = None
    outcome: Outcome | None = None
    code: str | None = None
    request_id: str | None = None
    since: int | None = None
    until: int | None = None


class AttemptWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A page of attempts, newest first, and whether there are newer and older ones that match."""

    attempts: list[NumberedAttempt]
    has_newer: bool
    has_older: bool


async def window(
    ctx: Context, environment_id: str, wanted: AttemptFilter, *, before: int | None = None, after: int | None = None
) -> AttemptWindow:
    """The newest attempts that match; with ``before`` the ones older than that number, with ``after`` the newer ones.

    Numbers are not included. When both are given, ``after`` counts.
    """
    if after is None:
        search = _search(wanted, before=before, limit=PAGE + 1)
        found = await ctx.store.search_attempts(environment_id, search)
        return AttemptWindow(attempts=found[:PAGE], has_newer=before is not None, has_older=len(found) > PAGE)
    search = _search(wanted, after=after, limit=PAGE + 1)
    found = await ctx.store.search_attempts(environment_id, search)
    return AttemptWindow(attempts=found[:PAGE][::-1], has_newer=len(found) > PAGE, has_older=True)


async def one(ctx: Context, environment_id: str, number: int) -> NumberedAttempt | None:
    """The attempt of this number; None when the environment has none, or no longer."""
    search = AttemptSearch(before=number + 1, limit=1)
    found = await ctx.store.search_attempts(environment_id, search)
    return found[0] if found and found[0].number == number else None


async def everything(ctx: Context, environment_id: str, wanted: AttemptFilter) -> AsyncIterator[list[NumberedAttempt]]:
    """All attempts that match, newest first, in batches; those that happen meanwhile are not among them."""
    before: int | None = None
    while True:
        found = await ctx.store.search_attempts(environment_id, _search(wanted, before=before, limit=_AT_ONCE))
        if found:
            yield found
        if len(found) < _AT_ONCE:
            return
        before = found[-1].number


def remedy(attempt: Attempt) -> str:
    """What to do about a refusal, in CommonMark; empty when nothing is known."""
    reason = reasons.reason_of_record(attempt.code, attempt.reason) if attempt.outcome == "refused" else None
    return reason.do if reason else ""


def _search(wanted: AttemptFilter, *, before: int | None = None, after: int | None = None, limit: int) -> AttemptSearch:
    return AttemptSearch(**msgspec.structs.asdict(wanted), before=before, after=after, limit=limit)
