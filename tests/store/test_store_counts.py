"""What operators are told before and after: who tells of a person, which sessions would end, the newest events."""

from __future__ import annotations

import pytest

from assay.model import NumberedEvent, PersonCounts
from assay.store import ErasePerson, EventSearch, RecordAttempt, RecordEvents, RevokeSessionsWhere, Store
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant


async def test_what_tells_of_a_person_is_counted_as_it_would_go(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    member, traces = tenant.member, ("ada@acme.example",)
    for subject in (member, tenant.user):
        await store.write(records.start(records.session(subject), tenant.secret))
    for of in (tenant, neighbour):
        attempts = (records.attempt(of.id, reason="ada@acme.example"), records.attempt(of.id, reason="bob"))
        for attempt in attempts:
            await store.write(RecordAttempt(attempt=attempt))
        await store.write(RecordEvents(events=(records.event(of.id, target=member.member_id),)))
    await store.write(RecordEvents(events=(records.event(tenant.id, target="else", details={}),)))
    counts = await store.person_counts(tenant.id, "member", member.member_id, traces)
    assert counts == PersonCounts(sessions=1, attempts=1, events=1)
    tombstone = records.event(tenant.id, action="person.erased", target=member.member_id, details={})
    await store.write(
        ErasePerson(
            environment_id=tenant.id,
            subject_kind="member",
            subject_id=member.member_id,
            traces=traces,
            events=(tombstone,),
        )
    )
    assert (len(await store.attempts(tenant.id, 10)), len(await store.events(tenant.id, 10))) == (1, 2)
    assert (len(await store.attempts(neighbour.id, 10)), len(await store.events(neighbour.id, 10))) == (2, 1)


@pytest.mark.parametrize(
    ("organization", "profile_id", "live"),
    [
        pytest.param(False, None, 3, id="all of the environment"),
        pytest.param(True, None, 2, id="one organization"),
        pytest.param(False, "vercel_jwt", 2, id="one profile"),
        pytest.param(True, "other", 1, id="one profile in one organization"),
        pytest.param(False, "unknown", 0, id="an unknown profile"),
    ],
)
async def test_live_sessions_are_counted_as_they_would_end(
    store: Store, tenant: Tenant, neighbour: Tenant, *, organization: bool, profile_id: str | None, live: int
) -> None:
    other = (records.factor(profile_id="other"),)
    sessions = [
        records.session(tenant.member),
        records.session(tenant.member, factors=other),
        records.session(tenant.user),
        records.session(tenant.member, revoked_at=NOW),
        records.session(tenant.member, expires_at=NOW),
    ]
    for session in sessions:
        await store.write(records.start(session, tenant.secret))
    await store.write(records.start(records.session(neighbour.member), neighbour.secret))
    organization_id = tenant.organization.organization_id if organization else None
    assert await store.live_sessions(tenant.id, organization_id, profile_id, NOW) == live
    await store.write(
        RevokeSessionsWhere(
            environment_id=tenant.id, organization_id=organization_id, profile_id=profile_id, revoked_at=NOW
        )
    )
    assert await store.live_sessions(tenant.id, organization_id, profile_id, NOW) == 0
    assert await store.live_sessions(tenant.id, None, None, NOW) == 3 - live
    assert await store.live_sessions(neighbour.id, None, None, NOW) == 1


async def test_the_newest_events_come_with_their_numbers_newest_first(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    told = [records.event(of.id, action=f"change.{number}") for number, of in enumerate((tenant, neighbour, tenant))]
    await store.write(RecordEvents(events=tuple(told)))
    newest = await store.newest_events(None, 2)
    assert [one.event for one in newest] == [told[2], told[1]]
    assert newest[0].number == newest[1].number + 1
    assert await store.newest_events(tenant.id, 1) == [NumberedEvent(number=newest[0].number, event=told[2])]
    assert [one.event for one in await store.newest_events(tenant.id, 10)] == [told[2], told[0]]
    assert await store.newest_events("project-test-0", 10) == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        pytest.param(EventSearch(), [4, 3, 1, 0], id="everything"),
        pytest.param(EventSearch(limit=2), [4, 3], id="a page"),
        pytest.param(EventSearch(action="member."), [3, 0], id="the beginning of the action"),
        pytest.param(EventSearch(action="Member."), [], id="in another case"),
        pytest.param(EventSearch(action="%"), [], id="no pattern"),
        pytest.param(EventSearch(target="t"), [4], id="target"),
        pytest.param(EventSearch(actor="ada"), [3, 1], id="actor"),
        pytest.param(EventSearch(actor="ada", action="user."), [1], id="both"),
    ],
)
async def test_events_are_found_by_what_is_known_of_them(
    search: EventSearch, found: list[int], store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    told = [
        records.event(tenant.id, action="member.created"),
        records.event(tenant.id, action="user.created", actor="ada"),
        records.event(neighbour.id, action="member.created", target="t", actor="ada"),
        records.event(tenant.id, action="member.updated", actor="ada"),
        records.event(tenant.id, action="profile.created", target="t"),
    ]
    await store.write(RecordEvents(events=tuple(told)))
    assert [told.index(one.event) for one in await store.search_events(tenant.id, search)] == found


async def test_a_page_of_events_ends_before_a_number(store: Store, tenant: Tenant, neighbour: Tenant) -> None:
    told = [records.event(of.id, action=f"change.{number}") for number, of in enumerate((tenant, neighbour, tenant))]
    await store.write(RecordEvents(events=tuple(told)))
    newest = await store.search_events(None, EventSearch(limit=1))
    older = EventSearch(before=newest[0].number)
    assert [one.event for one in await store.search_events(None, older)][:2] == [told[1], told[0]]
    assert [one.event for one in await store.search_events(tenant.id, older)] == [told[0]]
