"""The first reading of an import: finds faults, duplicates, and who is there already; writes nothing."""

from __future__ import annotations

import hashlib
from typing import Literal

from assay.stories.import_job import BATCH, Job, differing, find_person
from assay.stories.import_places import Planned
from assay.stories.import_rows import RowFault, Wanted, read
from assay.stories.people_files import Row

Verdict = Literal["new", "same", "different", "left_out"]

UNIQUE = ("external_id", "email", "phone_number")
TWO_NAMES = "two organizations of this file want the same slug: name each in one way, in all its rows"


async def check(job: Job) -> None:
    """Read the whole file into ``job.found`` and ``job.memory``, where rows that are not new have a verdict.

    Raises PeopleFileUnreadable.
    """
    found = job.found
    for row in job.file.rows():
        found.rows += 1
        await _check_row(job, row)
        if found.rows % BATCH == 0:
            job.watcher.tell("checked", found.rows)
    found.digest = job.file.digest
    job.watcher.tell("checked", found.rows)


async def _check_row(job: Job, row: Row) -> None:
    try:
        wanted = read(row, job.rules)
        verdict: Verdict = "left_out" if wanted.left_out else await _judge(job, wanted)
    except RowFault as fault:
        job.fault(row.line, str(fault))
        job.memory.judge(row.line, "faulty")
        return
    if verdict != "new":
        job.memory.judge(row.line, verdict)
    setattr(job.found, verdict, getattr(job.found, verdict) + 1)
    for counts, texts in ((job.found.notes, wanted.notes), (job.found.unused, wanted.unused)):
        for text in texts:
            counts[text] = counts.get(text, 0) + 1


async def _judge(job: Job, wanted: Wanted) -> Verdict:
    place = await job.place(wanted.place)
    if isinstance(place, Planned):
        _claim_slug(job, place)
        _claim(job, wanted, place.key)
        return "new"
    _claim(job, wanted, place.organization_id if place else "")
    there = await find_person(job, wanted, place)
    if there is None:
        return "new"
    return "different" if differing(there, wanted) else "same"


def _claim(job: Job, wanted: Wanted, scope: str) -> None:
    """Refuse a second row for the same person, or one that wants what only one person can have."""
    for kind in UNIQUE:
        value = wanted.fields.get(kind)
        first = wanted.line if value is None else job.memory.claim(kind, scope, value, wanted.line)
        if first != wanted.line:
            raise RowFault(f"its {kind} stands in line {first} already: leave one of the two out")


def _claim_slug(job: Job, planned: Planned) -> None:
    if planned.slug is None:
        return
    owner = int.from_bytes(hashlib.blake2b(planned.key.encode(), digest_size=7).digest(), "big")
    if job.memory.claim("organization slug", "", planned.slug, owner) != owner:
        raise RowFault(TWO_NAMES)
