"""How a profile's key sets are doing, for whoever operates them: what was fetched, when, and what is wrong."""

from __future__ import annotations

import msgspec


class KeySetHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one key source of one profile.

    ``source`` tells the sources of a profile apart, and stays as long as what is fetched stays the same. ``kind`` is
    that of the source (decisions D8); ``url`` what is fetched, None for a source without network. Times are seconds
    since the epoch. ``last_fetched_at`` is of the last good answer, ``age_seconds`` how old that is;
    ``next_fetch_at`` is the earliest time of another fetch, None when there is none to come. ``failures_in_a_row``
    counts since then. ``usable_keys`` counts the keys that verify now, ``kids`` names those of them that have a name;
    ``problems`` is a sentence for each thing that is wrong.
    """

    source: str
    kind: str
    url: str | None
    last_fetched_at: int | None = None
    next_fetch_at: int | None = None
    failures_in_a_row: int = 0
    age_seconds: int | None = None
    usable_keys: int = 0
    kids: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
