"""Hot writes of one transaction in one statement per kind, instead of one by one.

Each statement decides about all its rows as they were when it began, and no row sees what another one did. So writes
of which one may meet what another did are not put into one statement: the later one goes into the next.

What a write rests on is held still by its names (``postgres_locks``) from before the first statement on, and what no
name holds is decided by the rows themselves: the keys of sessions and marks, and whether a session is live.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from assay import store
from assay.model import ReplayMark
from assay.store import Conflict, Stale, Write, postgres_locks, rows
from assay.store.postgres_connections import Connection
from assay.store.postgres_documents import document, joined, kinds, of_records
from assay.store.rows import json_text

Outcome = Exception | None

Row = tuple[Any, ...]


class _Unsure(Exception):
    """A statement left something of a write that failed behind: another process came in between."""


class _Settled(NamedTuple):
    """What became of a write, and whether it changed anything: without a change, no events."""

    outcome: Outcome
    is_told: bool = True


_DONE = _Settled(None)

_APART = (
    store.CreateMember,
    store.CreateOrganization,
    store.CreateUser,
    store.KeepKeys,
    store.LeaseKeys,
    store.Observe,
    store.ReplaceMember,
    store.TouchSecret,
    store.TouchWorkspaceKey,
)
"""What changes nothing that a hot write asks for, unless it says so by a name of its own: it may be done before."""


def hot(write: Write) -> bytes | None:
    """The write as :func:`commit_batch` takes it; None for one that must be done by itself."""
    return document(write) if type(write) in _KINDS else None


def may_go_first(write: Write, names: postgres_locks.Names) -> bool:
    """Whether this write may be done before hot ones that were handed over before it."""
    return isinstance(write, _APART) and not names.alone


async def commit_batch(
    connection: Connection, writes: Sequence[Write], documents: Sequence[bytes]
) -> list[Exception | None] | None:
    """Do these writes in the transaction that ``connection`` is in, each as a whole or not at all.

    ``documents`` are what :func:`hot` makes of them.

    Answers what became of each: None when it will be durable with the commit, else store.Conflict or store.Stale, which
    left nothing behind. None instead of a list says that these can only be done one by one, and what was done so far is
    taken back; so does any error of the driver that concerns single writes. The commit is the caller's.
    """
    settled = [_DONE] * len(writes)
    try:
        for group in _groups(writes):
            for kind, numbers in group.items():
                value = joined(documents[number] for number in numbers)
                found = await connection.fetch(_KINDS[kind].statement, value)
                for number, one in zip(numbers, _KINDS[kind].settled(found, len(numbers)), strict=True):
                    settled[number] = one
    except _Unsure:
        return None
    await _record(
        connection, [write for write, one in zip(writes, settled, strict=True) if one.outcome is None and one.is_told]
    )
    return [one.outcome for one in settled]


# ---------------------------------------------------------------- what may be done at once

_Group = dict[type[Write], list[int]]


def _groups(writes: Sequence[Write]) -> list[_Group]:
    """The numbers of the writes by kind; none meets what another one of its group did."""
    groups: list[_Group] = []
    met: set[Hashable] = set()
    for number, write in enumerate(writes):
        kind = _KINDS[type(write)]
        if not kind.needs(write):
            continue
        meets = kind.meets(write)
        if not groups or not met.isdisjoint(meets):
            groups.append({})
            met = set()
        met.update(meets)
        groups[-1].setdefault(type(write), []).append(number)
    return groups


def _meets_start(write: store.StartSession) -> list[Hashable]:
    return [write.session.number, *_meets(write.guard, write.replay)]


def _meets_update(write: store.UpdateSession) -> list[Hashable]:
    return [write.number, *_meets(write.guard, write.replay)]


def _meets_attempt(write: store.RecordAttempt) -> list[Hashable]:
    return _meets(write.guard, write.replay)


def _meets_revocation(write: store.RevokeSession) -> list[Hashable]:
    return [write.number]


def _meets(guard: store.Guard | None, mark: ReplayMark | None) -> list[Hashable]:
    met: list[Hashable] = [] if guard is None or guard.session_number is None else [guard.session_number]
    if mark is not None:
        met.append((mark.environment_id, mark.profile_id, mark.mark))
    return met


# ---------------------------------------------------------------- what became of them


class _Kind(NamedTuple):
    """One kind of hot write: its statement, what it meets, and what its answers mean."""

    statement: str
    meets: Callable[[Any], list[Hashable]]
    settled: Callable[[Iterable[Row], int], list[_Settled]]
    needs: Callable[[Any], bool] = lambda _: True


def _judged(found: Iterable[Row], count: int, *, lost: Callable[[], Exception] = Stale) -> list[_Settled]:
    """``lost`` is what it means that another process changed the session, or made one of its number, in between."""
    settled = [_DONE] * count
    for place, has_profile, holds, is_marked, is_used, is_done, has_mark in found:
        if not (has_profile and holds and is_marked and is_done):
            refusal = _refusal(has_profile, holds, is_marked, is_used)
            if refusal is None and has_mark:
                raise _Unsure
            settled[place - 1] = _Settled(refusal or lost())
    return settled


def _refusal(has_profile: bool, holds: bool, is_marked: bool, is_used: bool) -> Exception | None:  # noqa: FBT001 - a row of answers
    """In the order in which the steps of a plan would find it out; None when each of them would have been taken."""
    if not has_profile:
        return Stale()
    if is_used or (holds and not is_marked):
        return Conflict("replay_mark")
    return None if holds else Stale()


def _ended(found: Iterable[Row], count: int) -> list[_Settled]:
    ended = {row[0] for row in found}
    return [_DONE if place in ended else _Settled(None, is_told=False) for place in range(1, count + 1)]


_GUARD = kinds(store.Guard)
_REST = {"guard": ("guard_", _GUARD), "replay": ("mark_", rows.REPLAY_MARK.kinds)}
_UPDATE = ("number", "revision", "last_accessed_at", "expires_at", "factors", "custom_claims", "token_hash")
_DECIDED = " or ".join(f"w.{name} is not null" for name in ("revision", "factors", "custom_claims", "token_hash"))

# The environment of a guard is that of the record itself, and so is the profile of that of an attempt: what a guard of
# another tenant says, never holds.
_KINDS: dict[type[Write], _Kind] = {
    store.StartSession: _Kind(
        of_records("start_sessions", {}, {"session": ("", rows.SESSION.kinds), **_REST}),
        _meets_start,
        functools.partial(_judged, lost=lambda: Conflict("session_number")),
    ),
    store.UpdateSession: _Kind(
        of_records(
            "update_sessions",
            {name: kind for name, kind in kinds(store.UpdateSession).items() if name in _UPDATE},
            _REST,
            {"environment_id": "guard.environment_id", "revision_step": f"case when {_DECIDED} then 1 else 0 end"},
        ),
        _meets_update,
        _judged,
    ),
    store.RevokeSession: _Kind(
        of_records("revoke_sessions", {"environment_id": str, "number": int, "revoked_at": int}),
        _meets_revocation,
        _ended,
    ),
    store.RecordAttempt: _Kind(
        of_records(
            "judge_attempts",
            {},
            {
                "attempt": ("", {"environment_id": str, "profile_id": str}),
                "guard": ("guard_", {name: kind for name, kind in _GUARD.items() if name != "profile_id"}),
                "replay": _REST["replay"],
            },
            {"guard_profile_id": "attempt.profile_id"},
        ),
        _meets_attempt,
        _judged,
        needs=lambda write: write.guard is not None or write.replay is not None,
    ),
}

# ---------------------------------------------------------------- attempts and events

_ATTEMPTS = of_records("record_attempts", rows.ATTEMPT.kinds)
_EVENTS = of_records("record_events", rows.EVENT.kinds)


async def _record(connection: Connection, writes: Sequence[Write]) -> None:
    """The attempts and the events of writes that took place."""
    attempts = [attempt for write in writes if (attempt := getattr(write, "attempt", None)) is not None]
    if attempts:
        await connection.fetch(_ATTEMPTS, json_text(attempts))
    events = [event for write in writes for event in write.events]
    if events:
        await connection.fetch(_EVENTS, json_text(events))
