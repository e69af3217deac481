"""Finding and erasing what tells of one person in PostgreSQL, with the same eye for texts as everywhere else.

The database finds what names the person in a column, and what may name it in a text; whether a text does is judged
here (:mod:`assay.store.traces`). Most is found before the write, which looks only at what came later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from assay.model import PersonCounts, SubjectKind
from assay.rules import session_ids
from assay.store import ErasePerson, Stale, postgres_plans, rows, traces
from assay.store.postgres_connections import Connection
from assay.store.postgres_reading import Snapshot
from assay.store.postgres_statements import STATEMENTS_BY_NAME
from assay.store.rows import Parameters, json_text


class Person(msgspec.Struct, frozen=True):
    """Who is looked for, and what texts may call it besides its id."""

    environment_id: str
    subject_kind: SubjectKind
    subject_id: str
    also: tuple[str, ...]

    @property
    def key(self) -> Parameters:
        """The parameters of every statement about the person."""
        return {
            "environment_id": self.environment_id,
            "subject_kind": self.subject_kind,
            "subject_id": self.subject_id,
        }

    @property
    def traces(self) -> str:
        """All that texts may call it, as :mod:`assay.store.traces` takes it."""
        return json_text((self.subject_id, *self.also))


class Found(msgspec.Struct, frozen=True):
    """Numbers of attempts and of events, and what issuers call the person: issuers and subjects, in pairs."""

    attempts: frozenset[int]
    events: frozenset[int]
    called: frozenset[tuple[str, str]]


NOTHING = Found(attempts=frozenset(), events=frozenset(), called=frozenset())


async def find(reads: Snapshot, person: Person, *, after: int = 0, known: Found = NOTHING) -> Found:
    """What tells of the person among the records with numbers beyond ``after``, and what was ``known`` before."""
    called = known.called | {(row[0], row[1]) for row in await reads.rows("find_erased_subjects", **person.key)}
    sessions = frozenset(session_ids.id_of(*row) for row in await reads.rows("erased_sessions", **person.key))
    telling = {**person.key, "sessions": list(sessions), "parts": list(traces.parts(person.traces)), "seen": after}
    ordered = sorted(called)
    telling |= {"issuers": [pair[0] for pair in ordered], "subjects": [pair[1] for pair in ordered]}
    attempts = {
        row[0]
        async for row in reads.stream("find_erased_attempts", **telling)
        if row[1] or _tells(person.traces, texts=(row[2], row[4], row[5]), documents=(row[3], row[6]))
    }
    events = {
        row[0]
        async for row in reads.stream("find_erased_events", **telling)
        if row[1] or _tells(person.traces, texts=(row[2],), documents=(row[3],)) or _names(sessions, row[3])
    }
    return Found(attempts=known.attempts | attempts, events=known.events | events, called=called)


async def counted(reads: Snapshot, person: Person) -> PersonCounts:
    """How much would go with the person."""
    ((sessions,),) = await reads.rows("person_counts", **person.key)
    found = await find(reads, person)
    return PersonCounts(sessions=sessions, attempts=len(found.attempts), events=len(found.events))


async def erase(connection: Connection, write: ErasePerson, known: Found, after: int) -> None:
    """Erase the person in the transaction that this connection is in. Raises Stale when there is no such person."""
    person = Person(write.environment_id, write.subject_kind, write.subject_id, write.traces)
    found = await find(Snapshot(connection), person, after=after, known=known)
    if (await _do(connection, f"erase_{write.subject_kind}", **person.key)).endswith(" 0"):
        raise Stale
    await _do(connection, "erase_attempts", numbers=sorted(found.attempts))
    await _do(connection, "erase_events", numbers=sorted(found.events))
    await _do(connection, "erase_sessions", **person.key)
    # Last, so that it is not among those events; their numbers never come back.
    event = STATEMENTS_BY_NAME["record_event"]
    told = [event.arguments(rows.EVENT.parameters(one)) for one in write.events]
    await postgres_plans.run(connection, [postgres_plans.Step(event.text, one, "go on") for one in told])


async def _do(connection: Connection, name: str, **parameters: object) -> str:
    statement = STATEMENTS_BY_NAME[name]
    return str(await connection.execute(statement.text, *statement.arguments(parameters)))


def _tells(of: str, *, texts: tuple[str, ...], documents: tuple[str, ...]) -> bool:
    return any(traces.in_text(of, text) for text in texts) or any(traces.in_json(of, text) for text in documents)


def _names(sessions: frozenset[str], document: str) -> bool:
    """Whether one of the values in a JSON text is the id of one of these sessions."""
    return "session-" in document and any(value in sessions for value in _values(msgspec.json.decode(document)))


def _values(document: Any) -> Iterator[str]:  # noqa: ANN401 - JSON of any shape
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for member in document.values():
            yield from _values(member)
    elif isinstance(document, list):
        for item in document:
            yield from _values(item)
