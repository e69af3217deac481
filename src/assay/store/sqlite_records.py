# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""What the embedded store remembers of what happened: attempts, events, replay marks, observations."""

from __future__ import annotations

import msgspec

from assay.model import (
    Attempt,
    AttemptCount,
    Event,
    NumberedAttempt,
    NumberedEvent,
    Observations,
    PersonCounts,
    ReplayMark,
    SubjectKind,
)
from assay.store import (
    AttemptPoint,
    AttemptSearch,
    Due,
    EndedSessions,
    EventSearch,
    Maintained,
    rows,
)
from assay.store.rows import Parameters, json_text
from assay.store.sqlite_reads import SqliteReads


class SqliteRecords(SqliteReads):
    """The reads of records of what happened."""

    async def replay_mark(self, environment_id: str, profile_id: str, mark: str) -> ReplayMark | None:
        key = {"environment_id": environment_id, "profile_id": profile_id, "mark": mark}
        return self._one("replay_mark", rows.REPLAY_MARK, **key)

    async def observations(self, environment_id: str, profile_id: str) -> Observations | None:
        return self._one("observations", rows.OBSERVATIONS, environment_id=environment_id, profile_id=profile_id)

    async def search_attempts(self, environment_id: str | None, search: AttemptSearch) -> list[NumberedAttempt]:
        names = ("search_attempts", "search_attempts_after")
        if environment_id is None:
            names = ("search_all_attempts", "search_all_attempts_after")
        name = names[search.after is not None]
        found = await self._aside(name, environment_id=environment_id, **msgspec.structs.asdict(search))
        return [NumberedAttempt(number=row[0], attempt=rows.ATTEMPT.record(row[1:])) for row in found]

    async def attempt_counts(self, environment_id: str, profile_ids: tuple[str, ...], since: int) -> list[AttemptCount]:
        key = {"environment_id": environment_id, "profile_ids": json_text(profile_ids), "since": since}
        return [
            AttemptCount(profile_id=profile_id, outcome=outcome, hour=hour, attempts=attempts)
            for profile_id, outcome, hour, attempts in await self._aside("attempt_counts", **key)
        ]

    async def attempt_series(
        self, environment_id: str, since: int, slice_seconds: int, most: int
    ) -> list[AttemptPoint]:
        key = {"environment_id": environment_id, "since": since, "slice_seconds": slice_seconds, "most": most}
        return [AttemptPoint(*row) for row in await self._aside("attempt_series", **key)]

    async def anything_to_forget(self, attempts_before: int, now: int) -> bool:
        return bool((await self._aside("anything_to_forget", attempts_before=attempts_before, now=now))[0][0])

    async def maintain(self, due: Due) -> Maintained:
        del due  # what has ended is forgotten row by row
        return Maintained()

    async def ended_sessions(self, after: int, before: int, ended_before: int, look: int) -> EndedSessions:
        key = {"after_number": after, "before": before, "ended_before": ended_before, "look": look}
        return EndedSessions(*(await self._aside("ended_sessions", **key))[0])

    async def events_after(self, environment_id: str | None, number: int, limit: int) -> list[NumberedEvent]:
        which = "all_events_after" if environment_id is None else "events_after"
        found = self._select(which, {"environment_id": environment_id, "number": number, "limit": limit})
        return [NumberedEvent(number=row[0], event=rows.EVENT.record(row[1:])) for row in found]

    async def newest_events(self, environment_id: str | None, limit: int) -> list[NumberedEvent]:
        which = "all_newest_events" if environment_id is None else "newest_events"
        found = self._select(which, {"environment_id": environment_id, "limit": limit})
        return [NumberedEvent(number=row[0], event=rows.EVENT.record(row[1:])) for row in found]

    async def search_events(self, environment_id: str | None, search: EventSearch) -> list[NumberedEvent]:
        which = "search_all_events" if environment_id is None else "search_events"
        found = await self._aside(which, environment_id=environment_id, **msgspec.structs.asdict(search))
        return [NumberedEvent(number=row[0], event=rows.EVENT.record(row[1:])) for row in found]

    async def person_counts(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, traces: tuple[str, ...]
    ) -> PersonCounts:
        key: Parameters = {"environment_id": environment_id, "subject_kind": subject_kind, "subject_id": subject_id}
        ((subjects,),) = await self._aside("find_erased_subjects", **key)
        key |= {"traces": json_text((subject_id, *traces)), "subjects": subjects}
        ((sessions, attempts, events),) = await self._aside("person_counts", **key, tombstones=0)
        return PersonCounts(sessions=sessions, attempts=attempts, events=events)

    async def attempts(self, environment_id: str, limit: int) -> list[Attempt]:
        return self._all("attempts", rows.ATTEMPT, environment_id=environment_id, limit=limit)

    async def events(self, environment_id: str | None, limit: int) -> list[Event]:
        which = "all_events" if environment_id is None else "events"
        return self._all(which, rows.EVENT, environment_id=environment_id, limit=limit)
