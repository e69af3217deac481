"""Races: two who want the same thing at once, in one process and in two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from assay.model import Session
from assay.store import (
    Conflict,
    CreateMember,
    CreateOrganization,
    CreateUser,
    RecordAttempt,
    ReplaceProfile,
    RevokeSession,
    RevokeSessionsOf,
    Stale,
    Store,
    Write,
)
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant


@pytest.fixture(params=["one process", "two processes"])
def stores(request: pytest.FixtureRequest, store: Store, second: Store) -> tuple[Store, Store]:
    return (store, store) if request.param == "one process" else (store, second)


async def race(stores: tuple[Store, Store], writes: Iterable[Write]) -> list[BaseException | None]:
    """Hand the writes over in one tick, to either store in turn; what became of each."""
    return await asyncio.gather(
        *(stores[number % 2].write(write) for number, write in enumerate(writes)), return_exceptions=True
    )


def losers(outcomes: list[BaseException | None]) -> list[BaseException]:
    assert outcomes.count(None) == 1, outcomes
    return [outcome for outcome in outcomes if outcome is not None]


FIRST_LOGINS: dict[str, tuple[Callable[[Tenant], Write], str]] = {
    "members of one address": (
        lambda tenant: CreateMember(member=records.member(tenant.organization, email="new@acme.example")),
        "member_email",
    ),
    "members of one external id": (
        lambda tenant: CreateMember(member=records.member(tenant.organization, external_id="sub|new")),
        "member_external_id",
    ),
    "workloads of one external id": (
        lambda tenant: CreateMember(member=records.member(tenant.organization, email=None, external_id="sub|new")),
        "member_external_id",
    ),
    "users of one address": (
        lambda tenant: CreateUser(user=records.user(tenant.id, email="new@home.example")),
        "user_email",
    ),
    "users of one external id": (
        lambda tenant: CreateUser(user=records.user(tenant.id, external_id="sub|new")),
        "user_external_id",
    ),
    "organizations of one slug": (
        lambda tenant: CreateOrganization(organization=records.organization(tenant.id, slug="new")),
        "organization_slug",
    ),
    "organizations of one external id": (
        lambda tenant: CreateOrganization(organization=records.organization(tenant.id, external_id="new")),
        "organization_external_id",
    ),
    "projects of one slug": (lambda _: records.new_project("new"), "project_slug"),
}


@pytest.mark.parametrize("case", FIRST_LOGINS)
async def test_of_many_that_come_first_at_once_one_is_made(
    stores: tuple[Store, Store], tenant: Tenant, case: str
) -> None:
    make, key = FIRST_LOGINS[case]
    lost = losers(await race(stores, [make(tenant) for _ in range(8)]))
    assert [refused.key if isinstance(refused, Conflict) else refused for refused in lost] == [key] * 7


async def test_one_external_id_from_two_issuers_is_attached_once(stores: tuple[Store, Store], tenant: Tenant) -> None:
    """Whoever loses reads again, and then sees that the id belongs to the other issuer (decisions D4)."""
    writes = [
        CreateMember(
            member=records.member(tenant.organization, external_id="42", external_id_issuer=f"https://{name}.example")
        )
        for name in ("a", "b")
    ]
    outcomes = await race(stores, writes)
    (refused,) = losers(outcomes)
    assert isinstance(refused, Conflict)
    found, _ = await stores[1].member_candidates(tenant.id, tenant.organization.organization_id, "42", None)
    assert found == writes[outcomes.index(None)].member


async def test_of_two_factors_added_at_once_one_is_added_and_the_other_decided_again(
    stores: tuple[Store, Store], tenant: Tenant, session: Session
) -> None:
    def adding(known: Session, token_id: str) -> Write:
        factors = (*known.factors, records.factor(token_id))
        return records.update(session, tenant.secret, revision=known.revision, factors=factors)

    outcomes = await race(stores, [adding(session, "a"), adding(session, "b")])
    (refused,) = losers(outcomes)
    assert isinstance(refused, Stale)
    view = await stores[0].session(tenant.id, session.number)
    assert view is not None
    loser = "b" if outcomes[0] is None else "a"
    await stores[1].write(adding(view.session, loser))
    view = await stores[0].session(tenant.id, session.number)
    assert view is not None
    assert {one.token_id for one in view.session.factors} == {"token-1", "a", "b"}


async def test_a_revoked_session_is_not_revived_by_whoever_authenticates_at_once(
    stores: tuple[Store, Store], tenant: Tenant, session: Session
) -> None:
    writes: list[Write] = [
        records.update(session, tenant.secret, expires_at=NOW + 9999, last_accessed_at=NOW + number)
        for number in range(6)
    ]
    writes.insert(3, RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW + 1))
    outcomes = await race(stores, writes)
    assert outcomes[3] is None
    assert all(outcome is None or isinstance(outcome, Stale) for outcome in outcomes)
    for store in stores:
        view = await store.session(tenant.id, session.number)
        assert view is not None
        assert view.session.revoked_at == NOW + 1
        with pytest.raises(Stale):
            await store.write(records.update(session, tenant.secret))


async def test_no_session_made_beside_a_revoked_one_survives_unseen(
    store: Store, tenant: Tenant, session: Session
) -> None:
    """Writes of one tick happen in the order in which they were handed over."""
    fresh, late = records.session(tenant.member), records.session(tenant.member)
    revoke = RevokeSessionsOf(
        environment_id=tenant.id, subject_kind="member", subject_id=tenant.member.member_id, revoked_at=NOW
    )
    guarded = records.start(late, tenant.secret, guard=records.guard(tenant.secret, session_number=session.number))
    outcomes = await race((store, store), [records.start(fresh, tenant.secret), revoke, guarded])
    assert outcomes[:2] == [None, None]
    assert isinstance(outcomes[2], Stale)
    assert await store.sessions_of(tenant.id, "member", tenant.member.member_id, NOW) == []


async def test_of_two_changes_to_one_revision_one_is_kept(stores: tuple[Store, Store], tenant: Tenant) -> None:
    writes = [ReplaceProfile(profile=replace(tenant.profile, name=name)) for name in ("a", "b", "c")]
    outcomes = await race(stores, writes)
    assert all(isinstance(refused, Stale) for refused in losers(outcomes))
    found = await stores[1].profile(tenant.id, tenant.profile.profile_id)
    assert found is not None
    assert found.name == writes[outcomes.index(None)].profile.name


async def test_every_write_of_a_tick_gets_its_own_answer(
    stores: tuple[Store, Store], tenant: Tenant, session: Session
) -> None:
    """Good, conflicting and stale writes are mixed; the bad ones leave nothing, their attempts included."""
    writes: list[Write] = []
    for number in range(300):
        attempt = records.attempt(tenant.id, reason=str(number))
        kind: tuple[Write, ...] = (
            records.start(records.session(tenant.member), tenant.secret, attempt=attempt),
            records.start(session, tenant.secret, attempt=attempt),
            records.start(records.session(tenant.user, subject_id="nobody"), tenant.secret, attempt=attempt),
            RecordAttempt(attempt=attempt),
        )
        writes.append(kind[number % 4])
    outcomes = await race(stores, writes)
    expected = [type(None), Conflict, Stale, type(None)] * 75
    assert [type(outcome) for outcome in outcomes] == expected
    recorded = {int(one.reason) % 4 for one in await stores[1].attempts(tenant.id, 1000)}
    assert recorded == {0, 3}
    assert len(await stores[0].attempts(tenant.id, 1000)) == 150


async def test_a_write_is_seen_by_every_store_as_soon_as_it_returned(
    store: Store, second: Store, tenant: Tenant, session: Session
) -> None:
    assert await second.session(tenant.id, session.number) is not None
    await second.write(RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW))
    view = await store.session(tenant.id, session.number)
    assert view is not None
    assert view.session.revoked_at == NOW


async def test_a_cancelled_caller_disturbs_nobody(store: Store, tenant: Tenant) -> None:
    sessions = [records.session(tenant.member) for _ in range(3)]
    tasks = [asyncio.create_task(store.write(records.start(one, tenant.secret))) for one in sessions]
    await asyncio.sleep(0)
    tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), asyncio.CancelledError, type(None)]
    await store.write(RecordAttempt(attempt=records.attempt(tenant.id)))


async def test_closing_commits_what_was_handed_over(store: Store, second: Store, tenant: Tenant) -> None:
    sessions = [records.session(tenant.member) for _ in range(20)]
    tasks = [asyncio.create_task(store.write(records.start(one, tenant.secret))) for one in sessions]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*tasks) == [None] * 20
    found = await second.sessions_of(tenant.id, "member", tenant.member.member_id, NOW)
    assert found == sessions
