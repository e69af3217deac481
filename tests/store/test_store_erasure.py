"""Erasing a person: nothing that tells of it stays anywhere, and nothing of anybody else goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from assay.model import Attempt, Event, Member, RetiredEmail, Session, User
from assay.rules import session_ids
from assay.store import CreateMember, CreateUser, ErasePerson, RecordAttempt, Stale, Store, operator_plans, traces
from assay.store.sqlite import SqliteStore
from tests import records
from tests.records import NOW
from tests.store import contents
from tests.store.conftest import ON_SQLITE, Tenant

EMAIL = 'o\'neil+"x"é@acme.example'
RETIRED = "old.o'neil@acme.example"
EXTERNAL_ID = "10%_\\7"
TRACES = (EMAIL, RETIRED, EXTERNAL_ID)


class Erased(msgspec.Struct, frozen=True):
    """Somebody who is to be erased, with a session, and the write that does it."""

    person: Member | User
    session: Session
    write: ErasePerson

    @property
    def id(self) -> str:
        return self.write.subject_id

    @property
    def session_id(self) -> str:
        return session_ids.session_id(self.session)


@pytest.fixture(params=["member", "user"])
async def erased(request: pytest.FixtureRequest, store: Store, tenant: Tenant) -> Erased:
    person = await (a_member if request.param == "member" else a_user)(store, tenant)
    session = records.session(person, custom_claims={"mail": EMAIL}, factors=(records.factor(EXTERNAL_ID),))
    ended = records.session(person, revoked_at=NOW)
    for one in (session, ended):
        await store.write(records.start(one, tenant.secret))
    subject_id = session.subject_id
    told = records.event(tenant.id, action="person.gone", target=subject_id, actor="cli", details={"events": 3})
    write = ErasePerson(
        environment_id=tenant.id,
        subject_kind=session.subject_kind,
        subject_id=subject_id,
        traces=TRACES,
        events=(told,),
    )
    return Erased(person=person, session=session, write=write)


async def a_member(store: Store, tenant: Tenant) -> Member:
    retired = (RetiredEmail(email_id="email-test-1", email_address=RETIRED),)
    member = records.member(
        tenant.organization,
        email=EMAIL,
        external_id=EXTERNAL_ID,
        name="O'Neil",
        retired_emails=retired,
        untrusted_metadata={"also": EMAIL},
    )
    await store.write(CreateMember(member=member))
    return member


async def a_user(store: Store, tenant: Tenant) -> User:
    user = records.user(tenant.id, email=EMAIL, external_id=EXTERNAL_ID, trusted_metadata={"also": EMAIL})
    await store.write(CreateUser(user=user))
    return user


def attempts_about(one: Erased, environment_id: str) -> dict[str, Attempt]:
    made: dict[str, dict[str, object]] = {
        "of the person": {"subject_id": one.id},
        "of its session": {"session_id": one.session_id},
        "with its address as the reason": {"reason": f"the address of {EMAIL!r} is taken"},
        "with its address in capitals": {"reason": EMAIL.upper()},
        "with its external id in the details": {"details": {"notes": [f"sub is {EXTERNAL_ID}"]}},
        "with its id in the reason": {"reason": f"{one.id} carries another external id"},
        "with its external id as the subject": {"subject": EXTERNAL_ID},
        "with its address as the token id": {"token_id": EMAIL},
        "with its address in the kept claims": {"kept_claims": {"upn": [EMAIL]}},
    }
    return {name: records.attempt(environment_id, **changes) for name, changes in made.items()}


def events_about(one: Erased, environment_id: str) -> dict[str, Event]:
    made: dict[str, dict[str, object]] = {
        "about the person": {"target": one.id},
        "by the person": {"actor": one.id},
        "about its session": {"target": one.session_id},
        "that name its session": {"details": {"by": "exchange", "of": one.session_id}},
        "with its address": {"details": {"changes": {"to": EMAIL}}},
        "with a retired address": {"details": {RETIRED: True}},
        "with its external id as the target": {"target": EXTERNAL_ID},
    }
    return {name: records.event(environment_id, **changes) for name, changes in made.items()}


def looks_like(environment_id: str) -> tuple[list[Attempt], list[Event]]:
    """Records of others, with texts that a wildcard or a search for a part would find."""
    attempts = [
        records.attempt(environment_id, reason=f"n{EMAIL} is somebody else", session_id="session-test-other"),
        records.attempt(environment_id, reason="10x1\\7", details={"seen": "10abc\\7"}, subject_id="member-test-other"),
        records.attempt(environment_id, details={"seen": f"{EXTERNAL_ID}7"}),
        records.attempt(environment_id, subject=f"{EXTERNAL_ID}7", token_id=f"n{EMAIL}", kept_claims={"upn": "x"}),
    ]
    events = [
        records.event(environment_id, details={"of": "session-test-other"}),
        records.event(environment_id, target=f"{EXTERNAL_ID}@elsewhere.example", details={"say": 'a "quote"'}),
    ]
    return attempts, events


async def write_down(store: Store, attempts: list[Attempt], events: list[Event]) -> None:
    environment_id = (attempts or events)[0].environment_id
    assert environment_id is not None
    for attempt in attempts:
        await store.write(RecordAttempt(attempt=attempt))
    for event in events:
        await store.write(RecordAttempt(attempt=records.attempt(environment_id), events=(event,)))


async def test_nothing_is_left_of_an_erased_person_but_the_tombstone(
    store: Store, tenant: Tenant, erased: Erased, path: str
) -> None:
    await write_down(
        store, list(attempts_about(erased, tenant.id).values()), list(events_about(erased, tenant.id).values())
    )
    names = [*TRACES, erased.id, erased.session_id]
    written = {name: contents.finds(path, name) for name in [*names, msgspec.json.encode(EMAIL).decode()[1:-1]]}
    assert all(written.values())
    await store.write(erased.write)
    left = {name: contents.finds(path, name) for name in written}
    assert left == {name: {"events"} if name == erased.id else set() for name in written}
    assert await store.events(tenant.id, 100) == list(erased.write.events)
    assert await store.sessions_of(tenant.id, erased.session.subject_kind, erased.id, NOW) == []


@ON_SQLITE
async def test_the_file_itself_does_not_hold_an_erased_person_any_more(
    store: Store, tenant: Tenant, erased: Erased, path: str
) -> None:
    """What SQLite deletes it would otherwise leave lying in the file, for whoever reads that with other tools."""
    await store.write(erased.write)
    await store.close()
    content = await asyncio.to_thread(Path(path).read_bytes)
    spellings = (EMAIL, msgspec.json.encode(EMAIL).decode()[1:-1], RETIRED, msgspec.json.encode(EXTERNAL_ID).decode())
    assert [one for one in spellings if one.encode() in content] == []
    assert tenant.id.encode() in content  # what is looked for would be found


ATTEMPTS = [
    "of the person",
    "of its session",
    "with its address as the reason",
    "with its address in capitals",
    "with its external id in the details",
    "with its id in the reason",
    "with its external id as the subject",
    "with its address as the token id",
    "with its address in the kept claims",
]


@pytest.mark.parametrize("case", ATTEMPTS)
async def test_an_attempt_that_tells_of_the_person_goes(
    store: Store, tenant: Tenant, neighbour: Tenant, erased: Erased, case: str
) -> None:
    """Each by itself; the same of another environment stays, since an address there is another person's."""
    here, there = attempts_about(erased, tenant.id)[case], attempts_about(erased, neighbour.id)[case]
    await write_down(store, [here, there], [])
    await store.write(erased.write)
    assert await store.attempts(tenant.id, 10) == []
    assert await store.attempts(neighbour.id, 10) == [there]


