"""Several processes over one PostgreSQL database: what one decides upon holds until it has committed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from assay import errors
from assay.model import NumberedEvent, SubjectKind, User
from assay.observing.meter import Meter
from assay.store import (
    AttemptSearch,
    Conflict,
    CreateMember,
    CreatePublicToken,
    CreateSecret,
    CreateUser,
    DeleteEnvironment,
    DeleteOperator,
    DeleteOrganization,
    DeletePublicToken,
    DeleteUser,
    RecordAttempt,
    ReplaceMember,
    ReplaceProfile,
    RevokeSecret,
    Stale,
    Store,
    Write,
    postgres_batches,
    postgres_locks,
    postgres_plans,
    postgres_writer,
)
from assay.store.opening import open_store
from assay.store.postgres_transactions import Transaction, Work
from tests import postgres, records
from tests.records import NOW
from tests.store.conftest import ON_POSTGRES, Tenant

pytestmark = ON_POSTGRES


async def _done(write: Write, connection: Any) -> None:
    await postgres_plans.run(connection, postgres_plans.plan(write))


class Halted:
    """Another process that has done its writes and is about to commit."""

    def __init__(self, connection: asyncpg.Connection, *writes: Write) -> None:
        self._transaction = Transaction(connection, "", waits=True)
        self._work = [Work(each, postgres_locks.names(each), functools.partial(_done, each)) for each in writes]
        self._go_on = asyncio.Event()
        self._there = asyncio.Event()
        self._commit, self._transaction._commit = self._transaction._commit, self._halt  # type: ignore[method-assign]

    async def _halt(self) -> None:
        self._there.set()
        await self._go_on.wait()
        await self._commit()

    async def run(self) -> asyncio.Task[Any]:
        task = asyncio.create_task(self._transaction.run(self._work))
        await asyncio.wait({task, asyncio.create_task(self._there.wait())}, return_when=asyncio.FIRST_COMPLETED)
        return task

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
async def connection(address: str) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(address)
    yield made
    await made.close()


async def _is_waiting(address: str) -> None:
    """Somebody waits for a lock in this database."""
    await postgres.found(
        address,
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    )


# ---------------------------------------------------------------- what a login rests on

ENDED: dict[str, Callable[[Tenant], Write]] = {
    "the secret is revoked": lambda it: RevokeSecret(
        environment_id=it.id, secret_id=it.secret.secret_id, revoked_at=NOW
    ),
    "the profile is changed": lambda it: ReplaceProfile(profile=it.profile),
    "the member is suspended": lambda it: ReplaceMember(
        member=replace(it.member, status="deleted"), revoke_sessions_at=NOW
    ),
    "the organization is deleted": lambda it: DeleteOrganization(
        environment_id=it.id, organization_id=it.organization.organization_id
    ),
    "the environment is deleted": lambda it: DeleteEnvironment(environment_id=it.id),
}


@pytest.mark.parametrize("ended", ENDED.values(), ids=ENDED)
async def test_a_login_waits_for_a_change_that_is_about_to_be_committed_and_heeds_it(
    store: Store, tenant: Tenant, address: str, connection: asyncpg.Connection, ended: Callable[[Tenant], Write]
) -> None:
    other = Halted(connection, ended(tenant))
    changing = await other.run()
    guard = records.guard(tenant.secret, profile_id=tenant.profile.profile_id, profile_revision=1)
    session = records.session(tenant.member)
    login = asyncio.create_task(store.write(records.start(session, tenant.secret, guard=guard)))
    await _is_waiting(address)
    assert not login.done()
    other.go_on()
    assert await changing == [None]
    with pytest.raises(Stale):
        await login
    assert await store.session(tenant.id, session.number) is None


@pytest.mark.parametrize("ended", ENDED.values(), ids=ENDED)
async def test_a_change_waits_for_a_login_that_is_about_to_be_committed(
    store: Store, tenant: Tenant, address: str, connection: asyncpg.Connection, ended: Callable[[Tenant], Write]
) -> None:
    """So the change ends the session, or a later one does: none is left that nobody could see."""
    session = records.session(tenant.member)
    guard = records.guard(tenant.secret, profile_id=tenant.profile.profile_id, profile_revision=1)
    other = Halted(connection, records.start(session, tenant.secret, guard=guard))
    login = await other.run()
    change = asyncio.create_task(store.write(ended(tenant)))
    await _is_waiting(address)
    assert not change.done()
    other.go_on()
    assert await login == [None]
    await change
    view = await store.session(tenant.id, session.number)
    assert view is None or view.session.revoked_at == NOW or view.member == tenant.member


async def test_a_write_that_must_wait_holds_up_no_other_one(
    store: Store, tenant: Tenant, neighbour: Tenant, connection: asyncpg.Connection
) -> None:
    other = Halted(connection, ENDED["the secret is revoked"](tenant))
    changing = await other.run()
    start = [records.start(records.session(each.member), each.secret) for each in (tenant, neighbour)]
    waiting, free = (asyncio.create_task(store.write(each)) for each in start)
    await free
    assert not waiting.done()
    other.go_on()
    await changing
    with pytest.raises(Stale):
        await waiting


async def test_a_session_is_not_revived_by_an_access_at_the_moment_of_its_end(
    store: Store, second: Store, tenant: Tenant
) -> None:
    for _ in range(10):
        session = records.session(tenant.member)
        await store.write(records.start(session, tenant.secret))
        await asyncio.gather(
            store.write(records.revoke(session)),
            *(second.write(records.update(session, tenant.secret, expires_at=NOW + 9999)) for _ in range(3)),
            return_exceptions=True,
        )
        view = await second.session(tenant.id, session.number)
        assert view is not None
        assert view.session.revoked_at == NOW


# ---------------------------------------------------------------- one must stay


async def _both(store: Store, second: Store, writes: Sequence[Write]) -> list[str]:
    outcomes = await asyncio.gather(store.write(writes[0]), second.write(writes[1]), return_exceptions=True)
    return sorted(type(one).__name__ for one in outcomes)


async def test_two_public_tokens_deleted_at_once_are_not_both_gone(store: Store, second: Store, tenant: Tenant) -> None:
    for number in range(5):
        (first,) = await store.public_tokens(tenant.id)
        another = replace(first, public_token=f"public-token-test-{number}")
        await store.write(CreatePublicToken(public_token=another))
        writes = [
            DeletePublicToken(environment_id=tenant.id, public_token=one.public_token) for one in (first, another)
        ]
        assert await _both(store, second, writes) == ["NoneType", "Stale"]


async def test_two_owners_who_remove_each_other_are_not_both_gone(store: Store, second: Store, tenant: Tenant) -> None:
    for _ in range(5):
        owners: list[User] = [records.user(tenant.id, roles=("owner",)) for _ in range(2)]
        for owner in owners:
            await store.write(CreateUser(user=owner))
        writes = [
            DeleteOperator(environment_id=tenant.id, user_id=one.user_id, needs_another_owner=True) for one in owners
        ]
        assert await _both(store, second, writes) == ["NoneType", "Stale"]
        for one in owners:
            if await store.user(tenant.id, one.user_id):
                await store.write(DeleteUser(environment_id=tenant.id, user_id=one.user_id))


# ---------------------------------------------------------------- transactions of many writes


@pytest.mark.parametrize("are_hot", [True, False], ids=["together", "one by one"])
async def test_the_writes_of_one_tick_share_a_transaction_and_each_has_its_own_outcome(
    address: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, are_hot: bool
) -> None:
    if not are_hot:
        monkeypatch.setattr(postgres_batches, "hot", lambda _write: None)
    meter = Meter()
    store = await open_store(address, meter)
    member = records.member(tenant.organization, email=tenant.member.email)
    lost = RecordAttempt(attempt=records.attempt(tenant.id), guard=records.guard(tenant.secret, secret_id="none"))
    writes: list[Write] = [
        CreateSecret(secret=records.secret(tenant.id)),
        CreateMember(member=member),
        CreateSecret(secret=records.secret(tenant.id)),
        lost,
        CreateSecret(secret=records.secret("nowhere")),
        CreateSecret(secret=replace(records.secret(tenant.id), created_at=2**63)),
        CreateSecret(secret=records.secret(tenant.id)),
    ]
    outcomes = await asyncio.gather(*map(store.write, writes), return_exceptions=True)
    kinds = [type(one) for one in outcomes]
    assert kinds == [type(None), Conflict, type(None), Stale, Stale, ValueError, type(None)]
    assert len(await store.secrets(tenant.id)) == 4
    assert await store.member_by_id(tenant.id, member.member_id) is None
    assert meter.registry.get_sample_value("assay_store_commit_writes_sum") == 7
    assert meter.registry.get_sample_value("assay_store_commit_writes_count") == 1
    await store.close()


async def test_a_batch_that_meets_another_one_is_tried_again(store: Store, tenant: Tenant) -> None:
    """Two transactions that change two rows in opposite orders: the server ends one of them."""
    sessions = [records.session(tenant.member) for _ in range(2)]
    for each in sessions:
        await store.write(records.start(each, tenant.secret))
    one, other = (records.update(each, tenant.secret, last_accessed_at=NOW + 1) for each in sessions)
    writer = store._writer  # type: ignore[attr-defined]
    work = [Work(each, postgres_locks.Names(), functools.partial(_slowly, each)) for each in (one, other)]
    batches = [postgres_writer._committed(writer._hot, batch, waits=False) for batch in (work, work[::-1])]
    assert await asyncio.gather(*batches) == [[None, None], [None, None]]


async def _slowly(write: Write, connection: Any) -> None:
    await _done(write, connection)
    await connection.execute("select pg_sleep(0.05)")


async def test_a_lock_that_others_keep_for_too_long_is_unavailable(
    store: Store, tenant: Tenant, connection: asyncpg.Connection
) -> None:
    """Whoever has it is no process of ours; the server's own limit ends the wait."""
    await connection.execute("begin; lock table secrets in exclusive mode")
    writer = store._writer  # type: ignore[attr-defined]
    taken = await writer._hot.take()
    await taken.execute("set lock_timeout = 50")
    writer._hot.give_back(taken)
    with pytest.raises(errors.StoreUnavailable) as refused:
        await store.write(CreateSecret(secret=records.secret(tenant.id)))
    assert "55P03" in str(refused.value.detail)
    await connection.execute("rollback")
    await store.write(CreateSecret(secret=records.secret(tenant.id)))


