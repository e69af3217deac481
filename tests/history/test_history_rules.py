"""What each rule calls a violation, and what it must let pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.history import rules
from tests.history.history import STAMP, History, Kind, Operation, Outcome, Recorder, Seen, load
from tests.history.model import Call, Model

ADA = "ada"
S = "session-1"
HOUR = 3600


def op(kind: Kind, invoked: int, completed: int, outcome: Outcome = "ok", **fields: Any) -> Operation:
    """An operation; the service's clock shows the same time as the history's."""
    times: dict[str, Any] = {
        "invoked": invoked,
        "completed": completed,
        "clock_before": invoked,
        "clock_after": completed,
    }
    return Operation(client=0, kind=kind, outcome=outcome, **({"number": invoked} | times | fields))


def seen(session_id: str = S, expires_at: int = HOUR, person: str = ADA, **claims: int) -> tuple[Seen, ...]:
    return (Seen(session_id, person, expires_at, {STAMP: 1} | claims),)


def attest(invoked: int = 0, completed: int = 10, outcome: Outcome = "ok", stamp: int = 1, **fields: Any) -> Operation:
    told: dict[str, Any] = {"token": S, "seen": seen()} if outcome == "ok" else {}
    asked: dict[str, Any] = {"claims": {STAMP: stamp}, "minutes": 60}
    return op("attest", invoked, completed, outcome, **(told | asked | fields))


def accept(invoked: int, completed: int, **fields: Any) -> Operation:
    return op("authenticate", invoked, completed, **({"shown": S, "token": S, "seen": seen()} | fields))


def refuse(invoked: int, completed: int, error: str = "session_not_found", **fields: Any) -> Operation:
    return op("authenticate", invoked, completed, "fail", **({"shown": S, "error": error} | fields))


def extend(invoked: int, completed: int, outcome: Outcome = "ok", expires_at: int = HOUR, **fields: Any) -> Operation:
    claims = fields.get("claims", {})
    told: dict[str, Any] = {"seen": seen(expires_at=expires_at, **claims), "token": S} if outcome == "ok" else {}
    return op("extend", invoked, completed, outcome, shown=S, **(told | fields))


def revoke(invoked: int, completed: int, outcome: Outcome = "ok", **fields: Any) -> Operation:
    return op("revoke", invoked, completed, outcome, **({"shown": S} | fields))


def revoke_all(invoked: int, completed: int, outcome: Outcome = "ok") -> Operation:
    return op("revoke-all", invoked, completed, outcome, person=ADA)


def listed(invoked: int, completed: int, *sessions: Seen) -> Operation:
    return op("list", invoked, completed, person=ADA, seen=sessions)


def once(invoked: int, request: str, **fields: Any) -> Operation:
    told: dict[str, Any] = {"seen": seen(), "token": S, "claims": {STAMP: 1}, "minutes": 60}
    return op("attest-once", invoked, invoked + 5, mark="mark", request=request, **(told | fields))


OTHER = seen("session-2", attest=2)

BROKEN: dict[str, tuple[set[str], list[Operation]]] = {
    "lost after its attest": ({"S1"}, [attest(), refuse(20, 30)]),
    "left out of the list of its person": ({"S1"}, [attest(), listed(20, 30)]),
    "lost though its revoke certainly failed": ({"S1"}, [attest(), revoke(12, 14, "fail"), refuse(20, 30)]),
    "lost before its revoke was asked for": ({"S1"}, [attest(), refuse(20, 30), revoke(31, 40)]),
    "lost though only another session was revoked": ({"S1"}, [attest(), revoke(12, 14, shown="else"), refuse(20, 30)]),
    "lost after a revoke of all that was over before its attest": (
        {"S1"},
        [revoke_all(0, 5), attest(6, 10), refuse(20, 30)],
    ),
    "accepted after its revoke": ({"S2"}, [attest(), revoke(20, 30), accept(31, 40)]),
    "accepted after its revoke by id": ({"S2"}, [attest(), revoke(20, 30, session_id=S, shown=""), accept(31, 40)]),
    "listed after its revoke": ({"S2"}, [attest(), revoke(20, 30), listed(31, 40, *seen())]),
    "accepted after a revoke of all": ({"S2"}, [attest(), revoke_all(20, 30), accept(31, 40)]),
    "prolonged after its revoke": ({"S2"}, [attest(), revoke(20, 30), extend(31, 40)]),
    "accepted again while its revoke is under way": (
        {"S3"},
        [attest(), revoke(20, 90), refuse(30, 40), accept(50, 60)],
    ),
    "accepted again after a revoke of which nobody heard": (
        {"S3"},
        [attest(), revoke(20, 30, "unknown"), refuse(31, 40), accept(50, 60)],
    ),
    "an expiry that a write prolonged is back": (
        {"S4"},
        [attest(), extend(20, 30, expires_at=2 * HOUR, minutes=120), accept(40, 50)],
    ),
    "a claim that was written is gone": ({"S4"}, [attest(), extend(20, 30, claims={"a": 1}), accept(40, 50)]),
    "a claim has the value before the last": (
        {"S4"},
        [attest(), extend(20, 30, claims={"a": 1}), extend(31, 35, claims={"a": 2}), accept(40, 50, seen=seen(a=1))],
    ),
    "an unknown claim was seen and is gone": (
        {"S4"},
        [attest(), extend(20, 30, "unknown", claims={"a": 1}), accept(40, 50, seen=seen(a=1)), accept(60, 70)],
    ),
    "a token that works once worked in two requests": (
        {"S5"},
        [once(0, "a"), once(10, "b", seen=OTHER, token="session-2", claims={STAMP: 2})],
    ),
    "a repeated request got another session": (
        {"S5"},
        [once(0, "a"), once(10, "a", seen=OTHER, token="session-2", claims={STAMP: 2})],
    ),
    "two attests made one session": ({"S6"}, [attest(), attest(20, 30, stamp=2, token="other")]),
    "two attests made one token": ({"S6"}, [attest(), attest(20, 30, stamp=2, seen=OTHER)]),
    "a token opened another session": (
        {"S6"},
        [attest(), attest(1, 9, stamp=2, seen=OTHER, token="two"), accept(20, 30, seen=OTHER)],
    ),
    "a session got another person": ({"S6"}, [attest(), accept(20, 30, seen=seen(person="bob"))]),
    "a session that nobody attested": ({"S8"}, [listed(20, 30, *seen())]),
    "the session of an attest that failed": ({"S8"}, [attest(0, 10, "fail"), listed(20, 30, *seen())]),
    "a session shown before its attest": ({"S8"}, [listed(0, 5, *seen()), attest(6, 10)]),
    "another session with the stamp of an attest": ({"S8"}, [attest(), listed(20, 30, *seen(), *seen("session-2"))]),
    "two sessions of an attest of which nobody heard": (
        {"S8"},
        [attest(0, 10, "unknown"), listed(20, 30, *seen(), *seen("session-2"))],
    ),
    "accepted after it expired": ({"S9"}, [attest(), accept(HOUR, HOUR + 1)]),
}

KEPT: dict[str, list[Operation]] = {
    "nothing at all": [],
    "seen and used": [attest(), accept(20, 30), listed(40, 50, *seen())],
    "refused before it was known": [attest(0, 50), listed(10, 30)],
    "refused after its revoke": [attest(), revoke(20, 30), refuse(31, 40)],
    "refused while its revoke is under way": [attest(), revoke(20, 90), refuse(30, 40)],
    "accepted while its revoke is under way": [attest(), revoke(20, 90), accept(30, 40), refuse(50, 60)],
    "refused after a revoke of which nobody heard": [attest(), revoke(20, 30, "unknown"), refuse(40, 50)],
    "accepted, then refused after a revoke of which nobody heard": [
        attest(),
        revoke(20, 30, "unknown"),
        accept(40, 50),
        refuse(60, 70),
    ],
    "accepted after a revoke of all that its attest overtook": [attest(0, 20), revoke_all(10, 15), accept(30, 40)],
    "refused after a revoke of all that its attest overtook": [attest(0, 20), revoke_all(10, 15), refuse(30, 40)],
    "accepted after a revoke that certainly failed": [attest(), revoke(20, 30, "fail"), accept(40, 50)],
    "refused for another reason": [attest(), refuse(20, 30, "unauthorized_credentials")],
    "refused when it may have expired": [attest(), refuse(HOUR - 1, HOUR)],
    "refused when a shorter time was asked for, and nobody heard": [
        attest(),
        extend(20, 30, "unknown", minutes=5),
        refuse(321, 330),
    ],
    "prolonged at the last moment": [
        attest(),
        refuse(HOUR - 5, HOUR + 1),
        extend(HOUR - 6, HOUR + 9, expires_at=2 * HOUR - 6, minutes=60),
        accept(HOUR + 10, HOUR + 11, seen=seen(expires_at=2 * HOUR - 6)),
    ],
    "accepted after its first expiry": [
        attest(),
        extend(20, 30, expires_at=2 * HOUR, minutes=120),
        accept(HOUR, HOUR + 9, seen=seen(expires_at=2 * HOUR)),
    ],
    "a shorter time that was asked for": [
        attest(),
        extend(20, 30, expires_at=320, minutes=5),
        accept(40, 50, seen=seen(expires_at=320)),
    ],
    "an older value that was committed late": [
        attest(),
        extend(20, 90, claims={"a": 1}),
        extend(21, 30, claims={"a": 2}),
        accept(40, 50, seen=seen(a=2)),
        accept(60, 70, seen=seen(a=1)),
    ],
    "a repeated answer": [once(0, "a"), once(10, "a", token="fresh")],
    "a session token that a repeated answer replaced": [
        once(0, "a"),
        once(10, "a", token="fresh"),
        refuse(20, 30),
        accept(31, 40, shown="fresh", token="fresh"),
        revoke(41, 50),
        accept(51, 60, shown="fresh", token="fresh"),
    ],
    "the session of an attest of which nobody heard": [attest(0, 10, "unknown"), listed(20, 30, *seen())],
    "no session of an attest of which nobody heard": [attest(0, 10, "unknown"), listed(20, 30)],
}


@pytest.mark.parametrize(("rules_broken", "operations"), BROKEN.values(), ids=BROKEN)
def test_it_is_a_violation(rules_broken: set[str], operations: list[Operation]) -> None:
    assert rules.broken(history(operations)) == rules_broken


@pytest.mark.parametrize("operations", KEPT.values(), ids=KEPT)
def test_it_is_none(operations: list[Operation]) -> None:
    assert rules.check(history(operations)) == []


SETTLED = 50
AFTER_AN_UNKNOWN_REVOKE: dict[str, tuple[set[str], list[Operation]]] = {
    "it is accepted for good": (set(), [accept(60, 70), accept(80, 90)]),
    "it is refused for good": (set(), [refuse(60, 70), refuse(80, 90)]),
    "it is accepted, then refused": ({"S7"}, [accept(60, 70), refuse(80, 90)]),
    "it is refused, then accepted": ({"S3", "S7"}, [refuse(60, 70), accept(80, 90)]),
    "it is accepted, revoked once more, and refused": (set(), [accept(60, 70), revoke(72, 75), refuse(80, 90)]),
    "it was accepted before that, and is refused": (set(), [accept(32, 49), refuse(80, 90)]),
    "the two looks at it overlap": (set(), [accept(60, 85), refuse(80, 90)]),
}


@pytest.mark.parametrize(("broken", "reads"), AFTER_AN_UNKNOWN_REVOKE.values(), ids=AFTER_AN_UNKNOWN_REVOKE)
def test_once_the_run_is_settled_an_unknown_revoke_has_happened_or_never_will(
    broken: set[str], reads: list[Operation]
) -> None:
    operations = [attest(), revoke(20, 30, "unknown"), *reads]
    assert rules.broken(History(tuple(operations), (SETTLED,))) == broken


def test_an_unknown_prolongation_has_settled_once_its_server_is_dead() -> None:
    late = accept(80, 90, seen=seen(expires_at=2 * HOUR))
    operations = (attest(), extend(20, 30, "unknown", minutes=120), accept(60, 70), late)
    assert rules.broken(History(operations)) == set()
    assert rules.broken(History(operations, (SETTLED,))) == {"S7"}


def test_a_violation_names_the_operations_that_cannot_all_be_true() -> None:
    (found,) = rules.check(history([attest(), revoke(20, 30), accept(31, 40)]))
    assert str(found) == "S2 session-1: #20 revoke ok · #31 authenticate ok"


def test_a_history_is_read_back_as_it_was_taken_down(tmp_path: Path) -> None:
    recorder = Recorder(lambda: 7.5, tmp_path / "history.jsonl")
    answered = recorder.invoke(0, "attest", claims={STAMP: 1})
    recorder.invoke(1, "revoke", shown=S)
    recorder.complete(answered, "ok", token=S, seen=seen())
    recorder.settle()
    recorder.close()
    read = load(tmp_path / "history.jsonl")
    assert read == recorder.history()
    assert [(each.kind, each.outcome) for each in read.operations] == [("attest", "ok"), ("revoke", "unknown")]
    assert len(read.settled) == 1


KINDS: tuple[Kind, ...] = ("attest", "authenticate", "extend", "revoke", "revoke-all", "list")
_CALLS = st.builds(
    Call,
    kind=st.sampled_from(KINDS),
    session=st.integers(0, 5),
    invoked=st.integers(0, 900),
    judged=st.integers(0, 40),
    effect=st.integers(0, 80),
    answer=st.integers(1, 40),
    patience=st.one_of(st.just(1000), st.integers(1, 150)),
    minutes=st.sampled_from([5, 6, 60]),
)


@settings(max_examples=100, deadline=None)
@given(calls=st.lists(_CALLS, max_size=24), settled=st.lists(st.integers(0, 1000), max_size=2).map(tuple))
def test_a_service_whose_calls_happen_at_one_moment_keeps_every_rule(
    calls: list[Call], settled: tuple[int, ...]
) -> None:
    assert rules.check(Model(settled).play(calls)) == []


@settings(max_examples=40, deadline=None)
@given(calls=st.lists(_CALLS, max_size=16), gap=st.integers(1, 50))
def test_whatever_else_happened_a_session_that_outlives_its_revoke_is_noticed(calls: list[Call], gap: int) -> None:
    first = Call("attest", 0, 0, 0, 0, 1, 1000, 60)
    played = Model(()).play([first, *calls])
    token = next(each.token for each in played.operations if each.kind == "attest" and each.invoked == 0)
    told = next(each.seen for each in played.operations if each.token == token)
    ended = op("revoke", 2000, 2001, shown=token, number=9001)
    after = op("authenticate", 2001 + gap, 2100, shown=token, token=token, seen=told, number=9002)
    assert "S2" in rules.broken(History((*played.operations, ended, after)))


def history(operations: list[Operation]) -> History:
    return History(tuple(sorted(operations, key=lambda each: each.invoked)))