SUBJECT = {"issuer": "https://issuer.example", "subject": "auth0|7"}


async def test_attempts_refused_to_tokens_of_the_person_go_by_what_its_issuer_calls_it(
    store: Store, tenant: Tenant, neighbour: Tenant, erased: Erased
) -> None:
    """The subject of a token need not be an external id: it is known from a token that logged the person in."""
    refused = records.attempt(tenant.id, **SUBJECT)
    others = [
        records.attempt(tenant.id, **SUBJECT | {"subject": "auth0|70"}),
        records.attempt(tenant.id, **SUBJECT | {"issuer": "https://other.example"}),
        records.attempt(tenant.id, **SUBJECT, subject_id="member-test-other"),
        records.attempt(neighbour.id, **SUBJECT),
    ]
    await write_down(store, [records.attempt(tenant.id, **SUBJECT, subject_id=erased.id), refused, *others], [])
    counts = await store.person_counts(tenant.id, erased.write.subject_kind, erased.id, TRACES)
    assert counts.attempts == 2
    await store.write(erased.write)
    assert await store.attempts(tenant.id, 10) == others[2::-1]
    assert await store.attempts(neighbour.id, 10) == others[3:]


EVENTS = [
    "about the person",
    "by the person",
    "about its session",
    "that name its session",
    "with its address",
    "with a retired address",
    "with its external id as the target",
]


@pytest.mark.parametrize("case", EVENTS)
async def test_an_event_that_tells_of_the_person_goes(
    store: Store, tenant: Tenant, neighbour: Tenant, erased: Erased, case: str
) -> None:
    here, there = events_about(erased, tenant.id)[case], events_about(erased, neighbour.id)[case]
    await write_down(store, [], [here, there])
    await store.write(erased.write)
    assert await store.events(None, 10) == [*erased.write.events, there]


async def test_nothing_of_anybody_else_goes(store: Store, tenant: Tenant, erased: Erased, path: str) -> None:
    await store.write(records.start(records.session(tenant.member), tenant.secret))
    await store.write(records.start(records.session(tenant.user), tenant.secret))
    attempts, events = looks_like(tenant.id)
    await write_down(store, attempts, events)
    before = contents.everything(path)
    await store.write(erased.write)
    after = contents.everything(path)
    gone = {name: len(before[name] - after[name]) for name in before if before[name] != after[name]}
    tables = {"members": 1, "member_emails": 2} if erased.session.subject_kind == "member" else {"users": 1}
    assert gone == {**tables, "sessions": 2, "events": 0}
    assert len(after["events"] - before["events"]) == 1


