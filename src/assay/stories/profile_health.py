"""Profiles at a glance: how their keys are doing, what became of the last day's tokens, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from assay.keys import origins
from assay.keys.effective import sources_of
from assay.keys.health import KeySetHealth
from assay.model import AttemptCount, DriftNotice, Environment, KeptKeys, Profile
from assay.stories.context import Context
from assay.stories.profiles import problems, require_profile
from assay.stories.projects import require_environment

HOURS = 24
HOUR_SECONDS = 3600
DRIFT_SECONDS = 7 * 24 * 3600
"""How long a drift notice is news."""
MOST_EXCERPT_BYTES = 4_000
MOST_KEYS_SHOWN = 50

KeyState = Literal["fresh", "stale", "failing", "unfetched", "given"]
"""``stale``: the issuer does not answer, and the last good keys serve. ``failing``: there is no usable key.
``unfetched``: no token has needed them yet. ``given``: they came with the profile, and nothing is ever fetched."""

_WORST_FIRST: tuple[KeyState, ...] = ("failing", "stale", "unfetched", "fresh", "given")


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of the last :data:`HOURS` hours, a number for each, oldest first; the last hour is not over yet."""

    granted: tuple[int, ...]
    refused: tuple[int, ...]


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """One profile as the list shows it. ``drift`` are the notices of the last week, newest first."""

    profile: Profile
    problems: list[str]
    keys: KeyState
    tally: Tally
    drift: tuple[DriftNotice, ...]


class GlancePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some profiles, and the cursor of those after them (None: there are none)."""

    glances: list[Glance]
    cursor: str | None


class FetchedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key for signatures out of a fetched document."""

    kid: str | None
    algorithms: tuple[str, ...]


class FetchedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL last gave: its keys, at most :data:`MOST_KEYS_SHOWN`, and how the document begins."""

    source: str
    keys: tuple[FetchedKey, ...]
    length: int
    excerpt: str


async def page(ctx: Context, environment_id: str, *, words: str = "", cursor: str = "", limit: int = 25) -> GlancePage:
    """Profiles of which name, id or issuer holds ``words``, oldest first. Raises ProjectNotFound.

    ``cursor`` is that of the page before; one that is no cursor counts as none..
    """
    environment = await require_environment(ctx, environment_id)
    found = await ctx.store.profile_page(environment_id, words, _place(cursor), limit + 1)
    shown, more = found[:limit], found[limit:]
    tallies = await tally(ctx, environment_id, tuple(each.profile_id for each in shown))
    return GlancePage(
        glances=[await _glance(ctx, environment, each, tallies[each.profile_id]) for each in shown],
        cursor=f"{shown[-1].created_at}.{shown[-1].profile_id}" if more else None,
    )


async def tally(ctx: Context, environment_id: str, profile_ids: tuple[str, ...]) -> dict[str, Tally]:
    """What became of the attempts of the last day, by profile."""
    last = int(ctx.clock()) // HOUR_SECONDS * HOUR_SECONDS
    first = last - (HOURS - 1) * HOUR_SECONDS
    found = await ctx.store.attempt_counts(environment_id, profile_ids, first)
    return {
        profile_id: _tally(first, [each for each in found if each.profile_id == profile_id])
        for profile_id in profile_ids
    }


def state(key_sets: Iterable[KeySetHealth]) -> KeyState:
    """The worst state among the key sets of a profile."""
    states = {_state(each) for each in key_sets}
    return next((each for each in _WORST_FIRST if each in states), "failing")


async def documents(ctx: Context, environment_id: str, profile_id: str) -> dict[str, FetchedDocument]:
    """What the URLs of a profile last gave, by the ``source`` of their health. Raises TrustedTokenProfileNotFound."""
    profile = await require_profile(ctx, environment_id, profile_id)
    rows = {row.source: row for row in await ctx.store.kept_keys(environment_id, profile_id)}
    found = {}
    for source in sources_of(profile):
        if origins.is_document(source):
            origin = origins.origin_of(source, profile)
            row = rows.get(origin.digest)
            if row is not None and row.document is not None:
                found[row.source] = _document(row, row.document, origin.parse(row.document))
    return found


def _document(row: KeptKeys, document: bytes, parsed: origins.Parsed) -> FetchedDocument:
    keys = [FetchedKey(kid=key.kid, algorithms=tuple(sorted(key.algorithms))) for key in parsed.keys[:MOST_KEYS_SHOWN]]
    excerpt = document[:MOST_EXCERPT_BYTES].decode("utf-8", "replace")
    return FetchedDocument(source=row.source, keys=tuple(keys), length=len(document), excerpt=excerpt)


async def _glance(ctx: Context, environment: Environment, profile: Profile, tallied: Tally) -> Glance:
    known = await ctx.store.observations(profile.environment_id, profile.profile_id)
    since = int(ctx.clock()) - DRIFT_SECONDS
    notices = known.notices[::-1] if known is not None else ()
    return Glance(
        profile=profile,
        problems=problems(ctx, environment, profile),
        keys=state(await ctx.keys.health(profile)),
        tally=tallied,
        drift=tuple(each for each in notices if each.noticed_at >= since),
    )


def _tally(first: int, counts: Sequence[AttemptCount]) -> Tally:
    by_hour = {(each.outcome, each.hour): each.attempts for each in counts}
    hours = range(first, first + HOURS * HOUR_SECONDS, HOUR_SECONDS)
    return Tally(
        granted=tuple(by_hour.get(("granted", hour), 0) for hour in hours),
        refused=tuple(by_hour.get(("refused", hour), 0) for hour in hours),
    )


def _state(health: KeySetHealth) -> KeyState:
    if health.url is None:
        return "given" if health.usable_keys else "failing"
    if health.last_fetched_at is None and not health.failures_in_a_row:
        return "unfetched"
    if not health.usable_keys:
        return "failing"
    return "stale" if health.failures_in_a_row else "fresh"


def _place(cursor: str) -> tuple[int, str]:
    created_at, _, profile_id = cursor.partition(".")
    is_number = created_at.isascii() and created_at.isdigit() and len(created_at) <= len("1780000000000")
    return (int(created_at), profile_id) if is_number and profile_id else (0, "")
