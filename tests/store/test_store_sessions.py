"""Sessions: what must hold when one is started, changed or ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import convert
from msgspec.structs import replace

from assay.model import Session, SessionView
from assay.store import (
    Conflict,
    DeleteProfile,
    DeleteUser,
    EndedSessions,
    ForgetSessions,
    Guard,
    NoteAccesses,
    RecordAttempt,
    ReplaceMember,
    ReplaceProfile,
    RevokeSecret,
    RevokeSession,
    RevokeSessionsOf,
    Stale,
    Store,
)
from tests import records
from tests.records import NOW
from tests.store.conftest import Tenant


async def stored(store: Store, session: Session) -> Session:
    view = await store.session(session.environment_id, session.number)
    assert view is not None
    return view.session


def profile_guard(tenant: Tenant, **changes: object) -> Guard:
    profile = tenant.profile
    return records.guard(
        tenant.secret,
        **{"profile_id": profile.profile_id, "profile_revision": profile.revision, **changes},
    )


def several_guard(tenant: Tenant, **revisions: int) -> Guard:
    profile = tenant.profile
    known = {profile.profile_id: profile.revision}
    named = {profile.profile_id if name == "partner" else name: value for name, value in revisions.items()}
    return records.guard(tenant.secret, profile_revisions=known | named)


# ---------------------------------------------------------------- reading


async def test_a_session_of_a_member_is_read_with_member_and_organization(
    store: Store, tenant: Tenant, neighbour: Tenant, session: Session
) -> None:
    view = await store.session(tenant.id, session.number)
    assert view == SessionView(session=session, member=tenant.member, organization=tenant.organization)
    assert await store.session(neighbour.id, session.number) is None


async def test_a_session_of_a_user_is_read_with_the_user(store: Store, tenant: Tenant) -> None:
    session = records.session(tenant.user, custom_claims={"nested": {"n": 2**70}}, factors=())
    await store.write(records.start(session, tenant.secret))
    assert await store.session(tenant.id, session.number) == SessionView(session=session, user=tenant.user)


async def test_live_sessions_of_a_subject_are_listed_oldest_first(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    first, second, expired, revoked = (
        records.session(tenant.member, **changes) for changes in ({}, {}, {"expires_at": NOW + 5}, {"revoked_at": NOW})
    )
    for session in (second, first, expired, revoked, records.session(tenant.user)):
        await store.write(records.start(session, tenant.secret))
    found = await store.sessions_of(tenant.id, "member", tenant.member.member_id, NOW + 5)
    assert found == [first, second]
    assert await store.sessions_of(tenant.id, "user", tenant.member.member_id, NOW) == []
    assert await store.sessions_of(neighbour.id, "member", tenant.member.member_id, NOW) == []


# ---------------------------------------------------------------- starting


async def test_a_session_starts_together_with_its_attempt_and_events(store: Store, tenant: Tenant) -> None:
    attempt, event = records.attempt(tenant.id, outcome="granted"), records.event(tenant.id)
    session = records.session(tenant.member)
    guard = profile_guard(tenant)
    await store.write(records.start(session, tenant.secret, guard=guard, attempt=attempt, events=(event,)))
    assert await stored(store, session) == session
    assert await store.attempts(tenant.id, 9) == [attempt]
    assert await store.events(tenant.id, 9) == [event]


async def test_a_session_number_is_used_once(store: Store, tenant: Tenant, session: Session) -> None:
    twin = records.session(tenant.member, number=session.number)
    attempt = records.attempt(tenant.id)
    with pytest.raises(Conflict) as refused:
        await store.write(records.start(twin, tenant.secret, attempt=attempt))
    assert refused.value.key == "session_number"
    assert await stored(store, session) == session
    assert await store.attempts(tenant.id, 9) == []


NEIGHBOURS_SESSION = 4711

GUARDS: dict[str, Callable[[Tenant, Tenant, Session], Guard]] = {
    "an unknown secret": lambda tenant, _, __: records.guard(tenant.secret, secret_id="secret-test-0"),
    "another tenant's secret": lambda tenant, neighbour, _: replace(
        records.guard(neighbour.secret), environment_id=tenant.id
    ),
    "an unknown profile": lambda tenant, _, __: profile_guard(tenant, profile_id="other"),
    "another revision of the profile": lambda tenant, _, __: profile_guard(tenant, profile_revision=2),
    "another revision of one of several profiles": lambda tenant, _, __: several_guard(tenant, partner=2),
    "an unknown profile among several": lambda tenant, _, __: several_guard(tenant, other=1),
    "a profile without revision": lambda tenant, _, __: profile_guard(tenant, profile_revision=None),
    "an unknown session": lambda tenant, _, __: records.guard(tenant.secret, session_number=1),
    "another tenant's session": lambda tenant, _, __: records.guard(tenant.secret, session_number=NEIGHBOURS_SESSION),
    "an expired session": lambda tenant, _, session: records.guard(
        tenant.secret, session_number=session.number, now=session.expires_at
    ),
}


@pytest.mark.parametrize("case", GUARDS)
async def test_no_session_starts_or_changes_when_its_guard_fails(
    store: Store, tenant: Tenant, neighbour: Tenant, session: Session, case: str
) -> None:
    theirs = records.session(neighbour.member, number=NEIGHBOURS_SESSION)
    await store.write(records.start(theirs, neighbour.secret))
    guard = GUARDS[case](tenant, neighbour, session)
    fresh = records.session(tenant.member, expires_at=session.expires_at + 60)
    attempt = records.attempt(tenant.id)
    with pytest.raises(Stale):
        await store.write(records.start(fresh, tenant.secret, guard=guard, attempt=attempt))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, guard=guard, expires_at=NOW + 7200, attempt=attempt))
    assert await store.session(tenant.id, fresh.number) is None
    assert await stored(store, session) == session
    assert await store.attempts(tenant.id, 9) == []


async def test_a_guard_of_another_environment_opens_nothing(
    store: Store, tenant: Tenant, neighbour: Tenant, session: Session
) -> None:
    with pytest.raises(Stale):
        await store.write(records.start(records.session(tenant.member), neighbour.secret))
    with pytest.raises(Stale):
        await store.write(records.update(session, neighbour.secret))


async def test_a_session_starts_beside_a_live_session_that_its_guard_names(
    store: Store, tenant: Tenant, session: Session
) -> None:
    known = {tenant.profile.profile_id: tenant.profile.revision}
    guard = profile_guard(tenant, session_number=session.number, profile_revisions=known)
    fresh = records.session(tenant.member)
    await store.write(records.start(fresh, tenant.secret, guard=guard))
    await store.write(RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW))
    with pytest.raises(Stale):
        await store.write(records.start(records.session(tenant.member), tenant.secret, guard=guard))


async def test_a_change_of_secret_or_profile_is_seen_by_the_next_session_write(
    store: Store, tenant: Tenant, session: Session
) -> None:
    guard = profile_guard(tenant)
    await store.write(ReplaceProfile(profile=tenant.profile))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, guard=guard))
    await store.write(records.update(session, tenant.secret, guard=profile_guard(tenant, profile_revision=2)))
    await store.write(DeleteProfile(environment_id=tenant.id, profile_id=tenant.profile.profile_id))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, guard=profile_guard(tenant, profile_revision=2)))
    await store.write(records.update(session, tenant.secret))
    await store.write(RevokeSecret(environment_id=tenant.id, secret_id=tenant.secret.secret_id, revoked_at=NOW))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret))


@pytest.mark.parametrize("status", ["pending", "invited", "deleted"])
async def test_only_active_members_have_sessions(store: Store, tenant: Tenant, session: Session, status: str) -> None:
    await store.write(ReplaceMember(member=replace(tenant.member, status=status)))
    with pytest.raises(Stale):
        await store.write(records.start(records.session(tenant.member), tenant.secret))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret))


async def test_a_member_has_sessions_in_its_own_organization_and_environment_only(
    store: Store, tenant: Tenant, neighbour: Tenant
) -> None:
    fields = (
        {"organization_id": neighbour.organization.organization_id},
        {"organization_id": None},
        {"subject_id": neighbour.member.member_id},
        {
            "subject_id": neighbour.member.member_id,
            "organization_id": neighbour.organization.organization_id,
        },
        {"subject_kind": "user", "subject_id": neighbour.user.user_id},
        {"subject_kind": "user"},
    )
    for changes in fields:
        with pytest.raises(Stale):
            await store.write(records.start(records.session(tenant.member, **changes), tenant.secret))


async def test_a_deleted_user_starts_no_session(store: Store, tenant: Tenant) -> None:
    await store.write(DeleteUser(environment_id=tenant.id, user_id=tenant.user.user_id))
    with pytest.raises(Stale):
        await store.write(records.start(records.session(tenant.user), tenant.secret))


# ---------------------------------------------------------------- changing


async def test_an_update_changes_what_it_names_and_nothing_else(store: Store, tenant: Tenant, session: Session) -> None:
    other = records.session(tenant.member)
    await store.write(records.start(other, tenant.secret))
    await store.write(records.update(session, tenant.secret, last_accessed_at=NOW + 9, expires_at=NOW + 60))
    accessed = replace(session, last_accessed_at=NOW + 9, expires_at=NOW + 60)
    assert await stored(store, session) == accessed
    factors, claims = (records.factor("a"), records.factor("b")), {"plan": {"name": "pro"}}
    await store.write(
        records.update(
            session,
            tenant.secret,
            revision=1,
            last_accessed_at=NOW + 9,
            factors=factors,
            custom_claims=claims,
        )
    )
    assert await stored(store, session) == replace(accessed, factors=factors, custom_claims=claims, revision=2)
    assert await stored(store, other) == other


async def test_the_last_access_never_moves_backwards(store: Store, tenant: Tenant, session: Session) -> None:
    await store.write(records.update(session, tenant.secret, last_accessed_at=NOW + 9))
    await store.write(records.update(session, tenant.secret, last_accessed_at=NOW + 3))
    assert (await stored(store, session)).last_accessed_at == NOW + 9


async def test_an_access_alone_does_not_disturb_whoever_adds_a_factor(
    store: Store, tenant: Tenant, session: Session
) -> None:
    await store.write(records.update(session, tenant.secret))
    await store.write(records.update(session, tenant.secret, revision=1, factors=(records.factor("b"),)))


async def test_accesses_are_noted_for_many_sessions_and_never_move_backwards(
    store: Store, tenant: Tenant, session: Session
) -> None:
    other = records.session(tenant.user)
    await store.write(records.start(other, tenant.secret))
    gone = max(session.number, other.number) + 1
    await store.write(NoteAccesses(accesses={session.number: NOW + 5, other.number: NOW + 7, gone: NOW + 9}))
    await store.write(NoteAccesses(accesses={session.number: NOW + 4, other.number: NOW + 8}))
    assert await stored(store, session) == replace(session, last_accessed_at=NOW + 5)
    assert await stored(store, other) == replace(other, last_accessed_at=NOW + 8)


async def test_factors_written_without_a_revision_still_count_one(
    store: Store, tenant: Tenant, session: Session
) -> None:
    """Whoever decided upon the former factors must find out."""
    await store.write(records.update(session, tenant.secret, factors=()))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, revision=1, custom_claims={}))


async def test_an_update_may_record_its_attempt_and_events(store: Store, tenant: Tenant, session: Session) -> None:
    attempt, event = records.attempt(tenant.id), records.event(tenant.id)
    await store.write(records.update(session, tenant.secret, attempt=attempt, events=(event,)))
    assert await store.attempts(tenant.id, 9) == [attempt]
    assert await store.events(tenant.id, 9) == [event]


async def test_a_session_that_has_ended_is_never_changed(store: Store, tenant: Tenant, session: Session) -> None:
    late = records.guard(tenant.secret, now=session.expires_at)
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, guard=late, expires_at=NOW + 9999))
    await store.write(RevokeSession(environment_id=tenant.id, number=session.number, revoked_at=NOW))
    with pytest.raises(Stale):
        await store.write(records.update(session, tenant.secret, expires_at=NOW + 9999))
    assert await stored(store, session) == replace(session, revoked_at=NOW)


async def test_a_session_of_a_user_is_changed_like_that_of_a_member(store: Store, tenant: Tenant) -> None:
    session = records.session(tenant.user)
    await store.write(records.start(session, tenant.secret))
    await store.write(records.update(session, tenant.secret, last_accessed_at=NOW + 1))
    assert (await stored(store, session)).last_accessed_at == NOW + 1


# ---------------------------------------------------------------- ending


async def test_a_session_is_revoked_once_and_tells_of_it_once(store: Store, tenant: Tenant, session: Session) -> None:
    event = records.event(tenant.id, action="session.revoke")
    for now in (NOW + 1, NOW + 2):
        await store.write(
            RevokeSession(events=(event,), environment_id=tenant.id, number=session.number, revoked_at=now)
        )
    assert (await stored(store, session)).revoked_at == NOW + 1
    assert await store.events(None, 9) == [event]


async def test_nobody_ends_sessions_of_another_environment(
    store: Store, tenant: Tenant, neighbour: Tenant, session: Session
) -> None:
    subject = {"subject_kind": "member", "subject_id": tenant.member.member_id}
    await store.write(RevokeSession(environment_id=neighbour.id, number=session.number, revoked_at=NOW))
    await store.write(convert({"environment_id": neighbour.id, "revoked_at": NOW, **subject}, RevokeSessionsOf))
    await store.write(
        convert({"environment_id": tenant.id, "revoked_at": NOW, **subject, "subject_kind": "user"}, RevokeSessionsOf)
    )
    assert await stored(store, session) == session


async def test_sessions_that_ended_before_keep_their_end(store: Store, tenant: Tenant) -> None:
    revoked = records.session(tenant.member, revoked_at=NOW)
    expired = records.session(tenant.member, expires_at=NOW + 5)
    for one in (revoked, expired):
        await store.write(records.start(one, tenant.secret))
    await store.write(
        RevokeSessionsOf(
            environment_id=tenant.id,
            subject_kind="member",
            subject_id=tenant.member.member_id,
            revoked_at=NOW + 5,
        )
    )
    for one in (revoked, expired):
        assert await stored(store, one) == one


async def test_revoking_an_unknown_or_expired_session_changes_nothing(
    store: Store, tenant: Tenant, session: Session
) -> None:
    event = records.event(tenant.id)
    for number, now in ((1, NOW), (session.number, session.expires_at)):
        await store.write(RevokeSession(events=(event,), environment_id=tenant.id, number=number, revoked_at=now))
    assert await stored(store, session) == session
    assert await store.events(tenant.id, 9) == []


async def test_all_sessions_of_a_subject_are_revoked_and_nobody_elses(
    store: Store, tenant: Tenant, neighbour: Tenant, session: Session
) -> None:
    mine = records.session(tenant.member)
    others = [records.session(tenant.user), records.session(neighbour.member)]
    await store.write(records.start(mine, tenant.secret))
    await store.write(records.start(others[0], tenant.secret))
    await store.write(records.start(others[1], neighbour.secret))
    await store.write(
        RevokeSessionsOf(
            environment_id=tenant.id,
            subject_kind="member",
            subject_id=tenant.member.member_id,
            revoked_at=NOW + 1,
        )
    )
    for one in (session, mine):
        assert (await stored(store, one)).revoked_at == NOW + 1
    for one in others:
        assert (await stored(store, one)).revoked_at is None


async def test_a_member_can_be_changed_together_with_the_end_of_its_sessions(
    store: Store, tenant: Tenant, session: Session
) -> None:
    await store.write(ReplaceMember(member=tenant.member))
    assert (await stored(store, session)).revoked_at is None
    gone = replace(tenant.member, status="deleted", revision=2)
    await store.write(ReplaceMember(member=gone, revoke_sessions_at=NOW + 1))
    assert (await stored(store, session)).revoked_at == NOW + 1


async def test_an_attempt_that_changed_nothing_is_recorded(store: Store, tenant: Tenant) -> None:
    attempt = records.attempt(tenant.id)
    await store.write(RecordAttempt(attempt=attempt))
    assert await store.attempts(tenant.id, 9) == [attempt]


# ---------------------------------------------------------------- forgetting those that ended


async def row(store: Store, tenant: Tenant) -> list[Session]:
    """Five sessions in the order of their numbers: expired, live, revoked, expired a second later, live."""
    sessions = [
        records.session(tenant.member, expires_at=NOW + 60),
        records.session(tenant.member),
        records.session(tenant.user),
        records.session(tenant.user, expires_at=NOW + 61),
        records.session(tenant.member),
    ]
    for each in sessions:
        await store.write(records.start(each, tenant.secret))
    await store.write(RevokeSession(environment_id=tenant.id, number=sessions[2].number, revoked_at=NOW + 30))
    return sessions


async def left(store: Store, sessions: list[Session]) -> list[bool]:
    return [await store.session(each.environment_id, each.number) is not None for each in sessions]


LOOKS: dict[str, tuple[int, int, int, tuple[int, int | None, int]]] = {
    "all at once": (0, 5, 10, (5, 4, 2)),
    "the first of them": (0, 5, 2, (2, 1, 1)),
    "those after a number": (1, 5, 10, (4, 4, 1)),
    "those before a number": (0, 2, 10, (2, 1, 1)),
    "nothing is left": (5, 5, 10, (0, None, 0)),
}


@pytest.mark.parametrize("case", LOOKS)
async def test_ended_sessions_are_counted_along_their_numbers(store: Store, tenant: Tenant, case: str) -> None:
    sessions = await row(store, tenant)
    first, end, look, (looked_at, last, ended) = LOOKS[case]
    numbers = [each.number for each in sessions] + [sessions[-1].number + 1]
    found = await store.ended_sessions(numbers[first] - 1, numbers[end], NOW + 61, look)
    assert found == EndedSessions(looked_at, None if last is None else numbers[last], ended)


async def test_sessions_that_ended_long_ago_are_forgotten_some_at_a_time_and_no_others(
    store: Store, tenant: Tenant
) -> None:
    sessions = await row(store, tenant)
    forget = ForgetSessions(after=0, upto=sessions[-1].number, ended_before=NOW + 61, limit=1)
    await store.write(replace(forget, upto=sessions[0].number - 1, limit=10))
    await store.write(replace(forget, after=sessions[2].number, limit=10))
    assert await left(store, sessions) == [True, True, True, True, True]
    await store.write(forget)
    assert await left(store, sessions) == [False, True, True, True, True]
    await store.write(forget)
    assert await left(store, sessions) == [False, True, False, True, True]
    await store.write(replace(forget, limit=10))
    assert await left(store, sessions) == [False, True, False, True, True]