async def test_no_value_is_quoted_by_an_error(store: Store, tenant: Tenant) -> None:
    """What PostgreSQL and its driver say about a value quotes it, and it may be a secret."""
    wrong = replace(records.secret(tenant.id), last_four=b"hidden")
    again = replace(records.secret(tenant.id), secret_id=tenant.secret.secret_id)
    for secret in (wrong, again):
        with pytest.raises(ValueError, match=r"PostgreSQL|secrets_pkey") as told:
            await store.write(CreateSecret(secret=secret))
        assert "hidden" not in repr(told.value)
        assert tenant.secret.secret_id not in repr(told.value)


async def test_text_with_a_nul_is_kept_as_text_without_one(store: Store, tenant: Tenant) -> None:
    """Tokens may hold one, and their refusal is recorded all the same."""
    await store.write(RecordAttempt(attempt=records.attempt(tenant.id, subject="a\x00b", details={"x": "\x00"})))
    (attempt,) = await store.attempts(tenant.id, 10)
    assert (attempt.subject, attempt.details) == ("a\uffffb", {"x": "\x00"})
    assert await store.user(tenant.id, "a\x00b") is None


# ---------------------------------------------------------------- whoever follows by number


async def _events(store: Store, after: int) -> list[NumberedEvent]:
    return await store.events_after(None, after, 10)


