"""Backups of a store, whatever it is: what the commands call.

``url`` is the address of a store (:mod:`assay.store.opening`). The work is done in a thread; a caller that is
cancelled leaves nothing behind. The root key is not part of a backup: without it, sealed keys stay sealed.
"""

from __future__ import annotations

import asyncio
import threading
import time

import msgspec

from assay.model import Event
from assay.store.opening import sqlite_path


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a backup: the newest migration in it, and when it was made (seconds; None for a plain store).

    ``root_key_check`` opens only under its root key; None in a store that never had one.
    """

    schema: int
    made_at: int | None
    root_key_check: bytes | None


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, and where what was there before is kept (None when there was nothing)."""

    backup: Backup
    aside: str | None


async def back_up(url: str, target: str, *, now: int) -> None:
    """Copy the store to the new file ``target`` while others use it; ``now`` (seconds) is kept in it.

    The copy shows one moment while this ran. Raises opening.StoreFault when there is no store, when ``target`` exists
    or cannot be written, or when the store is damaged.
    """
    from assay.store import sqlite_backup  # noqa: PLC0415 - only what is opened is imported

    stop = threading.Event()
    try:
        await asyncio.to_thread(sqlite_backup.back_up, sqlite_path(url), target, now, stop.is_set)
    finally:
        stop.set()


async def inspect(backup: str) -> Backup:
    """Check the file ``backup`` from end to end and tell what it is.

    Raises opening.SchemaTooNew when a newer Assay made it, opening.StoreFault when it is damaged or no backup.
    """
    from assay.store import sqlite_backup  # noqa: PLC0415 - only what is opened is imported

    return await asyncio.to_thread(sqlite_backup.inspect, backup)


async def restore(
    backup: str, url: str, *, now: int, end_sessions: bool = False, events: tuple[Event, ...] = ()
) -> Restored:
    """Replace the store by a copy of ``backup``, and keep what was there beside it, named after ``now`` (seconds).

    A backup brings back sessions that were revoked after it was made: ``end_sessions`` ends all that are live in it,
    before anybody can use them. ``events`` are written with that. Raises as :func:`inspect`, and opening.StoreFault
    when some process has the store open, or the copy cannot be written; then nothing has changed.
    """
    from assay.store import sqlite_backup  # noqa: PLC0415 - only what is opened is imported

    return await asyncio.to_thread(
        sqlite_backup.restore,
        backup,
        sqlite_path(url),
        end_sessions_at=now if end_sessions else None,
        events=events,
        aside_suffix=time.strftime(".replaced-%Y%m%dT%H%M%SZ", time.gmtime(now)),
    )
