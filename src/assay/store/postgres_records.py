# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""What the PostgreSQL store remembers of what happened: attempts, events, replay marks, observations."""

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
from assay.store import AttemptPoint, AttemptSearch, EndedSessions, EventSearch, postgres_erasure, rows
from assay.store.postgres_erasure import Person
from assay.store.postgres_reading import Pooled
from assay.store.rows import json_text


class PostgresRecords:
    """The reads of records of what happened. ``aside`` are the connections for what goes over whole tables."""

    def __init__(self, reads: Pooled, aside: Pooled) -> None:
        self._reads = reads
        self._aside = aside

    async def _settled(self) -> int:
        """The number up to which every attempt and event that will ever be there can be seen.

        Numbers are given before the commit, so that of two writers the later one may be seen first. Whoever follows by
        number must not pass by what is still to come. First the newest number, then who is writing, then the records:
        whoever begins in between gets a greater number than the first.
        """
        newest = int((await self._aside.rows("newest_number"))[0][0])
        oldest = (await self._aside.rows("oldest_writing", newest=newest))[0][0]
        return newest if oldest is None else int(oldest)

    async def replay_mark(self, environment_id: str, profile_id: str, mark: str) -> ReplayMark | None:
        key = {"environment_id": environment_id, "profile_id": profile_id, "mark": mark}
        return await self._reads.one("replay_mark", rows.REPLAY_MARK, **key)

    async def observations(self, environment_id: str, profile_id: str) -> Observations | None:
        key = {"environment_id": environment_id, "profile_id": profile_id}
        return await self._reads.one("observations", rows.OBSERVATIONS, **key)

    async def search_attempts(self, environment_id: str | None, search: AttemptSearch) -> list[NumberedAttempt]:
        wanted = {"environment_id": environment_id, **msgspec.structs.asdict(search)}
        name = "search_all_attempts" if environment_id is None else "search_attempts"
        if search.after is None:
            found = await self._aside.rows(name, **wanted)
        else:
            found = await self._aside.rows(f"{name}_after", **wanted, settled=await self._settled())
        return [NumberedAttempt(number=row[0], attempt=rows.ATTEMPT.record(row[1:])) for row in found]

    async def attempt_counts(self, environment_id: str, profile_ids: tuple[str, ...], since: int) -> list[AttemptCount]:
        key = {"environment_id": environment_id, "profile_ids": json_text(profile_ids), "since": since}
        return [
            AttemptCount(profile_id=profile_id, outcome=outcome, hour=hour, attempts=attempts)
            for profile_id, outcome, hour, attempts in await self._aside.rows("attempt_counts", **key)
        ]

    async def attempt_series(
        self, environment_id: str, since: int, slice_seconds: int, most: int
    ) -> list[AttemptPoint]:
        key = {"environment_id": environment_id, "since": since, "slice_seconds": slice_seconds, "most": most}
        return [AttemptPoint(*row) for row in await self._aside.rows("attempt_series", **key)]

    async def anything_to_forget(self, attempts_before: int, now: int) -> bool:
        found = await self._aside.rows("anything_to_forget", attempts_before=attempts_before, now=now)
        return bool(found[0][0])

    async def ended_sessions(self, after: int, before: int, ended_before: int, look: int) -> EndedSessions:
        key = {"after_number": after, "before": before, "ended_before": ended_before, "look": look}
        return EndedSessions(*(await self._aside.rows("ended_sessions", **key))[0])

    async def events_after(self, environment_id: str | None, number: int, limit: int) -> list[NumberedEvent]:
        which = "all_events_after" if environment_id is None else "events_after"
        key = {"environment_id": environment_id, "number": number, "limit": limit}
        found = await self._reads.rows(which, **key, settled=await self._settled())
        return [NumberedEvent(number=row[0], event=rows.EVENT.record(row[1:])) for row in found]

    async def newest_events(self, environment_id: str | None, limit: int) -> list[NumberedEvent]:
        which = "all_newest_events" if environment_id is None else "newest_events"
        found = await self._reads.rows(which, environment_id=environment_id, limit=limit)
        return [NumberedEvent(number=row[0], event=rows.EVENT.record(row[1:])) for row in found]

    async def search_events(self, environment_id: str | None, search: EventSearch) -> list[NumberedEvent]:
        which = "search_all_events" if environment_id is None else "search_events"
        found = await self._aside.rows(which, environment_id=environment_id, **msgspec.structs.asdict(search))
        return [NumberedEvent(number=row[0], event=rows.EVENT.record(row[1:])) for row in found]

    async def person_counts(
        self, environment_id: str, subject_kind: SubjectKind, subject_id: str, traces: tuple[str, ...]
    ) -> PersonCounts:
        person = Person(environment_id, subject_kind, subject_id, traces)
        return await self._aside.snapshot(lambda reads: postgres_erasure.counted(reads, person))

    async def attempts(self, environment_id: str, limit: int) -> list[Attempt]:
        return await self._reads.all("attempts", rows.ATTEMPT, environment_id=environment_id, limit=limit)

    async def events(self, environment_id: str | None, limit: int) -> list[Event]:
        which = "all_events" if environment_id is None else "events"
        return await self._reads.all(which, rows.EVENT, environment_id=environment_id, limit=limit)
