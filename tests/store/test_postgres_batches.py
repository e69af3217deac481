"""Hot writes of one transaction, done together: of each becomes what becomes of it when all are done in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from assay.model import Attempt, Event, ReplayMark, Session
from assay.store import (
    Conflict,
    CreateMember,
    CreateOrganization,
    CreateProfile,
    CreateUser,
    DeleteProfile,
    RecordAttempt,
    RevokeSession,
    RevokeSessionsOf,
    StartSession,
    Store,
    UpdateSession,
    Write,
    postgres_batches,
    postgres_plans,
)
from assay.store.opening import open_store
from assay.store.postgres_connections import Connection
from tests import postgres, records
from tests.records import NOW
from tests.store import contents
from tests.store.conftest import ON_POSTGRES, Tenant

pytestmark = ON_POSTGRES

Outcomes = list[str | None]


class Case(NamedTuple):
    """Writes of one tick, and what becomes of each: None, Stale, or the key of a Conflict.

    ``by_steps`` are so many hot ones of them that can only be done one by one.
    """

    writes: Callable[[Tenant, Session], list[Write]]
    outcomes: Outcomes
    by_steps: int = 0


def _start(it: Tenant, **changes: object) -> Write:
    return records.start(records.session(it.member), it.secret, attempt=records.attempt(it.id), **changes)


def _update(it: Tenant, session: Session, **changes: object) -> Write:
    return records.update(session, it.secret, attempt=records.attempt(it.id), **changes)


def _attempt(it: Tenant, **changes: object) -> Write:
    return replace(RecordAttempt(attempt=records.attempt(it.id)), **changes)


def _revoke(it: Tenant, session: Session, at: int = NOW) -> Write:
    event = records.event(it.id, action="session.revoke", created_at=at)
    return RevokeSession(environment_id=it.id, number=session.number, revoked_at=at, events=(event,))


def _guarded(it: Tenant, **changes: object) -> list[Write]:
    """One of each kind under a guard."""
    guard = records.guard(it.secret, profile_id=it.profile.profile_id, profile_revision=1)
    return [_start(it, guard=replace(guard, **changes)), _attempt(it, guard=replace(guard, **changes))]


def _of_one_number(it: Tenant, _: Session) -> list[Write]:
    one, other = records.session(it.member), records.session(it.member)
    return [
        records.start(one, it.secret, attempt=records.attempt(it.id)),
        records.start(other, it.secret),
        records.start(replace(one, id_tail=1), it.secret, attempt=records.attempt(it.id)),
    ]


def _started_and_changed(it: Tenant, _: Session) -> list[Write]:
    one = records.session(it.member)
    later = replace(records.guard(it.secret), session_number=one.number)
    return [
        _start(it, guard=later),
        records.start(one, it.secret),
        records.update(one, it.secret, revision=1, custom_claims={"a": [1, "ä\u2028"]}),
        _start(it, guard=later),
        _revoke(it, one),
        _start(it, guard=later),
    ]


def _of_all_kinds(it: Tenant, session: Session) -> list[Write]:
    mark = records.replay_mark(it.secret)
    return [
        _update(it, session, replay=mark, token_hash=b"n" * 32, factors=(records.factor("b"),)),
        _start(it, replay=mark),
        _attempt(it, replay=replace(mark, request_hash=b"other")),
        _attempt(it),
        _start(it, events=(records.event(it.id), records.event(None, details={"ü": None}))),
    ]


CASES: dict[str, Case] = {
    "all kinds, and one mark": Case(_of_all_kinds, [None, "replay_mark", "replay_mark", None, None]),
    "one mark, free again after a start that fails": Case(
        lambda it, _: [
            _start(
                it, replay=records.replay_mark(it.secret), guard=records.guard(it.secret, secret_id="secret-test-0")
            ),
            _start(it, replay=records.replay_mark(it.secret)),
            _start(it, replay=records.replay_mark(it.secret)),
        ],
        ["Stale", None, "replay_mark"],
    ),
    "one mark, which expires in between": Case(
        lambda it, _: [
            _start(
                it,
                replay=records.replay_mark(
                    it.secret, created_at=at, expires_at=at + 60, request_hash=bytes([at - NOW])
                ),
            )
            for at in (NOW, NOW + 59, NOW + 60)
        ],
        [None, "replay_mark", None],
    ),
    "a mark that is taken and a guard that fails": Case(
        lambda it, _: [
            _attempt(it, replay=records.replay_mark(it.secret)),
            _start(
                it, replay=records.replay_mark(it.secret), guard=records.guard(it.secret, secret_id="secret-test-0")
            ),
        ],
        [None, "replay_mark"],
    ),
    "a mark of another profile, and of one that is not there": Case(
        lambda it, session: [
            _start(it, replay=records.replay_mark(it.secret)),
            _update(it, session, replay=records.replay_mark(it.secret, profile_id="gone")),
            _attempt(it, replay=records.replay_mark(it.secret, mark="other")),
        ],
        [None, "Stale", None],
    ),
    "one number": Case(_of_one_number, [None, None, "session_number"]),
    "one number and a mark": Case(
        lambda it, session: [
            records.start(session, it.secret, replay=records.replay_mark(it.secret), attempt=records.attempt(it.id)),
            _start(it, replay=records.replay_mark(it.secret)),
        ],
        ["session_number", None],
        by_steps=2,
    ),
    "a session that is started, changed, looked at and revoked": Case(
        _started_and_changed, ["Stale", None, None, None, None, "Stale"]
    ),
    "a revocation between two updates": Case(
        lambda it, session: [
            _update(it, session, last_accessed_at=NOW + 5),
            _revoke(it, session),
            _update(it, session, last_accessed_at=NOW + 9),
            _revoke(it, session, NOW + 1),
        ],
        [None, None, "Stale", None],
    ),
    "a revocation that is too late, or elsewhere": Case(
        lambda it, session: [
            _revoke(it, session, session.expires_at),
            replace(_revoke(it, session), environment_id="project-test-0"),
        ],
        [None, None],
    ),
    "several updates of a session": Case(
        lambda it, session: [
            _update(it, session, last_accessed_at=NOW + 7),
            _update(it, session, last_accessed_at=NOW + 3, expires_at=NOW + 9999),
            _update(it, session, revision=1, custom_claims={}),
            _update(it, session, revision=1, factors=()),
        ],
        [None, None, None, "Stale"],
    ),
    "updates with what must not be so": Case(
        lambda it, session: [
            _update(it, replace(session, number=session.number + 1)),
            _update(it, session, guard=records.guard(it.secret, now=session.expires_at)),
            _update(it, session, guard=records.guard(it.secret, environment_id="project-test-0")),
            _update(it, session, guard=records.guard(it.secret, session_number=1)),
        ],
        ["Stale"] * 4,
    ),
    "starts for whom there is not": Case(
        lambda it, _: [
            records.start(replace(records.session(it.member), organization_id="organization-test-0"), it.secret),
            records.start(replace(records.session(it.member), subject_id="member-test-0"), it.secret),
            records.start(replace(records.session(it.user), subject_kind="member"), it.secret),
            records.start(records.session(it.user), it.secret),
            records.start(replace(records.session(it.user), environment_id="project-test-0"), it.secret),
        ],
        ["Stale", "Stale", "Stale", None, "Stale"],
    ),
    "guards that hold": Case(
        lambda it, session: [
            *_guarded(it),
            *_guarded(it, profile_revisions={it.profile.profile_id: 1}),
            *_guarded(it, session_number=session.number),
            *_guarded(it, profile_id=None)[1:],
        ],
        [None] * 7,
    ),
    "guards that do not": Case(
        lambda it, session: [
            *_guarded(it, profile_revision=2),
            *_guarded(it, profile_revisions={it.profile.profile_id: 1, "other": 1}),
            *_guarded(it, session_number=session.number, now=session.expires_at),
            *_guarded(it, secret_id="secret-test-0"),
        ],
        ["Stale"] * 8,
    ),
    "a write in between that ends sessions": Case(
        lambda it, session: [
            _update(it, session, last_accessed_at=NOW + 1),
            _start(it),
            RevokeSessionsOf(
                environment_id=it.id, subject_kind="member", subject_id=it.member.member_id, revoked_at=NOW
            ),
            _update(it, session, last_accessed_at=NOW + 2),
            _start(it),
        ],
        [None, None, None, "Stale", None],
    ),
    "a profile that goes in between": Case(
        lambda it, _: [
            *_guarded(it),
            DeleteProfile(environment_id=it.id, profile_id=it.profile.profile_id),
            *_guarded(it),
            CreateProfile(profile=it.profile),
            *_guarded(it),
        ],
        [None, None, None, "Stale", "Stale", None, "Stale", "Stale"],
    ),
    "somebody who is made before": Case(
        lambda it, _: [
            _start(it),
            CreateMember(member=(fresh := records.member(it.organization))),
            records.start(records.session(fresh), it.secret),
        ],
        [None, None, None],
    ),
    "text with a NUL, in a column and in JSON": Case(
        lambda it, session: [
            _start(it),
            _start(it),
            _attempt(it, attempt=records.attempt(it.id, subject="a\x00b", details={"c\x00": "\x00"})),
            _update(it, session, custom_claims={"\\u0000": "\x00"}),
        ],
        [None] * 4,
        by_steps=2,
    ),
    "what is no text, or no number that a column holds": Case(
        lambda it, _: [
            _start(it),
            _start(it),
            _attempt(it, attempt=records.attempt(it.id, subject="\ud800")),
            _attempt(it, attempt=records.attempt(it.id, milliseconds=1 << 63)),
        ],
        [None, None, "ValueError", "ValueError"],
        by_steps=2,
    ),
    "an attempt in an environment that is gone": Case(
        lambda it, _: [_attempt(it), RecordAttempt(attempt=records.attempt("project-test-0"))], [None, None]
    ),
    "text that would end a value": Case(
        lambda it, _: [
            _attempt(it, attempt=records.attempt(it.id, reason="'); --", subject='"}],[{', details={"'\"": "\\"})),
            _attempt(it, replay=records.replay_mark(it.secret, mark='"}, {"a')),
        ],
        [None, None],
    ),
}


def _name(outcome: BaseException | None) -> str | None:
    if outcome is None:
        return None
    return outcome.key if isinstance(outcome, Conflict) else type(outcome).__name__


async def _outcomes(store: Store, writes: Sequence[Write]) -> Outcomes:
    """What becomes of writes that are handed over in one tick."""
    return [_name(one) for one in await asyncio.gather(*map(store.write, writes), return_exceptions=True)]


class Left(NamedTuple):
    """What a store holds. Attempts and events may have got their numbers in another order."""

    rows: contents.Rows
    attempts: list[str]
    events: list[str]


async def _left(store: Store, address: str, environment_id: str) -> Left:
    return Left(
        contents.everything(address, leave_out=("attempts", "events", "schema_migrations")),
        sorted(map(repr, await store.attempts(environment_id, 100))),
        sorted(map(repr, await store.events(None, 100))),
    )


@pytest.fixture
async def twin() -> AsyncIterator[tuple[Store, str]]:
    """Another store, of another database, and its address."""
    address = postgres.migrated()
    opened = await open_store(address)
    yield opened, address
    await opened.close()
    postgres.drop(address)


async def _filled(*stores: Store) -> tuple[Tenant, Session]:
    """The same tenant in each of the stores, and a live session of its member."""
    project = records.new_project("acme")
    environment, secret = project.environments[1], project.secrets[1]
    organization = records.organization(environment.environment_id)
    made = Tenant(
        environment=environment,
        secret=secret,
        profile=records.profile(environment.environment_id),
        organization=organization,
        member=records.member(organization),
        user=records.user(environment.environment_id),
    )
    session = records.session(made.member)
    for store in stores:
        await store.write(project)
        await store.write(CreateProfile(profile=made.profile))
        await store.write(CreateOrganization(organization=organization))
        await store.write(CreateMember(member=made.member))
        await store.write(CreateUser(user=made.user))
        await store.write(records.start(session, secret))
    return made, session


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_writes_done_together_have_the_outcome_and_leave_what_they_do_one_by_one(
    store: Store, address: str, twin: tuple[Store, str], monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    tenant, session = await _filled(store, twin[0])
    writes = case.writes(tenant, session)
    assert await _outcomes(store, writes) == case.outcomes
    monkeypatch.setattr(postgres_batches, "hot", lambda _write: None)
    assert await _outcomes(twin[0], writes) == case.outcomes
    assert await _left(store, address, tenant.id) == await _left(*twin, tenant.id)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_hot_writes_are_done_one_by_one_only_where_it_must_be(
    store: Store, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    tenant, session = await _filled(store)
    alone: list[type[Write]] = []

    async def carry_out(connection: Connection, write: Write) -> None:
        alone.append(type(write))
        await postgres_plans.run(connection, postgres_plans.plan(write))

    monkeypatch.setattr(postgres_plans, "carry_out", carry_out)
    assert await _outcomes(store, case.writes(tenant, session)) == case.outcomes
    hot = (StartSession, UpdateSession, RevokeSession, RecordAttempt)
    assert sum(issubclass(kind, hot) for kind in alone) == case.by_steps


async def test_attempts_and_events_are_numbered_in_the_order_of_their_writes(store: Store, tenant: Tenant) -> None:
    def attempt(number: int) -> Attempt:
        return records.attempt(tenant.id, reason=str(number))

    def event(number: int, part: str) -> Event:
        return records.event(tenant.id, target=f"{number}{part}")

    writes = [
        records.start(
            records.session(tenant.member),
            tenant.secret,
            attempt=attempt(number),
            events=(event(number, "a"), event(number, "b")),
        )
        if number % 3
        else RecordAttempt(attempt=attempt(number))
        for number in range(40)
    ]
    assert await _outcomes(store, writes) == [None] * 40
    assert [int(one.reason) for one in await store.attempts(tenant.id, 100)] == list(range(39, -1, -1))
    expected = [f"{number}{part}" for number in range(40) if number % 3 for part in "ab"]
    assert [one.target for one in await store.events(tenant.id, 100)][: len(expected)] == expected[::-1]


async def test_a_batch_works_where_each_transaction_has_another_connection(address: str) -> None:
    """As behind a pooler, which keeps no prepared statement and no setting of a session."""
    store = await open_store(f"{address}?pgbouncer=1")
    try:
        tenant, session = await _filled(store)
        case = CASES["all kinds, and one mark"]
        assert await _outcomes(store, case.writes(tenant, session)) == case.outcomes
    finally:
        await store.close()


async def test_a_mark_that_another_process_makes_meanwhile_wins(store: Store, second: Store, tenant: Tenant) -> None:
    """Both batches are on their way at once, and each of them uses all the tokens, in an order of its own."""
    marks = [records.replay_mark(tenant.secret, mark=str(number)) for number in range(40)]
    first = asyncio.create_task(_outcomes(store, [_start(tenant, replay=one) for one in marks]))
    other = asyncio.create_task(_outcomes(second, [_start(tenant, replay=one) for one in reversed(marks)]))
    outcomes = zip(await first, reversed(await other), strict=True)
    assert all(sorted(map(str, pair)) == ["None", "replay_mark"] for pair in outcomes)
    found = await store.sessions_of(tenant.id, "member", tenant.member.member_id, NOW)
    assert len(found) == len(await store.attempts(tenant.id, 100)) == len(marks)


async def test_sessions_changed_and_revoked_by_two_processes_at_once_are_left_in_one_order(
    store: Store, second: Store, tenant: Tenant
) -> None:
    sessions = [records.session(tenant.member) for _ in range(40)]
    assert await _outcomes(store, [records.start(one, tenant.secret) for one in sessions]) == [None] * 40
    changes = [_update(tenant, one, token_hash=b"n" * 32, replay=_mark(tenant, one)) for one in sessions]
    changed, revoked = await asyncio.gather(
        _outcomes(store, changes), _outcomes(second, [_revoke(tenant, one) for one in reversed(sessions)])
    )
    assert revoked == [None] * 40
    assert set(changed) <= {None, "Stale"}
    for one, outcome in zip(sessions, changed, strict=True):
        view = await second.session(tenant.id, one.number)
        assert view is not None
        assert view.session.revoked_at == NOW
        assert (view.session.revision == 2) == (outcome is None)
        mark = await second.replay_mark(tenant.id, tenant.profile.profile_id, str(one.number))
        assert (mark is not None) == (outcome is None)


def _mark(it: Tenant, session: Session) -> ReplayMark:
    return records.replay_mark(it.secret, mark=str(session.number))