async def test_whoever_follows_does_not_pass_by_what_is_still_to_be_committed(
    store: Store, tenant: Tenant, connection: asyncpg.Connection
) -> None:
    def told(action: str) -> RecordAttempt:
        event = records.event(tenant.id, action=action)
        return RecordAttempt(attempt=records.attempt(tenant.id), events=(event,))

    await store.write(told("first"))
    (first,) = await _events(store, 0)
    oldest = AttemptSearch(after=0)
    assert len(await store.search_attempts(tenant.id, oldest)) == 1
    other = Halted(connection, told("second"))
    committing = await other.run()
    await store.write(told("third"))
    assert await _events(store, first.number) == []
    assert len(await store.search_attempts(tenant.id, oldest)) == 1
    assert [one.event.action for one in await store.newest_events(None, 10)] == ["third", "first"]
    other.go_on()
    await committing
    assert [one.event.action for one in await _events(store, first.number)] == ["second", "third"]
    assert len(await store.search_attempts(tenant.id, oldest)) == 3


async def test_what_is_being_written_by_those_who_came_later_hides_nothing(
    store: Store, tenant: Tenant, connection: asyncpg.Connection
) -> None:
    event = records.event(tenant.id)
    await store.write(RecordAttempt(attempt=records.attempt(tenant.id), events=(event,)))
    other = Halted(connection, RecordAttempt(attempt=records.attempt(tenant.id)))
    committing = await other.run()
    assert [one.event for one in await _events(store, 0)] == [event]
    other.go_on()
    await committing


# ---------------------------------------------------------------- erasing


@pytest.mark.parametrize("kind", ["member", "user"])
async def test_what_is_written_while_a_person_is_looked_for_is_erased_as_well(
    store: Store, tenant: Tenant, kind: SubjectKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject_id = tenant.member.member_id if kind == "member" else tenant.user.user_id
    said = [
        RecordAttempt(
            attempt=records.attempt(tenant.id, reason=f"the address {subject_id} is taken"),
            events=(records.event(tenant.id, details={"of": subject_id}),),
        ),
        RecordAttempt(attempt=records.attempt(tenant.id, reason="somebody else")),
    ]
    finding = store._aside.snapshot  # type: ignore[attr-defined]

    async def interfere(work: Callable[[Any], Awaitable[Any]]) -> Any:
        found = await finding(work)
        for each in said:
            await store.write(each)
        return found

    for each in said:
        await store.write(each)
    monkeypatch.setattr(store._aside, "snapshot", interfere)  # type: ignore[attr-defined]
    tombstone = records.event(tenant.id, action="person.erased", target=subject_id)
    erasure = records.erase(tenant.id, kind, subject_id, events=(tombstone,))
    await store.write(erasure)
    assert [one.reason for one in await store.attempts(tenant.id, 10)] == ["somebody else"] * 2
    assert await store.events(tenant.id, 10) == [tombstone]
