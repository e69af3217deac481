"""What an import works with, and what it finds: shared by its two readings of the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import msgspec

from assay import store
from assay.model import Environment, Member, Organization, User
from assay.stories import references
from assay.stories.context import Context, Operator
from assay.stories.import_places import Places, Planned
from assay.stories.import_rows import People, Place, RowFault, Rules, Wanted
from assay.stories.people_files import PeopleFile

BATCH = 500
"""So many people are written at once; the store commits them together."""
FAULTS_KEPT = 50

Phase = Literal["checked", "written"]
Person = Member | User

TWO_PEOPLE = "its external id is one person's here, and its address or phone number another one's"


class Memory(Protocol):
    """What is remembered of the rows of a file of any length."""

    def claim(self, kind: str, scope: str, value: str, owner: int) -> int:
        """Who claimed this value first: ``owner`` itself unless another one did before."""

    def judge(self, line: int, verdict: str) -> None:
        """Remember what is to be done with the row that begins in this line."""

    def verdict(self, line: int) -> str | None:
        """What was remembered of the row, if anything."""


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. ``organization`` names the one of all rows; ``check_only`` writes nothing at all."""

    people: People
    organization: str | None = None
    create_organizations: bool = False
    keep_ids: bool = False
    update: bool = False
    skip_faulty: bool = False
    check_only: bool = False


class Fault(NamedTuple):
    """A row that cannot be imported, by the line it begins in, and why."""

    line: int
    problem: str


class Summary(msgspec.Struct, kw_only=True):
    """What the file holds, and what was done with it. ``faults`` are the first ones, ``faulty`` counts all.

    ``same`` are there with the same content, ``different`` with another one; ``left_out`` were deleted where they
    come from. ``notes`` count what could not be taken over; ``unused`` are members of rows that mean nothing here.
    """

    digest: str = ""
    rows: int = 0
    new: int = 0
    same: int = 0
    different: int = 0
    left_out: int = 0
    faulty: int = 0
    written: bool = False
    created: int = 0
    updated: int = 0
    organizations_created: int = 0
    notes: dict[str, int] = {}
    unused: dict[str, int] = {}
    faults: list[Fault] = []


class Watcher(NamedTuple):
    """Who follows an import: ``tell`` hears of each batch (phase, rows so far), ``fault`` of each faulty row."""

    tell: Callable[[Phase, int], None] = lambda _phase, _rows: None
    fault: Callable[[Fault], None] = lambda _fault: None


class Job(NamedTuple):
    """One import while it runs."""

    ctx: Context
    environment: Environment
    file: PeopleFile
    memory: Memory
    options: ImportOptions
    by: Operator
    rules: Rules
    places: Places
    watcher: Watcher
    found: Summary

    @property
    def environment_id(self) -> str:
        """The tenant that the people come into."""
        return self.environment.environment_id

    def fault(self, line: int, problem: str) -> None:
        """A row that cannot be imported."""
        fault = Fault(line, problem)
        self.found.faulty += 1
        if len(self.found.faults) < FAULTS_KEPT:
            self.found.faults.append(fault)
        self.watcher.fault(fault)

    async def place(self, place: Place) -> Organization | Planned | None:
        """The organization that a row names; None for users, who are in none. Raises RowFault."""
        return None if self.rules.people == "users" else await self.places.find(place)


async def find_person(job: Job, wanted: Wanted, organization: Organization | None) -> Person | None:
    """Whom the store has for this row: by external id, address or phone number (decisions D4).

    Raises RowFault when that is more than one person.
    """
    external_id, email = wanted.fields.get("external_id"), wanted.fields.get("email")
    candidates: list[Person | None]
    if organization is not None:
        key = (job.environment_id, organization.organization_id)
        candidates = list(await job.ctx.store.member_candidates(*key, external_id, email))
    else:
        candidates = list(await job.ctx.store.user_candidates(job.environment_id, external_id, email))
        candidates.append(await _by_phone(job, wanted.fields.get("phone_number")))
    people = {references.id_of(each): each for each in candidates if each is not None}
    if len(people) > 1:
        raise RowFault(TWO_PEOPLE)
    return next(iter(people.values()), None)


def differing(there: Person, wanted: Wanted) -> list[str]:
    """The fields in which the record has something else than the row gives."""
    return [name for name, value in wanted.fields.items() if getattr(there, name) != value]


async def _by_phone(job: Job, phone_number: str | None) -> User | None:
    if phone_number is None:
        return None
    filters = (store.Filter("phone_number", (phone_number,)),)
    found, _ = await job.ctx.store.search_users(
        store.Search(environment_id=job.environment_id, filters=filters, limit=1)
    )
    return found[0] if found else None
