"""Maintenance of a store that keeps months in tables of their own: what is asked for, and what was done."""

from __future__ import annotations

import msgspec


class Due(msgspec.Struct, frozen=True):
    """Times in seconds since the epoch.

    A month of sessions that all ended before ``ended_before`` goes as a whole, and so does one of attempts that were
    all made before ``attempts_before``. Coming months are those that follow ``now``.
    """

    now: int
    ended_before: int
    attempts_before: int


class Maintained(msgspec.Struct, frozen=True):
    """What one run did.

    ``made`` and ``dropped`` are names of tables, ``moved`` counts rows that found their month, ``left`` those that have
    none. ``busy`` are tables that others used just then: the next run takes them. ``elsewhere`` says that another
    process was at it, which leaves nothing for this one to do.
    """

    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    moved: int = 0
    left: int = 0
    busy: tuple[str, ...] = ()
    elsewhere: bool = False
