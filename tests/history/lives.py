"""What a history tells of each session: who made it, who read it, who changed it, who ended it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from tests.history.history import NEVER, STAMP, History, Kind, Operation, Seen

STARTING: frozenset[Kind] = frozenset({"attest", "attest-once"})
CHANGING: frozenset[Kind] = frozenset({"attest-onto", "extend"})
OPENING: frozenset[Kind] = frozenset({"attest-onto", "authenticate", "extend"})
"""What shows a session token, and so reads the session."""

NOT_FOUND = "session_not_found"


class Read(msgspec.Struct, frozen=True):
    """One look at one session: ``seen`` as it was shown, or None where it was refused or not listed."""

    operation: Operation
    seen: Seen | None

    @property
    def accepted(self) -> bool:
        return self.seen is not None


class Life(msgspec.Struct):
    """One session. ``known`` is when the first answer with it had come: it certainly existed then.

    ``starts`` are the attests that may have made it: those that carry its stamp. ``writes`` are the operations that
    may have changed it, ``ends`` those that may have ended it; none of them certainly failed.
    """

    session_id: str
    person: str
    stamp: int | None
    known: int
    starts: list[Operation] = []
    reads: list[Read] = []
    writes: list[Operation] = []
    ends: list[Operation] = []


class Lives(msgspec.Struct, frozen=True):
    """All sessions of a history, and when each operation was over at the latest."""

    history: History
    lives: dict[str, Life]

    def over(self, operation: Operation) -> int:
        """When the operation can have no effect any more: at its answer, or once the run was settled after it."""
        if operation.outcome != "unknown":
            return operation.completed
        settled = self.history.settled
        place = bisect_left(settled, operation.completed)
        return settled[place] if place < len(settled) else NEVER

    def before(self, first: Operation, second: Operation) -> bool:
        """Whether the first was over when the second began; operations of which neither was are concurrent."""
        return self.over(first) < second.invoked

    def between(self, write: Operation, first: Operation, second: Operation) -> bool:
        """Whether the write may have had its effect after what the first read and before what the second read."""
        return write.invoked < second.completed and self.over(write) > first.invoked

    def expires_between(self, life: Life, read: Operation) -> tuple[float, float]:
        """The earliest and the latest end that the session may have had when it was read, in seconds."""
        writes = [*life.starts, *(write for write in life.writes if write.minutes is not None)]
        possible = [write for write in writes if write.invoked < read.completed and write.outcome != "fail"]
        sure = [write for write in possible if write.outcome == "ok" and self.before(write, read)]
        last = max((write.invoked for write in sure), default=0)
        ends = [_expiry(write, life) for write in possible if self.over(write) >= last]
        return min((low for low, _ in ends), default=0), max((high for _, high in ends), default=math.inf)

    def may_have_expired(self, life: Life, read: Operation) -> bool:
        return read.clock_after >= self.expires_between(life, read)[0]

    def may_be_replaced(self, life: Life, operation: Operation) -> bool:
        """Whether the token shown was perhaps no longer the session's.

        A repeated answer to a token that works once hands out a fresh session token, and the one before opens nothing.
        """
        others = [each for each in life.starts if each.outcome != "fail" and each.token != operation.shown]
        own = [each for each in life.starts if each.token == operation.shown]
        return bool(operation.shown) and any(
            other.invoked < operation.completed and not any(self.before(other, each) for each in own)
            for other in others
        )


def of(history: History) -> Lives:
    """The sessions of a history."""
    known = Lives(history, {})
    for operation, seen in shown(history):
        _meet(known.lives, operation, seen)
    _add_starts(known)
    _add_operations(known)
    return known


def shown(history: History) -> Iterator[tuple[Operation, Seen]]:
    """Every session that an answer showed."""
    return ((operation, seen) for operation in history.operations for seen in operation.seen)


def sessions_of_tokens(history: History) -> dict[str, set[str]]:
    """Which sessions each token was handed out for."""
    found: dict[str, set[str]] = defaultdict(set)
    for operation, seen in shown(history):
        if operation.token:
            found[operation.token].add(seen.session_id)
    return found


def _meet(lives: dict[str, Life], operation: Operation, seen: Seen) -> None:
    life = lives.get(seen.session_id)
    if life is None:
        stamp = seen.claims.get(STAMP)
        lives[seen.session_id] = Life(seen.session_id, seen.person, stamp, operation.completed)
    else:
        life.known = min(life.known, operation.completed)


def _add_starts(known: Lives) -> None:
    stamped = defaultdict[int, list[Operation]](list)
    for operation in known.history.operations:
        if operation.kind in STARTING and STAMP in operation.claims:
            stamped[operation.claims[STAMP]].append(operation)
    for life in known.lives.values():
        life.starts = [] if life.stamp is None else stamped[life.stamp]


def _add_operations(known: Lives) -> None:
    tokens, people = sessions_of_tokens(known.history), defaultdict[str, list[Life]](list)
    for life in known.lives.values():
        people[life.person].append(life)
    for operation in known.history.operations:
        if operation.kind in STARTING:
            for session_id in {seen.session_id for seen in operation.seen}:
                _add(known, known.lives[session_id], operation)
        elif operation.kind in {"list", "revoke-all"}:
            for life in people[operation.person]:
                _add(known, life, operation)
        else:
            for session_id in tokens.get(operation.shown, set()) | {operation.session_id}:
                if session_id in known.lives:
                    _add(known, known.lives[session_id], operation)


def _add(known: Lives, life: Life, operation: Operation) -> None:
    seen = next((seen for seen in operation.seen if seen.session_id == life.session_id), None)
    if seen is not None or _refuses(known, life, operation):
        life.reads.append(Read(operation, seen))
    if operation.outcome == "fail":
        return
    if operation.kind in CHANGING:
        life.writes.append(operation)
    if operation.kind in {"revoke", "revoke-all"}:
        life.ends.append(operation)


def _refuses(known: Lives, life: Life, operation: Operation) -> bool:
    """Whether the answer says that there is no such live session. A list says so by what it leaves out."""
    if operation.kind == "list":
        return operation.outcome == "ok" and operation.invoked > life.known
    refused = operation.kind in OPENING and operation.outcome == "fail" and operation.error == NOT_FOUND
    return refused and not known.may_be_replaced(life, operation)


def _expiry(write: Operation, life: Life) -> tuple[float, float]:
    """The earliest and latest end that a write may have given the session."""
    told = [seen.expires_at for seen in write.seen if seen.session_id == life.session_id]
    if told:
        return told[0], told[0]
    return write.clock_before + 60 * (write.minutes or 0), math.inf
