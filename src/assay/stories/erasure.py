"""Erasing one person: everything that tells of it goes, and a tombstone without personal data stays."""

from __future__ import annotations

import msgspec

from assay import store
from assay.model import Member, PersonCounts, SubjectKind, User
from assay.stories import projects, references
from assay.stories.changes import until_current
from assay.stories.context import Context, Operator
from assay.stories.references import PersonRef

ERASED = "person.erased"


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One person, and how many records tell of it beside its own."""

    person: Member | User
    counts: PersonCounts

    @property
    def subject_id(self) -> str:
        """Our own id of the person."""
        return references.id_of(self.person)

    @property
    def subject_kind(self) -> SubjectKind:
        """Whether it is a member or a user."""
        return "member" if isinstance(self.person, Member) else "user"


async def examine(ctx: Context, environment_id: str, reference: PersonRef) -> Erasure:
    """What :func:`erase` would take away, deleted members included; changes nothing.

    Raises ProjectNotFound, and as :func:`references.person`.
    """
    environment = await projects.require_environment(ctx, environment_id)
    person = await references.person(ctx, environment, reference)
    kind: SubjectKind = "member" if isinstance(person, Member) else "user"
    counts = await ctx.store.person_counts(environment_id, kind, references.id_of(person), traces(person))
    return Erasure(person=person, counts=counts)


async def erase(ctx: Context, environment_id: str, reference: PersonRef, *, by: Operator) -> Erasure:
    """Erase the person's record, sessions, attempts and events, in one write; gives back what there was.

    The tombstone is an event with our own id of the person, which names nobody any more, and the counts: so that the
    audit record says that something is missing, and why. Raises as :func:`examine`.
    """

    async def change() -> Erasure:
        found = await examine(ctx, environment_id, reference)
        counts = msgspec.to_builtins(found.counts)
        tombstone = by.event(environment_id, ERASED, found.subject_id, int(ctx.clock()), **counts)
        await ctx.store.write(
            store.ErasePerson(
                environment_id=environment_id,
                subject_kind=found.subject_kind,
                subject_id=found.subject_id,
                traces=traces(found.person),
                events=(tombstone,),
            )
        )
        return found

    return await until_current(change)


def traces(person: Member | User) -> tuple[str, ...]:
    """What other records may call the person beside its own id: addresses now and before, external id, phone number."""
    named = [person.email, person.external_id]
    if isinstance(person, Member):
        named += [person.mfa_phone_number, *(retired.email_address for retired in person.retired_emails)]
    else:
        named += [person.phone_number, person.email_id, person.phone_id]
    return tuple(dict.fromkeys(name for name in named if name))
