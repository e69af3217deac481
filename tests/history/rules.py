"""The rules that a history of sessions must keep, each a pure function from it to what breaks it.

Words. An operation is *over* at its answer; one without an answer is over when the run was next settled, else never.
One is *before* another if it was over when the other was invoked; if neither is before the other they are
*concurrent*, and may have had their effect in either order. A *read* of a session is whatever showed its token and
was granted, or refused with ``session_not_found``, or listed the sessions of its person. Other refusals, and answers
that never came, read nothing. A session is *ended* by a revoke of it, and by a revoke of all sessions of its person
that is not before the attest that made it. What is *unknown* may have happened or not; it never counts as ok.

    S1  A read refuses a session that was shown before, though no end of it was invoked before the read was answered
        (one that failed is none), and it cannot have expired by then.
    S2  A read accepts a session after an end of it that was ok. A revoke of all ends what had been shown before it.
        A read that is concurrent with the end may go either way.
    S3  A read refuses a session, a later one accepts it. Nothing brings a session back, with one exception: where it
        may have expired, a write that began before the end of it may have been committed between the reads.
    S4  A read shows an earlier expiry, or an older value of a claim, than a read before it, and no write that can
        have come between them asked for that value. Values of claims are numbers that only ever grow.
    S5  A token that works once is accepted twice. The answer may be repeated to the same request, with the same
        session (an answer may be lost), and to no other.
    S6  Two attests made the same session or the same token, a token opens two sessions, or a session has two people.
    S7  After an unknown operation is over, two reads of a session that it may have touched disagree, though nothing
        that changes or ends the session can have come between them and it cannot have expired.
    S8  A session was shown which no attest can have made: none carries its stamp, or all that do failed or were
        invoked after it was shown; or one attest, of which nothing is known, made two.
    S9  A read accepts a session after the latest end that any write can have given it: expiry is judged on reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, permutations

import msgspec

from tests.history import lives
from tests.history.history import History, Operation, Seen
from tests.history.lives import STARTING, Life, Lives, Read


class Violation(msgspec.Struct, frozen=True):
    """What broke a rule: the operations that cannot all be true."""

    rule: str
    session_id: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        return f"{self.rule} {self.session_id}: {' · '.join(operation.name for operation in self.operations)}"


Rule = Callable[[Lives], Iterable[Violation]]


def check(history: History) -> list[Violation]:
    """Everything in the history that breaks a rule."""
    known = lives.of(history)
    return [violation for rule in RULES.values() for violation in rule(known)]


def broken(history: History) -> set[str]:
    """The names of the rules that the history breaks."""
    return {violation.rule for violation in check(history)}


def lost(known: Lives) -> Iterator[Violation]:
    """S1: what was acknowledged is not there."""
    for life in known.lives.values():
        for read in life.reads:
            operation = read.operation
            excused = read.accepted or operation.invoked <= life.known or known.may_have_expired(life, operation)
            if not excused and not any(end.invoked < operation.completed for end in _ends(known, life)):
                yield Violation("S1", life.session_id, (*life.starts, operation))


def revived(known: Lives) -> Iterator[Violation]:
    """S2: accepted after an acknowledged revoke."""
    for life in known.lives.values():
        ends = [end for end in life.ends if end.outcome == "ok" and _surely_ends(known, life, end)]
        for read in life.reads:
            earlier = [end for end in ends if read.accepted and known.before(end, read.operation)]
            if earlier:
                yield Violation("S2", life.session_id, (earlier[0], read.operation))


def flickering(known: Lives) -> Iterator[Violation]:
    """S3: refused, then accepted."""
    for life in known.lives.values():
        for first, second in _pairs(known, life, lambda read: not read.accepted, lambda read: read.accepted):
            if not _prolonged(known, life, first, second):
                yield Violation("S3", life.session_id, (first, second))


def backwards(known: Lives) -> Iterator[Violation]:
    """S4: an expiry or a claim that is older than one already seen."""
    for life in known.lives.values():
        seen = [read.seen for read in life.reads if read.seen is not None]
        if all((each.expires_at, each.claims) == (seen[0].expires_at, seen[0].claims) for each in seen):
            continue  # nothing ever changed: nearly all sessions are like that
        reads = [read for read in life.reads if read.accepted]
        for first, second in permutations(reads, 2):
            if known.before(first.operation, second.operation) and _older(known, life, first, second):
                yield Violation("S4", life.session_id, (first.operation, second.operation))


def used_again(known: Lives) -> Iterator[Violation]:
    """S5: a token that works once worked twice."""
    accepted = defaultdict[str, list[Operation]](list)
    for operation in known.history.operations:
        if operation.mark and operation.outcome == "ok":
            accepted[operation.mark].append(operation)
    for uses in accepted.values():
        for first, second in combinations(uses, 2):
            if first.request != second.request or _ids(first) != _ids(second):
                yield Violation("S5", "", (first, second))


def shared(known: Lives) -> Iterator[Violation]:
    """S6: two sessions are one."""
    makers, openers = defaultdict[str, list[Operation]](list), defaultdict[str, list[Operation]](list)
    for operation in known.history.operations:
        if operation.kind in STARTING and operation.outcome == "ok":
            openers[operation.token].append(operation)
            for session_id in _ids(operation):
                makers[session_id].append(operation)
    for operations in (*makers.values(), *openers.values()):
        for first, second in combinations(operations, 2):
            if not first.mark or first.mark != second.mark:  # the answer to a token that works once may be repeated
                yield Violation("S6", next(iter(_ids(first)), ""), (first, second))
    yield from _two_sessions(known)
    yield from _two_people(known)


def unsettled(known: Lives) -> Iterator[Violation]:
    """S7: what is unknown has not settled."""
    for life in known.lives.values():
        changes = [*life.starts, *life.writes, *life.ends]
        unknown = [change for change in changes if change.outcome == "unknown"]
        for first, second in permutations(life.reads, 2) if unknown else ():
            one, two = first.operation, second.operation
            if first.seen == second.seen or not known.before(one, two) or known.may_have_expired(life, two):
                continue
            settled = [change for change in unknown if known.over(change) < one.invoked]
            if settled and not any(known.between(change, one, two) for change in changes):
                yield Violation("S7", life.session_id, (settled[-1], one, two))


def unmade(known: Lives) -> Iterator[Violation]:
    """S8: a session from nowhere."""
    made = defaultdict[int, set[str]](set)
    for operation, seen in lives.shown(known.history):
        life = known.lives[seen.session_id]
        makers = [start for start in life.starts if _made(start, operation, seen)]
        if not makers:
            yield Violation("S8", seen.session_id, (*life.starts, operation))
        elif len(makers) == 1:
            made[makers[0].number].add(seen.session_id)
            if len(made[makers[0].number]) > 1:
                yield Violation("S8", seen.session_id, (makers[0], operation))


def outlived(known: Lives) -> Iterator[Violation]:
    """S9: accepted after it had expired."""
    for life in known.lives.values():
        for read in life.reads:
            if read.accepted and read.operation.clock_before >= known.expires_between(life, read.operation)[1]:
                yield Violation("S9", life.session_id, (*life.starts, read.operation))


RULES: dict[str, Rule] = {
    "S1": lost,
    "S2": revived,
    "S3": flickering,
    "S4": backwards,
    "S5": used_again,
    "S6": shared,
    "S7": unsettled,
    "S8": unmade,
    "S9": outlived,
}


def _ends(known: Lives, life: Life) -> list[Operation]:
    """What may have ended the session; a revoke of all that was over before the attest began has not."""
    began = min((start.invoked for start in life.starts), default=0)
    return [end for end in life.ends if end.kind == "revoke" or known.over(end) > began]


def _surely_ends(known: Lives, life: Life, end: Operation) -> bool:
    """A revoke by a token that is no session's any more does nothing, and so says ok as well."""
    return life.known < end.invoked if end.kind == "revoke-all" else not known.may_be_replaced(life, end)