async def test_traces_are_found_whoever_erases_without_knowing_the_ids(
    store: Store, tenant: Tenant, erased: Erased
) -> None:
    """Without any trace given, what names the person or its sessions goes all the same."""
    about = events_about(erased, tenant.id)
    by_id = ["about the person", "by the person", "about its session", "that name its session"]
    await write_down(store, [], list(about.values()))
    await store.write(replace(erased.write, traces=(), events=()))
    left = await store.events(tenant.id, 10)
    assert left == [about[name] for name in reversed(about) if name not in by_id]


@pytest.mark.parametrize("case", ["unknown", "of another environment", "of the other kind", "erased before"])
async def test_whoever_is_not_there_cannot_be_erased(
    store: Store, tenant: Tenant, neighbour: Tenant, erased: Erased, path: str, case: str
) -> None:
    other = "user" if erased.write.subject_kind == "member" else "member"
    writes = {
        "unknown": replace(erased.write, subject_id="member-test-unknown"),
        "of another environment": replace(erased.write, environment_id=neighbour.id),
        "of the other kind": replace(erased.write, subject_kind=other),
        "erased before": erased.write,
    }
    await write_down(store, *looks_like(tenant.id))
    await write_down(store, [], list(events_about(erased, tenant.id).values()))
    if case == "erased before":
        await store.write(erased.write)
    before = contents.everything(path)
    with pytest.raises(Stale):
        await store.write(writes[case])
    assert contents.everything(path) == before


async def test_of_two_who_erase_one_person_one_leaves_a_tombstone(
    store: Store, second: Store, tenant: Tenant, erased: Erased
) -> None:
    outcomes = await asyncio.gather(store.write(erased.write), second.write(erased.write), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Stale"]
    assert await store.events(tenant.id, 10) == list(erased.write.events)


async def test_whoever_follows_the_events_sees_the_tombstone(store: Store, tenant: Tenant, erased: Erased) -> None:
    """The newest event is erased; its number must not come back as the tombstone's."""
    await write_down(store, [], [events_about(erased, tenant.id)["about the person"]])
    (seen,) = await store.events_after(None, 0, 10)
    await store.write(erased.write)
    (tombstone,) = await store.events_after(None, seen.number, 10)
    assert (tombstone.event,) == erased.write.events


async def test_addresses_and_external_ids_are_free_again(store: Store, tenant: Tenant, erased: Erased) -> None:
    await store.write(erased.write)
    again = await (a_member if erased.session.subject_kind == "member" else a_user)(store, tenant)
    assert again != erased.person


@ON_SQLITE
async def test_what_is_written_while_traces_are_looked_for_goes_as_well(
    store: Store, tenant: Tenant, erased: Erased, path: str
) -> None:
    """Looking through all records takes long in a large environment, and is done before the write itself."""
    assert isinstance(store, SqliteStore)
    before, about = attempts_about(erased, tenant.id), events_about(erased, tenant.id)
    await write_down(store, list(before.values()), list(about.values()))
    aside = store._aside

    async def interfere(name: str, **parameters: object) -> list[Any]:
        found = await aside(name, **parameters)
        await write_down(store, list(before.values()), list(about.values()))
        return found

    store._aside = interfere  # type: ignore[method-assign]
    await store.write(erased.write)
    store._aside = aside  # type: ignore[method-assign]
    assert contents.finds(path, erased.id) == contents.finds(path, erased.id) & {"events"}
    assert await store.events(tenant.id, 100) == list(erased.write.events)
    assert {one.code for one in await store.attempts(tenant.id, 100)} == {"jwt_invalid_issuer"}
    assert contents.finds(path, RETIRED) == set()


@ON_SQLITE
async def test_the_write_itself_looks_at_few_records_again(
    store: Store, tenant: Tenant, erased: Erased, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for the write, so what was found before is taken by its number."""
    monkeypatch.setattr(operator_plans, "_LOOKED_AT_AGAIN", 2)
    about = events_about(erased, tenant.id)
    attempts, events = looks_like(tenant.id)
    await write_down(
        store, [*attempts_about(erased, tenant.id).values(), *attempts * 9], [*about.values(), *events * 9]
    )
    looked_at: list[str] = []

    def counted(names: str, text: str) -> bool:
        looked_at.append(text)
        return traces.in_json(names, text)

    assert isinstance(store, SqliteStore)
    assert store._writer._connection is not None
    store._writer._connection.create_function("tells_of_json", 2, counted)
    await store.write(erased.write)
    assert await store.events(tenant.id, 100) == [*erased.write.events, *reversed(events * 9)]
    assert 0 < len(looked_at) < 30
