"""A service that is right by construction: each call has its whole effect at one moment between question and answer.

``play`` makes the history of calls whose times are given, so that calls overlap, answers are lost, and what was given
up takes effect later. Whatever it makes keeps every rule.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from tests.history.history import STAMP, History, Kind, Operation, Seen
from tests.history.lives import NOT_FOUND


class Call(NamedTuple):
    """A call to come. Times are seconds, and a nanosecond of the history each.

    It is judged so long after it was invoked, has its ``effect`` so long after that, and its ``answer`` so long later.
    Where ``patience`` is less than all three the client gives up, and nobody tells it. ``session`` chooses one of those
    that clients know by then.
    """

    kind: Kind
    session: int
    invoked: int
    judged: int
    effect: int
    answer: int
    patience: int
    minutes: int

    @property
    def happens(self) -> int:
        return self.invoked + self.judged + self.effect

    @property
    def completed(self) -> int:
        return self.invoked + min(self.patience, self.judged + self.effect + self.answer)

    @property
    def is_lost(self) -> bool:
        return self.patience < self.judged + self.effect + self.answer


class Kept(msgspec.Struct):
    """A session in the model."""

    seen: Seen
    known: int
    revoked: bool = False

    def is_live(self, now: int) -> bool:
        return not self.revoked and now < self.seen.expires_at


class Model:
    """The service, and the history that it leaves."""

    def __init__(self, settled: tuple[int, ...]) -> None:
        self._settled = tuple(sorted(settled))
        self._sessions: list[Kept] = []
        self._operations: list[Operation] = []

    def play(self, calls: list[Call]) -> History:
        """All calls in the order of their effects."""
        for number, call in enumerate(sorted(calls, key=lambda each: each.happens)):
            if not self._is_stopped(call):
                self._happen(call, number)
            else:
                self._operations.append(self._operation(call, number))
        operations = sorted(self._operations, key=lambda each: each.invoked)
        return History(tuple(operations), self._settled)

    def _is_stopped(self, call: Call) -> bool:
        """Whether whoever had it died first."""
        settled = next((at for at in self._settled if at >= call.completed), None)
        return call.is_lost and settled is not None and settled < call.happens

    def _happen(self, call: Call, number: int) -> None:
        asked = self._operation(call, number)
        if call.kind == "attest":
            told = self._attest(call, asked)
        elif call.kind == "list":
            told = self._list(call)
        else:
            told = self._use(call, asked)
        self._operations.append(asked if call.is_lost else msgspec.structs.replace(asked, **told))

    def _operation(self, call: Call, number: int) -> Operation:
        known = [kept.seen for kept in self._sessions if kept.known < call.invoked]
        held = known[call.session % len(known)] if known and call.kind not in {"attest", "list"} else None
        claims = {STAMP: number} if call.kind == "attest" else {"claim": number} if call.kind == "extend" else {}
        return Operation(
            number=number,
            client=0,
            kind=call.kind,
            invoked=call.invoked,
            completed=call.completed,
            clock_before=call.invoked,
            clock_after=call.completed,
            shown=held.session_id if held and call.kind != "revoke-all" else "",
            person=held.person if held else _person(call.session),
            minutes=call.minutes if call.kind in {"attest", "extend"} else None,
            claims=claims,
        )

    def _attest(self, call: Call, asked: Operation) -> dict[str, object]:
        session_id = f"session-{asked.number}"
        expires_at = call.invoked + call.judged + 60 * call.minutes
        seen = Seen(session_id, _person(call.session), expires_at, asked.claims)
        known = call.completed if not call.is_lost else 2**62
        self._sessions.append(Kept(seen, known))
        return {"outcome": "ok", "seen": (seen,), "token": session_id}

    def _list(self, call: Call) -> dict[str, object]:
        person, now = _person(call.session), call.invoked + call.judged
        live = [kept.seen for kept in self._sessions if kept.seen.person == person and kept.is_live(now)]
        return {"outcome": "ok", "seen": tuple(live)}

    def _use(self, call: Call, asked: Operation) -> dict[str, object]:
        if call.kind == "revoke-all":
            for kept in self._sessions:
                kept.revoked |= kept.seen.person == asked.person
            return {"outcome": "ok"}
        held = next((kept for kept in self._sessions if kept.seen.session_id == asked.shown), None)
        if call.kind == "revoke":
            if held is not None:
                held.revoked = True
            return {"outcome": "ok"}
        if held is None or not held.is_live(call.invoked + call.judged):
            return {"outcome": "fail", "error": NOT_FOUND}
        if call.kind == "extend":
            expires_at = call.invoked + call.judged + 60 * call.minutes
            changed = held.seen.claims | asked.claims
            held.seen = msgspec.structs.replace(held.seen, expires_at=expires_at, claims=changed)
        return {"outcome": "ok", "seen": (held.seen,), "token": asked.shown}


def _person(number: int) -> str:
    return f"person-{number % 2}"