def _pairs(
    known: Lives, life: Life, first: Callable[[Read], bool], second: Callable[[Read], bool]
) -> Iterator[tuple[Operation, Operation]]:
    """Two reads of which one is before the other; of many such pairs with the same second one, the first."""
    ones = [read.operation for read in life.reads if first(read)]
    for two in (read.operation for read in life.reads if second(read)) if ones else ():
        earlier = [one for one in ones if known.before(one, two)]
        if earlier:
            yield earlier[0], two


def _prolonged(known: Lives, life: Life, refused: Operation, accepted: Operation) -> bool:
    """Whether the session may have run out, and been prolonged by somebody who had found it alive before that."""
    longer = [write for write in life.writes if write.minutes is not None]
    return known.may_have_expired(life, refused) and any(known.between(each, refused, accepted) for each in longer)


def _older(known: Lives, life: Life, first: Read, second: Read) -> bool:
    if first.seen is None or second.seen is None:
        return False
    between = [write for write in life.writes if known.between(write, first.operation, second.operation)]
    if second.seen.expires_at < first.seen.expires_at and not any(_set_end(each, second.seen) for each in between):
        return True
    for name, value in first.seen.claims.items():
        now = second.seen.claims.get(name, 0)
        if now < value and not any(write.claims.get(name) == now for write in between):
            return True
    return False


def _set_end(write: Operation, seen: Seen) -> bool:
    """Whether the write may have set this very expiry."""
    if write.minutes is None:
        return False
    if write.outcome == "unknown":
        return seen.expires_at >= write.clock_before + 60 * write.minutes
    return seen.expires_at in {each.expires_at for each in write.seen}


def _ids(operation: Operation) -> set[str]:
    return {seen.session_id for seen in operation.seen}


def _two_sessions(known: Lives) -> Iterator[Violation]:
    for token, session_ids in lives.sessions_of_tokens(known.history).items():
        if len(session_ids) > 1:
            operations = [each for each in known.history.operations if each.token == token]
            yield Violation("S6", min(session_ids), tuple(operations))


def _two_people(known: Lives) -> Iterator[Violation]:
    for operation, seen in lives.shown(known.history):
        life = known.lives[seen.session_id]
        if seen.person != life.person:
            yield Violation("S6", life.session_id, (*life.starts, operation))


def _made(start: Operation, operation: Operation, seen: Seen) -> bool:
    """Whether this attest can have made the session that the operation showed."""
    if start.invoked >= operation.completed:
        return False
    return start.outcome == "unknown" or (start.outcome == "ok" and seen.session_id in _ids(start))
