"""The second reading of an import: makes those who are new, and changes those who differ if that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from assay import ids, store
from assay.model import Member, Organization, RetiredEmail, User
from assay.stories import references
from assay.stories.changes import changed_fields
from assay.stories.import_job import BATCH, Job, Person, differing, find_person
from assay.stories.import_places import Planned, make
from assay.stories.import_rows import Place, RowFault, Wanted, read

CHANGED_MEANWHILE = "the person was changed by somebody else at the same moment: run the import again"


async def write(job: Job) -> None:
    """Write what the check left to write, in batches. Raises PeopleFileUnreadable, StoreUnavailable.

    Each person is one write with its event: a crash leaves whole people, and the next run finds them.
    """
    batch: list[Wanted] = []
    done = 0
    for row in job.file.rows():
        done += 1
        if _is_to_write(job, row.line):
            batch.append(read(row, job.rules))
        if len(batch) >= BATCH:
            await _write_batch(job, batch)
            batch = []
        if done % BATCH == 0:
            job.watcher.tell("written", done)
    await _write_batch(job, batch)
    job.watcher.tell("written", done)


def _is_to_write(job: Job, line: int) -> bool:
    verdict = job.memory.verdict(line)
    return verdict is None or (verdict == "different" and job.options.update)


async def _write_batch(job: Job, batch: list[Wanted]) -> None:
    ready: list[tuple[Wanted, Organization | None]] = []
    for wanted in batch:
        # One after the other: rows of one new organization must not race for making it.
        try:
            ready.append((wanted, await _made_place(job, wanted.place)))
        except RowFault as fault:
            job.fault(wanted.line, str(fault))
    await asyncio.gather(*(_write_one(job, wanted, place) for wanted, place in ready))


async def _made_place(job: Job, place: Place) -> Organization | None:
    found = await job.place(place)
    if not isinstance(found, Planned):
        return found
    made = await make(job.ctx, job.environment, found, job.by)
    job.found.organizations_created += 1
    job.places.remember(place, made)
    return made


async def _write_one(job: Job, wanted: Wanted, organization: Organization | None) -> None:
    try:
        if job.memory.verdict(wanted.line) is None:
            await _create(job, wanted, organization)
        else:
            await _update(job, wanted, organization)
    except (store.Conflict, store.Stale):
        await _look_again(job, wanted, organization)
    except RowFault as fault:
        job.fault(wanted.line, str(fault))


async def _create(job: Job, wanted: Wanted, organization: Organization | None) -> None:
    now = int(job.ctx.clock())
    if organization is None:
        user = _new_user(job, wanted, now)
        event = job.by.event(job.environment_id, "user.created", user.user_id, now, by="import")
        await job.ctx.store.write(store.CreateUser(user=user, events=(event,)))
    else:
        member = _new_member(job, wanted, organization, now)
        details = {"organization_id": organization.organization_id, "by": "import"}
        event = job.by.event(job.environment_id, "member.created", member.member_id, now, **details)
        await job.ctx.store.write(store.CreateMember(member=member, events=(event,)))
    job.found.created += 1


def _new_member(job: Job, wanted: Wanted, organization: Organization, now: int) -> Member:
    fields: dict[str, Any] = {"email": None, **wanted.fields}
    return Member(
        environment_id=job.environment_id,
        organization_id=organization.organization_id,
        member_id=ids.new("member", job.environment.kind),
        created_at=now,
        updated_at=now,
        **fields,
    )


def _new_user(job: Job, wanted: Wanted, now: int) -> User:
    fields: dict[str, Any] = {"email": None, **wanted.fields, **_address_ids(job, wanted.fields)}
    return User(
        environment_id=job.environment_id,
        user_id=ids.new("user", job.environment.kind),
        created_at=now,
        updated_at=now,
        **fields,
    )


async def _update(job: Job, wanted: Wanted, organization: Organization | None) -> None:
    there = await find_person(job, wanted, organization)
    if there is None or not differing(there, wanted):
        return
    now = int(job.ctx.clock())
    after = msgspec.structs.replace(there, **_changes(job, there, wanted), updated_at=now)
    kind = "member" if isinstance(after, Member) else "user"
    details = {"fields": changed_fields(there, after), "by": "import"}
    event = job.by.event(job.environment_id, f"{kind}.updated", references.id_of(after), now, **details)
    replace: store.Write
    if isinstance(after, Member):
        replace = store.ReplaceMember(member=after, events=(event,))
    else:
        replace = store.ReplaceUser(user=after, events=(event,))
    await job.ctx.store.write(replace)
    job.found.updated += 1


def _changes(job: Job, there: Person, wanted: Wanted) -> dict[str, Any]:
    changes = {name: wanted.fields[name] for name in differing(there, wanted)}
    if "external_id" in changes:
        # Set by an operator, so it matches the tokens of any profile from now on (decisions D4).
        changes["external_id_issuer"] = None
    if "email" in changes:
        # Whether the old address was verified says nothing about the new one.
        changes["email_verified"] = wanted.fields.get("email_verified", False)
        if isinstance(there, Member):
            changes["retired_emails"] = _retired(job, there, changes["email"])
    return changes | (_address_ids(job, changes) if isinstance(there, User) else {})


def _retired(job: Job, member: Member, new: str) -> tuple[RetiredEmail, ...]:
    """As in every change of a member's address, the one it leaves stays its own."""
    kept = [item for item in member.retired_emails if item.email_address != new]
    if member.email is not None:
        email_id = ids.new("email", job.environment.kind)
        kept.append(RetiredEmail(email_id=email_id, email_address=member.email))
    return tuple(kept)


def _address_ids(job: Job, fields: Mapping[str, object]) -> dict[str, Any]:
    """Ids of the addresses and numbers that a user gets."""
    made = {"email": ("email_id", "email"), "phone_number": ("phone_id", "phone-number")}
    return {field: ids.new(prefix, job.environment.kind) for name, (field, prefix) in made.items() if name in fields}


async def _look_again(job: Job, wanted: Wanted, organization: Organization | None) -> None:
    """Somebody else was faster with this person since the check."""
    try:
        there = await find_person(job, wanted, organization)
    except RowFault as fault:
        job.fault(wanted.line, str(fault))
        return
    if there is None or differing(there, wanted):
        job.fault(wanted.line, CHANGED_MEANWHILE)
    else:
        job.found.same += 1
